# SPDX-License-Identifier: Apache-2.0
"""Volumes and their snapshots in the old shape of Compute, as the volume service keeps them.

Source: compute API reference, "Volume extension (os-volumes, os-snapshots) (DEPRECATED)"; both end with 2.35.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from nova_lite import errors
from nova_lite.auth import policy
from nova_lite.clients.volume import Volume, VolumeSnapshot, VolumeWish
from nova_lite.wsgi import formats, kinds
from nova_lite.wsgi.body import Object, Param, Prop, Query, wrapped
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import DELETE, GET, POST, Raw, answer, many, one
from nova_lite.wsgi.view import Field, Rendering, View, column
from nova_lite.wsgi.window import ALWAYS, until

_ALL, _DETAIL, _ONE = '/os-volumes', '/os-volumes/detail', '/os-volumes/{id}'
_SNAPSHOTS, _SNAPSHOTS_DETAIL, _SNAPSHOT = '/os-snapshots', '/os-snapshots/detail', '/os-snapshots/{id}'
_RULE = 'os_compute_api:os-volumes:'
_OF_SNAPSHOTS = _RULE + 'snapshots:'
_WHEN = until(35)
_IN_USE = 'attached'

# ------------------------------------------------------------------- policy

RULES = (
    policy.rule(_RULE + 'list', policy.READER_OR_ADMIN, 'List volumes.', ('GET', _ALL)),
    policy.rule(_RULE + 'create', policy.MEMBER_OR_ADMIN, 'Create a volume.', ('POST', _ALL)),
    policy.rule(_RULE + 'detail', policy.READER_OR_ADMIN, 'List volumes in detail.', ('GET', _DETAIL)),
    policy.rule(_RULE + 'show', policy.READER_OR_ADMIN, 'Show a volume.', ('GET', _ONE)),
    policy.rule(_RULE + 'delete', policy.MEMBER_OR_ADMIN, 'Delete a volume.', ('DELETE', _ONE)),
    policy.rule(_OF_SNAPSHOTS + 'list', policy.READER_OR_ADMIN, 'List snapshots of volumes.', ('GET', _SNAPSHOTS)),
    policy.rule(_OF_SNAPSHOTS + 'create', policy.MEMBER_OR_ADMIN, 'Take a snapshot of a volume.',
                ('POST', _SNAPSHOTS)),
    policy.rule(_OF_SNAPSHOTS + 'detail', policy.READER_OR_ADMIN, 'List snapshots of volumes in detail.',
                ('GET', _SNAPSHOTS_DETAIL)),
    policy.rule(_OF_SNAPSHOTS + 'show', policy.READER_OR_ADMIN, 'Show a snapshot of a volume.', ('GET', _SNAPSHOT)),
    policy.rule(_OF_SNAPSHOTS + 'delete', policy.MEMBER_OR_ADMIN, 'Delete a snapshot of a volume.',
                ('DELETE', _SNAPSHOT)),
)

# --------------------------------------------------------- bodies and views

_STRING = {'type': 'string', 'maxLength': formats.MAX_NAME}
LIST_QUERY = Query(Param('limit', formats.NUMBER), Param('offset', formats.NUMBER), open_=ALWAYS)
CREATE = wrapped('volume', Object(
    Prop('size', formats.POSITIVE, required=True),
    Prop('volume_type', _STRING),
    Prop('metadata', {'type': 'object'}),
    Prop('snapshot_id', _STRING),
    Prop('availability_zone', _STRING),
    Prop('display_name', _STRING),
    Prop('display_description', _STRING)))
CREATE_SNAPSHOT = wrapped('snapshot', Object(
    Prop('volume_id', _STRING, required=True),
    Prop('force', formats.BOOLEAN),
    Prop('display_name', _STRING),
    Prop('display_description', _STRING)))


def _attachments(volume: Volume, _: Rendering) -> list[dict[str, Any]]:
    """The first one only; one of a volume that no server has is empty, and yet in the list."""
    for one_of in volume.attachments:
        if one_of.status == _IN_USE:
            shown = {'id': volume.id, 'volumeId': volume.id, 'serverId': one_of.server_uuid}
            return [{**shown, 'device': one_of.device} if one_of.device else shown]
    return [{}]


def _created(thing: Volume | VolumeSnapshot, _: Rendering) -> str | None:
    return thing.created_at.isoformat() if thing.created_at else None


_ATTACHMENT = kinds.record({}, {'id': kinds.UUID, 'volumeId': kinds.UUID, 'serverId': kinds.maybe(kinds.TEXT),
                                'device': kinds.TEXT})
_COMMON = (
    column('id', kind=kinds.UUID), column('status', kind=kinds.TEXT), column('size', kind=kinds.INTEGER),
    Field('createdAt', _created, kind=kinds.maybe(kinds.TIME_US)),
    column('displayName', 'name', kind=kinds.maybe(kinds.TEXT)),
    column('displayDescription', 'description', kind=kinds.maybe(kinds.TEXT)))
VOLUME = View(
    *_COMMON,
    column('availabilityZone', 'availability_zone', kind=kinds.maybe(kinds.TEXT)),
    Field('attachments', _attachments, kind=kinds.listed(_ATTACHMENT)),
    column('volumeType', 'volume_type', kind=kinds.maybe(kinds.TEXT)),
    column('snapshotId', 'snapshot_id', kind=kinds.maybe(kinds.TEXT)),
    Field('metadata', lambda volume, _: dict(volume.metadata), kind=kinds.TEXTS))
SNAPSHOT = View(*_COMMON, column('volumeId', 'volume_id', kind=kinds.UUID))

# ----------------------------------------------------------------- handlers


@contextlib.contextmanager
def _states_are_bad_requests() -> Iterator[None]:
    """What the state of a volume does not allow was always a bad request here."""
    try:
        yield
    except (errors.InvalidVolume, errors.InvalidVolumeSnapshot) as error:
        raise errors.Invalid(str(error)) from None


def _page(call: Call) -> dict[str, Any]:
    return {'limit': call.limit() or int(call.services.conf.api.max_limit),
            'offset': call.query.integer('offset') or 0}


def index(call: Call) -> list[Volume]:
    """List volumes."""
    return list(call.services.volumes.list(call.context, **_page(call)))


def show(call: Call) -> Volume:
    """Show a volume."""
    return call.services.volumes.show(call.context, call.params['id'])


def create(call: Call) -> Raw:
    """Create a volume."""
    body = call.body['volume']
    for key, value in body.get('metadata', {}).items():
        if not isinstance(value, str) or not 0 < len(key) <= formats.MAX_NAME or len(value) > formats.MAX_NAME:
            raise errors.Invalid(f'Invalid input for volume/metadata: {key[:64]!r} is not a name with a text, both of '
                                 f'at most {formats.MAX_NAME} characters.')
    with _states_are_bad_requests():
        made = call.services.volumes.create(call.context, VolumeWish(
            size=int(body['size']), name=body.get('display_name', ''), description=body.get('display_description'),
            snapshot_id=body.get('snapshot_id') or None, volume_type=body.get('volume_type') or None,
            availability_zone=body.get('availability_zone') or None, metadata=body.get('metadata', {})))
    rendering = call.rendering()
    return Raw({'volume': call.plan.render([made], rendering)[0] if call.plan else {}},
               headers={'Location': rendering.links(f'os-volumes/{made.id}')[0]['href']})


def delete(call: Call) -> None:
    """Delete a volume."""
    with _states_are_bad_requests():
        call.services.volumes.delete(call.context, call.params['id'])


def index_snapshots(call: Call) -> list[VolumeSnapshot]:
    """List snapshots of volumes."""
    return list(call.services.volumes.snapshots(call.context, **_page(call)))


def show_snapshot(call: Call) -> VolumeSnapshot:
    """Show a snapshot of a volume."""
    return call.services.volumes.snapshot(call.context, call.params['id'])


def create_snapshot(call: Call) -> VolumeSnapshot:
    """Take a snapshot of a volume; of one in use by ``force`` only."""
    body = call.body['snapshot']
    with _states_are_bad_requests():
        return call.services.volumes.create_snapshot(
            call.context, body['volume_id'], body.get('display_name', ''), body.get('display_description'),
            formats.as_bool(body.get('force', False)))


def delete_snapshot(call: Call) -> None:
    """Delete a snapshot of a volume."""
    with _states_are_bad_requests():
        call.services.volumes.delete_snapshot(call.context, call.params['id'])


_LIST = {'when': _WHEN, 'query': LIST_QUERY, 'errors': (400,)}

ENDPOINTS = (
    GET(_DETAIL, index, rule=_RULE + 'detail', show=many('volumes', VOLUME, links=False), **_LIST),
    GET(_ALL, index, rule=_RULE + 'list', show=many('volumes', VOLUME, links=False), **_LIST),
    POST(_ALL, create, rule=_RULE + 'create', when=_WHEN, body=CREATE, show=one('volume', VOLUME),
         errors=(400, 403, 404)),
    GET(_ONE, show, rule=_RULE + 'show', when=_WHEN, show=one('volume', VOLUME), errors=(400, 404)),
    DELETE(_ONE, delete, rule=_RULE + 'delete', when=_WHEN, answers=answer(202), errors=(400, 404)),
    GET(_SNAPSHOTS_DETAIL, index_snapshots, rule=_OF_SNAPSHOTS + 'detail',
        show=many('snapshots', SNAPSHOT, links=False), **_LIST),
    GET(_SNAPSHOTS, index_snapshots, rule=_OF_SNAPSHOTS + 'list', show=many('snapshots', SNAPSHOT, links=False),
        **_LIST),
    POST(_SNAPSHOTS, create_snapshot, rule=_OF_SNAPSHOTS + 'create', when=_WHEN, body=CREATE_SNAPSHOT,
         show=one('snapshot', SNAPSHOT), errors=(400, 403, 404)),
    GET(_SNAPSHOT, show_snapshot, rule=_OF_SNAPSHOTS + 'show', when=_WHEN, show=one('snapshot', SNAPSHOT),
        errors=(400, 404)),
    DELETE(_SNAPSHOT, delete_snapshot, rule=_OF_SNAPSHOTS + 'delete', when=_WHEN, answers=answer(202),
           errors=(400, 404)),
)
