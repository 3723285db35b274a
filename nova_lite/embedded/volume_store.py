# SPDX-License-Identifier: Apache-2.0
"""Volumes of the embedded volume service: who may see them, and what may become of them in which state.

Each change is one transaction; what has to be done to a file follows it, as ``volume_work`` tells.
"""

import hashlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nova_lite import errors
from nova_lite.db import paging
from nova_lite.db.engine import Duplicate
from nova_lite.db.queries import volume_attachments, volume_quotas, volume_types, volumes
from nova_lite.embedded import volume_work
from nova_lite.embedded.volume_files import SNAPSHOT, VOLUME
from nova_lite.embedded.volume_work import Tools, Worker, lease
from nova_lite.model import times
from nova_lite.model import volumes as model
from nova_lite.model.volumes import VolumeWish

ZONE = 'nova'
GIB = 1 << 30
LARGEST = 64 * 1024


def key_of(key: str | None) -> str | None:
    """A key of any length as it is stored."""
    return None if key is None else hashlib.sha256(key.encode()).hexdigest()


def sees(context: Any, row: Any) -> bool:
    """Whether what belongs to a project is there for the caller."""
    return bool(context.is_admin or row.project_id == context.project_id)


def limits_of(tools: Tools) -> dict[str, int]:
    """The limits that the options set."""
    return {name: getattr(tools.conf.embedded, f'{name}_per_project') for name in model.RESOURCES}


