# SPDX-License-Identifier: Apache-2.0
"""What Placement has to be told: the difference between our books and what it was told last.

Nothing is noted down where the books change, so they are as quick as without a mirror.
"""

import datetime
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from nova_lite.db import tables
from nova_lite.db.engine import Conn

HOSTS, SERVICES, SERVERS = tables.hosts, tables.services, tables.servers
ALLOCATIONS, AGGREGATES, MEMBERS = tables.allocations, tables.aggregates, tables.aggregate_hosts
TOLD_HOSTS, TOLD = tables.mirrored_hosts, tables.mirrored_allocations
AMOUNTS = ('vcpus', 'memory_mb', 'local_gb')

Amounts = Mapping[str, int]


@dataclass(frozen=True)
class Consumer:
    """A server that is there: whose it is, and what it has of each host, by the host's uuid."""

    project_id: str
    user_id: str
    hosts: Mapping[str, Amounts]


_HOSTS = (
    sa.select(HOSTS.c.uuid, HOSTS.c.host, HOSTS.c.hypervisor_hostname, HOSTS.c.traits, HOSTS.c.rates,
              *(HOSTS.c[name] for name in AMOUNTS), *(HOSTS.c[f'{name}_limit'] for name in AMOUNTS),
              SERVICES.c.disabled, TOLD_HOSTS.c.digest, TOLD_HOSTS.c.checked_at)
    .select_from(HOSTS.join(SERVICES, HOSTS.c.service_id == SERVICES.c.id)
                 .outerjoin(TOLD_HOSTS, TOLD_HOSTS.c.uuid == HOSTS.c.uuid))
    # One that has not said yet how its limits are made will.
    .where(HOSTS.c.rates.is_not(None)).order_by(HOSTS.c.id))
_NEW_HOSTS = _HOSTS.where(TOLD_HOSTS.c.uuid.is_(None))
_GROUPED = sa.select(MEMBERS.c.host, AGGREGATES.c.uuid).join(AGGREGATES)
_GONE_HOSTS = (sa.select(TOLD_HOSTS.c.uuid).outerjoin(HOSTS, HOSTS.c.uuid == TOLD_HOSTS.c.uuid)
               .where(HOSTS.c.uuid.is_(None)))

_BOOKS = ALLOCATIONS.join(HOSTS, HOSTS.c.id == ALLOCATIONS.c.host_id)
_PAIR = sa.and_(TOLD.c.server_uuid == ALLOCATIONS.c.server_uuid, TOLD.c.host_uuid == HOSTS.c.uuid)
_SAME = sa.and_(_PAIR, *(TOLD.c[name] == ALLOCATIONS.c[name] for name in AMOUNTS))
# Of a host that Placement does not know nothing can be given away there.
_UNTOLD = (sa.select(ALLOCATIONS.c.server_uuid)
           .select_from(_BOOKS.join(TOLD_HOSTS, TOLD_HOSTS.c.uuid == HOSTS.c.uuid).outerjoin(TOLD, _SAME))
           .where(TOLD.c.server_uuid.is_(None)).distinct().limit(sa.bindparam('most')))
_OVER = (sa.select(TOLD.c.server_uuid).select_from(TOLD.outerjoin(_BOOKS, _PAIR))
         .where(ALLOCATIONS.c.server_uuid.is_(None)).distinct().limit(sa.bindparam('most')))
_TAKEN = tuple(ALLOCATIONS.c[name] for name in AMOUNTS)
_CONSUMER = (sa.select(SERVERS.c.project_id, SERVERS.c.user_id, HOSTS.c.uuid, *_TAKEN)
             .select_from(_BOOKS.join(SERVERS, SERVERS.c.uuid == ALLOCATIONS.c.server_uuid))
             .where(ALLOCATIONS.c.server_uuid == sa.bindparam('server')).order_by(HOSTS.c.uuid))
