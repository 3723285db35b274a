# SPDX-License-Identifier: Apache-2.0
"""What all commands need: their tools, the rows of accepted work, and the wake-up after the commit."""

import datetime
import functools
import logging
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from oslo_config import cfg

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.clients.image import ImageClient
from nova_lite.clients.network import NetworkClient, NoNetworks
from nova_lite.clients.volume import VolumeClient, no_volumes
from nova_lite.db.engine import Database
from nova_lite.db.queries import actions, capabilities, operations, servers
from nova_lite.model import states, times
from nova_lite.notifications.port import NOBODY, Notifications
from nova_lite.ops.limits import Limits

LOG = logging.getLogger(__name__)

#: Seconds after which a conductor's sweeper takes a wake-up for lost.
WAKE_UP_GRACE = 10


class Conductor(Protocol):
    """What the API says to conductors."""

    def run_operation(self, context: RequestContext, operation_id: str) -> None:
        """There is work on the list."""


@dataclass(frozen=True)
class Deps:
    """What handlers work with."""

    db: Database
    conductor: Conductor
    images: ImageClient
    conf: cfg.ConfigOpts
    limits: Limits = field(kw_only=True)
    volumes: VolumeClient = field(default_factory=no_volumes, kw_only=True)
    networks: NetworkClient = field(default_factory=NoNetworks, kw_only=True)
    notifications: Notifications = field(default=NOBODY, kw_only=True)


def wake(deps: Deps, context: RequestContext, operation_ids: Iterable[str]) -> None:
    """Tell a conductor of each operation. That is a courtesy: whatever is not told is found by a sweeper."""
    for operation_id in operation_ids:
        deps.db.after_commit(functools.partial(_wake, deps, context, operation_id))


def _wake(deps: Deps, context: RequestContext, operation_id: str) -> None:
    try:
        deps.conductor.run_operation(context.with_token() if deps.volumes.needs_owner else context, operation_id)
    except Exception as error:
        LOG.warning('No conductor was told of operation %s; it begins within %d seconds: %s: %s',
                    operation_id, WAKE_UP_GRACE, type(error).__name__, error)


def action_row(context: RequestContext, server_uuid: str, action: str) -> dict[str, Any]:
    """What ``actions.insert`` takes."""
    return {'server_uuid': server_uuid, 'action': action, 'request_id': context.request_id,
            'user_id': context.user_id, 'project_id': context.project_id}


def operation_row(context: RequestContext, kind: str, server_uuid: str, action_id: int | None,
                  params: Mapping[str, Any], now: datetime.datetime) -> dict[str, Any]:
    """What ``operations.insert`` takes."""
    return {
        'id': str(uuid.uuid4()), 'kind': kind, 'server_uuid': server_uuid, 'project_id': context.project_id,
        'user_id': context.user_id, 'request_id': context.request_id, 'action_id': action_id,
        'state': operations.PENDING, 'step': '', 'attempt': 0, 'owner': None,
        'lease_until': now + datetime.timedelta(seconds=WAKE_UP_GRACE), 'params': dict(params), 'error': None,
        'created_at': now, 'updated_at': now}


@dataclass(frozen=True)
class Act:
    """An operation: its row in the table of states, its name in the list of actions, what a worker does.

    ``needs`` names the optional port that the driver of the server's host must have.
    """

    transition: str
    action: str
    kind: str
    needs: str = ''


#: What else accepting an operation changes: given the server's row, which nobody else can change, it returns
#: more parameters of the operation.
Prepare = Callable[[Any, Any], Mapping[str, Any]]

#: The columns that a server must bring when it is handed to a command.
NEEDED = frozenset(('uuid', 'project_id', 'vm_state', 'task_state', 'locked', 'locked_by', 'launched_at', 'host',
                    'flavor', 'deleted'))
_JUDGED = ('vm_state', 'task_state', 'locked')


