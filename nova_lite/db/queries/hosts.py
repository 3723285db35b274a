# SPDX-License-Identifier: Apache-2.0
"""Compute hosts: what they have, what of it is given away, and who can take a server.

``vcpus_used`` and its like change only together with a row of ``allocations``, so the books are
exact at every moment.
"""

import datetime
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from nova_lite.db import tables
from nova_lite.db.engine import Conn
from nova_lite.db.queries.host_rules import Rule

HOSTS = tables.hosts
SERVICES = tables.services
ALLOCATIONS = tables.allocations
SERVERS = tables.servers
COMPUTE = 'nova-compute'

JOIN = HOSTS.join(SERVICES, HOSTS.c.service_id == SERVICES.c.id)


@dataclass(frozen=True)
class Wanted:
    """What a host must have and be to take a server; one not heard since ``alive_since`` is down.

    ``together`` are the only hosts that the server's ``group`` allows, if there are any; ``apart`` are
    those that it forbids.  ``rules`` are what the filters want.
    """

    vcpus: int
    memory_mb: int
    local_gb: int
    alive_since: datetime.datetime
    zone: str | None = None
    default_zone: str = 'nova'
    host: str | None = None
    node: str | None = None
    tried: tuple[str, ...] = ()
    disabled_too: bool = False
    leaving: str | None = None
    group: str = ''
    together: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()


_FITS = sa.and_(
    HOSTS.c.id == sa.bindparam('host_id'),
    HOSTS.c.vcpus_used + sa.bindparam('more_vcpus') <= HOSTS.c.vcpus_limit,
    HOSTS.c.memory_mb_used + sa.bindparam('more_memory') <= HOSTS.c.memory_mb_limit,
    HOSTS.c.local_gb_used + sa.bindparam('more_disk') <= HOSTS.c.local_gb_limit,
)
_MORE = {
    'vcpus_used': HOSTS.c.vcpus_used + sa.bindparam('more_vcpus'),
    'memory_mb_used': HOSTS.c.memory_mb_used + sa.bindparam('more_memory'),
    'local_gb_used': HOSTS.c.local_gb_used + sa.bindparam('more_disk'),
    'servers': HOSTS.c.servers + sa.bindparam('more_servers'),
}
_CLAIM = sa.update(HOSTS).where(_FITS).values(_MORE)
# Nobody has come or gone since the host was looked at, and nobody is about to.
_AS_SEEN = HOSTS.c.servers == sa.bindparam('seen_servers')
_FREE = (sa.select(HOSTS.c.id).where(HOSTS.c.id == sa.bindparam('host_id'), _AS_SEEN)
         .with_for_update(skip_locked=True, key_share=True))
_CLAIM_IF_FREE = _CLAIM.where(HOSTS.c.id == _FREE.scalar_subquery())
_CLAIM_AS_SEEN = _CLAIM.where(_AS_SEEN)
_RELEASE = sa.update(HOSTS).where(HOSTS.c.id == sa.bindparam('host_id')).values(_MORE)
_INSERT_ALLOCATION = sa.insert(ALLOCATIONS)
_ALLOCATIONS_OF = sa.select(ALLOCATIONS).where(ALLOCATIONS.c.server_uuid == sa.bindparam('server'))
_DELETE_ALLOCATION = sa.delete(ALLOCATIONS).where(
    ALLOCATIONS.c.server_uuid == sa.bindparam('server'), ALLOCATIONS.c.host_id == sa.bindparam('host'))


def claim(conn: sa.Connection, host_id: int, server_uuid: str, wanted: Wanted, now: datetime.datetime,
          seen: int | None = None) -> bool:
    """Give the host's resources to the server, unless it has not got them any more.

    With ``seen`` it must also have as many servers as it had when somebody looked, and the answer comes at once:
    False if another transaction is at the host.
    """
    values = {'host_id': host_id, 'more_vcpus': wanted.vcpus, 'more_memory': wanted.memory_mb,
              'more_disk': wanted.local_gb, 'more_servers': 1}
    claimed = conn.execute(_CLAIM, values) if seen is None else _claim_as_seen(conn, {**values, 'seen_servers': seen})
    if claimed is None or not claimed.rowcount:
        return False
    conn.execute(_INSERT_ALLOCATION, {
        'server_uuid': server_uuid, 'host_id': host_id, 'vcpus': wanted.vcpus, 'memory_mb': wanted.memory_mb,
        'local_gb': wanted.local_gb, 'created_at': now})
    return True


def _claim_as_seen(conn: sa.Connection, values: Mapping[str, Any]) -> sa.CursorResult[Any] | None:
    if conn.dialect.name == 'postgresql':
        return conn.execute(_CLAIM_IF_FREE, values)
    # MariaDB does not update a table that the same statement reads; SQLite has one writer only.
    if conn.dialect.name != 'sqlite' and conn.execute(_FREE, values).first() is None:
        return None
    return conn.execute(_CLAIM_AS_SEEN, values)


