# SPDX-License-Identifier: Apache-2.0
"""Snapshots of the embedded volume service."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nova_lite import errors
from nova_lite.db import paging
from nova_lite.db.engine import Duplicate
from nova_lite.db.queries import volumes
from nova_lite.embedded.volume_files import SNAPSHOT
from nova_lite.embedded.volume_store import Volumes, check_unused, key_of, require, seen, sees
from nova_lite.embedded.volume_work import Tools, Worker, lease
from nova_lite.model import times
from nova_lite.model import volumes as model


class Snapshots:
    """The snapshots."""

    def __init__(self, tools: Tools, worker: Worker, of: Volumes) -> None:
        self._db = tools.db
        self._worker = worker
        self._volumes = of

    def show(self, context: Any, snapshot_id: str) -> Any:
        """One snapshot that the caller sees."""
        row = self._get(context, snapshot_id)
        if self._worker.look_after(SNAPSHOT, row):
            row = self._get(context, snapshot_id)
        return row

    def _get(self, context: Any, snapshot_id: str) -> Any:
        with self._db.read() as conn:
            return _seen(context, volumes.get_snapshot(conn, snapshot_id))

    def page(self, filters: Mapping[str, Any], paged: paging.Page, offset: int = 0) -> Sequence[Any]:
        """One page of snapshots; ``filters`` say whose."""
        with self._db.read() as conn:
            rows = volumes.page_of_snapshots(conn, filters, paged, offset)
        if not any([self._worker.look_after(SNAPSHOT, row) for row in rows]):
            return rows
        with self._db.read() as conn:
            return volumes.page_of_snapshots(conn, filters, paged, offset)

    def count(self, filters: Mapping[str, Any]) -> int:
        """How many snapshots."""
        with self._db.read() as conn:
            return volumes.count_snapshots(conn, filters)

    def create(self, context: Any, volume_id: str, wish: Mapping[str, Any], in_use: bool,
               key: str | None = None) -> Any:
        """Begin a snapshot; ``wish`` has name, description and metadata, ``in_use`` allows it while it is attached."""
        stored = key_of(key)
        try:
            row = self._db.transaction(self._insert, context, volume_id, {**wish, 'request_key': stored}, in_use)
        except Duplicate:
            with self._db.read() as conn:
                row = volumes.snapshot_by_key(conn, context.project_id, stored or '')
            if row is None:
                raise
        self._worker.begin(SNAPSHOT, row.uuid, context)
        return row

    def _insert(self, conn: Any, context: Any, volume_id: str, wish: Mapping[str, Any], in_use: bool) -> Any:
        key = wish['request_key']
        if key and (found := volumes.snapshot_by_key(conn, context.project_id, key)):
            return found
        volume = seen(context, volumes.lock(conn, volume_id))
        require(volume, 'snapshot', model.AVAILABLE, *((model.IN_USE,) if in_use else ()))
        row = {
            'uuid': str(uuid.uuid4()), 'volume_id': volume.id, 'project_id': context.project_id,
            'user_id': context.user_id, 'name': '', 'description': None, 'size': volume.size,
            'status': model.CREATING, 'busy_until': lease(), 'bootable': volume.bootable, 'format': volume.format,
            'image_metadata': volume.image_metadata, 'metadata': {}, 'created_at': times.utcnow(),
            'updated_at': None, **wish}
        volumes.insert_snapshot(conn, row)
        self._volumes.book(conn, context.project_id, {'snapshots': 1, 'gigabytes': volume.size})
        return volumes.get_snapshot(conn, row['uuid'])

    def change(self, context: Any, snapshot_id: str, edit: Callable[[Any], Mapping[str, Any]]) -> Any:
        """Set what ``edit`` makes of the snapshot as it is, with nobody in between."""
        def apply(conn: Any) -> None:
            values = edit(_seen(context, volumes.lock_snapshot(conn, snapshot_id)))
            if values:
                volumes.update_snapshot(conn, snapshot_id, **values)

        self._db.transaction(apply)
        return self._get(context, snapshot_id)

    def delete(self, context: Any, snapshot_id: str, force: bool = False) -> None:
        """Begin to delete a snapshot."""
        def mark(conn: Any) -> None:
            row = _seen(context, volumes.lock_snapshot(conn, snapshot_id))
            if row.status == model.DELETING:
                return
            if not force:
                check_unused(conn, row)
            volumes.update_snapshot(conn, snapshot_id, status=model.DELETING, busy_until=lease())

        self._db.transaction(mark)
        self._worker.begin(SNAPSHOT, snapshot_id)


def _seen(context: Any, row: Any) -> Any:
    if not sees(context, row):
        raise errors.VolumeSnapshotNotFound(snapshot=row.uuid)
    return row
