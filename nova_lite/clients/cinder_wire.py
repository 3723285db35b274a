# SPDX-License-Identifier: Apache-2.0
"""Requests to Cinder's API 3, what its errors are here, and its bodies as our models."""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from oslo_config import cfg

from nova_lite import errors
from nova_lite.clients.session import Place, Service
from nova_lite.model.volumes import ATTACHED, ATTACHING, RESERVED, Attachment, Volume, VolumeSnapshot, VolumeWish

Body = Mapping[str, Any]
Params = Sequence[tuple[str, Any]]

#: Attachments that are completed by their user; what needs more names it.
BASE, WITH_MODE, WITH_REIMAGE = '3.44', '3.54', '3.68'
#: The item of metadata by which what was made with a key is found again.
KEY = 'nova_lite_key'
ALL = ('all_tenants', 1)


def place_of(conf: cfg.ConfigOpts) -> Place:
    """Where Cinder is, in words of its own group."""
    options = conf.cinder
    kind, _, interface = options.catalog_info.split(':')
    return Place(kind, (interface.removesuffix('URL'),), options.os_region_name, options.endpoint_template)


class Wire:
    """Cinder, asked with the user's token, or with our own where that is gone."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._service = Service(conf, 'cinder', 'Cinder', place_of(conf), conf.cinder.http_retries)

    def call(self, context: Any, method: str, path: str, body: Any = None, missing: errors.Error | None = None,
             version: str = BASE, **more: Any) -> Any:
        """The body of a good answer; ``missing`` is what a 404 means, ``more`` goes to requests."""
        own = more.pop('own', False)
        response = self._service.request(context, self._path(context, own) + path, method, own, json=body,
                                         headers={'OpenStack-API-Version': f'volume {version}'}, **more)
        if response.status_code < 400:
            return response.json() if response.content else {}
        raise _error(response, missing, _is_about_state(method, path))

    def _path(self, context: Any, own: bool) -> str:
        """What is left out of the endpoint's own path, which may or may not have the version in it, and a project."""
        use_own = own or not getattr(context, 'auth_token', None)
        parts = self._service.endpoint(context, use_own).split('/')
        return '/v3/' if 'v3' not in parts or parts[-1] == 'v3' else '/'

    def act(self, context: Any, volume_id: str, action: str, body: Any, version: str = BASE) -> None:
        """Do something to a volume."""
        missing = errors.VolumeNotFound(volume=volume_id)
        self.call(context, 'POST', f'{of_volume(volume_id)}/action', {action: body}, missing, version)

    def by_key(self, context: Any, kind: str, key: str | None) -> dict[str, Any] | None:
        """What was made with a key, whoever asks."""
        if key is None:
            return None
        found = self.call(context, 'GET', f'{kind}/detail', own=self._service.has_credentials(),
                          params=[('metadata', repr({KEY: key})), ALL])[kind]
        return next((one for one in found if (one.get('metadata') or {}).get(KEY) == key), None)

    def attachments(self, context: Any, volume_id: str, server_uuid: str | None = None) -> list[Attachment]:
        """All attachments of a volume, or those of one server."""
        params = [('volume_id', volume_id), *([('instance_id', server_uuid)] if server_uuid else ())]
        everybody = [] if getattr(context, 'auth_token', None) and not context.is_admin else [ALL]
        found = self.call(context, 'GET', 'attachments/detail', params=[*params, *everybody])
        return [attachment(one) for one in found['attachments']]

    def attach(self, context: Any, volume_id: str, server_uuid: str | None, mode: str) -> str:
        """The id of a new attachment."""
        # The mode is told where it matters, so that an older Cinder does for all else.
        more = {'mode': mode} if mode != 'rw' else {}
        body = {'attachment': {'volume_uuid': volume_id, 'instance_uuid': server_uuid, **more}}
        made = self.call(context, 'POST', 'attachments', body, errors.VolumeNotFound(volume=volume_id),
                         WITH_MODE if more else BASE)
        return str(made['attachment']['id'])


