# SPDX-License-Identifier: Apache-2.0
"""What filters say of hosts in terms that SQL understands, so that a thousand hosts need not be read to find ten.

A rule is plain data: the scheduler, which knows no SQL, makes it, and ``condition`` turns it into a condition of
the hosts that keep it.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from nova_lite.db import tables
from nova_lite.db.conditions import contains
from nova_lite.db.engine import Conn
from nova_lite.model import states

HOSTS = tables.hosts
SERVERS = tables.servers
MEMBERS = tables.aggregate_hosts

#: A server on which one of these is done keeps the disks of its host busy.
BUSY_DISKS = (
    states.SCHEDULING, states.BLOCK_DEVICE_MAPPING, states.NETWORKING, states.SPAWNING, states.RESIZE_PREP,
    states.RESIZE_MIGRATING, states.REBUILDING, states.REBUILD_BLOCK_DEVICE_MAPPING, states.REBUILD_SPAWNING,
    states.IMAGE_SNAPSHOT_PENDING, states.IMAGE_SNAPSHOT, states.IMAGE_BACKUP, states.UNSHELVING, states.RESCUING)

IO_OPS = (
    sa.select(sa.func.count()).select_from(SERVERS)
    .where(SERVERS.c.host == HOSTS.c.host, SERVERS.c.task_state.is_not(None), SERVERS.c.task_state.in_(BUSY_DISKS))
    .correlate(HOSTS).scalar_subquery())
COUNTS: dict[str, Any] = {'servers': HOSTS.c.servers, 'io_ops': IO_OPS}


@dataclass(frozen=True)
class Named:
    """The host is, or is not, one of these."""

    hosts: tuple[str, ...]
    among: bool = True


@dataclass(frozen=True)
class InAggregates:
    """The host is in one of these aggregates, or, if ``unless`` is given, in none of those."""

    ids: tuple[int, ...]
    unless: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Fewer:
    """The host has fewer of what ``COUNTS`` counts; it may have more if it is not in, or is in, these aggregates."""

    count: str
    than: int
    inside: tuple[int, ...] | None = None
    outside: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Tells:
    """The JSON text of a column of the host has, or has not, one of these texts in it."""

    column: str
    texts: tuple[str, ...]
    there: bool = True


@dataclass(frozen=True)
class Nowhere:
    """No host is like that."""


Test = Named | InAggregates | Fewer | Tells | Nowhere


@dataclass(frozen=True)
class Rule:
    """What ``filter`` wants of a host, in words and as a test."""

    filter: str
    wanted: object
    test: Test


def condition(conn: Conn, test: Test) -> sa.ColumnElement[bool]:
    """True of the hosts that pass."""
    match test:
        case Named(names, among):
            return HOSTS.c.host.in_(names) if among else HOSTS.c.host.not_in(names)
        case InAggregates(ids, unless):
            return _member(ids) if unless is None else sa.or_(_member(ids), sa.not_(_member(unless)))
        case Fewer(count, than, inside, outside):
            exempt = [_member(outside)] if outside else []
            if inside is not None:
                exempt.append(sa.not_(_member(inside)))
            return sa.or_(COUNTS[count] < than, *exempt)
        case Tells(column, texts, there):
            found = sa.or_(*(contains(conn, HOSTS.c[column], text) for text in texts))
            return found if there else sa.not_(found)
        case _:
            return sa.false()


def had(test: Test) -> sa.ColumnElement[Any] | None:
    """The number that the host has of it, if it is about a number."""
    return COUNTS[test.count] if isinstance(test, Fewer) else None


def _member(ids: tuple[int, ...]) -> sa.ColumnElement[bool]:
    if not ids:
        return sa.false()
    return sa.exists().where(MEMBERS.c.host == HOSTS.c.host, MEMBERS.c.aggregate_id.in_(ids)).correlate(HOSTS)
