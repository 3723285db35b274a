# SPDX-License-Identifier: Apache-2.0
"""Delete a server, whatever is being done to it."""

import datetime
from dataclasses import dataclass
from typing import Any

from nova_lite.auth.context import RequestContext
from nova_lite.db.queries import actions, consoles, operations, quotas, servers
from nova_lite.model import quotas as quota_model
from nova_lite.model import states, times
from nova_lite.model.power import Power
from nova_lite.notifications.port import Notifications
from nova_lite.ops.base import Deps, action_row, drop_images, judge, operation_row, supersede, wake


@dataclass(frozen=True)
class DeleteServer:
    """Remove a server for good; ``force`` is what the action forceDelete asks for."""

    server: Any
    force: bool = False
    override_lock: bool = False


def delete(deps: Deps, context: RequestContext, command: DeleteServer) -> None:
    """Accept a delete; a server that is on no host and has nothing elsewhere is deleted when this returns.

    Where deleted servers can be restored, one that ran once is only put aside, unless it is so already.
    """
    server = command.server
    soft = (deps.conf.reclaim_instance_interval > 0 and not command.force and server.launched_at is not None
            and server.vm_state != states.SOFT_DELETED)
    if soft:
        interval = datetime.timedelta(seconds=deps.conf.reclaim_instance_interval)
        wake(deps, context, deps.db.transaction(_put_aside, deps.notifications, context, command, interval))
    else:
        wake(deps, context, deps.db.transaction(_delete, deps.notifications, context, command))


def _put_aside(conn: Any, notifications: Notifications, context: RequestContext, command: DeleteServer,
               interval: datetime.timedelta) -> list[str]:
    """The operations to wake a conductor for."""
    now = times.utcnow()
    states.check_lock('soft_delete', command.server, command.override_lock)
    server = servers.lock(conn, command.server.uuid)
    judge('soft_delete', server, command.override_lock)
    if server.vm_state == states.SOFT_DELETED or server.task_state in (states.DELETING, states.SOFT_DELETING):
        return [row.id for row in operations.open_of_server(conn, server.uuid)]
    if supersede(conn, context, server.uuid, 'delete', now):
        actions.close_open(conn, server.uuid, 'Error')
    action_id = actions.insert(conn, action_row(context, server.uuid, 'delete'))
    if server.host is None:
        notifications.server(conn, context, 'instance.soft_delete.start', server.uuid)
        servers.update(conn, server.uuid, vm_state=states.SOFT_DELETED, task_state=None, deleted_at=now)
        notifications.server(conn, context, 'instance.soft_delete.end', server.uuid)
        actions.finish(conn, action_id)
        quotas.give_back(conn, server.project_id, quota_model.use_of(server.flavor))
        row = operation_row(context, 'reclaim', server.uuid, None, {}, now)
        operations.insert(conn, [{**row, 'lease_until': now + interval}])
        return []
    servers.update(conn, server.uuid, task_state=states.SOFT_DELETING, deleted_at=now)
    notifications.updated(conn, context, server)
    row = operation_row(context, 'soft_delete', server.uuid, action_id, {}, now)
    operations.insert(conn, [row])
    return [row['id']]


def _delete(conn: Any, notifications: Notifications, context: RequestContext, command: DeleteServer) -> list[str]:
    """The operations to wake a conductor for."""
    transition = 'force_delete' if command.force else 'delete'
    now = times.utcnow()
    states.check_lock(transition, command.server, command.override_lock)
    # First, because a conductor that places the server right now holds its operation, too.
    superseded = supersede(conn, context, command.server.uuid, 'delete', now, keep='delete')
    server = servers.lock(conn, command.server.uuid)
    states.check_lock(transition, server, command.override_lock)
    states.check(transition, server)
    if server.task_state == states.DELETING:
        going_on = [row.id for row in operations.open_of_server(conn, server.uuid)]
        if going_on:
            return going_on
    if superseded:
        actions.close_open(conn, server.uuid, 'Error')
    action_id = actions.insert(conn, action_row(context, server.uuid, 'delete'))
    counted = states.is_counted(server)
    if counted and server.vm_state == states.SOFT_DELETED:
        # The restore that had booked it again is given up.
        quotas.give_back(conn, server.project_id, quota_model.use_of(server.flavor))
        counted = False
    if server.host is None and not (server.interfaces or server.block_devices):
        notifications.server(conn, context, 'instance.delete.start', server.uuid)
        servers.update(conn, server.uuid, vm_state=states.DELETED, task_state=None, deleted=True, deleted_at=now,
                       power_state=int(Power.NOSTATE), terminated_at=now)
        notifications.server(conn, context, 'instance.delete.end', server.uuid)
        actions.finish(conn, action_id)
        if counted:
            quotas.give_back(conn, server.project_id, quota_model.use_of(server.flavor))
        consoles.forget(conn, server.uuid)
        drop_images(conn, context, server.uuid, [(server.system_metadata or {}).get('shelved_image')], now)
        return []
    servers.update(conn, server.uuid, task_state=states.DELETING)
    notifications.updated(conn, context, server)
    row = operation_row(context, 'delete', server.uuid, action_id, {}, now)
    operations.insert(conn, [row])
    return [row['id']]
