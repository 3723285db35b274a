# SPDX-License-Identifier: Apache-2.0
"""Moves of servers between hosts, and resizes: what was asked for and how far it is."""

import datetime
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from oslo_utils import timeutils

from nova_lite.db import paging, tables
from nova_lite.db.conditions import is_one_of
from nova_lite.db.engine import Conn
from nova_lite.model import moves

MIGRATIONS = tables.migrations
SERVERS = tables.servers
HOSTS = tables.hosts
FLAVORS = tables.flavors
_C = MIGRATIONS.c

NEWEST_FIRST = paging.Order(marker=_C.uuid, tie=_C.id, default=(('created_at', 'desc'), ('id', 'desc')),
                            keys={'created_at': _C.created_at, 'id': _C.id})
_IS_OPEN = _C.status.not_in(sorted(moves.OVER))
_RESIZES = (sa.select(MIGRATIONS, SERVERS.c.project_id.label('owner'), SERVERS.c.flavor)
            .join(SERVERS, SERVERS.c.uuid == _C.server_uuid)
            .where(_IS_OPEN, _C.type == moves.RESIZE, SERVERS.c.deleted == sa.false()))
_GET = sa.select(MIGRATIONS).where(_C.id == sa.bindparam('migration'))
_OPEN = sa.select(MIGRATIONS).where(_C.server_uuid == sa.bindparam('server'), _IS_OPEN).order_by(_C.id)
_OF_SERVER = _GET.where(_C.server_uuid == sa.bindparam('server'))
_EMPTY = dict.fromkeys(('dest_compute', 'dest_node', 'dest_host', 'wish', 'updated_at', *moves.PROGRESS))


def insert(conn: sa.Connection, values: Mapping[str, Any]) -> int:
    """Store server_uuid, type, status, user_id, project_id, source, flavors and old_vm_state; the row id."""
    flavors = {f'{age}_flavor_id': _flavor_id(conn, values[f'{age}_flavor']) for age in ('old', 'new')}
    row = {**_EMPTY, 'uuid': str(uuid.uuid4()), 'created_at': timeutils.utcnow(), **flavors, **values}
    return int(conn.execute(MIGRATIONS.insert(), row).inserted_primary_key[0])


def _flavor_id(conn: sa.Connection, flavor: Mapping[str, Any]) -> int | None:
    found: int | None = conn.scalar(sa.select(FLAVORS.c.id).where(FLAVORS.c.flavorid == flavor['flavorid']))
    return found


def get(conn: Conn, migration_id: int) -> sa.Row[Any] | None:
    """One move."""
    return conn.execute(_GET, {'migration': migration_id}).first()


def get_of_server(conn: Conn, server_uuid: str, migration_id: int) -> sa.Row[Any] | None:
    """One move of this server."""
    return conn.execute(_OF_SERVER, {'migration': migration_id, 'server': server_uuid}).first()


def open_of_server(conn: Conn, server_uuid: str) -> Sequence[sa.Row[Any]]:
    """The moves of a server that have not come to an end, oldest first."""
    return conn.execute(_OPEN, {'server': server_uuid}).all()


def update(conn: sa.Connection, migration_id: int, **values: Any) -> None:
    """Change a move."""
    conn.execute(MIGRATIONS.update().where(_C.id == migration_id).values(updated_at=timeutils.utcnow(), **values))


def update_if(conn: sa.Connection, migration_id: int, statuses: Any, **values: Any) -> bool:
    """Change a move that is still in one of ``statuses``; whether it was."""
    statement = MIGRATIONS.update().where(_C.id == migration_id, is_one_of(_C.status, statuses))
    return bool(conn.execute(statement.values(updated_at=timeutils.utcnow(), **values)).rowcount)