def release(conn: sa.Connection, server_uuid: str, host_id: int | None = None) -> int:
    """Take back what the server has on the host, or on all hosts; the number of hosts."""
    released = 0
    for row in conn.execute(_ALLOCATIONS_OF, {'server': server_uuid}).all():
        if host_id is not None and row.host_id != host_id:
            continue
        # Whoever deletes the row gives back, so that doing it twice gives back once.
        if conn.execute(_DELETE_ALLOCATION, {'server': server_uuid, 'host': row.host_id}).rowcount:
            conn.execute(_RELEASE, {
                'host_id': row.host_id, 'more_vcpus': -row.vcpus, 'more_memory': -row.memory_mb,
                'more_disk': -row.local_gb, 'more_servers': -1})
            released += 1
    return released


@dataclass(frozen=True)
class Report:
    """What a heartbeat tells of a host; ``limits`` is what may be given away."""

    host: str
    version: int
    values: Mapping[str, Any]


_BEAT = sa.update(SERVICES).where(
    SERVICES.c.host == sa.bindparam('of_host'), SERVICES.c.binary == COMPUTE).values(
    last_seen_at=sa.bindparam('now'), version=sa.bindparam('new_version'))
_SERVICE = sa.select(SERVICES.c.id).where(SERVICES.c.host == sa.bindparam('of_host'), SERVICES.c.binary == COMPUTE)
_HOST_ID = sa.select(HOSTS.c.id).where(HOSTS.c.host == sa.bindparam('of_host'))


def heard(conn: sa.Connection, report: Report, now: datetime.datetime) -> bool:
    """Record a heartbeat; the first one makes the service and the host. True if the service is new."""
    beat = {'of_host': report.host, 'now': now, 'new_version': report.version}
    is_new = not conn.execute(_BEAT, beat).rowcount
    if is_new:
        conn.execute(sa.insert(SERVICES), {
            'uuid': str(uuid.uuid4()), 'host': report.host, 'binary': COMPUTE, 'disabled': False,
            'forced_down': False, 'version': report.version, 'last_seen_at': now, 'created_at': now})
    changed = conn.execute(sa.update(HOSTS).where(HOSTS.c.host == report.host).values(
        **report.values, updated_at=now))
    if not changed.rowcount:
        conn.execute(sa.insert(HOSTS), {
            'uuid': str(uuid.uuid4()), 'host': report.host,
            'service_id': conn.execute(_SERVICE, {'of_host': report.host}).scalar_one(),
            **report.values, 'vcpus_used': 0, 'memory_mb_used': 0, 'local_gb_used': 0, 'servers': 0,
            'created_at': now})
    return is_new


_ALIVE = sa.select(sa.exists().where(
    SERVICES.c.host == sa.bindparam('of_host'), SERVICES.c.binary == COMPUTE, sa.not_(SERVICES.c.forced_down),
    SERVICES.c.last_seen_at >= sa.bindparam('since')))


def is_alive(conn: Conn, host: str, since: datetime.datetime) -> bool:
    """Whether the compute service of the host was heard since then, and nobody forced it down."""
    return bool(conn.execute(_ALIVE, {'of_host': host, 'since': since}).scalar())


_ANY_ALIVE = sa.select(sa.exists().where(
    SERVICES.c.binary == COMPUTE, sa.not_(SERVICES.c.forced_down), SERVICES.c.last_seen_at >= sa.bindparam('since')))


def any_alive(conn: Conn, since: datetime.datetime) -> bool:
    """Whether there is a host that is alive."""
    return bool(conn.execute(_ANY_ALIVE, {'since': since}).scalar())


_BUILD_FAILED = sa.update(HOSTS).where(HOSTS.c.host == sa.bindparam('of_host')).values(
    failed_builds=HOSTS.c.failed_builds + 1)
_BUILD_DONE = sa.update(HOSTS).where(
    HOSTS.c.host == sa.bindparam('of_host'), HOSTS.c.failed_builds > 0).values(failed_builds=0)


def note_build(conn: sa.Connection, host: str, done: bool) -> None:
    """Count the builds that failed on a host since the last one that did not."""
    conn.execute(_BUILD_DONE if done else _BUILD_FAILED, {'of_host': host})


# ---------------------------------------------------------------- reads of the hypervisors room

_WITH_SERVICE = sa.select(
    HOSTS, SERVICES.c.uuid.label('service_uuid'), SERVICES.c.disabled, SERVICES.c.disabled_reason,
    SERVICES.c.forced_down, SERVICES.c.last_seen_at).select_from(JOIN)


