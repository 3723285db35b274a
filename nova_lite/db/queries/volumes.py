# SPDX-License-Identifier: Apache-2.0
"""Volumes of the embedded volume service, and their snapshots.

Both kinds of rows have a state and a time until which one process works on them.  Who changes a state locks the row
first; who ends his work finds his time still in the row, or somebody else has taken over.
"""

import datetime
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from oslo_utils import timeutils

from nova_lite import errors
from nova_lite.db import paging, tables
from nova_lite.db.conditions import contains, is_one_of
from nova_lite.db.engine import Conn
from nova_lite.model import volumes as model

VOLUMES = tables.volumes
SNAPSHOTS = tables.volume_snapshots
TYPES = tables.volume_types

Rows = Sequence[sa.Row[Any]]

_VOLUME = sa.select(VOLUMES, TYPES.c.name.label('volume_type'), TYPES.c.uuid.label('type_uuid')).join(TYPES)
_SNAPSHOT = sa.select(SNAPSHOTS, VOLUMES.c.uuid.label('volume_uuid')).join(VOLUMES)
_GET = _VOLUME.where(VOLUMES.c.uuid == sa.bindparam('volume'))
_LOCK = sa.select(VOLUMES).where(VOLUMES.c.uuid == sa.bindparam('volume')).with_for_update()
_GET_SNAPSHOT = _SNAPSHOT.where(SNAPSHOTS.c.uuid == sa.bindparam('snapshot'))
_LOCK_SNAPSHOT = sa.select(SNAPSHOTS).where(SNAPSHOTS.c.uuid == sa.bindparam('snapshot')).with_for_update()


def _order(table: sa.Table, *more: str) -> paging.Order:
    names = ('created_at', 'updated_at', 'status', 'size', 'name', *more)
    return paging.Order(marker=table.c.uuid, tie=table.c.id, default=(('created_at', 'desc'),),
                        keys={'id': table.c.uuid, **{name: table.c[name] for name in names}})


NEWEST_FIRST = _order(VOLUMES, 'availability_zone', 'bootable', 'project_id')
NEWEST_SNAPSHOT_FIRST = _order(SNAPSHOTS, 'project_id')

# ------------------------------------------------------------------- volumes


def get(conn: Conn, volume: str) -> sa.Row[Any]:
    """One volume, with the name (``volume_type``) and id (``type_uuid``) of its type."""
    return _volume(conn.execute(_GET, {'volume': volume}).first(), volume)


def lock(conn: sa.Connection, volume: str) -> sa.Row[Any]:
    """One volume, which nobody else changes before this transaction ends."""
    return _volume(conn.execute(_LOCK, {'volume': volume}).first(), volume)


def _volume(row: sa.Row[Any] | None, volume: str) -> sa.Row[Any]:
    if row is None:
        raise errors.VolumeNotFound(volume=volume)
    return row


def by_key(conn: Conn, project_id: str, key: str) -> sa.Row[Any] | None:
    """The volume that a request with this key has made."""
    return conn.execute(_VOLUME.where(VOLUMES.c.project_id == project_id, VOLUMES.c.request_key == key)).first()


def page(conn: Conn, filters: Mapping[str, Any], paged: paging.Page, offset: int = 0) -> Rows:
    """One page of volumes, the newest first.

    Filters: any column; ``metadata`` and ``image_metadata`` are entries that have to be there; ``name_like`` is a part
    of the name; ``changed`` is a list of (column, operator, time).
    """
    statement = paging.select_page(
        conn, _VOLUME.where(*_conditions(conn, VOLUMES, filters)), NEWEST_FIRST, paged, *_scope(VOLUMES, filters))
    return conn.execute(statement.offset(offset) if offset else statement).all()


def count(conn: Conn, filters: Mapping[str, Any]) -> tuple[int, int]:
    """How many volumes, and their sizes together."""
    row = conn.execute(
        sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(VOLUMES.c.size), 0)).select_from(
            VOLUMES.join(TYPES)).where(*_conditions(conn, VOLUMES, filters))).one()
    return int(row[0]), int(row[1])


