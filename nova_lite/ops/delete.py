# SPDX-License-Identifier: Apache-2.0
"""Delete a server, whatever is being done to it."""

from dataclasses import dataclass
from typing import Any

from nova_lite.auth.context import RequestContext
from nova_lite.db.queries import actions, operations, quotas, servers
from nova_lite.model import quotas as quota_model
from nova_lite.model import states, times
from nova_lite.model.power import Power
from nova_lite.ops.base import Deps, action_row, operation_row, wake


@dataclass(frozen=True)
class DeleteServer:
    """Remove a server for good; ``force`` is what the action forceDelete asks for."""

    server: Any
    force: bool = False
    override_lock: bool = False


def delete(deps: Deps, context: RequestContext, command: DeleteServer) -> None:
    """Accept a delete; a server that is on no host is deleted when this returns."""
    wake(deps, context, deps.db.transaction(_delete, context, command))


def _delete(conn: Any, context: RequestContext, command: DeleteServer) -> list[str]:
    """The operations to wake a conductor for."""
    transition = 'force_delete' if command.force else 'delete'
    now = times.utcnow()
    states.check_lock(transition, command.server, command.override_lock)
    # First, because a conductor that places the server right now holds its operation, too.
    superseded = operations.supersede(conn, command.server.uuid, 'delete', now, keep='delete')
    server = servers.lock(conn, command.server.uuid)
    states.check_lock(transition, server, command.override_lock)
    states.check(transition, server)
    if server.task_state == states.DELETING:
        going_on = [row.id for row in operations.open_of_server(conn, server.uuid)]
        if going_on:
            return going_on
    if superseded:
        actions.close_open(conn, server.uuid, 'Error')
    action_id = actions.insert(conn, action_row(context, server.uuid, 'forceDelete' if command.force else 'delete'))
    if server.host is None:
        servers.update(conn, server.uuid, vm_state=states.DELETED, task_state=None, deleted=True, deleted_at=now,
                       power_state=int(Power.NOSTATE), terminated_at=now)
        actions.finish(conn, action_id)
        quotas.give_back(conn, server.project_id, quota_model.use_of(server.flavor))
        return []
    servers.update(conn, server.uuid, task_state=states.DELETING)
    row = operation_row(context, 'delete', server.uuid, action_id, {}, now)
    operations.insert(conn, [row])
    return [row['id']]
