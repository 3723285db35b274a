# SPDX-License-Identifier: Apache-2.0
"""The volumes of a server: list and show them, attach one, take one away, put another one in its place.

Source: compute API reference, "Servers with volume attachments"; microversions 2.20 (shelved servers), 2.49 (tags are
set), 2.60 (volumes of several servers), 2.70 (tags are shown), 2.79 (delete_on_termination), 2.85 (PUT changes
that), 2.89 (attachment_id and bdm_uuid, no more id), 2.101 (attach has no answer).
"""

from collections.abc import Sequence
from typing import Any

from nova_lite import errors
from nova_lite.api import shared
from nova_lite.auth import policy
from nova_lite.model import block_devices
from nova_lite.model.block_devices import Device
from nova_lite.ops import volumes as ops
from nova_lite.ops.base import NEEDED
from nova_lite.wsgi import formats, kinds
from nova_lite.wsgi.body import Object, Param, Prop, Query, wrapped
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import DELETE, GET, POST, PUT, answer, many, one
from nova_lite.wsgi.view import OMIT, Field, Rendering, View
from nova_lite.wsgi.window import since, until

# ------------------------------------------------------------------- policy

_ALL = '/servers/{server_id}/os-volume_attachments'
_ONE = _ALL + '/{id}'
_IN_POLICY = _ALL + '/{volume_id}'
_RULE = 'os_compute_api:os-volumes-attachments:'
SWAP, UPDATE = _RULE + 'swap', _RULE + 'update'

RULES = (
    policy.rule(_RULE + 'index', policy.READER_OR_ADMIN, 'List the volumes of a server.', ('GET', _ALL)),
    policy.rule(_RULE + 'show', policy.READER_OR_ADMIN, 'Show a volume of a server.', ('GET', _IN_POLICY)),
    policy.rule(_RULE + 'create', policy.MEMBER_OR_ADMIN, 'Attach a volume to a server.', ('POST', _ALL)),
    policy.rule(UPDATE, policy.MEMBER_OR_ADMIN, 'Change what becomes of a volume when its server is deleted.',
                ('PUT', _IN_POLICY)),
    policy.rule(SWAP, policy.SERVICE_OR_ADMIN, 'Put another volume in the place of one of a server.',
                ('PUT', _IN_POLICY)),
    policy.rule(_RULE + 'delete', policy.MEMBER_OR_ADMIN, 'Detach a volume from a server.', ('DELETE', _IN_POLICY)),
)

# --------------------------------------------------------- bodies and views

_DEVICE = {'type': ['string', 'null'], 'pattern': '^/dev/x?[a-z]?d?[a-z]+[0-9]*$', 'maxLength': 255}
_TAG = {'type': 'string', 'minLength': 1, 'maxLength': 60, 'pattern': '^[^,/]*$'}

ATTACH = wrapped('volumeAttachment', Object(
    Prop('volumeId', formats.UUID, required=True),
    Prop('device', _DEVICE),
    Prop('tag', _TAG, since(49)),
    Prop('delete_on_termination', formats.BOOLEAN, since(79)),
))
CHANGE = wrapped('volumeAttachment', Object(
    Prop('volumeId', formats.UUID, required=True),
    Prop('device', _DEVICE, since(85)),
    Prop('tag', _TAG, since(85)),
    Prop('delete_on_termination', formats.BOOLEAN, since(85)),
    Prop('serverId', formats.UUID, since(85)),
    Prop('id', formats.UUID, since(85)),
))
LIST_QUERY = Query(Param('limit', formats.NUMBER), Param('offset', formats.NUMBER), open_=shared.STRICT_SINCE_75)


def _name(device: Device, rendering: Rendering) -> Any:
    return device['device'] or OMIT


def _server(device: Device, rendering: Rendering) -> str:
    return str(rendering.call.target.uuid)


_COMMON = (
    Field('volumeId', shared.entry('volume_id'), kind=kinds.UUID),
    Field('serverId', _server, kind=kinds.UUID),
    Field('tag', shared.entry('tag'), since(70), kind=kinds.maybe(kinds.TEXT)),
    Field('delete_on_termination', shared.entry('delete_on_termination'), since(79), kind=kinds.BOOLEAN),
)
ATTACHMENT = View(
    Field('id', shared.entry('volume_id'), until(88), kind=kinds.UUID),
    *_COMMON,
    Field('device', _name, sometimes=True, kind=kinds.TEXT),
    Field('attachment_id', shared.entry('attachment_id'), since(89), kind=kinds.maybe(kinds.UUID)),
    Field('bdm_uuid', shared.entry('id'), since(89), kind=kinds.UUID),
)
# What an attach answers tells the device even if it has no name yet.
ATTACHED = View(
    Field('id', shared.entry('volume_id'), kind=kinds.UUID),
    *_COMMON,
    Field('device', shared.entry('device'), kind=kinds.maybe(kinds.TEXT)),
)