def insert(conn: sa.Connection, values: Mapping[str, Any]) -> int:
    """Store a volume; the row id."""
    return int(conn.execute(VOLUMES.insert(), dict(values)).inserted_primary_key[0])


def update(conn: sa.Connection, volume: str, **values: Any) -> None:
    """Change a volume."""
    conn.execute(VOLUMES.update().where(VOLUMES.c.uuid == volume).values(updated_at=timeutils.utcnow(), **values))


def delete(conn: sa.Connection, volume: str) -> sa.Row[Any] | None:
    """Remove a volume, with its attachments; what it was."""
    row = conn.execute(_LOCK, {'volume': volume}).first()
    if row is not None:
        conn.execute(VOLUMES.delete().where(VOLUMES.c.id == row.id))
    return row


def being_copied(conn: Conn, column: str, uuid: str) -> bool:
    """Whether a volume is being made from the snapshot (``snapshot_uuid``) or volume (``source_uuid``)."""
    return conn.execute(sa.select(VOLUMES.c.id).where(
        VOLUMES.c[column] == uuid, VOLUMES.c.status == model.CREATING).limit(1)).first() is not None


# ----------------------------------------------------------------- snapshots


def get_snapshot(conn: Conn, snapshot: str) -> sa.Row[Any]:
    """One snapshot, with the id of its volume (``volume_uuid``)."""
    return _found(conn.execute(_GET_SNAPSHOT, {'snapshot': snapshot}).first(), snapshot)


def lock_snapshot(conn: sa.Connection, snapshot: str) -> sa.Row[Any]:
    """One snapshot, which nobody else changes before this transaction ends."""
    return _found(conn.execute(_LOCK_SNAPSHOT, {'snapshot': snapshot}).first(), snapshot)


def _found(row: sa.Row[Any] | None, snapshot: str) -> sa.Row[Any]:
    if row is None:
        raise errors.VolumeSnapshotNotFound(snapshot=snapshot)
    return row


def snapshot_by_key(conn: Conn, project_id: str, key: str) -> sa.Row[Any] | None:
    """The snapshot that a request with this key has made."""
    return conn.execute(
        _SNAPSHOT.where(SNAPSHOTS.c.project_id == project_id, SNAPSHOTS.c.request_key == key)).first()


def page_of_snapshots(conn: Conn, filters: Mapping[str, Any], paged: paging.Page, offset: int = 0) -> Rows:
    """One page of snapshots, the newest first; filters as those of ``page``, and ``volume_uuid``."""
    statement = paging.select_page(
        conn, _SNAPSHOT.where(*_conditions(conn, SNAPSHOTS, filters)), NEWEST_SNAPSHOT_FIRST, paged,
        *_scope(SNAPSHOTS, filters))
    return conn.execute(statement.offset(offset) if offset else statement).all()


def count_snapshots(conn: Conn, filters: Mapping[str, Any]) -> int:
    """How many snapshots."""
    return int(conn.scalar(sa.select(sa.func.count()).select_from(SNAPSHOTS.join(VOLUMES)).where(
        *_conditions(conn, SNAPSHOTS, filters))))


def snapshots_of(conn: Conn, volume_id: int) -> Rows:
    """The snapshots of the volume with this row id."""
    return conn.execute(sa.select(SNAPSHOTS).where(SNAPSHOTS.c.volume_id == volume_id).order_by(SNAPSHOTS.c.id)).all()


def insert_snapshot(conn: sa.Connection, values: Mapping[str, Any]) -> int:
    """Store a snapshot; the row id."""
    return int(conn.execute(SNAPSHOTS.insert(), dict(values)).inserted_primary_key[0])


def update_snapshot(conn: sa.Connection, snapshot: str, **values: Any) -> None:
    """Change a snapshot."""
    conn.execute(SNAPSHOTS.update().where(SNAPSHOTS.c.uuid == snapshot).values(
        updated_at=timeutils.utcnow(), **values))


