# SPDX-License-Identifier: Apache-2.0
"""The port to volumes, over Cinder's Block Storage API 3.

Cinder has no keys by which a request can be sent twice, so what is made with a key bears it as metadata and is looked
for first; an attachment is found again by its volume and its server.  Volumes and snapshots belong to whoever asks
for them, so making one needs the token of its owner.
"""

import contextlib
import datetime
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from oslo_config import cfg

from nova_lite import errors
from nova_lite.clients.session import Place, Service
from nova_lite.model.volumes import (
    ATTACHED,
    ATTACHING,
    AVAILABLE,
    DETACHING,
    RESERVED,
    Attachment,
    Volume,
    VolumeSnapshot,
    VolumeWish,
)

Body = Mapping[str, Any]
Params = Sequence[tuple[str, Any]]

#: Attachments that are completed by their user; what needs more names it.
BASE, WITH_MODE, WITH_REIMAGE = '3.44', '3.54', '3.68'
KEY = 'nova_lite_key'
_NOT_ATTACHED = frozenset(('creating', 'downloading', AVAILABLE, 'deleting', 'error_deleting'))
_ALL = ('all_tenants', 1)


class CinderVolumes:
    """Cinder, asked with the user's token, or with our own where that is gone."""

    is_there = needs_owner = True

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        options = conf.cinder
        kind, _, interface = options.catalog_info.split(':')
        place = Place(kind, (interface.removesuffix('URL'),), options.os_region_name, options.endpoint_template)
        self._service = Service(conf, 'cinder', 'Cinder', place, options.http_retries)

    def take_up(self) -> None:
        """Cinder looks after its work itself."""

    def when_extended(self, told: Callable[[str, str], None]) -> None:
        """Cinder sends an event."""

    # ------------------------------------------------------------------- volumes

    def show(self, context: Any, volume_id: str) -> Volume:
        missing = errors.VolumeNotFound(volume=volume_id)
        body = self._call(context, 'GET', f'volumes/{_segment(volume_id, missing)}', missing=missing)['volume']
        if not _seen(context, body):
            raise missing
        attachments: tuple[Attachment, ...] = ()
        if body['status'] not in _NOT_ATTACHED:
            # The volume itself tells only of those that are complete.
            attachments = tuple(self._attachments(context, volume_id))
        return _volume(body, attachments)

    def _attachments(self, context: Any, volume_id: str, server_uuid: str | None = None) -> list[Attachment]:
        params = [('volume_id', volume_id), *([('instance_id', server_uuid)] if server_uuid else ())]
        found = self._call(context, 'GET', 'attachments/detail', params=[*params, *self._everybody(context)])
        return [_attachment(one) for one in found['attachments']]

    def list(self, context: Any, all_projects: bool = False, limit: int | None = None,
             offset: int = 0) -> Sequence[Volume]:
        found = self._call(context, 'GET', 'volumes/detail', params=_page(context, all_projects, limit, offset))
        return tuple(_volume(one, tuple(map(_attached, one['attachments']))) for one in found['volumes'])

    def create(self, context: Any, wish: VolumeWish) -> Volume:
        made = self._by_key(context, 'volumes', wish.key)
        if made is not None:
            return _volume(made)
        self._needs_owner(context, 'volume')
        said = {'size': wish.size, 'name': wish.name, 'description': wish.description, 'snapshot_id': wish.snapshot_id,
                'imageRef': wish.image_id, 'source_volid': wish.source_volume_id, 'volume_type': wish.volume_type,
                'availability_zone': wish.availability_zone, 'metadata': _marked(wish.metadata, wish.key)}
        body = {name: value for name, value in said.items() if value is not None}
        return _volume(self._call(context, 'POST', 'volumes', {'volume': body}, missing=_no_source(wish))['volume'])

    def _by_key(self, context: Any, kind: str, key: str | None) -> dict[str, Any] | None:
        if key is None:
            return None
        params = [('metadata', repr({KEY: key})), _ALL]
        found = self._call(context, 'GET', f'{kind}/detail', own=self._service.has_credentials(), params=params)[kind]
        return next((one for one in found if (one.get('metadata') or {}).get(KEY) == key), None)

    @staticmethod
    def _needs_owner(context: Any, what: str) -> None:
        if not getattr(context, 'auth_token', None):
            raise errors.Conflict(reason=f'A {what} can only be made with the token of its owner, and the operation '
                                         'was taken over by a process that has not got it. Ask for it again.')

    def update(self, context: Any, volume_id: str, name: str | None = None, description: str | None = None,
               metadata: Mapping[str, str] | None = None) -> Volume:
        wanted = {'name': name, 'description': description, 'metadata': metadata}
        body = {key: value for key, value in wanted.items() if value is not None}
        missing = errors.VolumeNotFound(volume=volume_id)
        return _volume(self._call(context, 'PUT', f'volumes/{_segment(volume_id, missing)}', {'volume': body},
                                  missing=missing)['volume'])

    def delete(self, context: Any, volume_id: str) -> None:
        missing = errors.VolumeNotFound(volume=volume_id)
        self._call(context, 'DELETE', f'volumes/{_segment(volume_id, missing)}', missing=missing, of_state=True)

    def reimage(self, context: Any, volume_id: str, image_id: str) -> None:
        volume = self.show(context, volume_id)
        if volume.status == 'downloading':
            return
        # Cinder writes over a volume only if it is connected nowhere.
        for server_uuid in {one.server_uuid for one in volume.attachments if one.server_uuid}:
            self.disconnect(context, volume_id, server_uuid)
        self._act(context, volume_id, 'os-reimage', {'image_id': image_id, 'reimage_reserved': True},
                  version=WITH_REIMAGE)

    def check_type(self, context: Any, volume_type: str) -> None:
        found = self._call(context, 'GET', 'types')['volume_types']
        if not any(volume_type in (one['id'], one['name']) for one in found):
            raise errors.VolumeTypeNotFound(type=volume_type)

    # ----------------------------------------------------------------- snapshots

    def snapshot(self, context: Any, snapshot_id: str) -> VolumeSnapshot:
        missing = errors.VolumeSnapshotNotFound(snapshot=snapshot_id)
        body = self._call(context, 'GET', f'snapshots/{_segment(snapshot_id, missing)}', missing=missing)['snapshot']
        if not _seen(context, body):
            raise missing
        return _snapshot(body)

    def snapshots(self, context: Any, all_projects: bool = False, limit: int | None = None,
                  offset: int = 0) -> Sequence[VolumeSnapshot]:
        found = self._call(context, 'GET', 'snapshots/detail', params=_page(context, all_projects, limit, offset))
        return [_snapshot(one) for one in found['snapshots']]

    def create_snapshot(self, context: Any, volume_id: str, name: str = '', description: str | None = None,
                        force: bool = False, key: str | None = None) -> VolumeSnapshot:
        made = self._by_key(context, 'snapshots', key)
        if made is not None:
            return _snapshot(made)
        self._needs_owner(context, 'snapshot')
        body = {'volume_id': volume_id, 'name': name, 'description': description, 'force': force,
                'metadata': _marked({}, key)}
        return _snapshot(self._call(context, 'POST', 'snapshots', {'snapshot': body}, of_state=True,
                                    missing=errors.VolumeNotFound(volume=volume_id))['snapshot'])

    def delete_snapshot(self, context: Any, snapshot_id: str) -> None:
        missing = errors.VolumeSnapshotNotFound(snapshot=snapshot_id)
        self._call(context, 'DELETE', f'snapshots/{_segment(snapshot_id, missing)}', missing=missing, of_state=True)

    # --------------------------------------------------------------- attachments

    def reserve(self, context: Any, volume_id: str, server_uuid: str, mode: str = 'rw',
                key: str | None = None) -> str:
        if key is not None:
            for one in self._attachments(context, volume_id, server_uuid):
                return one.id
        return self._attach(context, volume_id, server_uuid, mode)

    def _attach(self, context: Any, volume_id: str, server_uuid: str | None, mode: str) -> str:
        # The mode is told where it matters, so that an older Cinder does for all else.
        more = {'mode': mode} if mode != 'rw' else {}
        return str(self._call(
            context, 'POST', 'attachments', {'attachment': {
                'volume_uuid': volume_id, 'instance_uuid': server_uuid, **more}},
            missing=errors.VolumeNotFound(volume=volume_id), version=WITH_MODE if more else BASE,
            of_state=True)['attachment']['id'])

    def connect(self, context: Any, attachment_id: str, connector: Mapping[str, Any]) -> dict[str, Any]:
        body = self._call(context, 'PUT', _of(attachment_id), {'attachment': {'connector': dict(connector)}},
                          missing=_no_attachment(attachment_id), of_state=True)['attachment']
        known = dict(body['connection_info'])
        return {'driver_volume_type': known.pop('driver_volume_type', None), 'data': known}

    def disconnect(self, context: Any, volume_id: str, server_uuid: str) -> str | None:
        self.show(context, volume_id)
        found = self._attachments(context, volume_id, server_uuid)
        if not found:
            return None
        # Cinder has no way back for an attachment: a new one takes its place.
        kept = next((one.id for one in found if one.status == RESERVED), None)
        kept = kept or self._attach(context, volume_id, server_uuid, found[0].mode)
        for one in found:
            if one.id != kept:
                self.detach(context, one.id)
        return kept

    def complete(self, context: Any, attachment_id: str, device: str | None = None) -> None:
        if self.attachment(context, attachment_id).status != ATTACHED:
            self._call(context, 'POST', f'{_of(attachment_id)}/action', {'os-complete': {}},
                       missing=_no_attachment(attachment_id), of_state=True)

    def begin_detaching(self, context: Any, volume_id: str) -> None:
        if self.show(context, volume_id).status != DETACHING:
            self._act(context, volume_id, 'os-begin_detaching', {})

    def roll_detaching(self, context: Any, volume_id: str) -> None:
        if self.show(context, volume_id).status == DETACHING:
            self._act(context, volume_id, 'os-roll_detaching', {})

    def detach(self, context: Any, attachment_id: str) -> None:
        with contextlib.suppress(errors.VolumeAttachmentNotFound):
            self._call(context, 'DELETE', _of(attachment_id), missing=_no_attachment(attachment_id), of_state=True)

    def attachment(self, context: Any, attachment_id: str) -> Attachment:
        return _attachment(self._call(context, 'GET', _of(attachment_id),
                                      missing=_no_attachment(attachment_id))['attachment'])

    # ------------------------------------------------------------------ requests

    def _act(self, context: Any, volume_id: str, action: str, body: Any, version: str = BASE) -> None:
        missing = errors.VolumeNotFound(volume=volume_id)
        self._call(context, 'POST', f'volumes/{_segment(volume_id, missing)}/action', {action: body}, missing=missing,
                   version=version, of_state=True)

    def _call(self, context: Any, method: str, path: str, body: Any = None, own: bool = False, params: Params = (),
              missing: errors.Error | None = None, version: str = BASE, of_state: bool = False) -> Any:
        """The body of a good answer.  ``of_state``: a refusal means that the state of the volume does not allow it."""
        response = self._service.request(
            context, self._path(context, own) + path, method, own, json=body, params=list(params),
            headers={'OpenStack-API-Version': f'volume {version}'})
        if response.status_code < 400:
            return response.json() if response.content else {}
        raise _error(response, missing, of_state)

    def _path(self, context: Any, own: bool) -> str:
        """What is left out of the endpoint's own path, which may or may not have the version in it, and a project."""
        use_own = own or not getattr(context, 'auth_token', None)
        parts = self._service.endpoint(context, use_own).split('/')
        return '/v3/' if 'v3' not in parts or parts[-1] == 'v3' else '/'

    @staticmethod
    def _everybody(context: Any) -> Params:
        return () if getattr(context, 'auth_token', None) and not context.is_admin else (_ALL,)