def begin(deps: Deps, context: RequestContext, server: Any, act: Act, *, override_lock: bool = False,
          params: Mapping[str, Any] | None = None, prepare: Prepare | None = None) -> str:
    """Accept an operation on ``server``, a row as the caller saw it; the operation's id.

    ``prepare`` runs in the transaction, once the operation may begin, and may refuse it.
    """
    if act.needs:
        judge(act.transition, server, override_lock)
        require(deps, server, act.needs, act.action)
    prepare = deps.notifications.accepting(context, server, act.kind, prepare)
    operation_id = deps.db.transaction(accept, context, server, act, override_lock, params or {}, prepare)
    wake(deps, context, (operation_id,))
    return operation_id


def accept(conn: Any, context: RequestContext, server: Any, act: Act, override_lock: bool,
           params: Mapping[str, Any], prepare: Prepare | None = None) -> str:
    """What ``begin`` does in its transaction."""
    now = times.utcnow()
    if server.task_state is not None:
        # The table of states allows it, so the new operation takes the place of what is going on.
        judge(act.transition, server, override_lock)
        if supersede(conn, context, server.uuid, act.kind, now):
            actions.close_open(conn, server.uuid, 'Error')
    change(conn, server, act.transition, override_lock, task_state=states.TRANSITIONS[act.transition].task)
    more = prepare(conn, servers.get(conn, server.uuid)) if prepare else {}
    action_id = actions.insert(conn, action_row(context, server.uuid, act.action))
    row = operation_row(context, act.kind, server.uuid, action_id, {**params, **more}, now)
    operations.insert(conn, [row])
    return str(row['id'])


#: Kinds of operations that fill an image, which nobody wants if they are given up.
_IMAGE_MAKERS = frozenset(('backup', 'shelve', 'snapshot', 'snapshot_volumes'))


def supersede(conn: Any, context: RequestContext, server_uuid: str, by: str, now: datetime.datetime,
              keep: str = '') -> int:
    """End all open operations on a server, but those of kind ``keep``; the number of those that were ended."""
    images = [row.params.get('image_id') for row in operations.open_of_server(conn, server_uuid)
              if row.kind in _IMAGE_MAKERS]
    drop_images(conn, context, server_uuid, images, now)
    return operations.supersede(conn, server_uuid, by, now, keep=keep)


def drop_images(conn: Any, context: RequestContext, server_uuid: str, images: Iterable[str | None],
                now: datetime.datetime) -> None:
    """Have a conductor delete images that a server does not need any more."""
    rows = [operation_row(context, 'delete_image', server_uuid, None, {'image_id': image}, now)
            for image in images if image]
    if rows:
        operations.insert(conn, rows)


def require(deps: Deps, server: Any, capability: str, what: str) -> None:
    """``Unsupported`` if it is known that the hypervisor of the server's host cannot do this."""
    if server.host is None:
        return
    with deps.db.read() as conn:
        able = capabilities.can(conn, server.host, capability)
    if not able:
        raise errors.Unsupported(reason=f'{what} is not possible: the hypervisor of server {server.uuid} has no '
                                        f'{capability}.')


def change(conn: Any, server: Any, operation: str, override_lock: bool, **values: Any) -> None:
    """Change a server to which ``operation`` may be done now; otherwise say why it may not.

    The check is made on the row that the caller saw; the update holds only if that is still the row's
    state, and if it is not, the check is made on the row as it is now.
    """
    judge(operation, server, override_lock)
    expect = {name: getattr(server, name) for name in _JUDGED}
    if servers.update_if(conn, server.uuid, {**expect, 'deleted': False}, **values):
        return
    judge(operation, servers.lock(conn, server.uuid, NEEDED), override_lock)
    servers.update(conn, server.uuid, **values)


def judge(operation: str, server: Any, override_lock: bool) -> None:
    """``ServerLocked`` or ``WrongState`` if the operation may not begin."""
    states.check_lock(operation, server, override_lock)
    states.check(operation, server)