def delete_snapshot(conn: sa.Connection, snapshot: str) -> sa.Row[Any] | None:
    """Remove a snapshot; what it was."""
    row = conn.execute(_LOCK_SNAPSHOT, {'snapshot': snapshot}).first()
    if row is not None:
        conn.execute(SNAPSHOTS.delete().where(SNAPSHOTS.c.id == row.id))
    return row


# ---------------------------------------------------------------------- work


def take(conn: sa.Connection, table: sa.Table, uuid: str, now: datetime.datetime, until: datetime.datetime) -> bool:
    """Take over the work on a volume or snapshot that nobody has done in time; whether it is the caller's now."""
    return bool(conn.execute(table.update().where(table.c.uuid == uuid, table.c.busy_until <= now).values(
        busy_until=until)).rowcount)


def prolong(conn: sa.Connection, table: sa.Table, uuid: str, before: datetime.datetime, until: datetime.datetime,
            **values: Any) -> bool:
    """Stay at work; False if somebody else is at it now."""
    return bool(conn.execute(table.update().where(table.c.uuid == uuid, table.c.busy_until == before).values(
        busy_until=until, **values)).rowcount)


def end(conn: sa.Connection, table: sa.Table, uuid: str, before: datetime.datetime, **values: Any) -> bool:
    """Write down what became of the work, of which ``before`` is the time that it had; False if it is not ours now."""
    return bool(conn.execute(table.update().where(table.c.uuid == uuid, table.c.busy_until == before).values(
        busy_until=None, updated_at=timeutils.utcnow(), **values)).rowcount)


def left(conn: Conn, table: sa.Table, now: datetime.datetime, most: int = 100) -> list[str]:
    """The volumes or snapshots with work that nobody has done in time."""
    return list(conn.scalars(sa.select(table.c.uuid).where(table.c.busy_until <= now).order_by(
        table.c.busy_until).limit(most)))


def forget_workers(conn: sa.Connection, now: datetime.datetime) -> None:
    """All work is to be done again: whoever was at it is no more."""
    for table in (VOLUMES, SNAPSHOTS):
        conn.execute(table.update().where(table.c.busy_until > now).values(busy_until=now))


def existing(conn: Conn, table: sa.Table, among: Collection[str]) -> set[str]:
    """Those ids of ``among`` that there are."""
    return set(conn.scalars(sa.select(table.c.uuid).where(table.c.uuid.in_(list(among)))))


# ------------------------------------------------------------------- filters

_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    'gt': lambda column, value: column > value, 'gte': lambda column, value: column >= value,
    'lt': lambda column, value: column < value, 'lte': lambda column, value: column <= value,
    'eq': lambda column, value: column == value, 'neq': lambda column, value: column != value}


def _conditions(conn: Conn, table: sa.Table, filters: Mapping[str, Any]) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    for name, value in filters.items():
        if name in ('metadata', 'image_metadata'):
            found += [contains(conn, table.c[name], _entry(*entry)) for entry in value.items()]
        elif name == 'name_like':
            found.append(contains(conn, table.c.name, value))
        elif name == 'changed':
            found += [_COMPARE[operator](table.c[column], moment) for column, operator, moment in value]
        elif name == 'volume_uuid':
            found.append(is_one_of(VOLUMES.c.uuid, value))
        elif name == 'volume_type':
            found.append(sa.or_(TYPES.c.name == value, TYPES.c.uuid == value))
        else:
            found.append(is_one_of(table.c[name], value))
    return found


def _entry(key: str, value: str) -> str:
    """How an entry stands in the text of a JSON column; values are strings, so it cannot stand inside of one."""
    return orjson.dumps({key: value}).decode()[1:-1]


def _scope(table: sa.Table, filters: Mapping[str, Any]) -> list[sa.ColumnElement[bool]]:
    return [table.c.project_id == filters['project_id']] if 'project_id' in filters else []
