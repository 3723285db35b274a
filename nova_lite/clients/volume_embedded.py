# SPDX-License-Identifier: Apache-2.0
"""The port to volumes on the embedded volume service, without HTTP."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from oslo_config import cfg

from nova_lite import errors
from nova_lite.embedded.volume_service import VolumeService
from nova_lite.model.volumes import Attachment, Volume, VolumeSnapshot, VolumeWish


class EmbeddedVolumes:
    """The service of this installation, asked directly; ``service`` is what its HTTP API works with, too."""

    is_there = True
    needs_owner = False

    def __init__(self, conf: cfg.ConfigOpts, db: Any, images: Any) -> None:
        self.service = VolumeService(conf, db, images)

    def take_up(self) -> None:
        self.service.take_up()

    def when_extended(self, told: Callable[[str, str], None]) -> None:
        self.service.when_extended(told)

    def show(self, context: Any, volume_id: str) -> Volume:
        return self._volumes([self.service.volumes.show(context, volume_id)])[0]

    def list(self, context: Any, all_projects: bool = False, limit: int | None = None,
             offset: int = 0) -> Sequence[Volume]:
        return self._volumes(self.service.volumes.page(_whose(context, all_projects), _page(limit), offset))

    def create(self, context: Any, wish: VolumeWish) -> Volume:
        return self.show(context, self.service.volumes.create(context, wish).uuid)

    def update(self, context: Any, volume_id: str, name: str | None = None, description: str | None = None,
               metadata: Mapping[str, str] | None = None) -> Volume:
        wanted = {'name': name, 'description': description, 'metadata': metadata}
        values = {key: value for key, value in wanted.items() if value is not None}
        return self._volumes([self.service.volumes.change(context, volume_id, lambda row: values)])[0]

    def delete(self, context: Any, volume_id: str) -> None:
        self.service.volumes.delete(context, volume_id)

    def reimage(self, context: Any, volume_id: str, image_id: str) -> None:
        self.service.volumes.reimage(context, volume_id, image_id)

    def check_type(self, context: Any, volume_type: str) -> None:
        self.service.types.show(context, volume_type)

    def snapshot(self, context: Any, snapshot_id: str) -> VolumeSnapshot:
        return _snapshot(self.service.snapshots.show(context, snapshot_id))

    def snapshots(self, context: Any, all_projects: bool = False, limit: int | None = None,
                  offset: int = 0) -> Sequence[VolumeSnapshot]:
        rows = self.service.snapshots.page(_whose(context, all_projects), _page(limit), offset)
        return [_snapshot(row) for row in rows]

    def create_snapshot(self, context: Any, volume_id: str, name: str = '', description: str | None = None,
                        force: bool = False, key: str | None = None) -> VolumeSnapshot:
        row = self.service.snapshots.create(context, volume_id, {'name': name, 'description': description}, force, key)
        return self.snapshot(context, row.uuid)

    def delete_snapshot(self, context: Any, snapshot_id: str) -> None:
        self.service.snapshots.delete(context, snapshot_id)

    def reserve(self, context: Any, volume_id: str, server_uuid: str, mode: str = 'rw',
                key: str | None = None) -> str:
        return self.service.attachments.reserve(context, volume_id, server_uuid, mode, key)

    def connect(self, context: Any, attachment_id: str, connector: Mapping[str, Any]) -> dict[str, Any]:
        return self.service.attachments.connect(context, attachment_id, connector)

    def disconnect(self, context: Any, volume_id: str, server_uuid: str) -> str | None:
        return self.service.attachments.disconnect(context, volume_id, server_uuid)

    def complete(self, context: Any, attachment_id: str, device: str | None = None) -> None:
        self.service.attachments.complete(context, attachment_id, device)

    def begin_detaching(self, context: Any, volume_id: str) -> None:
        self.service.attachments.begin_detaching(context, volume_id)

    def roll_detaching(self, context: Any, volume_id: str) -> None:
        self.service.attachments.roll_detaching(context, volume_id)

    def detach(self, context: Any, attachment_id: str) -> None:
        with contextlib.suppress(errors.VolumeAttachmentNotFound):
            self.service.attachments.detach(context, attachment_id)

    def attachment(self, context: Any, attachment_id: str) -> Attachment:
        return _attachment(self.service.attachments.show(context, attachment_id))

    def _volumes(self, rows: Sequence[Any]) -> tuple[Volume, ...]:
        attached = self.service.volumes.attachments(rows)
        return tuple(_volume(row, attached[row.id]) for row in rows)


def _page(limit: int | None) -> Any:
    return VolumeService.page(limit)


def _whose(context: Any, all_projects: bool) -> dict[str, Any]:
    return {} if all_projects and context.is_admin else {'project_id': context.project_id}


def _volume(row: Any, attachments: Sequence[Any]) -> Volume:
    return Volume(
        id=row.uuid, name=row.name, description=row.description, size=row.size, status=row.status,
        bootable=row.bootable, multiattach=row.multiattach, volume_type=row.volume_type,
        availability_zone=row.availability_zone, project_id=row.project_id, user_id=row.user_id,
        snapshot_id=row.snapshot_uuid, source_image_id=row.image_metadata.get('image_id'),
        image_metadata=row.image_metadata, attachments=tuple(map(_attachment, attachments)), metadata=row.metadata,
        created_at=row.created_at)


def _attachment(row: Any) -> Attachment:
    return Attachment(id=row.uuid, volume_id=row.volume_uuid, server_uuid=row.server_uuid, device=row.device,
                      mode=row.mode, status=row.status)


def _snapshot(row: Any) -> VolumeSnapshot:
    return VolumeSnapshot(id=row.uuid, volume_id=row.volume_uuid, size=row.size, status=row.status, name=row.name,
                          description=row.description, project_id=row.project_id, created_at=row.created_at)
