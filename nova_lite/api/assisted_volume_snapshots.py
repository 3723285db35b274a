# SPDX-License-Identifier: Apache-2.0
"""Assisted volume snapshots: the volume service has the hypervisor take part in a snapshot of an attached volume.

Source: compute API reference, "Assisted volume snapshots".  No volume of that kind (a file that the hypervisor
has to write to) is ever attached here, and that is what the answer says.
"""

from typing import Any, NoReturn

import orjson

from nova_lite import errors
from nova_lite.api import shared
from nova_lite.auth import policy
from nova_lite.wsgi import formats, kinds
from nova_lite.wsgi.body import Object, Param, Prop, Query, wrapped
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import DELETE, POST, answer

CREATE_RULE = 'os_compute_api:os-assisted-volume-snapshots:create'
DELETE_RULE = 'os_compute_api:os-assisted-volume-snapshots:delete'

_ROOT = '/os-assisted-volume-snapshots'

RULES = (
    policy.rule(CREATE_RULE, policy.SERVICE_OR_ADMIN, 'Take a snapshot of an attached volume.', ('POST', _ROOT)),
    policy.rule(DELETE_RULE, policy.SERVICE_OR_ADMIN, 'Remove such a snapshot.',
                ('DELETE', _ROOT + '/{snapshot_id}')),
)

_TEXT = {'type': 'string', 'minLength': 1, 'maxLength': 255}
CREATE = wrapped('snapshot', Object(
    Prop('volume_id', _TEXT, required=True),
    Prop('create_info', Object(
        Prop('snapshot_id', _TEXT, required=True),
        Prop('type', {'type': 'string', 'enum': ['qcow2']}, required=True),
        Prop('new_file', _TEXT, required=True),
        Prop('id', _TEXT)), required=True)))
_MADE = kinds.under('snapshot', kinds.record({'id': kinds.maybe(kinds.TEXT), 'volumeId': kinds.TEXT}))
QUERY = Query(Param('delete_info', formats.TEXT), open_=shared.STRICT_SINCE_75)


def _refuse(volume: Any) -> NoReturn:
    raise errors.Invalid(f'Volume {str(volume)[:64]!r} is not attached to a server as a file of this kind.')


def create(call: Call) -> NoReturn:
    """Take a snapshot of an attached volume."""
    _refuse(call.body['snapshot']['volume_id'])


def delete(call: Call) -> NoReturn:
    """Remove a snapshot of an attached volume."""
    text = call.query.get('delete_info')
    if text is None:
        raise errors.Invalid('Invalid query: delete_info is missing.')
    try:
        info = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise errors.Invalid('Invalid input for query parameter delete_info: it is not well-formed JSON.') from None
    if not isinstance(info, dict) or 'volume_id' not in info:
        raise errors.Invalid('Invalid input for query parameter delete_info: it names no volume_id.')
    _refuse(info['volume_id'])


ENDPOINTS = (
    POST(_ROOT, create, rule=CREATE_RULE, body=CREATE, reply=_MADE, errors=(400,)),
    DELETE(_ROOT + '/{id}', delete, rule=DELETE_RULE, query=QUERY, answers=answer(204), errors=(400, 404)),
)
