# SPDX-License-Identifier: Apache-2.0
"""What requests about servers may say, with the versions that each word belongs to.

Device tags of networks were refused again from 2.37 to 2.41, those of block devices from 2.33 to
2.41; clients may rely on either.
"""

import ipaddress
from typing import Any

from nova_lite.wsgi import formats, window
from nova_lite.wsgi.body import Array, Body, Choice, Node, Object, Prop, wrapped
from nova_lite.wsgi.formats import ANY, BOOLEAN, METADATA, NULL, POSITIVE, UUID
from nova_lite.wsgi.window import V2, V21, only, since, until

Schema = dict[str, Any]


def text(longest: int = 255, shortest: int = 0, **more: Any) -> Schema:
    """A string of a length."""
    return {'type': 'string', 'minLength': shortest, 'maxLength': longest, **more}


def or_null(schema: Schema) -> Schema:
    """The schema, or null."""
    return {**schema, 'type': [schema['type'], 'null']}


# ------------------------------------------------------------- common parts

NAME = Choice((formats.NAME, V21), (formats.LOOSE_NAME, V2))
DISK_CONFIG: Schema = {'type': 'string', 'enum': ['AUTO', 'MANUAL']}
ACCESS_IP_V4: Schema = {'type': ['string', 'null'], 'format': 'ipv4', 'maxLength': 39}
# The longest spelling ends in an IPv4 address.
ACCESS_IP_V6: Schema = {'type': ['string', 'null'], 'format': 'ipv6', 'maxLength': 45}
HOSTNAME = text(63, 2, pattern=r'^[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]$(?!\n)')
FQDN = text(255, 2, pattern=r'^[a-zA-Z0-9][a-zA-Z0-9.-]*[a-zA-Z0-9]$(?!\n)')
TAG = text(60, 1, pattern='^[^,/]*$')
TAGS: Schema = {'type': 'array', 'items': TAG, 'maxItems': 50}
UNIQUE_TAGS: Schema = {**TAGS, 'uniqueItems': True}
DEVICE_TAG = text(60, 1, pattern='^[^,/]*$')
IMAGE_OR_NONE: Schema = {'anyOf': [UUID, {'type': 'string', 'maxLength': 0}]}
CERTIFICATES: Schema = {'type': ['array', 'null'], 'minItems': 1, 'maxItems': 50, 'uniqueItems': True,
                        'items': text(255, 1)}

NETWORK_TAGS = only(32, 36) | since(42)
DEVICE_TAGS = only(32, 32) | since(42)

# ------------------------------------------------------------------- create


def _network(uuid: Schema, when: window.Window) -> tuple[Node, window.Window]:
    return Array(Object(
        Prop('fixed_ip', {'type': 'string', 'anyOf': [{'format': 'ipv4'}, {'format': 'ipv6'}]}),
        Prop('port', or_null(UUID)),
        Prop('uuid', uuid),
        Prop('tag', DEVICE_TAG, NETWORK_TAGS),
    )), when


NETWORKS = Choice(
    _network(text(), until(36)), _network(UUID, since(37)),
    ({'type': 'string', 'enum': ['auto', 'none']}, since(37)))

_DEVICE_NAME = text(255, 1, pattern='^[a-zA-Z0-9._/-]*$')
_SIZE = {**POSITIVE}
_DEVICE = (
    Prop('virtual_name', text()),
    Prop('volume_id', UUID),
    Prop('snapshot_id', UUID),
    Prop('volume_size', {'anyOf': [_SIZE, {'type': 'null'}, {'type': 'string', 'maxLength': 0}]}),
    Prop('device_name', or_null(_DEVICE_NAME)),
    Prop('delete_on_termination', BOOLEAN),
    Prop('no_device', ANY),
    Prop('connection_info', text()),
)
DEVICES_V1 = Array(Object(*_DEVICE))
DEVICES = Array(Object(
    *_DEVICE,
    Prop('source_type', {'type': 'string', 'enum': ['volume', 'image', 'snapshot', 'blank']}),
    Prop('destination_type', {'type': 'string', 'enum': ['local', 'volume']}),
    Prop('uuid', text(255)),
    Prop('image_id', UUID),
    Prop('guest_format', text()),
    Prop('device_type', text()),
    Prop('disk_bus', text()),
    Prop('boot_index', {'type': ['integer', 'string', 'null'], 'pattern': '^-?[0-9]+$', 'maxLength': 10}),
    Prop('tag', DEVICE_TAG, DEVICE_TAGS),
    Prop('volume_type', or_null(text()), since(67)),
))