def abandon(conn: sa.Connection, server_uuid: str, flavor: Mapping[str, Any]) -> dict[str, int]:
    """End whatever moves of a server are open; what of the quota they held beyond the use of ``flavor``.

    A resize that only had to be confirmed is; every other move has failed.
    """
    held: dict[str, int] = {}
    for row in open_of_server(conn, server_uuid):
        done = row.type in moves.COLD and row.status in (moves.FINISHED, moves.CONFIRMING)
        update(conn, row.id, status=moves.CONFIRMED if done else moves.ERROR)
        for resource, amount in surplus_of(row, flavor).items():
            held[resource] = held.get(resource, 0) + amount
    return held


def surplus_of(row: Any, flavor: Mapping[str, Any]) -> dict[str, int]:
    """What an open move holds of the quota beyond the use of ``flavor``, which is what the server is now."""
    if row.type != moves.RESIZE:
        return {}
    old, new = moves.surplus(flavor, row.old_flavor), moves.surplus(flavor, row.new_flavor)
    return {resource: max(old[resource], new[resource]) for resource in old}


def page(conn: Conn, filters: Mapping[str, Any], paged: paging.Page) -> list[sa.Row[Any]]:
    """One page of moves, the newest first.

    Filters: status, type, source_compute, server_uuid, project_id, user_id; ``host`` is the source or
    the destination; ``since`` and ``before`` are times of the last change.
    """
    changed = sa.func.coalesce(_C.updated_at, _C.created_at)
    special = {
        'host': lambda value: sa.or_(_C.source_compute == value, _C.dest_compute == value),
        'since': lambda value: changed >= value,
        'before': lambda value: changed <= value}
    conditions = [special[name](value) if name in special else is_one_of(_C[name], value)
                  for name, value in filters.items()]
    statement = sa.select(MIGRATIONS).where(*conditions)
    return list(conn.execute(paging.select_page(conn, statement, NEWEST_FIRST, paged)).all())


def in_progress(conn: Conn, server_uuid: str) -> Sequence[sa.Row[Any]]:
    """The live migrations of a server that are going on."""
    return conn.execute(sa.select(MIGRATIONS).where(
        _C.server_uuid == server_uuid, _C.type == moves.LIVE,
        _C.status.in_(sorted(moves.IN_PROGRESS))).order_by(_C.id)).all()


def address_of(conn: Conn, host: str) -> str | None:
    """The address of a compute host."""
    found: str | None = conn.execute(sa.select(HOSTS.c.host_ip).where(HOSTS.c.host == host)).scalar()
    return found


def waiting(conn: Conn, vm_state: str, before: datetime.datetime, most: int) -> Sequence[sa.Row[Any]]:
    """Finished resizes and migrations of servers in ``vm_state`` that nobody confirmed since ``before``."""
    return conn.execute(
        sa.select(_C.id, _C.server_uuid, SERVERS.c.project_id, SERVERS.c.user_id)
        .join(SERVERS, SERVERS.c.uuid == _C.server_uuid)
        .where(_C.status == moves.FINISHED, _C.type.in_(sorted(moves.COLD)), _C.updated_at < before,
               SERVERS.c.vm_state == vm_state, SERVERS.c.task_state.is_(None), SERVERS.c.deleted == sa.false())
        .order_by(_C.id).limit(most)).all()


def held(conn: Conn, project_id: str | None = None) -> Iterator[tuple[str, dict[str, int]]]:
    """(project, what it holds beyond the use of the server) for each open resize, to recount the quota."""
    query = _RESIZES if project_id is None else _RESIZES.where(SERVERS.c.project_id == project_id)
    for row in conn.execute(query):
        yield row.owner, surplus_of(row, row.flavor)


def held_disk(conn: Conn, project_id: str) -> int:
    """GiB that open resizes of a project hold beyond what its servers take now."""
    held = 0
    for row in conn.execute(_RESIZES.where(SERVERS.c.project_id == project_id)):
        now, *other = (moves.amounts(flavor)['local_gb'] for flavor in (row.flavor, row.old_flavor, row.new_flavor))
        held += max(0, *(amount - now for amount in other))
    return held
