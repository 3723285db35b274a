# SPDX-License-Identifier: Apache-2.0
"""Compute hosts: what they have, what of it is given away, and who can take a server.

``vcpus_used`` and its like change only together with a row of ``allocations``, so the books are
exact at every moment.  ``_REASONS`` is the one list of why a host is out of question: its conditions
narrow the candidates, and its words explain why there are none.
"""

import datetime
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from nova_lite.db import tables
from nova_lite.db.conditions import contains
from nova_lite.db.engine import Conn

HOSTS = tables.hosts
SERVICES = tables.services
ALLOCATIONS = tables.allocations
SERVERS = tables.servers
COMPUTE = 'nova-compute'
Reason = tuple[str, sa.ColumnElement[bool], sa.ColumnElement[int] | None]

_FREE_VCPUS = HOSTS.c.vcpus_limit - HOSTS.c.vcpus_used
_FREE_DISK = HOSTS.c.local_gb_limit - HOSTS.c.local_gb_used
_JOIN = HOSTS.join(SERVICES, HOSTS.c.service_id == SERVICES.c.id)


@dataclass(frozen=True)
class Wanted:
    """What a host must have and be to take a server; one not heard since ``alive_since`` is down.

    ``together`` are the only hosts that the server's ``group`` allows, if there are any; ``apart`` are
    those that it forbids.
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


@dataclass(frozen=True)
class Rejections:
    """Why no host will do: (reason, number of hosts, most of what was wanted) and some hosts by name."""

    hosts: int
    counts: tuple[tuple[str, int, int | None], ...]
    examples: tuple[tuple[str, str, int | None], ...]


# The zone is one entry of an aggregate's metadata, which is stored as compact JSON text.
_METADATA = sa.type_coerce(tables.aggregates.c.metadata, sa.Text)
_ZONE_KEY = '"availability_zone":'
_OF_HOST = sa.and_(tables.aggregate_hosts.c.host == HOSTS.c.host,
                   tables.aggregates.c.id == tables.aggregate_hosts.c.aggregate_id)
_ZONE_METADATA = (
    sa.select(tables.aggregates.c.metadata).where(_OF_HOST, _METADATA.contains(_ZONE_KEY))
    .order_by(tables.aggregates.c.id).limit(1).correlate(HOSTS).scalar_subquery().label('zone_metadata'))
_SNAPSHOT = (
    HOSTS.c.id, HOSTS.c.host, HOSTS.c.hypervisor_hostname, HOSTS.c.vcpus_limit, HOSTS.c.vcpus_used,
    HOSTS.c.memory_mb_limit, HOSTS.c.memory_mb_used, HOSTS.c.local_gb_limit, HOSTS.c.local_gb_used,
    HOSTS.c.memory_mb_free, HOSTS.c.servers, SERVICES.c.disabled, SERVICES.c.forced_down,
    SERVICES.c.last_seen_at, _ZONE_METADATA)


def zone_of(row: sa.Row[Any], default: str) -> str:
    """The availability zone of a row of ``candidates``."""
    return str((row.zone_metadata or {}).get('availability_zone') or default)


def _in_zone(conn: Conn, wanted: Wanted) -> sa.ColumnElement[bool]:
    if wanted.zone == wanted.default_zone:
        return sa.not_(sa.exists().where(_OF_HOST, contains(conn, _METADATA, _ZONE_KEY)))
    entry = _ZONE_KEY + orjson.dumps(wanted.zone).decode()
    return sa.exists().where(_OF_HOST, contains(conn, _METADATA, entry))


def _reasons(conn: Conn, wanted: Wanted) -> list[Reason]:
    """(reason, condition of a host that is out for it, what the host has of it), first match counts."""
    reasons: list[Reason] = []
    if wanted.leaving is not None:
        reasons.append(('leaving', HOSTS.c.host == wanted.leaving, None))
    if wanted.tried:
        reasons.append(('tried', HOSTS.c.host.in_(wanted.tried), None))
    reasons.append(('down', sa.or_(
        SERVICES.c.forced_down, SERVICES.c.last_seen_at.is_(None),
        SERVICES.c.last_seen_at < wanted.alive_since), None))
    if not wanted.disabled_too:
        reasons.append(('disabled', SERVICES.c.disabled, None))
    if wanted.zone is not None:
        reasons.append(('zone', sa.not_(_in_zone(conn, wanted)), None))
    if wanted.together:
        reasons.append(('affinity', HOSTS.c.host.not_in(wanted.together), None))
    if wanted.apart:
        reasons.append(('anti-affinity', HOSTS.c.host.in_(wanted.apart), None))
    return [
        *reasons,
        ('memory', HOSTS.c.memory_mb_free < wanted.memory_mb, HOSTS.c.memory_mb_free),
        ('vcpus', _FREE_VCPUS < wanted.vcpus, _FREE_VCPUS),
        ('disk', _FREE_DISK < wanted.local_gb, _FREE_DISK),
    ]


def _named(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    named = []
    if wanted.host is not None:
        named.append(HOSTS.c.host == wanted.host)
    if wanted.node is not None:
        named.append(HOSTS.c.hypervisor_hostname == wanted.node)
    return named


def candidates(conn: Conn, wanted: Wanted, limit: int, *, most_free: bool = True,
               after: tuple[int, int] | None = None) -> Sequence[sa.Row[Any]]:
    """Hosts that can take the server, by free memory; ``after`` is (memory_mb_free, id) of the last one seen."""
    query = sa.select(*_SNAPSHOT).select_from(_JOIN).where(
        *_named(wanted), *(sa.not_(condition) for _, condition, _ in _reasons(conn, wanted)))
    key = (HOSTS.c.memory_mb_free, HOSTS.c.id)
    if after is not None:
        # Spelt out, because MariaDB uses no index for a comparison of tuples.
        free, row_id = after
        less = HOSTS.c.memory_mb_free < free if most_free else HOSTS.c.memory_mb_free > free
        tie = HOSTS.c.id < row_id if most_free else HOSTS.c.id > row_id
        query = query.where(sa.or_(less, sa.and_(HOSTS.c.memory_mb_free == free, tie)))
    query = query.order_by(*(column.desc() if most_free else column for column in key)).limit(limit)
    return conn.execute(query).all()


def rejections(conn: Conn, wanted: Wanted, examples: int = 50) -> Rejections:
    """Why ``candidates`` found nothing."""
    reasons = _reasons(conn, wanted)
    reason = sa.case(*((condition, name) for name, condition, _ in reasons), else_='').label('reason')
    had = sa.case(*((condition, sa.null() if value is None else value) for _, condition, value in reasons),
                  else_=sa.null()).label('had')
    judged = sa.select(HOSTS.c.host, reason, had).select_from(_JOIN).where(*_named(wanted)).subquery()
    grouped = conn.execute(sa.select(judged.c.reason, sa.func.count(), sa.func.max(judged.c.had))
                           .group_by(judged.c.reason)).all()
    named = conn.execute(sa.select(judged.c.host, judged.c.reason, judged.c.had)
                         .where(judged.c.reason != '').order_by(judged.c.host).limit(examples)).all()
    order = {name: number for number, (name, _, _) in enumerate(reasons)}
    counts = sorted((tuple(row) for row in grouped if row[0]), key=lambda count: order[count[0]])
    return Rejections(sum(row[1] for row in grouped), tuple(counts), tuple(tuple(row) for row in named))


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
_RELEASE = sa.update(HOSTS).where(HOSTS.c.id == sa.bindparam('host_id')).values(_MORE)
_INSERT_ALLOCATION = sa.insert(ALLOCATIONS)
_ALLOCATIONS_OF = sa.select(ALLOCATIONS).where(ALLOCATIONS.c.server_uuid == sa.bindparam('server'))
_DELETE_ALLOCATION = sa.delete(ALLOCATIONS).where(
    ALLOCATIONS.c.server_uuid == sa.bindparam('server'), ALLOCATIONS.c.host_id == sa.bindparam('host'))


def claim(conn: sa.Connection, host_id: int, server_uuid: str, wanted: Wanted, now: datetime.datetime) -> bool:
    """Give the host's resources to the server, unless it has not got them any more."""
    if not conn.execute(_CLAIM, {
            'host_id': host_id, 'more_vcpus': wanted.vcpus, 'more_memory': wanted.memory_mb,
            'more_disk': wanted.local_gb, 'more_servers': 1}).rowcount:
        return False
    conn.execute(_INSERT_ALLOCATION, {
        'server_uuid': server_uuid, 'host_id': host_id, 'vcpus': wanted.vcpus, 'memory_mb': wanted.memory_mb,
        'local_gb': wanted.local_gb, 'created_at': now})
    return True


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


