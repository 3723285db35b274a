# SPDX-License-Identifier: Apache-2.0
"""Interfaces of servers that exist: one more, one less, one address more or less.

An attachment answers with its port, so the port is made as soon as the operation is accepted, and in the name
of the operation: whoever goes on with it finds the same port, and if it fails the port goes with it.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nova_lite import errors
from nova_lite.auth.context import RequestContext, service_context
from nova_lite.clients.network import NO_NETWORKS
from nova_lite.db.queries import capabilities, operations, servers
from nova_lite.model import networks, states, times
from nova_lite.model.networks import Port, Wish
from nova_lite.ops import create_networks
from nova_lite.ops.base import NEEDED, Act, Deps, accept, begin, judge, operation_row, require, wake
from nova_lite.ops.waiting import until_over

_ATTACH = Act('attach_interface', 'attach_interface', 'attach_interface', needs='interface')
_DETACH = Act('detach_interface', 'detach_interface', 'detach_interface', needs='interface')
_REMEMBERED = frozenset(('uuid', 'interfaces'))
_LOSING = _REMEMBERED | {'host', 'project_id', 'user_id'}


@dataclass(frozen=True)
class AttachInterface:
    """Give a server a port, or an interface on a network, or on the only one that there is.

    ``any_network``: on one that leads outside, too.
    """

    server: Any
    network_id: str | None = None
    port_id: str | None = None
    fixed_ip: str | None = None
    tag: str | None = None
    any_network: bool = False
    override_lock: bool = False


@dataclass(frozen=True)
class DetachInterface:
    """Take a port from a server."""

    server: Any
    port_id: str
    override_lock: bool = False


@dataclass(frozen=True)
class AddFixedIp:
    """Give a server one address more on a network that it is on."""

    server: Any
    network_id: str
    override_lock: bool = False


@dataclass(frozen=True)
class RemoveFixedIp:
    """Take an address from a server."""

    server: Any
    address: str
    override_lock: bool = False


def attach(deps: Deps, context: RequestContext, command: AttachInterface) -> Port:
    """Accept an attachment, and wait a while for it; the port as it is then."""
    server = command.server
    judge('attach_interface', server, command.override_lock)
    require(deps, server, 'interface', 'attach_interface')
    wish = _wish(deps, context, command)
    rows: list[Any] = []

    def prepare(conn: Any, row: Any) -> Mapping[str, Any]:
        rows[:] = [row]
        servers.update(conn, row.uuid, interfaces=[*(row.interfaces or ()), networks.wished(wish)])
        return {'slot': wish.slot, 'source': row.host}

    operation_id = deps.db.transaction(accept, context, server, _ATTACH, command.override_lock, {}, prepare)
    try:
        (port,) = deps.networks.plug(context, rows[0], rows[0].host, (wish,))
    except errors.NoMoreAddresses as error:
        raise errors.Invalid(reason=str(error)) from None
    finally:
        # It fails for the conductor as it did here, and is undone.
        wake(deps, context, (operation_id,))
    return _wait(deps, context, operation_id, port)


def _wish(deps: Deps, context: RequestContext, command: AttachInterface) -> Wish:
    if not deps.networks.is_there:
        raise errors.Invalid(reason=NO_NETWORKS)
    slot = str(uuid.uuid4())
    if command.port_id is not None:
        port = deps.networks.port(context, command.port_id)
        create_networks.check_port(port, command.server.project_id)
        return Wish(slot, port_id=port.id, tag=command.tag)
    if command.network_id is None:
        found = deps.networks.networks(context)
        if len(found) != 1:
            raise errors.Invalid(reason=f'The request names no network, and {len(found)} can be used.')
        network = found[0]
    else:
        network = deps.networks.network(context, command.network_id)
    create_networks.check_network(network, command.any_network)
    if command.fixed_ip is not None and not deps.networks.is_free(context, network.id, command.fixed_ip):
        raise errors.AddressInUse(address=command.fixed_ip, network=network.id)
    return Wish(slot, network_id=network.id, fixed_ip=command.fixed_ip, tag=command.tag)


def _wait(deps: Deps, context: RequestContext, operation_id: str, port: Port) -> Port:
    """The port when the operation is over, or has taken too long; its failure is ours."""
    operation = until_over(deps, operation_id, deps.conf.api.interface_attach_wait)
    if operation is not None and operation.state == operations.FAILED:
        raise errors.InterfaceAttachFailed(server=port.device_id, reason=(operation.error or {}).get('message'))
    if operation is not None and operation.state == operations.DONE:
        return next((one for one in deps.networks.ports(context, port.device_id) if one.id == port.id), port)
    return port


def detach(deps: Deps, context: RequestContext, command: DetachInterface) -> None:
    """Accept the end of an interface; ``PortNotFound`` if the server has none for the port."""
    server = command.server
    judge('detach_interface', server, command.override_lock)

    def prepare(conn: Any, row: Any) -> Mapping[str, Any]:
        for known in networks.plugged(row.interfaces):
            if known['port_id'] == command.port_id:
                return {'slot': known['slot'], 'interface': known, 'source': row.host}
        raise errors.PortNotFound(f'Server {row.uuid} has no port {command.port_id}.')

    begin(deps, context, server, _DETACH, override_lock=command.override_lock, prepare=prepare)


def add_fixed_ip(deps: Deps, context: RequestContext, command: AddFixedIp) -> None:
    """Give the address at once; whether the guest takes it up is the guest's business."""
    _judge_addresses(command.server, command.override_lock)
    try:
        port = deps.networks.add_fixed_ip(context, command.server.uuid, command.network_id)
    except errors.NoMoreAddresses as error:
        raise errors.Invalid(reason=str(error)) from None
    _remember(deps, context, command.server, port)


