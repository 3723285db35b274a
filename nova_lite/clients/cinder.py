# SPDX-License-Identifier: Apache-2.0
"""The port to volumes, over Cinder's Block Storage API 3.

Cinder has no keys by which a request can be sent twice, so what is made with a key bears it as metadata and is looked
for first; an attachment is found again by its volume and its server.  Volumes and snapshots belong to whoever asks
for them, so making one needs the token of its owner.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from oslo_config import cfg

from nova_lite import errors
from nova_lite.clients import cinder_wire as wire
from nova_lite.model.volumes import (
    ATTACHED,
    AVAILABLE,
    DETACHING,
    RESERVED,
    Attachment,
    Volume,
    VolumeSnapshot,
    VolumeWish,
)

_NOT_ATTACHED = frozenset(('creating', 'downloading', AVAILABLE, 'deleting', 'error_deleting'))


class CinderVolumes:
    """Cinder, asked with the user's token, or with our own where that is gone."""

    is_there = needs_owner = True

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._wire = wire.Wire(conf)

    def take_up(self) -> None:
        """Cinder looks after its work itself."""

    def when_extended(self, told: Callable[[str, str], None]) -> None:
        """Cinder sends an event."""

    # ------------------------------------------------------------------- volumes

    def show(self, context: Any, volume_id: str) -> Volume:
        missing = errors.VolumeNotFound(volume=volume_id)
        body = self._wire.call(context, 'GET', wire.of_volume(volume_id), missing=missing)['volume']
        if not wire.seen(context, body):
            raise missing
        attachments: tuple[Attachment, ...] = ()
        if body['status'] not in _NOT_ATTACHED:
            # The volume itself tells only of those that are complete.
            attachments = tuple(self._wire.attachments(context, volume_id))
        return wire.volume(body, attachments)

    def list(self, context: Any, all_projects: bool = False, limit: int | None = None,
             offset: int = 0) -> Sequence[Volume]:
        params = wire.page(context, all_projects, limit, offset)
        found = self._wire.call(context, 'GET', 'volumes/detail', params=params)
        return tuple(wire.volume(one, tuple(map(wire.attached, one['attachments']))) for one in found['volumes'])

    def create(self, context: Any, wish: VolumeWish) -> Volume:
        made = self._wire.by_key(context, 'volumes', wish.key)
        if made is not None:
            return wire.volume(made)
        wire.needs_owner(context, 'volume')
        said = {'size': wish.size, 'name': wish.name, 'description': wish.description, 'snapshot_id': wish.snapshot_id,
                'imageRef': wish.image_id, 'source_volid': wish.source_volume_id, 'volume_type': wish.volume_type,
                'availability_zone': wish.availability_zone, 'metadata': wire.marked(wish.metadata, wish.key)}
        body = {name: value for name, value in said.items() if value is not None}
        made = self._wire.call(context, 'POST', 'volumes', {'volume': body}, wire.no_source(wish))
        return wire.volume(made['volume'])

    def update(self, context: Any, volume_id: str, name: str | None = None, description: str | None = None,
               metadata: Mapping[str, str] | None = None) -> Volume:
        wanted = {'name': name, 'description': description, 'metadata': metadata}
        body = {key: value for key, value in wanted.items() if value is not None}
        missing = errors.VolumeNotFound(volume=volume_id)
        return wire.volume(self._wire.call(context, 'PUT', wire.of_volume(volume_id), {'volume': body},
                                  missing=missing)['volume'])

    def delete(self, context: Any, volume_id: str) -> None:
        missing = errors.VolumeNotFound(volume=volume_id)
        self._wire.call(context, 'DELETE', wire.of_volume(volume_id), missing=missing)

    def reimage(self, context: Any, volume_id: str, image_id: str) -> None:
        volume = self.show(context, volume_id)
        if volume.status == 'downloading':
            return
        # Cinder writes over a volume only if it is connected nowhere.
        for server_uuid in {one.server_uuid for one in volume.attachments if one.server_uuid}:
            self.disconnect(context, volume_id, server_uuid)
        self._wire.act(context, volume_id, 'os-reimage', {'image_id': image_id, 'reimage_reserved': True},
                  version=wire.WITH_REIMAGE)

    def check_type(self, context: Any, volume_type: str) -> None:
        found = self._wire.call(context, 'GET', 'types')['volume_types']
        if not any(volume_type in (one['id'], one['name']) for one in found):
            raise errors.VolumeTypeNotFound(type=volume_type)

    # ----------------------------------------------------------------- snapshots

    def snapshot(self, context: Any, snapshot_id: str) -> VolumeSnapshot:
        missing = errors.VolumeSnapshotNotFound(snapshot=snapshot_id)
        body = self._wire.call(context, 'GET', wire.of_snapshot(snapshot_id), missing=missing)['snapshot']
        if not wire.seen(context, body):
            raise missing
        return wire.snapshot(body)

    def snapshots(self, context: Any, all_projects: bool = False, limit: int | None = None,
                  offset: int = 0) -> Sequence[VolumeSnapshot]:
        params = wire.page(context, all_projects, limit, offset)
        found = self._wire.call(context, 'GET', 'snapshots/detail', params=params)
        return [wire.snapshot(one) for one in found['snapshots']]

    def create_snapshot(self, context: Any, volume_id: str, name: str = '', description: str | None = None,
                        force: bool = False, key: str | None = None) -> VolumeSnapshot:
        made = self._wire.by_key(context, 'snapshots', key)
        if made is not None:
            return wire.snapshot(made)
        wire.needs_owner(context, 'snapshot')
        body = {'volume_id': volume_id, 'name': name, 'description': description, 'force': force,
                'metadata': wire.marked({}, key)}
        return wire.snapshot(self._wire.call(context, 'POST', 'snapshots', {'snapshot': body},
                                    missing=errors.VolumeNotFound(volume=volume_id))['snapshot'])

    def delete_snapshot(self, context: Any, snapshot_id: str) -> None:
        missing = errors.VolumeSnapshotNotFound(snapshot=snapshot_id)
        self._wire.call(context, 'DELETE', wire.of_snapshot(snapshot_id), missing=missing)

    # --------------------------------------------------------------- attachments

    def reserve(self, context: Any, volume_id: str, server_uuid: str, mode: str = 'rw',
                key: str | None = None) -> str:
        if key is not None:
            for one in self._wire.attachments(context, volume_id, server_uuid):
                return one.id
        return self._wire.attach(context, volume_id, server_uuid, mode)

    def connect(self, context: Any, attachment_id: str, connector: Mapping[str, Any]) -> dict[str, Any]:
        body = {'attachment': {'connector': dict(connector)}}
        answer = self._wire.call(context, 'PUT', wire.of_attachment(attachment_id), body,
                                 wire.no_attachment(attachment_id))
        known = dict(answer['attachment']['connection_info'])
        return {'driver_volume_type': known.pop('driver_volume_type', None), 'data': known}

    def disconnect(self, context: Any, volume_id: str, server_uuid: str) -> str | None:
        self.show(context, volume_id)
        found = self._wire.attachments(context, volume_id, server_uuid)
        if not found:
            return None
        # Cinder has no way back for an attachment: a new one takes its place.
        kept = next((one.id for one in found if one.status == RESERVED), None)
        kept = kept or self._wire.attach(context, volume_id, server_uuid, found[0].mode)
        for one in found:
            if one.id != kept:
                self.detach(context, one.id)
        return kept

    def complete(self, context: Any, attachment_id: str, device: str | None = None) -> None:
        if self.attachment(context, attachment_id).status != ATTACHED:
            self._wire.call(context, 'POST', f'{wire.of_attachment(attachment_id)}/action', {'os-complete': {}},
                            missing=wire.no_attachment(attachment_id))

    def begin_detaching(self, context: Any, volume_id: str) -> None:
        if self.show(context, volume_id).status != DETACHING:
            self._wire.act(context, volume_id, 'os-begin_detaching', {})

    def roll_detaching(self, context: Any, volume_id: str) -> None:
        if self.show(context, volume_id).status == DETACHING:
            self._wire.act(context, volume_id, 'os-roll_detaching', {})

    def detach(self, context: Any, attachment_id: str) -> None:
        with contextlib.suppress(errors.VolumeAttachmentNotFound):
            self._wire.call(context, 'DELETE', wire.of_attachment(attachment_id),
                            missing=wire.no_attachment(attachment_id))

    def attachment(self, context: Any, attachment_id: str) -> Attachment:
        return wire.attachment(self._wire.call(context, 'GET', wire.of_attachment(attachment_id),
                                      missing=wire.no_attachment(attachment_id))['attachment'])
