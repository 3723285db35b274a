# SPDX-License-Identifier: Apache-2.0
"""Groups of servers that want to be together, or apart.

Where the members are is read from ``allocations``, the books of what hosts have given away, so that a
server that moves counts on both of its hosts.  Whoever places a member locks the group's row first.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from oslo_utils import timeutils, uuidutils

from nova_lite import errors
from nova_lite.db import tables
from nova_lite.db.engine import Conn

GROUPS = tables.server_groups
MEMBERS = tables.server_group_members
SERVERS = tables.servers

_BY_UUID = sa.select(GROUPS).where(GROUPS.c.uuid == sa.bindparam('group'))
_LOCKED_BY_UUID = _BY_UUID.with_for_update()
_LOCKED = sa.select(GROUPS).where(GROUPS.c.id == sa.bindparam('group')).with_for_update()
_GROUP_OF = sa.select(MEMBERS.c.group_id).where(MEMBERS.c.server_uuid == sa.bindparam('server'))
_PLACES = (
    sa.select(tables.hosts.c.host, sa.func.count(sa.distinct(MEMBERS.c.server_uuid)))
    .select_from(MEMBERS.join(tables.allocations, tables.allocations.c.server_uuid == MEMBERS.c.server_uuid)
                 .join(tables.hosts, tables.hosts.c.id == tables.allocations.c.host_id))
    .where(MEMBERS.c.group_id == sa.bindparam('group'), MEMBERS.c.server_uuid != sa.bindparam('server'))
    .group_by(tables.hosts.c.host))
_ALIVE = MEMBERS.join(SERVERS, SERVERS.c.uuid == MEMBERS.c.server_uuid)
_NOT_DELETED = SERVERS.c.deleted == sa.false()


def page(conn: Conn, project_id: str | None, limit: int, offset: int = 0) -> list[sa.Row[Any]]:
    """Groups of a project, or of all, in the order in which they were made."""
    statement = sa.select(GROUPS).order_by(GROUPS.c.id).limit(limit).offset(offset)
    if project_id is not None:
        statement = statement.where(GROUPS.c.project_id == project_id)
    return list(conn.execute(statement).all())


def get(conn: Conn, uuid: str) -> sa.Row[Any]:
    """One group."""
    return _found(conn.execute(_BY_UUID, {'group': uuid}).first(), uuid)


def lock(conn: sa.Connection, uuid: str) -> sa.Row[Any]:
    """One group, in which nobody else places or adds a member before this transaction ends."""
    return _found(conn.execute(_LOCKED_BY_UUID, {'group': uuid}).first(), uuid)


def lock_of_server(conn: sa.Connection, server_uuid: str) -> sa.Row[Any] | None:
    """The group of a server, locked as by ``lock``; None if it is in none."""
    group_id = conn.execute(_GROUP_OF, {'server': server_uuid}).scalar()
    return None if group_id is None else conn.execute(_LOCKED, {'group': group_id}).first()


def _found(row: sa.Row[Any] | None, uuid: str) -> sa.Row[Any]:
    if row is None:
        raise errors.ServerGroupNotFound(group=uuid)
    return row


def count(conn: Conn, project_id: str, user_id: str | None = None) -> int:
    """How many groups a project has, or one of its users."""
    statement = sa.select(sa.func.count()).select_from(GROUPS).where(GROUPS.c.project_id == project_id)
    return int(conn.scalar(statement if user_id is None else statement.where(GROUPS.c.user_id == user_id)))


def create(conn: sa.Connection, values: Mapping[str, Any]) -> str:
    """Store project_id, user_id, name, policy and rules; the uuid."""
    row = {'uuid': uuidutils.generate_uuid(), 'created_at': timeutils.utcnow(), **values}
    conn.execute(GROUPS.insert(), row)
    return str(row['uuid'])


def delete(conn: sa.Connection, uuid: str) -> None:
    """Remove a group; its members are then in none."""
    if not conn.execute(GROUPS.delete().where(GROUPS.c.uuid == uuid)).rowcount:
        raise errors.ServerGroupNotFound(group=uuid)


def members(conn: Conn, group_ids: Collection[int]) -> dict[int, list[str]]:
    """The servers of each group that are not deleted, the oldest first."""
    found: dict[int, list[str]] = {key: [] for key in group_ids}
    statement = sa.select(MEMBERS.c.group_id, MEMBERS.c.server_uuid).select_from(_ALIVE).where(
        MEMBERS.c.group_id.in_(list(found)), _NOT_DELETED).order_by(SERVERS.c.id)
    for key, server_uuid in conn.execute(statement):
        found[key].append(server_uuid)
    return found


def of_servers(conn: Conn, server_uuids: Collection[str]) -> dict[str, str]:
    """The uuid of the group of each of these servers that is in one."""
    statement = sa.select(MEMBERS.c.server_uuid, GROUPS.c.uuid).join(GROUPS).where(
        MEMBERS.c.server_uuid.in_(server_uuids))
    return dict(tuple(row) for row in conn.execute(statement))


def count_members(conn: Conn, group_id: int, user_id: str) -> int:
    """How many servers of a user are in the group."""
    return int(conn.scalar(sa.select(sa.func.count()).select_from(_ALIVE).where(
        MEMBERS.c.group_id == group_id, _NOT_DELETED, SERVERS.c.user_id == user_id)))


def add_members(conn: sa.Connection, group_id: int, server_uuids: Collection[str]) -> None:
    """Put servers into a group that is locked; those that were deleted since the last time leave it."""
    gone = sa.select(SERVERS.c.uuid).where(SERVERS.c.uuid == MEMBERS.c.server_uuid, SERVERS.c.deleted)
    conn.execute(sa.delete(MEMBERS).where(MEMBERS.c.group_id == group_id, gone.correlate(MEMBERS).exists()))
    conn.execute(sa.insert(MEMBERS), [{'group_id': group_id, 'server_uuid': uuid} for uuid in server_uuids])


def places(conn: Conn, group_id: int, server_uuid: str) -> Counter[str]:
    """On which hosts the other members of a server's group are, and how many on each."""
    rows = conn.execute(_PLACES, {'group': group_id, 'server': server_uuid})
    return Counter({host: number for host, number in rows})