_ON_HOST = (sa.select(ALLOCATIONS.c.server_uuid, *_TAKEN).select_from(_BOOKS)
            .where(HOSTS.c.uuid == sa.bindparam('host')))
_FORGET = sa.delete(TOLD).where(TOLD.c.server_uuid == sa.bindparam('server'))
_CHECKED = sa.update(TOLD_HOSTS).where(TOLD_HOSTS.c.uuid == sa.bindparam('host')).values(
    digest=sa.bindparam('now_told'), checked_at=sa.bindparam('at'))
_DOUBT = sa.update(TOLD_HOSTS).where(TOLD_HOSTS.c.uuid == sa.bindparam('host')).values(digest='')


def hosts(conn: Conn, new_only: bool) -> Sequence[sa.Row[Any]]:
    """Hosts with what was told of them: ``digest`` and ``checked_at``, both None if nothing was."""
    return conn.execute(_NEW_HOSTS if new_only else _HOSTS).all()


def aggregates_by_host(conn: Conn) -> dict[str, list[str]]:
    """The uuids of the aggregates of each host that is in any."""
    found: dict[str, list[str]] = {}
    for host, aggregate in conn.execute(_GROUPED):
        found.setdefault(host, []).append(aggregate)
    return found


def gone_hosts(conn: Conn) -> Sequence[str]:
    """Those that Placement was told of and that are not there any more."""
    return conn.execute(_GONE_HOSTS).scalars().all()


def over(conn: Conn, most: int) -> Sequence[str]:
    """Servers of which Placement knows more hosts than there are."""
    return conn.execute(_OVER, {'most': most}).scalars().all()


def untold(conn: Conn, most: int) -> Sequence[str]:
    """Servers that have something of a host that Placement was not told, or was told otherwise."""
    return conn.execute(_UNTOLD, {'most': most}).scalars().all()


def consumer(conn: Conn, server_uuid: str) -> Consumer | None:
    """A server that has something of some hosts."""
    rows = conn.execute(_CONSUMER, {'server': server_uuid}).all()
    if not rows:
        return None
    return Consumer(rows[0].project_id, rows[0].user_id, {row.uuid: _amounts(row) for row in rows})


def on_host(conn: Conn, host_uuid: str) -> dict[str, Amounts]:
    """What each server has of a host."""
    return {row.server_uuid: _amounts(row) for row in conn.execute(_ON_HOST, {'host': host_uuid})}


def _amounts(row: Any) -> Amounts:
    return {name: getattr(row, name) for name in AMOUNTS}


def told_consumer(conn: sa.Connection, server_uuid: str, told: Consumer | None) -> None:
    """Placement knows this of the server, or nothing."""
    conn.execute(_FORGET, {'server': server_uuid})
    if told is not None:
        conn.execute(sa.insert(TOLD), [{'server_uuid': server_uuid, 'host_uuid': host, **amounts}
                                       for host, amounts in told.hosts.items()])


def told_host(conn: sa.Connection, host_uuid: str, digest: str, now: datetime.datetime) -> None:
    """Placement knows this of the host."""
    if not conn.execute(_CHECKED, {'host': host_uuid, 'now_told': digest, 'at': now}).rowcount:
        conn.execute(sa.insert(TOLD_HOSTS), {'uuid': host_uuid, 'digest': digest, 'checked_at': now})


def doubt_hosts(conn: sa.Connection, host_uuids: Collection[str]) -> None:
    """Have these looked at again."""
    for host_uuid in host_uuids:
        conn.execute(_DOUBT, {'host': host_uuid})


def forget_host(conn: sa.Connection, host_uuid: str) -> None:
    """Placement knows nothing of the host any more."""
    conn.execute(sa.delete(TOLD).where(TOLD.c.host_uuid == host_uuid))
    conn.execute(sa.delete(TOLD_HOSTS).where(TOLD_HOSTS.c.uuid == host_uuid))