class Volumes:
    """The volumes."""

    def __init__(self, tools: Tools, worker: Worker) -> None:
        self._tools = tools
        self._db = tools.db
        self._worker = worker

    # -------------------------------------------------------------------- reads

    def show(self, context: Any, volume_id: str) -> Any:
        """One volume that the caller sees."""
        row = self._get(context, volume_id)
        if self._worker.look_after(VOLUME, row):
            row = self._get(context, volume_id)
        return row

    def _get(self, context: Any, volume_id: str) -> Any:
        with self._db.read() as conn:
            return seen(context, volumes.get(conn, volume_id))

    def page(self, filters: Mapping[str, Any], paged: paging.Page, offset: int = 0) -> Sequence[Any]:
        """One page of volumes; ``filters`` say whose."""
        self._worker.sweep_once()
        with self._db.read() as conn:
            rows = volumes.page(conn, filters, paged, offset)
        if not any([self._worker.look_after(VOLUME, row) for row in rows]):
            return rows
        with self._db.read() as conn:
            return volumes.page(conn, filters, paged, offset)

    def count(self, filters: Mapping[str, Any]) -> tuple[int, int]:
        """How many volumes, and their gigabytes."""
        with self._db.read() as conn:
            return volumes.count(conn, filters)

    def attachments(self, rows: Sequence[Any]) -> Mapping[int, Sequence[Any]]:
        """The attachments of volumes by their row ids."""
        with self._db.read() as conn:
            return volume_attachments.of_volumes(conn, [row.id for row in rows])

    # ------------------------------------------------------------------- create

    def create(self, context: Any, wish: VolumeWish) -> Any:
        """Begin to make a volume; the row as it is then."""
        image = self._image(context, wish) if wish.image_id else None
        try:
            row = self._db.transaction(self._insert, context, wish, image)
        except Duplicate:
            with self._db.read() as conn:
                row = volumes.by_key(conn, context.project_id, key_of(wish.key) or '')
            if row is None:
                raise
        self._worker.begin(VOLUME, row.uuid, context)
        return row

    def _image(self, context: Any, wish: VolumeWish) -> Any:
        try:
            image = self._tools.images.show(context, wish.image_id)
        except errors.ImageNotFound:
            raise errors.Invalid(reason=f'There is no image {wish.image_id}.') from None
        if image.status != 'active':
            raise errors.Invalid(reason=f'Image {image.id} is {image.status}, not active.')
        volume_work.check_format(image)
        least = max(image.min_disk, -(-(image.size or 0) // GIB))
        if wish.size is not None and wish.size < least:
            raise errors.Invalid(reason=f'Image {image.id} needs a volume of {least} GiB, not {wish.size}.')
        return image

    def _insert(self, conn: Any, context: Any, wish: VolumeWish, image: Any) -> Any:
        key = key_of(wish.key)
        if key and (found := volumes.by_key(conn, context.project_id, key)):
            return found
        source, values = self._source(conn, context, wish)
        size = wish.size if wish.size is not None else source.size if source is not None else None
        check_size(size)
        if source is not None and size < source.size:
            raise errors.Invalid(reason=f'A volume of {size} GiB is too small for its source, which has {source.size}.')
        kind = _type(conn, context, wish.volume_type)
        if wish.availability_zone not in (None, '', ZONE):
            raise errors.Invalid(reason=f'Availability zone {wish.availability_zone!r} is invalid; there is {ZONE!r}.')
        row = {
            'uuid': str(uuid.uuid4()), 'project_id': context.project_id, 'user_id': context.user_id,
            'name': wish.name, 'description': wish.description, 'size': size, 'status': model.CREATING,
            'busy_until': lease(), 'type_id': kind.id, 'availability_zone': ZONE, 'bootable': False,
            'multiattach': is_multiattach(kind.extra_specs), 'readonly': None, 'format': volume_work.RAW,
            'snapshot_uuid': None, 'source_uuid': None, 'image_id': wish.image_id,
            'image_metadata': {} if image is None else volume_work.describe(image), 'metadata': dict(wish.metadata),
            'request_key': key, 'created_at': times.utcnow(), 'updated_at': None, **values}
        volumes.insert(conn, row)
        self.book(conn, context.project_id, {'volumes': 1, 'gigabytes': size})
        return volumes.get(conn, row['uuid'])

    @staticmethod
    def _source(conn: Any, context: Any, wish: VolumeWish) -> tuple[Any, dict[str, Any]]:
        """What the volume is a copy of, which stays as long as that takes; and what is taken over from it."""
        if wish.snapshot_id:
            source = volumes.lock_snapshot(conn, wish.snapshot_id)
            if not sees(context, source):
                raise errors.VolumeSnapshotNotFound(snapshot=wish.snapshot_id)
            allowed, column = {model.AVAILABLE}, 'snapshot_uuid'
        elif wish.source_volume_id:
            source = seen(context, volumes.lock(conn, wish.source_volume_id))
            allowed, column = {model.AVAILABLE, model.IN_USE}, 'source_uuid'
        else:
            return None, {}
        if source.status not in allowed:
            raise errors.Invalid(reason=f'The source of a volume must be {" or ".join(sorted(allowed))}; '
                                        f'{source.uuid} is {source.status}.')
        return source, {column: source.uuid, 'format': source.format, 'bootable': source.bootable, 'image_id': None,
                        'image_metadata': source.image_metadata}

    def book(self, conn: Any, project_id: str, wanted: Mapping[str, Any]) -> None:
        """Book what a project wants, or raise ``OverQuota``."""
        limits = volume_quotas.limits(conn, limits_of(self._tools), project_id)
        volume_quotas.use(conn, project_id, wanted, limits)

    # ------------------------------------------------------------------- change

    def change(self, context: Any, volume_id: str, edit: Callable[[Any], Mapping[str, Any]]) -> Any:
        """Set what ``edit`` makes of the volume as it is, with nobody in between."""
        def apply(conn: Any) -> None:
            values = edit(seen(context, volumes.lock(conn, volume_id)))
            if values:
                volumes.update(conn, volume_id, **values)

        self._db.transaction(apply)
        return self._get(context, volume_id)

    def extend(self, context: Any, volume_id: str, size: int) -> Any:
        """Make a volume bigger; the row as it was."""
        def apply(conn: Any) -> Any:
            row = seen(context, volumes.lock(conn, volume_id))
            require(row, 'extended', model.AVAILABLE, model.IN_USE)
            check_size(size)
            if size <= row.size:
                raise errors.Invalid(reason=f'A volume of {row.size} GiB is not extended to {size}.')
            volumes.update(conn, volume_id, size=size, status=model.EXTENDING, busy_until=lease())
            self.book(conn, row.project_id, {'gigabytes': size - row.size})
            return row

        before = self._db.transaction(apply)
        self._worker.begin(VOLUME, volume_id)
        return before

    def reimage(self, context: Any, volume_id: str, image_id: str) -> None:
        """Begin to write an image over a volume."""
        before = self._get(context, volume_id)
        image = self._image(context, VolumeWish(size=before.size, image_id=image_id))

        def apply(conn: Any) -> None:
            row = seen(context, volumes.lock(conn, volume_id))
            require(row, 'written anew', model.AVAILABLE, model.RESERVED, model.ATTACHING, model.IN_USE, model.ERROR)
            volumes.update(conn, volume_id, status=model.DOWNLOADING, busy_until=lease(), image_id=image.id)

        self._db.transaction(apply)
        self._worker.begin(VOLUME, volume_id, context)

    def reset(self, context: Any, volume_id: str, status: str) -> None:
        """Say by force what state a volume is in; whoever works on it has no business there any more."""
        self.change(context, volume_id, lambda row: {'status': status, 'busy_until': None})

    # ------------------------------------------------------------------- delete

    def delete(self, context: Any, volume_id: str, cascade: bool = False, force: bool = False) -> None:
        """Begin to delete a volume, with its snapshots if ``cascade``."""
        gone = self._db.transaction(self._mark, context, volume_id, cascade, force)
        for kind, one in gone:
            self._worker.begin(kind, one)

    @staticmethod
    def _mark(conn: Any, context: Any, volume_id: str, cascade: bool, force: bool) -> list[tuple[str, str]]:
        row = seen(context, volumes.lock(conn, volume_id))
        if row.status == model.DELETING:
            return [(VOLUME, volume_id)]
        snapshots = volumes.snapshots_of(conn, row.id)
        if not force:
            require(row, 'deleted', *sorted(model.DELETABLE))
            if volume_attachments.of_volumes(conn, [row.id])[row.id]:
                raise errors.InvalidVolume(reason=f'volume {volume_id} is attached to a server.')
            if volumes.being_copied(conn, 'source_uuid', volume_id):
                raise errors.InvalidVolume(reason=f'volume {volume_id} is being copied.')
        if snapshots and not cascade:
            raise errors.InvalidVolume(reason=f'volume {volume_id} has {len(snapshots)} snapshots.')
        for snapshot in snapshots:
            check_unused(conn, snapshot)
            volumes.update_snapshot(conn, snapshot.uuid, status=model.DELETING, busy_until=lease())
        volumes.update(conn, volume_id, status=model.DELETING, busy_until=lease())
        return [*((SNAPSHOT, snapshot.uuid) for snapshot in snapshots), (VOLUME, volume_id)]


def _type(conn: Any, context: Any, wanted: str | None) -> Any:
    name = wanted or model.DEFAULT_TYPE
    try:
        found = volume_types.find(conn, name)
    except errors.VolumeTypeNotFound:
        if name != model.DEFAULT_TYPE:
            raise
        volume_types.ensure_default(conn)
        found = volume_types.find(conn, name)
    if not found.is_public and not context.is_admin:
        raise errors.VolumeTypeNotFound(type=name)
    return found


def seen(context: Any, row: Any) -> Any:
    """The volume, if it is there for the caller."""
    if not sees(context, row):
        raise errors.VolumeNotFound(volume=row.uuid)
    return row


def require(row: Any, done: str, *statuses: str) -> None:
    """``InvalidVolume`` unless the volume is in one of these states."""
    if row.status not in statuses:
        raise errors.InvalidVolume(reason=f'a volume is {done} while it is {" or ".join(statuses)}; {row.uuid} is '
                                          f'{row.status}.')


def check_unused(conn: Any, snapshot: Any) -> None:
    """``InvalidVolumeSnapshot`` unless the snapshot may go."""
    if snapshot.status not in model.SNAPSHOT_DELETABLE:
        raise errors.InvalidVolumeSnapshot(reason=f'a snapshot is deleted while it is available or error; '
                                                  f'{snapshot.uuid} is {snapshot.status}.')
    if volumes.being_copied(conn, 'snapshot_uuid', snapshot.uuid):
        raise errors.InvalidVolumeSnapshot(reason=f'snapshot {snapshot.uuid} is being copied.')


def check_size(size: Any) -> None:
    """``Invalid`` unless this is a size in GiB."""
    if not isinstance(size, int) or isinstance(size, bool) or not 0 < size <= LARGEST:
        raise errors.Invalid(reason=f'The size of a volume is a number of GiB from 1 to {LARGEST}, not {size!r}.')


def is_multiattach(extra_specs: Mapping[str, str]) -> bool:
    """Whether volumes of a type may be attached to several servers."""
    return extra_specs.get('multiattach', '').strip().lower() == '<is> true'
