# SPDX-License-Identifier: Apache-2.0
"""The servers of one host, held against the guests that it reports."""

import datetime
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from nova_lite.db import tables
from nova_lite.db.engine import Conn
from nova_lite.db.queries import servers

SERVERS = tables.servers
ALLOCATIONS = tables.allocations
HOSTS = tables.hosts

_ON_HOST = sa.select(SERVERS.c.uuid, SERVERS.c.vm_state, SERVERS.c.task_state, SERVERS.c.power_state,
                     SERVERS.c.updated_at).where(
    SERVERS.c.host == sa.bindparam('of_host'), SERVERS.c.deleted == sa.false())
_CLAIMED = (sa.exists().where(ALLOCATIONS.c.server_uuid == SERVERS.c.uuid, ALLOCATIONS.c.host_id == HOSTS.c.id,
                              HOSTS.c.host == sa.bindparam('of_host')))
_GONE = sa.select(SERVERS.c.uuid).where(
    SERVERS.c.uuid.in_(sa.bindparam('guests', expanding=True)), SERVERS.c.updated_at < sa.bindparam('before'),
    sa.or_(SERVERS.c.deleted, SERVERS.c.host.is_(None), SERVERS.c.host != sa.bindparam('of_host')),
    sa.not_(_CLAIMED)).order_by(SERVERS.c.uuid)
_CHUNK = 500


def on_host(conn: Conn, host: str) -> list[sa.Row[Any]]:
    """uuid, states and time of the last change of each server on the host."""
    return list(conn.execute(_ON_HOST, {'of_host': host}))


def gone_from_host(conn: Conn, host: str, guests: Sequence[str], before: datetime.datetime) -> list[str]:
    """Those of these uuids that were servers and have not been this host's since ``before``.

    A uuid that was never a server is somebody else's guest and not in the answer.
    """
    found: list[str] = []
    for start in range(0, len(guests), _CHUNK):
        found += conn.execute(_GONE, {
            'guests': list(guests[start:start + _CHUNK]), 'of_host': host, 'before': before}).scalars()
    return found


def change_if_idle(conn: sa.Connection, server_uuid: str, host: str, seen: Any,
                   values: Mapping[str, Any]) -> bool:
    """Change a server on which nothing happened since it was ``seen``."""
    expect: dict[str, Collection[Any] | Any] = {
        'host': host, 'task_state': None, 'vm_state': seen.vm_state, 'power_state': seen.power_state,
        'deleted': False}
    return servers.update_if(conn, server_uuid, expect, **values)
