# SPDX-License-Identifier: Apache-2.0
"""What a server has on which hosts while it moves between them.

A row of ``allocations`` and the sums of its host change in one transaction, and only here and in
``hosts``: the sums are never more than what is given away, nor less.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from nova_lite.db import tables
from nova_lite.db.engine import Conn
from nova_lite.db.queries import hosts

HOSTS = tables.hosts
SERVICES = tables.services
ALLOCATIONS = tables.allocations
AMOUNTS = ('vcpus', 'memory_mb', 'local_gb')

_PLACES = (sa.select(HOSTS.c.host, ALLOCATIONS.c.host_id)
           .join(HOSTS, HOSTS.c.id == ALLOCATIONS.c.host_id)
           .where(ALLOCATIONS.c.server_uuid == sa.bindparam('server')).order_by(HOSTS.c.host))
_ON_HOST = (sa.select(ALLOCATIONS).join(HOSTS, HOSTS.c.id == ALLOCATIONS.c.host_id)
            .where(ALLOCATIONS.c.server_uuid == sa.bindparam('server'), HOSTS.c.host == sa.bindparam('name')))


def places(conn: Conn, server_uuid: str) -> dict[str, int]:
    """The hosts on which the server has anything, with their row ids."""
    return {host: host_id for host, host_id in conn.execute(_PLACES, {'server': server_uuid})}


def release(conn: sa.Connection, server_uuid: str, host: str) -> None:
    """Take back what the server has on this host, if it has anything there."""
    host_id = places(conn, server_uuid).get(host)
    if host_id is not None:
        hosts.release(conn, server_uuid, host_id)


def keep_only(conn: sa.Connection, server_uuid: str, host: str) -> None:
    """Take back what the server has on other hosts, as moves that came to nothing may have left it."""
    for name, host_id in places(conn, server_uuid).items():
        if name != host:
            hosts.release(conn, server_uuid, host_id)


def grow(conn: sa.Connection, server_uuid: str, host: str, wanted: hosts.Wanted) -> bool:
    """Let the server have as much on a host that it is on as ``wanted`` says, and not less than it has.

    False, and nothing is changed, if the host has not got the difference, is down or disabled.
    """
    held = conn.execute(_ON_HOST, {'server': server_uuid, 'name': host}).first()
    if held is None:
        return False
    target = {name: max(getattr(held, name), getattr(wanted, name)) for name in AMOUNTS}
    ready = sa.exists().where(
        SERVICES.c.id == HOSTS.c.service_id, sa.not_(SERVICES.c.forced_down), sa.not_(SERVICES.c.disabled),
        SERVICES.c.last_seen_at >= wanted.alive_since)
    return _set(conn, held, target, ready)


def shrink(conn: sa.Connection, server_uuid: str, host: str, amounts: Mapping[str, int]) -> None:
    """Let the server have exactly this much on a host that it is on."""
    held = conn.execute(_ON_HOST, {'server': server_uuid, 'name': host}).first()
    if held is not None:
        _set(conn, held, {name: amounts[name] for name in AMOUNTS})


def _set(conn: sa.Connection, held: Any, target: Mapping[str, int], *conditions: Any) -> bool:
    more = {name: target[name] - getattr(held, name) for name in AMOUNTS}
    # More of one thing has to fit; less always does, whatever was promised of the host meanwhile.
    fits = [HOSTS.c[f'{name}_used'] + more[name] <= HOSTS.c[f'{name}_limit'] for name in AMOUNTS if more[name] > 0]
    changed = conn.execute(HOSTS.update().where(HOSTS.c.id == held.host_id, *fits, *conditions).values(
        {f'{name}_used': HOSTS.c[f'{name}_used'] + more[name] for name in AMOUNTS}))
    if not changed.rowcount:
        return False
    conn.execute(ALLOCATIONS.update().where(
        ALLOCATIONS.c.server_uuid == held.server_uuid, ALLOCATIONS.c.host_id == held.host_id).values(**target))
    return True