# ----------------------------------------------------------------- handlers

ON_SHELF = 'servers on the shelf can have volumes'
SEVERAL = 'a volume can have several servers'
UPDATES = 'what becomes of a volume can be changed'
FLAGS = ((ON_SHELF, since(20)), (SEVERAL, since(60)))

_COLUMNS = NEEDED | {'user_id', 'block_devices', 'root_device_name'}


def find(call: Call) -> Any:
    """The server of the path."""
    return shared.find_server(call, call.params['server_id'], _COLUMNS)


def index(call: Call) -> Sequence[Device]:
    """List the volumes of a server."""
    offset = call.query.integer('offset') or 0
    return block_devices.volumes(call.target)[offset:][:call.limit() or call.services.conf.api.max_limit]


def show(call: Call) -> Device:
    """Show a volume of a server."""
    found = block_devices.find(call.target, call.params['id'])
    if found is None:
        raise errors.NotFound(f'Volume {call.params["id"][:64]} is not attached to server {call.target.uuid}.')
    return found


def attach(call: Call) -> Device | None:
    """Attach a volume to a server."""
    body = call.body['volumeAttachment']
    made = ops.attach(call.services, call.context, ops.AttachVolume(
        call.target, body['volumeId'], body.get('device'), body.get('tag'),
        formats.as_bool(body.get('delete_on_termination', False)), call.has(SEVERAL), call.has(ON_SHELF),
        call.context.is_admin))
    return made if call.plan else None


def change(call: Call) -> None:
    """Put another volume in the place of one; from 2.85 on also change what becomes of it in the end."""
    body, volume_id = call.body['volumeAttachment'], call.params['id']
    swaps = not call.has(UPDATES) or body['volumeId'] != volume_id
    if swaps:
        call.authorize(SWAP)
    if call.has(UPDATES):
        _update(call, body, volume_id)
    if swaps:
        ops.swap(call.services, call.context, ops.SwapVolume(
            call.target, volume_id, body['volumeId'], call.context.is_admin))


def _update(call: Call, body: Any, volume_id: str) -> None:
    for word, value in (('id', volume_id), ('serverId', call.target.uuid)):
        if body.get(word, value) != value:
            raise errors.Invalid(f'Invalid input for volumeAttachment/{word}: it is {value} and cannot be changed.')
    ends = body.get('delete_on_termination')
    ops.update(call.services, call.context, ops.UpdateAttachment(
        call.target, volume_id, None if ends is None else formats.as_bool(ends),
        {word: body.get(word) for word in ('device', 'tag')}))


def detach(call: Call) -> None:
    """Detach a volume from a server."""
    ops.detach(call.services, call.context, ops.DetachVolume(
        call.target, call.params['id'], call.has(ON_SHELF), call.context.is_admin))


ENDPOINTS = (
    GET(_ALL, index, load=find, rule=_RULE + 'index', query=LIST_QUERY,
        show=many('volumeAttachments', ATTACHMENT, links=False), errors=(404,)),
    GET(_ONE, show, load=find, rule=_RULE + 'show', query=shared.NOTHING_KNOWN,
        show=one('volumeAttachment', ATTACHMENT), errors=(404,)),
    POST(_ALL, attach, load=find, rule=_RULE + 'create', body=ATTACH, flags=FLAGS,
         show=one('volumeAttachment', ATTACHED, when=until(100)),
         answers=(answer(200, until(100)), answer(202, since(101))), errors=(400, 403, 404, 409, 501)),
    PUT(_ONE, change, load=find, rule=UPDATE, body=CHANGE, flags=((UPDATES, since(85)),), answers=answer(202),
        errors=(400, 403, 404, 409, 501)),
    DELETE(_ONE, detach, load=find, rule=_RULE + 'delete', flags=FLAGS[:1], answers=answer(202),
           errors=(400, 403, 404, 409, 501)),
)