def remove_fixed_ip(deps: Deps, context: RequestContext, command: RemoveFixedIp) -> None:
    """Take the address at once."""
    _judge_addresses(command.server, command.override_lock)
    port = deps.networks.remove_fixed_ip(context, command.server.uuid, command.address)
    _remember(deps, context, command.server, port)


def refresh(deps: Deps, server_uuid: str) -> None:
    """Remember a server's ports as they are now, where the network service does not do so itself."""
    if deps.networks.tells_servers:
        return
    ports = deps.networks.ports(service_context(), server_uuid)

    def store(conn: Any) -> None:
        row = servers.lock(conn, server_uuid, _REMEMBERED)
        known = networks.merged(row.interfaces, ports)
        if known != row.interfaces:
            servers.update(conn, row.uuid, **networks.columns(known))

    deps.db.transaction(store)


def port_is_gone(deps: Deps, context: RequestContext, server_uuid: str, port_id: str) -> None:
    """Somebody has deleted a port of a server: the guest loses the interface."""
    wake(deps, context, deps.db.transaction(forget_port, context, server_uuid, port_id))


def forget_port(conn: Any, context: RequestContext, server_uuid: str, port_id: str) -> list[str]:
    """The server has no such port any more, whatever it is doing; the operation that tells its guest, if there is one.

    That is no step of the server's history: nobody asked for it.
    """
    try:
        row = servers.lock(conn, server_uuid, _LOSING)
    except errors.ServerNotFound:
        return []
    gone = [one for one in networks.plugged(row.interfaces) if one['port_id'] == port_id]
    if not gone:
        return []
    servers.update(conn, server_uuid, **networks.columns([one for one in row.interfaces if one not in gone]))
    if row.host is None or not capabilities.can(conn, row.host, 'interface'):
        return []
    params = {'slot': gone[0]['slot'], 'interface': gone[0], 'source': row.host}
    work = {**operation_row(context, 'lose_interface', server_uuid, None, params, times.utcnow()),
            'project_id': row.project_id, 'user_id': row.user_id}
    operations.insert(conn, [work])
    return [work['id']]


def _judge_addresses(server: Any, override_lock: bool) -> None:
    states.check_lock('attach_interface', server, override_lock)


def _remember(deps: Deps, context: RequestContext, server: Any, port: Port) -> None:
    def store(conn: Any) -> None:
        row = servers.lock(conn, server.uuid, NEEDED | {'interfaces'})
        servers.update(conn, row.uuid, **networks.columns(networks.merged(row.interfaces, (port,))))

    deps.db.transaction(store)
