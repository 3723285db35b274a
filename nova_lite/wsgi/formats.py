# SPDX-License-Identifier: Apache-2.0
"""Formats and small schemas that many bodies share.

Each format has a phrase that completes "VALUE is not …", so that an error says the rule in words.
"""

import base64
import binascii
import ipaddress
import re
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

import jsonschema
from oslo_utils import timeutils

CHECKER = jsonschema.FormatChecker(())
_PHRASES: dict[str, str] = {}

MAX_INT = 0x7FFFFFFF
MAX_NAME = 255


def _format(name: str, phrase: str) -> Callable[[Callable[[str], bool]], Callable[[Any], bool]]:
    def register(check: Callable[[str], bool]) -> Callable[[Any], bool]:
        def only_strings(value: Any) -> bool:
            return not isinstance(value, str) or check(value)
        _PHRASES[name] = phrase
        CHECKER.checks(name)(only_strings)
        return only_strings
    return register


def describe(name: str) -> str:
    """The phrase of a format."""
    return _PHRASES.get(name, f'a valid {name}')


# Control characters, and code points that the databases or XML in a hypervisor cannot hold.
_UNPRINTABLE = re.compile('[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]')


def printable(text: str) -> bool:
    """No control characters."""
    return not _UNPRINTABLE.search(text)


@_format('name', 'a name: printable characters, none of them a blank at either end')
def _name(text: str) -> bool:
    return bool(text) and printable(text) and text == text.strip()


@_format('loose-name', 'a name: printable characters, not only blanks')
def _loose_name(text: str) -> bool:
    return bool(text.strip()) and printable(text)


@_format('printable', 'free of control characters')
def _printable(text: str) -> bool:
    return printable(text.replace('\n', '').replace('\r', '').replace('\t', ''))


@_format('uuid', 'a UUID')
def is_uuid(text: str) -> bool:
    """Any spelling of a UUID that the services of OpenStack accept."""
    try:
        return str(uuid.UUID(text)).replace('-', '') == _plain(text)
    except ValueError:
        return False


def _plain(text: str) -> str:
    return text.lower().replace('urn:', '').replace('uuid:', '').strip('{}').replace('-', '')


@_format('base64', 'Base64')
def _base64(text: str) -> bool:
    try:
        base64.b64decode(text.encode('ascii'), validate=False)
    except (binascii.Error, UnicodeEncodeError):
        return False
    return True


@_format('ipv4', 'an IPv4 address')
def _ipv4(text: str) -> bool:
    return _address(text, ipaddress.IPv4Address)


@_format('ipv6', 'an IPv6 address')
def _ipv6(text: str) -> bool:
    return _address(text, ipaddress.IPv6Address)


def _address(text: str, kind: type[ipaddress.IPv4Address] | type[ipaddress.IPv6Address]) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True


@_format('date-time', 'a time in ISO 8601, such as 2026-01-31T12:00:00Z')
def _date_time(text: str) -> bool:
    try:
        parse_time(text)
    except ValueError:
        return False
    return True


def parse_time(text: str) -> datetime:
    """An ISO 8601 time as naive UTC; ValueError when it is none."""
    try:
        return timeutils.normalize_time(timeutils.parse_isotime(text))
    except OverflowError as error:
        # A zone can lead out of the years 1 to 9999.
        raise ValueError(str(error)) from None


@_format('regex', 'a regular expression')
def _regex(text: str) -> bool:
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError):
        return False
    return True


# ------------------------------------------------------------ common schemas

NULL: dict[str, Any] = {'type': 'null'}
ANY: dict[str, Any] = {}
UUID: dict[str, Any] = {'type': 'string', 'format': 'uuid'}
NAME: dict[str, Any] = {'type': 'string', 'minLength': 1, 'maxLength': MAX_NAME, 'format': 'name'}
LOOSE_NAME: dict[str, Any] = {**NAME, 'format': 'loose-name'}
DESCRIPTION: dict[str, Any] = {'type': ['string', 'null'], 'maxLength': 255, 'format': 'printable'}
BOOLEAN: dict[str, Any] = {'type': ['boolean', 'string'], 'enum': [
    True, 'True', 'TRUE', 'true', '1', 'ON', 'On', 'on', 'YES', 'Yes', 'yes',
    False, 'False', 'FALSE', 'false', '0', 'OFF', 'Off', 'off', 'NO', 'No', 'no']}
COUNT: dict[str, Any] = {'type': ['integer', 'string'], 'pattern': '^[0-9]*$', 'minimum': 0, 'minLength': 1,
                         'maximum': MAX_INT, 'maxLength': 10}
POSITIVE: dict[str, Any] = {**COUNT, 'minimum': 1, 'pattern': '^0*[1-9][0-9]*$'}
METADATA: dict[str, Any] = {
    'type': 'object', 'additionalProperties': False,
    'patternProperties': {'^[a-zA-Z0-9-_:. ]{1,255}$': {'type': 'string', 'maxLength': 255, 'format': 'printable'}}}

# Query parameters are always text.
TEXT: dict[str, Any] = {'type': 'string', 'maxLength': 1024}
NUMBER: dict[str, Any] = {'type': 'string', 'pattern': '^[0-9]{1,10}$'}
ANY_TIME: dict[str, Any] = {'type': 'string', 'format': 'date-time', 'maxLength': 64}
REGEX: dict[str, Any] = {'type': 'string', 'format': 'regex', 'maxLength': 255}

_TRUE = frozenset(('true', '1', 'on', 'yes', 't', 'y'))


def as_bool(value: Any) -> bool:
    """The truth of a value that passed BOOLEAN."""
    return value is True or str(value).strip().lower() in _TRUE
