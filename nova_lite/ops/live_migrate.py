# SPDX-License-Identifier: Apache-2.0
"""Live migrate a server, and say meanwhile that it shall end: at once, or where it was."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.db.queries import actions, candidates, hosts, migrations, servers
from nova_lite.model import moves, states
from nova_lite.ops.base import NEEDED, Act, Deps, action_row, begin
from nova_lite.ops.moves import alive_since, check_target, is_up, record, settle

_LIVE = Act('live_migrate', 'live-migration', 'live_migrate', needs='live_migration')


@dataclass(frozen=True)
class LiveMigrateServer:
    """Bring a server to another host while it runs.

    ``forced``: no filter is asked about ``host``.  ``at_once``: what makes it impossible is an error now,
    and not one that the list of actions tells later.  ``block_migration`` None leaves it to the hypervisor.
    """

    server: Any
    host: str | None = None
    forced: bool = False
    block_migration: bool | None = None
    disk_over_commit: bool = False
    at_once: bool = False
    override_lock: bool = False


@dataclass(frozen=True)
class ForceComplete:
    """Bring a live migration to an end now, with a pause of the guest if need be."""

    server: Any
    migration_id: int
    override_lock: bool = False


@dataclass(frozen=True)
class AbortMigration:
    """End a live migration and leave the server where it is; ``early``: also one that has not begun yet."""

    server: Any
    migration_id: int
    early: bool = False
    override_lock: bool = False


def live_migrate(deps: Deps, context: RequestContext, command: LiveMigrateServer) -> None:
    """Accept a live migration."""
    def prepare(conn: Any, server: Any) -> Mapping[str, Any]:
        if command.host is not None:
            check_target(conn, command.host)
        if command.at_once:
            _check(deps, conn, server, command)
        settle(conn, server)
        move = {'block_migration': command.block_migration, 'disk_over_commit': command.disk_over_commit}
        return {**record(conn, context, server, moves.LIVE, moves.QUEUED), 'host': command.host,
                'forced': command.forced, 'move': move}

    begin(deps, context, command.server, _LIVE, override_lock=command.override_lock, prepare=prepare)


def _check(deps: Deps, conn: Any, server: Any, command: LiveMigrateServer) -> None:
    """``Invalid`` if it is clear that the server cannot go there."""
    if command.host == server.host:
        raise errors.Invalid(reason=f'Server {server.uuid} is on host {server.host} already.')
    for host in (server.host, command.host):
        if host is not None and not is_up(deps, conn, host):
            raise errors.Invalid(reason=f'Host {host} is down.')
    amounts: dict[str, Any] = {**moves.amounts(server.flavor)}
    wanted = hosts.Wanted(
        **amounts, alive_since=alive_since(deps), host=command.host,
        leaving=server.host, zone=None if command.forced else server.pinned_availability_zone,
        disabled_too=command.forced, default_zone=deps.conf.default_availability_zone)
    if not candidates.exist(conn, wanted):
        why = f'host {command.host} cannot take it' if command.host else 'no other host can take it'
        raise errors.Invalid(reason=f'There is no valid host for server {server.uuid}: {why} now.')


def force_complete(deps: Deps, context: RequestContext, command: ForceComplete) -> None:
    """Have it end now."""
    deps.db.transaction(_wish, deps, context, command, (moves.RUNNING,), moves.COMPLETE)


def abort(deps: Deps, context: RequestContext, command: AbortMigration) -> None:
    """Have it end where it began."""
    statuses = (moves.RUNNING, moves.QUEUED, moves.PREPARING) if command.early else (moves.RUNNING,)
    deps.db.transaction(_wish, deps, context, command, statuses, moves.ABORT)


_ACTIONS = {moves.COMPLETE: 'live_migration_force_complete', moves.ABORT: 'live_migration_cancel'}
_EVENTS = {moves.COMPLETE: 'live_migration_force_complete', moves.ABORT: 'live_migration_abort'}


def _wish(conn: Any, deps: Deps, context: RequestContext, command: ForceComplete | AbortMigration,
          statuses: tuple[str, ...], wish: str) -> None:
    server = servers.lock(conn, command.server.uuid, NEEDED)
    states.check_lock('live_migrate', server, command.override_lock)
    if server.task_state != states.MIGRATING:
        raise errors.WrongState(operation=_ACTIONS[wish], server=server.uuid, attribute='task_state',
                                wanted=states.MIGRATING, found=str(server.task_state).lower())
    found = migrations.get_of_server(conn, server.uuid, command.migration_id)
    if found is None or found.type != moves.LIVE:
        raise errors.MigrationNotFound(server=server.uuid, migration=command.migration_id)
    if not migrations.update_if(conn, found.id, statuses, wish=wish):
        raise errors.Invalid(reason=f'Migration {found.id} of server {server.uuid} is {found.status}; this needs one '
                                    f'that is {" or ".join(statuses)}.')
    for phase in ('start', 'end'):
        deps.notifications.server(conn, context, f'instance.{_EVENTS[wish]}.{phase}', server.uuid)
    actions.finish(conn, actions.insert(conn, action_row(context, server.uuid, _ACTIONS[wish])))
