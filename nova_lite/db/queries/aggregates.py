# SPDX-License-Identifier: Apache-2.0
"""Groups of hosts with metadata; an availability zone is one of these with the zone's name in it."""

from collections import defaultdict
from collections.abc import Callable, Collection
from typing import Any

import sqlalchemy as sa
from oslo_utils import timeutils, uuidutils

from nova_lite.db import tables
from nova_lite.db.conditions import is_one_of
from nova_lite.db.engine import Conn

AGGREGATES = tables.aggregates
MEMBERS = tables.aggregate_hosts
ZONE = 'availability_zone'


def page(conn: Conn, host: str | None = None) -> list[sa.Row[Any]]:
    """All aggregates, or those that a host belongs to, by id."""
    statement = sa.select(AGGREGATES).order_by(AGGREGATES.c.id)
    if host is not None:
        statement = statement.join(MEMBERS).where(MEMBERS.c.host == host)
    return list(conn.execute(statement).all())


def get(conn: Conn, aggregate_id: int) -> sa.Row[Any] | None:
    """The aggregate with this row id, or None."""
    return conn.execute(sa.select(AGGREGATES).where(AGGREGATES.c.id == aggregate_id)).first()


def lock(conn: sa.Connection, aggregate_id: int) -> sa.Row[Any] | None:
    """The aggregate with this row id, which nobody else changes before this transaction ends."""
    return conn.execute(sa.select(AGGREGATES).where(AGGREGATES.c.id == aggregate_id).with_for_update()).first()


def members(conn: Conn, aggregate_ids: Collection[int]) -> dict[int, list[str]]:
    """The hosts of each aggregate, sorted."""
    statement = sa.select(MEMBERS.c.aggregate_id, MEMBERS.c.host).where(
        MEMBERS.c.aggregate_id.in_(aggregate_ids)).order_by(MEMBERS.c.host)
    found: dict[int, list[str]] = {key: [] for key in aggregate_ids}
    for key, host in conn.execute(statement):
        found[key].append(host)
    return found


def metadata_by_host(conn: Conn, hosts: Collection[str] | None = None) -> dict[str, dict[str, set[str]]]:
    """For each host in an aggregate, every value that its aggregates give to each metadata key."""
    statement = sa.select(MEMBERS.c.host, AGGREGATES.c.metadata).join(AGGREGATES)
    if hosts is not None:
        statement = statement.where(is_one_of(MEMBERS.c.host, hosts))
    found: dict[str, dict[str, set[str]]] = {}
    for host, metadata in conn.execute(statement):
        values = found.setdefault(host, defaultdict(set))
        for key, value in metadata.items():
            values[key].add(value)
    return {host: dict(values) for host, values in found.items()}


def zones_by_host(conn: Conn, hosts: Collection[str] | None = None) -> dict[str, str]:
    """The availability zone of each host that is in one; of several the first by name."""
    return {host: min(values[ZONE]) for host, values in metadata_by_host(conn, hosts).items()
            if ZONE in values}


def zone_names(conn: Conn) -> list[str]:
    """The names of all availability zones that an aggregate defines."""
    return sorted({metadata[ZONE] for metadata in conn.execute(sa.select(AGGREGATES.c.metadata)).scalars()
                   if ZONE in metadata})


def create(conn: sa.Connection, name: str, metadata: dict[str, str]) -> int:
    """Store an aggregate; ``Duplicate`` if the name is taken."""
    row = {'uuid': uuidutils.generate_uuid(), 'name': name, 'metadata': metadata,
           'created_at': timeutils.utcnow()}
    return int(conn.execute(AGGREGATES.insert(), row).inserted_primary_key[0])


def rename(conn: sa.Connection, aggregate_id: int, name: str) -> bool:
    """Change the name; whether the aggregate exists."""
    return _update(conn, aggregate_id, name=name)


def change_metadata(conn: sa.Connection, aggregate_id: int,
                    change: Callable[[dict[str, str]], dict[str, str]]) -> bool:
    """Replace the metadata by ``change(metadata)`` under a lock; whether the aggregate exists."""
    statement = sa.select(AGGREGATES.c.metadata).where(AGGREGATES.c.id == aggregate_id)
    row = conn.execute(statement.with_for_update()).first()
    return row is not None and _update(conn, aggregate_id, metadata=change(dict(row.metadata)))


def _update(conn: sa.Connection, aggregate_id: int, **values: Any) -> bool:
    statement = AGGREGATES.update().where(AGGREGATES.c.id == aggregate_id)
    return bool(conn.execute(statement.values(updated_at=timeutils.utcnow(), **values)).rowcount)


def delete(conn: sa.Connection, aggregate_id: int) -> bool:
    """Remove an aggregate and its memberships; whether it existed."""
    return bool(conn.execute(AGGREGATES.delete().where(AGGREGATES.c.id == aggregate_id)).rowcount)


def add_host(conn: sa.Connection, aggregate_id: int, host: str) -> None:
    """Add a host; ``Duplicate`` if it is a member already."""
    conn.execute(MEMBERS.insert(), {'aggregate_id': aggregate_id, 'host': host})
    _update(conn, aggregate_id)


def remove_host(conn: sa.Connection, aggregate_id: int, host: str) -> bool:
    """Take a host out; whether it was a member."""
    statement = MEMBERS.delete().where(MEMBERS.c.aggregate_id == aggregate_id, MEMBERS.c.host == host)
    return bool(conn.execute(statement).rowcount) and _update(conn, aggregate_id)
