# SPDX-License-Identifier: Apache-2.0
"""What hosts have given away, held against the servers that have it."""

import datetime
from collections.abc import Iterator
from typing import Any

import orjson
import sqlalchemy as sa

from nova_lite.db import tables
from nova_lite.db.engine import Conn
from nova_lite.db.queries import claims, hosts
from nova_lite.db.queries.verify.base import Check, Finding, differences
from nova_lite.model import moves

HOSTS = tables.hosts
ALLOCATIONS = tables.allocations
SERVERS = tables.servers
OPERATIONS = tables.operations
MIGRATIONS = tables.migrations
_SUMS = {'vcpus': 'vcpus_used', 'memory_mb': 'memory_mb_used', 'local_gb': 'local_gb_used', 'servers': 'servers'}
AMOUNTS = ('vcpus', 'memory_mb', 'local_gb')

_ALIVE = SERVERS.c.deleted == sa.false()
# While something is done to a server it may have two places, or the size of another flavor.
_QUIET = sa.and_(
    sa.not_(sa.exists().where(OPERATIONS.c.server_uuid == SERVERS.c.uuid, OPERATIONS.c.action_id.is_not(None),
                              OPERATIONS.c.state.in_(('pending', 'running')))),
    sa.not_(sa.exists().where(MIGRATIONS.c.server_uuid == SERVERS.c.uuid,
                              MIGRATIONS.c.status.not_in(sorted(moves.OVER)))))
_PLACED = (ALLOCATIONS.join(HOSTS, HOSTS.c.id == ALLOCATIONS.c.host_id)
           .join(SERVERS, SERVERS.c.uuid == ALLOCATIONS.c.server_uuid))


def find_sums(conn: Conn, now: datetime.datetime) -> Iterator[Finding]:
    """Hosts whose sums are not those of their allocations."""
    booked = {row.host: _booked(row) for row in conn.execute(
        sa.select(HOSTS.c.host, *(HOSTS.c[name] for name in _SUMS.values())))}
    for host, expected in hosts.recount(conn):
        problem = differences(expected, booked[host])
        if problem:
            yield Finding('hosts', f'host {host}', problem, {'host': host})


def repair_sums(conn: sa.Connection, finding: Finding, now: datetime.datetime) -> str:
    """Write the sums anew; a claim or a release at the same time waits."""
    host = finding.key['host']
    row = conn.execute(sa.select(HOSTS).where(HOSTS.c.host == host).with_for_update()).first()
    if row is None:
        return ''
    expected = _given_by(conn, row.id)
    if expected == _booked(row):
        return ''
    conn.execute(sa.update(HOSTS).where(HOSTS.c.id == row.id).values(
        {column: expected[name] for name, column in _SUMS.items()}))
    return 'wrote ' + ', '.join(f'{name} {expected[name]}' for name in _SUMS)


def _given_by(conn: sa.Connection, host_id: int) -> dict[str, int]:
    sums = conn.execute(sa.select(*(sa.func.coalesce(sa.func.sum(ALLOCATIONS.c[name]), 0) for name in AMOUNTS),
                                  sa.func.count()).where(ALLOCATIONS.c.host_id == host_id)).one()
    return dict(zip(_SUMS, map(int, sums), strict=True))


def _booked(row: Any) -> dict[str, int]:
    return {name: int(getattr(row, column)) for name, column in _SUMS.items()}


def find_foreign(conn: Conn, now: datetime.datetime) -> Iterator[Finding]:
    """Allocations of servers that are gone, or are on another host."""
    orphans = sa.select(ALLOCATIONS.c.server_uuid, HOSTS.c.host).select_from(
        ALLOCATIONS.join(HOSTS, HOSTS.c.id == ALLOCATIONS.c.host_id)
        .outerjoin(SERVERS, SERVERS.c.uuid == ALLOCATIONS.c.server_uuid)).where(
        sa.or_(SERVERS.c.uuid.is_(None), SERVERS.c.deleted))
    for server, host in conn.execute(orphans):
        yield _foreign(server, host, 'which is deleted')
    elsewhere = sa.select(SERVERS.c.uuid, HOSTS.c.host, SERVERS.c.host.label('place')).select_from(_PLACED).where(
        _ALIVE, sa.or_(SERVERS.c.host.is_(None), SERVERS.c.host != HOSTS.c.host), _QUIET)
    for server, host, place in conn.execute(elsewhere):
        yield _foreign(server, host, f'which is on {place}' if place else 'which is on no host')


def _foreign(server: str, host: str, why: str) -> Finding:
    return Finding('allocations', f'server {server}', f'host {host} has given room to this server, {why}',
                   {'server': server, 'host': host})


