# SPDX-License-Identifier: Apache-2.0
"""Kinds of values in answers, as JSON Schemas: what the description of the API says of each field.

Nothing is checked against them when an answer is made; the tests hold every answer that they see against them.
"""

from collections.abc import Mapping
from typing import Any

Kind = dict[str, Any]

ANY: Kind = {}
TEXT: Kind = {'type': 'string'}
INTEGER: Kind = {'type': 'integer'}
NUMBER: Kind = {'type': 'number'}
BOOLEAN: Kind = {'type': 'boolean'}
NULL: Kind = {'type': 'null'}
UUID: Kind = {'type': 'string', 'pattern': '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'}
# The two forms of a time: 2026-01-31T12:00:00Z, and the older 2026-01-31T12:00:00.000000.
TIME: Kind = {'type': 'string', 'pattern': r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$'}
TIME_US: Kind = {'type': 'string', 'pattern': r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?$'}
# Whatever keys there are, their values are text.
TEXTS: Kind = {'type': 'object', 'additionalProperties': TEXT}


def maybe(kind: Kind) -> Kind:
    """The same, or null."""
    if isinstance(kind.get('type'), str) and 'enum' not in kind:
        return {**kind, 'type': [kind['type'], 'null']}
    return {'anyOf': [kind, NULL]}


def listed(kind: Kind) -> Kind:
    """A list of such values."""
    return {'type': 'array', 'items': kind}


def mapped(kind: Kind) -> Kind:
    """An object with any keys and such values."""
    return {'type': 'object', 'additionalProperties': kind}


def word(*words: str) -> Kind:
    """One of some words."""
    return {'type': 'string', 'enum': list(words)}


def record(fields: Mapping[str, Kind], more: Mapping[str, Kind] | None = None) -> Kind:
    """An object with these fields, at times with those of ``more``, and no others."""
    return {'type': 'object', 'properties': {**fields, **(more or {})}, 'required': sorted(fields),
            'additionalProperties': False}


def under(key: str, kind: Kind) -> Kind:
    """An object with this one key."""
    return record({key: kind})


def or_nothing(kind: Kind) -> Kind:
    """The same, or no body at all."""
    return {**kind, 'x-optional': True}


LINK: Kind = record({'rel': TEXT, 'href': TEXT}, {'type': TEXT})
LINKS: Kind = listed(LINK)