def _error(response: Any, missing: errors.Error | None, of_state: bool) -> errors.Error:
    status = response.status_code
    try:
        told = next(iter(response.json().values()))
        text = f'Cinder refuses: {told["message"]}'
    except (ValueError, AttributeError, StopIteration, TypeError, LookupError):
        text = f'Cinder answered {status}: {response.text[:300]}'
    if status == 404:
        return missing or errors.NotFound(text)
    if status == 400 and of_state:
        return errors.InvalidVolume(text)
    known: dict[int, type[errors.Error]] = {
        401: errors.Unauthenticated, 403: errors.Forbidden, 409: errors.InvalidVolume, 413: errors.OverQuota}
    return known.get(status, errors.Invalid)(text)


def _page(context: Any, all_projects: bool, limit: int | None, offset: int) -> Params:
    found: list[tuple[str, Any]] = [_ALL] if all_projects and context.is_admin else []
    found += [('limit', limit)] if limit is not None else []
    return [*found, *([('offset', offset)] if offset else ())]


def _segment(name: str, missing: errors.Error) -> str:
    """The id as one segment of a path; what could lead elsewhere names nothing."""
    if not name or not all(char.isalnum() or char in '-_' for char in name):
        raise missing
    return name


def _of(attachment_id: str) -> str:
    return f'attachments/{_segment(attachment_id, _no_attachment(attachment_id))}'