def _is_about_state(method: str, path: str) -> bool:
    """Whether a request is refused because of what the volume is now; others because of what they say."""
    return method != 'GET' and path != 'volumes' and not (method == 'PUT' and path.startswith('volumes/'))


def needs_owner(context: Any, what: str) -> None:
    """``Conflict`` for who has no token: what he makes would be ours."""
    if not getattr(context, 'auth_token', None):
        raise errors.Conflict(reason=f'A {what} can only be made with the token of its owner, and the operation was '
                                     'taken over by a process that has not got it. Ask for it again.')


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


def page(context: Any, all_projects: bool, limit: int | None, offset: int) -> Params:
    """What the query of a list says."""
    found: list[tuple[str, Any]] = [ALL] if all_projects and context.is_admin else []
    found += [('limit', limit)] if limit is not None else []
    return [*found, *([('offset', offset)] if offset else ())]


def segment(name: str, missing: errors.Error) -> str:
    """The id as one segment of a path; what could lead elsewhere names nothing."""
    if not name or not all(char.isalnum() or char in '-_' for char in name):
        raise missing
    return name


def of_volume(volume_id: str) -> str:
    """The path of a volume."""
    return f'volumes/{segment(volume_id, errors.VolumeNotFound(volume=volume_id))}'


def of_snapshot(snapshot_id: str) -> str:
    """The path of a snapshot."""
    return f'snapshots/{segment(snapshot_id, errors.VolumeSnapshotNotFound(snapshot=snapshot_id))}'


def of_attachment(attachment_id: str) -> str:
    """The path of an attachment."""
    return f'attachments/{segment(attachment_id, no_attachment(attachment_id))}'


def no_attachment(attachment_id: str) -> errors.Error:
    """What it means that there is none."""
    return errors.VolumeAttachmentNotFound(attachment=attachment_id)


def no_source(wish: VolumeWish) -> errors.Error | None:
    """What a volume cannot be made of, if something was not found."""
    if wish.snapshot_id is not None:
        return errors.VolumeSnapshotNotFound(snapshot=wish.snapshot_id)
    if wish.source_volume_id is not None:
        return errors.VolumeNotFound(volume=wish.source_volume_id)
    if wish.image_id is not None:
        return errors.ImageNotFound(image=wish.image_id)
    return errors.VolumeTypeNotFound(type=wish.volume_type) if wish.volume_type is not None else None


def seen(context: Any, body: Body) -> bool:
    """With our own credentials everything is seen; what the caller may see is checked here."""
    if context.is_admin or getattr(context, 'auth_token', None):
        return True
    owner = body.get('os-vol-tenant-attr:tenant_id') or body.get('os-extended-snapshot-attributes:project_id')
    return bool(owner == context.project_id)


def marked(metadata: Mapping[str, str], key: str | None) -> dict[str, str]:
    """The metadata of something that is to be found again."""
    return {**metadata, **({KEY: key} if key else {})}


def volume(body: Body, attachments: tuple[Attachment, ...] = ()) -> Volume:
    """A volume; its own body tells only of attachments that are complete."""
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


def attached(body: Body) -> Attachment:
    """An attachment as a volume shows it."""
    return Attachment(body['attachment_id'], body['volume_id'], body.get('server_id') or None, body.get('device'),
                      'rw', ATTACHED)


def attachment(body: Body) -> Attachment:
    """An attachment as it shows itself."""
    known = {ATTACHED: ATTACHED, ATTACHING: ATTACHING}
    return Attachment(body['id'], body['volume_id'], body.get('instance') or None, None,
                      'ro' if body.get('attach_mode') == 'ro' else 'rw', known.get(body['status'], RESERVED))


def snapshot(body: Body) -> VolumeSnapshot:
    """A snapshot."""
    return VolumeSnapshot(
        id=body['id'], volume_id=body['volume_id'], size=body['size'], status=body['status'],
        name=body.get('name') or '', description=body.get('description'),
        project_id=body.get('os-extended-snapshot-attributes:project_id') or '',
        created_at=_time(body.get('created_at')))


def _time(text: str | None) -> datetime.datetime | None:
    if not text:
        return None
    return datetime.datetime.fromisoformat(text).replace(tzinfo=None)