def repair_foreign(conn: sa.Connection, finding: Finding, now: datetime.datetime) -> str:
    """Give the room back."""
    server, host = finding.key['server'], finding.key['host']
    row = _locked(conn, server)
    if row is not None and not row.deleted and (row.host == host or not _is_quiet(conn, server)):
        return ''
    claims.release(conn, server, host)
    return f'took the room of host {host} back'


def find_missing(conn: Conn, now: datetime.datetime) -> Iterator[Finding]:
    """Servers that are on a host which has given them nothing."""
    has = sa.exists().where(ALLOCATIONS.c.server_uuid == SERVERS.c.uuid, ALLOCATIONS.c.host_id == HOSTS.c.id,
                            HOSTS.c.host == SERVERS.c.host)
    query = sa.select(SERVERS.c.uuid, SERVERS.c.host).where(_ALIVE, SERVERS.c.host.is_not(None), sa.not_(has), _QUIET)
    for server, host in conn.execute(query):
        yield Finding('claims', f'server {server}', f'it is on host {host}, which has given it no room',
                      {'server': server})


def repair_missing(conn: sa.Connection, finding: Finding, now: datetime.datetime) -> str:
    """Claim the room, whether the host has it or not: the server is there."""
    server = finding.key['server']
    row = _locked(conn, server)
    if row is None or row.deleted or row.host is None or not _is_quiet(conn, server):
        return ''
    host = conn.execute(sa.select(HOSTS.c.id).where(HOSTS.c.host == row.host).with_for_update()).scalar()
    if host is None or row.host in claims.places(conn, server):
        return ''
    amounts = moves.amounts(row.flavor)
    conn.execute(sa.insert(ALLOCATIONS), {'server_uuid': server, 'host_id': host, 'created_at': now, **amounts})
    conn.execute(sa.update(HOSTS).where(HOSTS.c.id == host).values(
        servers=HOSTS.c.servers + 1, **{f'{name}_used': HOSTS.c[f'{name}_used'] + amounts[name] for name in AMOUNTS}))
    return f'claimed the room on host {row.host}'


def find_sizes(conn: Conn, now: datetime.datetime) -> Iterator[Finding]:
    """Servers that have more or less of their host than their flavor says."""
    flavor = sa.type_coerce(SERVERS.c.flavor, sa.Text)
    given = [ALLOCATIONS.c[name] for name in AMOUNTS]
    on_it = (_ALIVE, SERVERS.c.host == HOSTS.c.host, _QUIET)
    # Few flavors, many servers: only what is wrong is read one by one.
    for text, *amounts in conn.execute(sa.select(flavor, *given).select_from(_PLACED).where(*on_it)
                                       .group_by(flavor, *given)).all():
        expected, found = moves.amounts(orjson.loads(text)), dict(zip(AMOUNTS, amounts, strict=True))
        problem = differences(expected, found)
        if not problem:
            continue
        same = [column == value for column, value in zip(given, amounts, strict=True)]
        for server, host in conn.execute(sa.select(SERVERS.c.uuid, SERVERS.c.host).select_from(_PLACED).where(
                *on_it, *same, flavor == text)):
            yield Finding('sizes', f'server {server}', f'of its room on host {host} {problem}', {'server': server})


def repair_sizes(conn: sa.Connection, finding: Finding, now: datetime.datetime) -> str:
    """Give it what its flavor says."""
    row = _locked(conn, finding.key['server'])
    if row is None or row.deleted or row.host is None or not _is_quiet(conn, row.uuid):
        return ''
    claims.shrink(conn, row.uuid, row.host, moves.amounts(row.flavor))
    return f'gave it what its flavor has, on host {row.host}'


def _locked(conn: sa.Connection, server: str) -> sa.Row[Any] | None:
    return conn.execute(sa.select(SERVERS).where(SERVERS.c.uuid == server).with_for_update()).first()


def _is_quiet(conn: sa.Connection, server: str) -> bool:
    return conn.execute(sa.select(SERVERS.c.uuid).where(SERVERS.c.uuid == server, _QUIET)).first() is not None


# Sums last, so that a repair of what comes before is in them.
CHECKS = (
    Check('allocations', 'Room is given to servers that are there, on the host where they are.', find_foreign,
          repair_foreign),
    Check('claims', 'Every server that is on a host has room there.', find_missing, repair_missing),
    Check('sizes', 'Every server has as much room as its flavor says.', find_sizes, repair_sizes),
    Check('hosts', 'Every host has booked what it has given away.', find_sums, repair_sums),
)
