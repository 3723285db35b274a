# SPDX-License-Identifier: Apache-2.0
"""What must be true of a cloud at rest: the books balance, nobody waits, and the guests are those of the database.

The checks of ``nova-manage verify`` are among it; the others are made from the tables anew, as a second opinion.
"""

import datetime
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from nova_lite.db import tables
from nova_lite.db.queries import hosts, quotas, verify
from nova_lite.model import moves, states, times
from nova_lite.model.power import Power
from tests.chaos.clouds import Cloud

SERVERS, OPERATIONS, ALLOCATIONS, HOSTS = tables.servers, tables.operations, tables.allocations, tables.hosts
#: What waits for its time on the work list.
SCHEDULED = ('reclaim', 'shelve_offload')
#: What stands by for the case that a request dies before its commit, and is taken off the list by that.
STANDING_BY = ('delete_image', 'release_volumes')


def problems(cloud: Cloud, only: str = '') -> list[str]:
    """Everything that is not as it should be, of one server or of all."""
    with cloud.db.read() as conn:
        servers = [row for row in conn.execute(sa.select(SERVERS)).all() if only in ('', row.uuid)]
        found = [*_open(conn, servers), *_placed(conn, servers), *_sums(conn)]
        expected = {row.uuid: sorted(_guests_of(conn, row)) for row in servers if not row.deleted and row.host}
    with cloud.db.snapshot() as conn:
        found += [f'verify, {finding.check}: {finding.subject}: {finding.problem}'
                  for check in verify.CHECKS for finding in check.find(conn, times.utcnow())]
    guests = {server: sorted(where) for server, where in cloud.guests().items() if only in ('', server)}
    if not only:
        found += _images(cloud)
    for server in sorted({*expected, *guests}):
        if expected.get(server, []) != guests.get(server, []):
            found.append(f'server {server} should have guests at {expected.get(server, [])}, has them at '
                         f'{guests.get(server, [])}')
    return found


def _open(conn: Any, servers: list[Any]) -> Iterator[str]:
    """Nothing is being done to anybody."""
    now = times.utcnow()
    due = now + datetime.timedelta(seconds=300)
    rows = conn.execute(sa.select(OPERATIONS).where(OPERATIONS.c.state.in_(('pending', 'running')))).all()
    known = {row.uuid for row in servers}
    busy = [row for row in rows if row.server_uuid in known and not (row.state == 'pending' and (
        row.kind in SCHEDULED and row.lease_until > due or row.kind in STANDING_BY and row.lease_until > now))]
    for row in busy:
        yield (f'operation {row.id} ({row.kind}) of server {row.server_uuid} is {row.state} at {row.step!r} in attempt '
               f'{row.attempt} by {row.owner}')
    for row in servers:
        if not row.deleted and row.task_state is not None:
            yield f'server {row.uuid} is {row.vm_state}/{row.task_state}'
        if not row.deleted and row.vm_state == states.BUILDING:
            yield f'server {row.uuid} is being built'
        if row.vm_state == states.ERROR and not (row.fault or {}).get('message'):
            yield f'server {row.uuid} is in error without a reason'


def _images(cloud: Cloud) -> Iterator[str]:
    """Nobody waits in vain for the data of an image, unless it is to be deleted soon."""
    url = cloud.user.image_url
    going = [row.params for row in cloud.rows(
        "SELECT params FROM operations WHERE kind = 'delete_image' AND state IN ('pending', 'running')")]
    for image in cloud.user.get(f'{url}/v2/images?status=queued')['images']:
        if any(image['id'] in str(params) for params in going):
            continue
        yield f'image {image["id"]} ({image["name"]}) has no data'


def _placed(conn: Any, servers: list[Any]) -> Iterator[str]:
    """Each server has its claim where it is, and where it waits to be confirmed; a deleted one has none."""
    rows = conn.execute(sa.select(ALLOCATIONS.c.server_uuid, HOSTS.c.host, ALLOCATIONS.c.vcpus, ALLOCATIONS.c.memory_mb,
                                  ALLOCATIONS.c.local_gb).join(HOSTS, HOSTS.c.id == ALLOCATIONS.c.host_id)).all()
    claims: dict[str, set[tuple[Any, ...]]] = {}
    for server, *claim in rows:
        claims.setdefault(server, set()).add(tuple(claim))
    for row in servers:
        wanted = set()
        if not row.deleted and row.host:
            wanted.add((row.host, *_size(row.flavor)))
            move = _waiting(conn, row)
            if move is not None and move.source_compute != row.host:
                wanted.add((move.source_compute, *_size(move.old_flavor)))
        if claims.get(row.uuid, set()) != wanted:
            yield f'server {row.uuid} has claims {sorted(claims.get(row.uuid, ()))}, should have {sorted(wanted)}'


def _size(flavor: Any) -> tuple[int, int, int]:
    return flavor['vcpus'], flavor['ram'], moves.disk_of(flavor)


def _waiting(conn: Any, server: Any) -> Any:
    """The move that waits to be confirmed."""
    if server.vm_state != states.RESIZED and not (
            server.vm_state == states.SOFT_DELETED and (server.system_metadata or {}).get('was')):
        return None
    found = [row for row in conn.execute(sa.select(tables.migrations).where(
        tables.migrations.c.server_uuid == server.uuid)).all() if row.status == moves.FINISHED]
    return found[-1] if found else None


def _sums(conn: Any) -> Iterator[str]:
    """What is given away on each host and to each project is the sum of what each server has."""
    for host, expected in hosts.recount(conn):
        row = hosts.get(conn, host=host)
        booked = {'vcpus': row.vcpus_used, 'memory_mb': row.memory_mb_used, 'local_gb': row.local_gb_used,
                  'servers': row.servers}
        if booked != expected:
            yield f'host {host} has {booked} given away, should have {expected}'
    counted = quotas.recount(conn)
    for row in conn.execute(sa.select(tables.quota_usages)).all():
        used = quotas.usage(conn, row.project_id)
        expected = counted.get(row.project_id, {'instances': 0, 'cores': 0, 'ram': 0})
        if used != expected:
            yield f'project {row.project_id} uses {used}, should use {expected}'


def _guests_of(conn: Any, server: Any) -> list[tuple[str, bool]]:
    if server.power_state == Power.NOSTATE and server.vm_state == states.ERROR:
        return []
    move = _waiting(conn, server)
    return [(server.host, False)] + ([(move.source_compute, True)] if move is not None else [])
