# SPDX-License-Identifier: Apache-2.0
"""Resize and migrate a server, and say afterwards whether it is to stay so."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.db.queries import flavors, migrations, quotas, servers
from nova_lite.model import block_devices, moves
from nova_lite.model import quotas as quota_model
from nova_lite.model.power import Power
from nova_lite.model.quotas import UNLIMITED
from nova_lite.ops.base import Act, Deps, begin
from nova_lite.ops.limits import Known
from nova_lite.ops.moves import check_target, check_up, record, settle
from nova_lite.ops.quotas import check_disk

_RESIZE = Act('resize', 'resize', 'resize', needs='move')
_MIGRATE = Act('migrate', 'migrate', 'resize', needs='move')
_CONFIRM = Act('confirm_resize', 'confirmResize', 'confirm_resize')
_REVERT = Act('revert_resize', 'revertResize', 'revert_resize')
_FLAVOR = ('flavorid', 'name', 'ram', 'vcpus', 'disk', 'ephemeral', 'swap', 'rxtx_factor', 'extra_specs')


@dataclass(frozen=True)
class ResizeServer:
    """Give a server another flavor; ``disk_config`` as at its creation, None leaves it as it is."""

    server: Any
    flavor_id: str
    disk_config: str | None = None
    override_lock: bool = False


@dataclass(frozen=True)
class MigrateServer:
    """Bring a server to another host, to ``host`` if it is named."""

    server: Any
    host: str | None = None
    override_lock: bool = False


@dataclass(frozen=True)
class ConfirmResize:
    """Keep what a resize or a migration made."""

    server: Any
    override_lock: bool = False


@dataclass(frozen=True)
class RevertResize:
    """Go back to what the server was before a resize or a migration."""

    server: Any
    override_lock: bool = False


def resize(deps: Deps, context: RequestContext, command: ResizeServer) -> None:
    """Accept a resize; the larger of both flavors is booked until it is confirmed or reverted."""
    known = deps.limits.of(command.server.project_id)
    begin(deps, context, command.server, _RESIZE, override_lock=command.override_lock, params={'resize': True},
          prepare=functools.partial(_prepare_resize, deps, context, command, known))


def migrate(deps: Deps, context: RequestContext, command: MigrateServer) -> None:
    """Accept a cold migration."""
    def prepare(conn: Any, server: Any) -> Mapping[str, Any]:
        check_up(deps, conn, server)
        if command.host is not None:
            check_target(conn, command.host)
            if command.host == server.host:
                raise errors.Invalid(reason=f'Server {server.uuid} is on host {server.host} already.')
        settle(conn, server)
        return {**record(conn, context, server, moves.MIGRATION, moves.PRE_MIGRATING), 'host': command.host}

    begin(deps, context, command.server, _MIGRATE, override_lock=command.override_lock, prepare=prepare)


def confirm(deps: Deps, context: RequestContext, command: ConfirmResize) -> None:
    """Accept that the old guest is removed."""
    def prepare(conn: Any, server: Any) -> Mapping[str, Any]:
        row = _finished(conn, server)
        migrations.update(conn, row.id, status=moves.CONFIRMING)
        return {'migration': row.id, 'source': row.source_compute}

    begin(deps, context, command.server, _CONFIRM, override_lock=command.override_lock, prepare=prepare)


def revert(deps: Deps, context: RequestContext, command: RevertResize) -> None:
    """Accept that the old guest comes back."""
    def prepare(conn: Any, server: Any) -> Mapping[str, Any]:
        row = _finished(conn, server)
        migrations.update(conn, row.id, status=moves.REVERTING)
        off = server.power_state == Power.SHUTDOWN
        return {'migration': row.id, 'source': row.source_compute, 'source_node': row.source_node, 'dest': server.host,
                'flavor': row.old_flavor, 'vm_state': row.old_vm_state,
                'power': int(moves.power_of(row.old_vm_state)),
                'power_there': int(Power.SHUTDOWN if off else Power.RUNNING)}

    begin(deps, context, command.server, _REVERT, override_lock=command.override_lock, prepare=prepare)


def _finished(conn: Any, server: Any) -> Any:
    """The move that waits for a word."""
    for row in reversed(migrations.open_of_server(conn, server.uuid)):
        if row.type in moves.COLD and row.status == moves.FINISHED:
            return row
    raise errors.Invalid(reason=f'Server {server.uuid} has not been resized or migrated.')


def _prepare_resize(deps: Deps, context: RequestContext, command: ResizeServer, known: Known, conn: Any,
                    server: Any) -> Mapping[str, Any]:
    found = _flavor(conn, context, command.flavor_id)
    flavor = {name: getattr(found, name) for name in _FLAVOR}
    if block_devices.is_on_volume(server):
        flavor[block_devices.ON_VOLUME] = True
    _check_flavor(server, flavor)
    _check_disk_config(server, command.disk_config)
    check_up(deps, conn, server)
    settle(conn, server)
    params = record(conn, context, server, moves.RESIZE, moves.PRE_MIGRATING, flavor)
    if command.disk_config is not None:
        servers.update(conn, server.uuid, disk_config=command.disk_config)
    _book(conn, known, server, flavor)
    return params


def _flavor(conn: Any, context: RequestContext, flavor_id: str) -> Any:
    try:
        found = flavors.get(conn, flavor_id, context.project_id, context.is_admin)
    except errors.FlavorNotFound as error:
        raise errors.Invalid(reason=f'Invalid input for resize/flavorRef: {error}') from None
    if found.disabled:
        raise errors.Invalid(reason=f'Invalid input for resize/flavorRef: flavor {flavor_id} is disabled.')
    return found


def _check_flavor(server: Any, flavor: Mapping[str, Any]) -> None:
    if flavor['flavorid'] == server.flavor['flavorid']:
        raise errors.Invalid(reason=f'Server {server.uuid} has flavor {flavor["flavorid"]} already.')
    if not server.image_ref or block_devices.is_on_volume(server):
        return
    if server.flavor['disk'] and not flavor['disk']:
        raise errors.Invalid(reason=f'Flavor {flavor["flavorid"]} has no disk, and server {server.uuid} boots from one '
                                    'on its host.')
    for name, label, unit in (('min_ram', 'ram', 'MiB of memory'), ('min_disk', 'disk', 'GiB of disk')):
        least = int(server.image_properties.get(name) or 0)
        if flavor[label] < least and (label != 'disk' or flavor[label]):
            raise errors.Invalid(reason=f'The image of server {server.uuid} needs {least} {unit}; flavor '
                                        f'{flavor["flavorid"]} has {flavor[label]}.')


def _check_disk_config(server: Any, wanted: str | None) -> None:
    allowed = str(server.image_properties.get('auto_disk_config', 'true')).strip().lower()
    if wanted == 'AUTO' and allowed not in ('1', 't', 'true', 'on', 'y', 'yes'):
        raise errors.Invalid(reason=f'The image of server {server.uuid} does not allow disk config AUTO.')


def _book(conn: Any, known: Known, server: Any, flavor: Mapping[str, Any]) -> None:
    """Book what the new flavor has more than the old one, or ``OverQuota``."""
    more = moves.surplus(server.flavor, flavor)
    more_disk = moves.amounts(flavor)['local_gb'] - moves.amounts(server.flavor)['local_gb']
    if not any(more.values()) and more_disk <= 0:
        return
    limits = known.effective(conn, server.user_id)
    # What does not grow is nobody's business, even where a limit was lowered below what is in use.
    growing = {resource: limits.project[resource] if amount else UNLIMITED for resource, amount in more.items()}
    quotas.use(conn, server.project_id, more, growing)
    check_disk(conn, server.project_id, limits, more_disk)
    own = {resource: value for resource, value in limits.own_of_servers().items() if more[resource]}
    if own:
        used = quotas.usage_of_user(conn, server.project_id, server.user_id)
        if quota_model.exceeded(more, used, own):
            raise quotas.over_quota(used, more, {**dict.fromkeys(more, UNLIMITED), **own})
