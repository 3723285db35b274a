# SPDX-License-Identifier: Apache-2.0
"""The tags of servers, which are rows so that a list can be narrowed by them."""

from collections.abc import Collection

import sqlalchemy as sa

from nova_lite.db import tables
from nova_lite.db.engine import Conn

TAGS = tables.server_tags

_OF_ONE = sa.select(TAGS.c.tag).where(TAGS.c.server_uuid == sa.bindparam('server')).order_by(TAGS.c.tag)
_OF_SEVERAL = sa.select(TAGS.c.server_uuid, TAGS.c.tag).where(
    TAGS.c.server_uuid.in_(sa.bindparam('servers', expanding=True))).order_by(TAGS.c.tag)


def page(conn: Conn, server_uuid: str) -> list[str]:
    """The tags of one server, sorted."""
    return list(conn.execute(_OF_ONE, {'server': server_uuid}).scalars())


def by_server(conn: Conn, server_uuids: Collection[str]) -> dict[str, list[str]]:
    """The tags of each server, sorted, in one query."""
    if len(server_uuids) == 1:
        return {uuid: page(conn, uuid) for uuid in server_uuids}
    found: dict[str, list[str]] = {uuid: [] for uuid in server_uuids}
    for uuid, tag in conn.execute(_OF_SEVERAL, {'servers': list(server_uuids)}):
        found[uuid].append(tag)
    return found


def exists(conn: Conn, server_uuid: str, tag: str) -> bool:
    """Whether the server has the tag."""
    statement = sa.select(TAGS.c.tag).where(TAGS.c.server_uuid == server_uuid, TAGS.c.tag == tag)
    return conn.execute(statement).first() is not None


def add(conn: sa.Connection, server_uuid: str, tags: Collection[str]) -> None:
    """Give a server tags that it does not have; ``Duplicate`` if it has one of them."""
    if tags:
        conn.execute(TAGS.insert(), [{'server_uuid': server_uuid, 'tag': tag} for tag in tags])


def replace(conn: sa.Connection, server_uuid: str, tags: Collection[str]) -> None:
    """Give a server these tags and no others."""
    delete_all(conn, server_uuid)
    add(conn, server_uuid, sorted(set(tags)))


def delete(conn: sa.Connection, server_uuid: str, tag: str) -> bool:
    """Take one tag away; whether the server had it."""
    statement = TAGS.delete().where(TAGS.c.server_uuid == server_uuid, TAGS.c.tag == tag)
    return bool(conn.execute(statement).rowcount)


def delete_all(conn: sa.Connection, server_uuid: str) -> None:
    """Take all tags of a server away."""
    conn.execute(TAGS.delete().where(TAGS.c.server_uuid == server_uuid))
