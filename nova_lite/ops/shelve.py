# SPDX-License-Identifier: Apache-2.0
"""Put a server on the shelf, take it off its host, and bring it back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.db.queries import aggregates, hosts, servers
from nova_lite.model import block_devices, snapshots, states
from nova_lite.ops.base import Act, Deps, begin, judge, require
from nova_lite.ops.snapshot import image_for

_SHELVE = Act('shelve', 'shelve', 'shelve', needs='snapshot')
_SHELVE_ON_VOLUME = Act('shelve', 'shelve', 'shelve_on_volume')
_OFFLOAD = Act('shelve_offload', 'shelveOffload', 'shelve_offload')
_UNSHELVE = Act('unshelve', 'unshelve', 'unshelve')
#: Says that the availability zone is not spoken of; None would say that any will do.
UNSAID = '\0unsaid'


@dataclass(frozen=True)
class ShelveServer:
    """Stop a server, and keep it as an image."""

    server: Any
    override_lock: bool = False


@dataclass(frozen=True)
class OffloadServer:
    """Take a shelved server off its host."""

    server: Any
    override_lock: bool = False


@dataclass(frozen=True)
class UnshelveServer:
    """Bring a server back. ``zone`` pins it to one or, if None, to none; ``host`` is where it is to be."""

    server: Any
    zone: str | None = UNSAID
    host: str | None = None
    override_lock: bool = False


def shelve(deps: Deps, context: RequestContext, command: ShelveServer) -> None:
    """Accept a server for the shelf."""
    server = command.server
    judge('shelve', server, command.override_lock)
    if block_devices.is_on_volume(server):
        begin(deps, context, server, _SHELVE_ON_VOLUME, override_lock=command.override_lock, params={
            'was_running': server.vm_state == states.ACTIVE})
        return
    require(deps, server, 'snapshot', 'shelve')
    with deps.db.read() as conn:
        name = snapshots.name_of_shelved(servers.get(conn, server.uuid, frozenset(('name',))).name)
    with image_for(deps, context, server.uuid, name, snapshots.SNAPSHOT, {}) as image:
        begin(deps, context, server, _SHELVE, override_lock=command.override_lock, prepare=image.keep, params={
            'was_running': server.vm_state == states.ACTIVE})


def offload(deps: Deps, context: RequestContext, command: OffloadServer) -> None:
    """Accept the end of a shelved server on its host."""
    begin(deps, context, command.server, _OFFLOAD, override_lock=command.override_lock)


def unshelve(deps: Deps, context: RequestContext, command: UnshelveServer) -> None:
    """Accept a return."""
    judge('unshelve', command.server, command.override_lock)
    particular = command.zone != UNSAID or command.host is not None
    if particular and command.server.vm_state != states.SHELVED_OFFLOADED:
        raise errors.Conflict(
            reason=f'Where a server goes can be said when it is {states.SHELVED_OFFLOADED}; server '
                   f'{command.server.uuid} is {command.server.vm_state} and is on a host.')

    def prepare(conn: Any, row: Any) -> Mapping[str, Any]:
        if particular:
            _place(conn, deps, row, command)
        return {'host': command.host} if command.host else {}

    begin(deps, context, command.server, _UNSHELVE, override_lock=command.override_lock, prepare=prepare)


def _place(conn: Any, deps: Deps, row: Any, command: UnshelveServer) -> None:
    """Pin the server as was asked for, if the zone and the host exist and go together."""
    default = deps.conf.default_availability_zone
    zone = row.pinned_availability_zone if command.zone == UNSAID else command.zone
    if command.zone not in (UNSAID, None, default) and command.zone not in aggregates.zone_names(conn):
        raise errors.Invalid(reason=f'There is no availability zone {command.zone}.')
    if command.host is not None:
        if not hosts.exists(conn, command.host, None):
            raise errors.Invalid(reason=f'There is no compute host {command.host}.')
        found = aggregates.zones_by_host(conn, [command.host]).get(command.host, default)
        if zone not in (None, found):
            raise errors.Conflict(reason=f'Host {command.host} is in availability zone {found}; server {row.uuid} is '
                                         f'pinned to {zone}.')
    servers.update(conn, row.uuid, pinned_availability_zone=zone)