def _no_attachment(attachment_id: str) -> errors.Error:
    return errors.VolumeAttachmentNotFound(attachment=attachment_id)


def _no_source(wish: VolumeWish) -> errors.Error | None:
    """What a volume cannot be made of, if something was not found."""
    if wish.snapshot_id is not None:
        return errors.VolumeSnapshotNotFound(snapshot=wish.snapshot_id)
    if wish.source_volume_id is not None:
        return errors.VolumeNotFound(volume=wish.source_volume_id)
    if wish.image_id is not None:
        return errors.ImageNotFound(image=wish.image_id)
    return errors.VolumeTypeNotFound(type=wish.volume_type) if wish.volume_type is not None else None


def _seen(context: Any, body: Body) -> bool:
    """With our own credentials everything is seen; what the caller may see is checked here."""
    if context.is_admin or getattr(context, 'auth_token', None):
        return True
    owner = body.get('os-vol-tenant-attr:tenant_id') or body.get('os-extended-snapshot-attributes:project_id')
    return bool(owner == context.project_id)


def _marked(metadata: Mapping[str, str], key: str | None) -> dict[str, str]:
    return {**metadata, **({KEY: key} if key else {})}


def _volume(body: Body, attachments: tuple[Attachment, ...] = ()) -> Volume:
    image = body.get('volume_image_metadata') or {}
    return Volume(
        id=body['id'], name=body.get('name') or '', description=body.get('description'), size=body['size'],
        status=body['status'], bootable=str(body.get('bootable')).lower() == 'true',
        multiattach=bool(body.get('multiattach')), volume_type=body.get('volume_type'),
        availability_zone=body.get('availability_zone'), project_id=body.get('os-vol-tenant-attr:tenant_id') or '',
        user_id=body.get('user_id') or '', snapshot_id=body.get('snapshot_id'), source_image_id=image.get('image_id'),
        image_metadata=image, attachments=attachments, metadata=_plain(body.get('metadata') or {}),
        created_at=_time(body.get('created_at')), encrypted=bool(body.get('encrypted')))


def _plain(metadata: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in metadata.items() if name != KEY}


def _attached(body: Body) -> Attachment:
    """An attachment as a volume shows it."""
    return Attachment(body['attachment_id'], body['volume_id'], body.get('server_id') or None, body.get('device'),
                      'rw', ATTACHED)


def _attachment(body: Body) -> Attachment:
    known = {ATTACHED: ATTACHED, ATTACHING: ATTACHING}
    return Attachment(body['id'], body['volume_id'], body.get('instance') or None, None,
                      'ro' if body.get('attach_mode') == 'ro' else 'rw', known.get(body['status'], RESERVED))


def _snapshot(body: Body) -> VolumeSnapshot:
    return VolumeSnapshot(
        id=body['id'], volume_id=body['volume_id'], size=body['size'], status=body['status'],
        name=body.get('name') or '', description=body.get('description'),
        project_id=body.get('os-extended-snapshot-attributes:project_id') or '',
        created_at=_time(body.get('created_at')))


def _time(text: str | None) -> datetime.datetime | None:
    if not text:
        return None
    return datetime.datetime.fromisoformat(text).replace(tzinfo=None)