def get(conn: Conn, *, host_uuid: str | None = None,
        host_id: int | None = None, host: str | None = None) -> sa.Row[Any] | None:
    """One host with its service, by any of its keys."""
    keys = ((HOSTS.c.uuid, host_uuid), (HOSTS.c.id, host_id), (HOSTS.c.host, host))
    return conn.execute(_WITH_SERVICE.where(*(column == value for column, value in keys
                                              if value is not None))).first()


def exists(conn: Conn, host: str | None, node: str | None) -> bool:
    """Whether there is such a compute host."""
    query = sa.select(HOSTS.c.id)
    if host is not None:
        query = query.where(HOSTS.c.host == host)
    if node is not None:
        query = query.where(HOSTS.c.hypervisor_hostname == node)
    return conn.execute(query.limit(1)).first() is not None


def lock_counts(conn: sa.Connection, names: Collection[str]) -> dict[str, int]:
    """How many servers each of these hosts has; none is placed on them before this transaction ends."""
    query = sa.select(HOSTS.c.host, HOSTS.c.servers).where(HOSTS.c.host.in_(list(names))).order_by(HOSTS.c.id)
    return dict(tuple(row) for row in conn.execute(query.with_for_update()))


def page(conn: Conn, *, limit: int | None = None, after_id: int | None = None,
         name_part: str | None = None) -> Sequence[sa.Row[Any]]:
    """Hosts with their services by id; ``name_part`` is found anywhere in the hypervisor's name."""
    query = _WITH_SERVICE.order_by(HOSTS.c.id)
    if after_id is not None:
        query = query.where(HOSTS.c.id > after_id)
    if name_part is not None:
        query = query.where(HOSTS.c.hypervisor_hostname.contains(name_part, autoescape=True))
    return conn.execute(query.limit(limit) if limit is not None else query).all()


_SUMS = ('vcpus', 'memory_mb', 'local_gb', 'vcpus_used', 'memory_mb_used', 'local_gb_used', 'servers')


def statistics(conn: Conn) -> dict[str, int]:
    """Sums over all hosts whose service is enabled."""
    sums = [sa.func.coalesce(sa.func.sum(HOSTS.c[name]), 0).label(name) for name in _SUMS]
    least = sa.func.coalesce(sa.func.sum(HOSTS.c.disk_available_least), 0).label('disk_available_least')
    busy = (sa.select(sa.func.count()).select_from(SERVERS)
            .where(sa.not_(SERVERS.c.deleted), SERVERS.c.host.is_not(None), SERVERS.c.task_state.is_not(None))
            .scalar_subquery().label('workload'))
    row = conn.execute(sa.select(sa.func.count().label('count'), *sums, least, busy).select_from(JOIN)
                       .where(sa.not_(SERVICES.c.disabled))).one()
    return {name: int(value) for name, value in row._mapping.items()}


def with_servers(conn: Conn, names: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """(uuid, name) of the servers of each of these hosts."""
    found: dict[str, list[tuple[str, str]]] = {name: [] for name in names}
    query = (sa.select(SERVERS.c.host, SERVERS.c.uuid, SERVERS.c.name)
             .where(SERVERS.c.host.in_(list(names)), sa.not_(SERVERS.c.deleted)).order_by(SERVERS.c.id))
    for host, server_uuid, name in conn.execute(query):
        found[host].append((server_uuid, name))
    return found


def workloads(conn: Conn, names: Sequence[str]) -> dict[str, int]:
    """Servers in the middle of something, on those of these hosts that have any."""
    query = (sa.select(SERVERS.c.host, sa.func.count())
             .where(SERVERS.c.host.in_(list(names)), sa.not_(SERVERS.c.deleted), SERVERS.c.task_state.is_not(None))
             .group_by(SERVERS.c.host))
    return dict(tuple(row) for row in conn.execute(query))


# ---------------------------------------------------------------- verifying

def recount(conn: Conn) -> Iterator[tuple[str, dict[str, int]]]:
    """What each host's books should say, from the allocations themselves."""
    query = (sa.select(HOSTS.c.host, *(
        sa.func.coalesce(sa.func.sum(ALLOCATIONS.c[name]), 0).label(name)
        for name in ('vcpus', 'memory_mb', 'local_gb')), sa.func.count(ALLOCATIONS.c.server_uuid).label('servers'))
        .select_from(HOSTS.outerjoin(ALLOCATIONS, ALLOCATIONS.c.host_id == HOSTS.c.id)).group_by(HOSTS.c.host))
    for host, *sums in conn.execute(query):
        yield host, dict(zip(('vcpus', 'memory_mb', 'local_gb', 'servers'), map(int, sums), strict=True))