_SERVER_ID: Schema = {'type': 'string', 'format': 'uuid'}
_SERVER_IDS: Schema = {'anyOf': [_SERVER_ID, {'type': 'array', 'items': _SERVER_ID}]}
HINTS = Object(
    Prop('group', UUID),
    Prop('different_host', _SERVER_IDS),
    Prop('same_host', _SERVER_IDS),
    Prop('query', {'type': ['string', 'object', 'array']}),
    Prop('target_cell', text(255, 1)),
    Prop('different_cell', {'type': ['string', 'array'], 'items': {'type': 'string'}}),
    Prop('build_near_host_ip', {'type': 'string', 'anyOf': [{'format': 'ipv4'}, {'format': 'ipv6'}]}),
    Prop('cidr', text(64, 1, pattern='^/[0-9a-f.:]+$')),
    open_=window.ALWAYS)

CREATE = Body(Object(
    Prop('server', Object(
        Prop('name', NAME, required=True),
        Prop('imageRef', IMAGE_OR_NONE),
        Prop('flavorRef', {'type': ['string', 'integer'], 'minLength': 1, 'maxLength': 255}, required=True),
        Prop('adminPass', text(4096)),
        Prop('metadata', METADATA),
        Prop('networks', NETWORKS, required=since(37)),
        Prop('OS-DCF:diskConfig', DISK_CONFIG),
        Prop('accessIPv4', ACCESS_IP_V4),
        Prop('accessIPv6', ACCESS_IP_V6),
        Prop('personality', Array(Object(
            Prop('path', text(4096), required=True),
            Prop('contents', {'type': 'string', 'format': 'base64'}, required=True))), until(56)),
        Prop('availability_zone', NAME),
        Prop('block_device_mapping', DEVICES_V1),
        Prop('block_device_mapping_v2', DEVICES),
        Prop('config_drive', BOOLEAN),
        Prop('key_name', NAME),
        Prop('min_count', POSITIVE),
        Prop('max_count', POSITIVE),
        Prop('return_reservation_id', BOOLEAN),
        Prop('security_groups', Array(Object(Prop('name', text(255, 1))))),
        Prop('user_data', {'type': 'string', 'format': 'base64', 'maxLength': 65535}),
        Prop('description', formats.DESCRIPTION, since(19)),
        Prop('tags', UNIQUE_TAGS, since(52)),
        Prop('trusted_image_certificates', CERTIFICATES, since(63)),
        Prop('host', text(255, 1, pattern=r'^[a-zA-Z0-9._-]*$(?!\n)'), since(74)),
        Prop('hypervisor_hostname', text(255, 1, format='printable'), since(74)),
        Prop('hostname', HOSTNAME, only(90, 93)),
        Prop('hostname', FQDN, since(94)),
    ), required=True),
    Prop('os:scheduler_hints', HINTS),
    Prop('OS-SCH-HNT:scheduler_hints', HINTS),
))

# ------------------------------------------------------------------- update

UPDATE = wrapped('server', Object(
    Prop('name', NAME),
    Prop('OS-DCF:diskConfig', DISK_CONFIG),
    Prop('accessIPv4', ACCESS_IP_V4),
    Prop('accessIPv6', ACCESS_IP_V6),
    Prop('description', formats.DESCRIPTION, since(19)),
    Prop('hostname', HOSTNAME, only(90, 93)),
    Prop('hostname', FQDN, since(94)),
    Prop('pinned_availability_zone', or_null(text(255, 1, format='name')), since(104)),
))

# ------------------------------------------------------------------ actions


def shortest(address: str | None) -> str | None:
    """The usual spelling of an address; there are many of the same one."""
    return str(ipaddress.ip_address(address)) if address else address


def bare(action: str) -> Body:
    """An action without words of its own; whatever stands under its key does not matter."""
    return wrapped(action, ANY)


LOCK = wrapped('lock', Choice(
    (ANY, until(72)),
    (NULL, since(73)),
    (Object(Prop('locked_reason', text(255, 1))), since(73))))
REBOOT = wrapped('reboot', Object(
    Prop('type', {'type': 'string', 'enum': ['HARD', 'Hard', 'hard', 'SOFT', 'Soft', 'soft']}, required=True)))
RESET_STATE = wrapped('os-resetState', Object(
    Prop('state', {'type': 'string', 'enum': ['active', 'error']}, required=True)))
CONSOLE_OUTPUT = wrapped('os-getConsoleOutput', Object(
    Prop('length', {'type': ['integer', 'string', 'null'], 'pattern': '^(-1|[0-9]+)$', 'maxLength': 10,
                    'minimum': -1, 'maximum': formats.MAX_INT})))

# ---------------------------------------------------------- metadata and tags

ALL_METADATA = wrapped('metadata', METADATA)
ONE_ITEM = wrapped('meta', {**METADATA, 'minProperties': 1, 'maxProperties': 1})
ALL_TAGS = wrapped('tags', TAGS)