def heard(conn: sa.Connection, report: Report, now: datetime.datetime) -> None:
    """Record a heartbeat; the first one makes the service and the host."""
    beat = {'of_host': report.host, 'now': now, 'new_version': report.version}
    if not conn.execute(_BEAT, beat).rowcount:
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


_ALIVE = sa.select(sa.exists().where(
    SERVICES.c.host == sa.bindparam('of_host'), SERVICES.c.binary == COMPUTE, sa.not_(SERVICES.c.forced_down),
    SERVICES.c.last_seen_at >= sa.bindparam('since')))


def is_alive(conn: Conn, host: str, since: datetime.datetime) -> bool:
    """Whether the compute service of the host was heard since then, and nobody forced it down."""
    return bool(conn.execute(_ALIVE, {'of_host': host, 'since': since}).scalar())


# ---------------------------------------------------------------- reads of the hypervisors room

_WITH_SERVICE = sa.select(
    HOSTS, SERVICES.c.uuid.label('service_uuid'), SERVICES.c.disabled, SERVICES.c.disabled_reason,
    SERVICES.c.forced_down, SERVICES.c.last_seen_at).select_from(_JOIN)


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
    row = conn.execute(sa.select(sa.func.count().label('count'), *sums, least, busy).select_from(_JOIN)
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
