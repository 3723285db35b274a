# SPDX-License-Identifier: Apache-2.0
"""What the commands that move a server have in common: a host to go to, and the row of the move."""

import datetime
from collections.abc import Mapping
from typing import Any

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.db.queries import claims, hosts, migrations, quotas
from nova_lite.model import moves, times
from nova_lite.ops.base import Deps


def alive_since(deps: Deps) -> datetime.datetime:
    """A host not heard since then is down."""
    return times.utcnow() - datetime.timedelta(seconds=deps.conf.service_down_time)


def is_up(deps: Deps, conn: Any, host: str | None) -> bool:
    """Whether the host works."""
    return host is not None and hosts.is_alive(conn, host, alive_since(deps))


def check_up(deps: Deps, conn: Any, server: Any) -> None:
    """``Conflict`` unless the host of the server works."""
    if not is_up(deps, conn, server.host):
        where = f'host {server.host}, which is down' if server.host else 'no host'
        raise errors.Conflict(reason=f'Server {server.uuid} is on {where}; it cannot be moved from there.')


def check_target(conn: Any, host: str) -> None:
    """``Invalid`` unless there is such a host."""
    if not hosts.exists(conn, host, None):
        raise errors.Invalid(reason=f'There is no compute host {host}.')


def settle(conn: Any, server: Any) -> None:
    """End what a move that came to nothing has left, so that a new one begins with even books."""
    if not migrations.open_of_server(conn, server.uuid):
        return
    held = migrations.abandon(conn, server.uuid, server.flavor)
    claims.keep_only(conn, server.uuid, server.host)
    claims.shrink(conn, server.uuid, server.host, moves.amounts(server.flavor))
    if any(held.values()):
        quotas.give_back(conn, server.project_id, held)


def record(conn: Any, context: RequestContext, server: Any, kind: str, status: str,
           flavor: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Store the row of a move; the parameters of its operation."""
    flavor = dict(flavor or server.flavor)
    migration_id = migrations.insert(conn, {
        'server_uuid': server.uuid, 'type': kind, 'status': status, 'user_id': context.user_id,
        'project_id': context.project_id, 'source_compute': server.host, 'source_node': server.node,
        'old_flavor': server.flavor, 'new_flavor': flavor, 'old_vm_state': server.vm_state})
    return {'migration': migration_id, 'source': server.host, 'flavor': flavor,
            'power': int(moves.power_of(server.vm_state))}
