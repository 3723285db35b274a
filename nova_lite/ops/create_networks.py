# SPDX-License-Identifier: Apache-2.0
"""What a request for servers says of networks, checked before anything is accepted.

What was free then may be taken when the ports are made; a build that meets this ends in an error that
says so.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.clients.network import NO_NETWORKS
from nova_lite.model import networks as model
from nova_lite.model.networks import Network, Port, Wish
from nova_lite.model.security_groups import DEFAULT
from nova_lite.ops.base import Deps

if TYPE_CHECKING:
    from nova_lite.ops.create import CreateServers

AUTO, NONE = 'auto', 'none'


def columns(deps: Deps, context: RequestContext, command: 'CreateServers') -> dict[str, Any]:
    """What each server remembers of the interfaces that it gets, and of the security groups of their ports."""
    groups = _groups(deps, context, command.security_groups)
    found = wishes(deps, context, command)
    if not found:
        return {}
    return {'interfaces': [model.wished(one, [group_id for group_id, _ in groups]) for one in found],
            'security_groups': [name for _, name in groups] or [DEFAULT]}


def _groups(deps: Deps, context: RequestContext, named: Sequence[str]) -> list[tuple[str, str]]:
    """(id, name) of the groups; none for the default one alone, which ports get by themselves."""
    wanted = list(dict.fromkeys(named))
    if set(wanted) <= {DEFAULT}:
        return []
    if not deps.networks.is_there:
        raise errors.Invalid(reason=f'{NO_NETWORKS} So there is no security group '
                                    f'{", ".join(name for name in wanted if name != DEFAULT)}.')
    found: dict[str, str] = {}
    for name in wanted:
        try:
            group = deps.networks.groups.named(context, name)
        except errors.SecurityGroupNotFound as error:
            raise errors.Invalid(reason=str(error)) from None
        found[group.id] = group.name
    return list(found.items())


def wishes(deps: Deps, context: RequestContext, command: 'CreateServers') -> list[Wish]:
    """The interfaces that each server gets."""
    wanted = command.networks
    if wanted == NONE or (not deps.networks.is_there and wanted in (None, AUTO, [], ())):
        return []
    if not deps.networks.is_there:
        raise errors.Invalid(reason=f"{NO_NETWORKS} Ask for networks 'none' or 'auto'.")
    if wanted is None or isinstance(wanted, str) or not wanted:
        return _unnamed(deps, context, must_be=wanted == AUTO)
    found = [_wish(entry, slot(index)) for index, entry in enumerate(wanted)]
    if command.max_count > 1 and any(one.port_id or one.fixed_ip for one in found):
        raise errors.Invalid(reason='A port or a fixed address can be given to one server only; the request asks for '
                                    f'up to {command.max_count}.')
    _check_ports(deps, context, found)
    _check_networks(deps, context, found, command.any_network)
    return found


def slot(index: int) -> str:
    """The slot of the interface at this place of the request."""
    return f'{index:03}'


def _unnamed(deps: Deps, context: RequestContext, must_be: bool) -> list[Wish]:
    """The one network that the project can use."""
    found = deps.networks.networks(context)
    if len(found) > 1:
        raise errors.NetworkAmbiguous(networks=', '.join(network.name or network.id for network in found))
    if not found and must_be:
        made = deps.networks.make_own(context)
        if made is None:
            raise errors.Invalid(reason='There is no network that the project can use, and none is made by itself.')
        found = [made]
    if not found:
        return []
    _needs_subnet(found[0])
    return [Wish(slot(0), network_id=found[0].id)]


def _wish(entry: Mapping[str, Any], place: str) -> Wish:
    port_id, network_id, fixed_ip = entry.get('port'), entry.get('uuid'), entry.get('fixed_ip')
    if port_id is not None:
        if fixed_ip is not None:
            raise errors.Invalid(reason=f'Port {port_id} has its addresses already; fixed_ip {fixed_ip} cannot be '
                                        'asked for beside it.')
        return Wish(place, port_id=port_id, tag=entry.get('tag'))
    if not network_id:
        raise errors.Invalid(reason='Each entry of networks needs uuid or port.')
    return Wish(place, network_id=network_id, fixed_ip=fixed_ip, tag=entry.get('tag'))


def _check_ports(deps: Deps, context: RequestContext, found: Sequence[Wish]) -> None:
    asked = [one.port_id for one in found if one.port_id is not None]
    for port_id in asked:
        if asked.count(port_id) > 1:
            raise errors.Invalid(reason=f'Port {port_id} is asked for more than once.')
        check_port(port_of(deps, context, port_id), context.project_id)


def port_of(deps: Deps, context: RequestContext, port_id: str) -> Port:
    """A port that a body names; ``Invalid`` if the caller sees none."""
    try:
        return deps.networks.port(context, port_id)
    except errors.PortNotFound as error:
        # What the path names is not missing; a value in the body is wrong.
        raise errors.Invalid(reason=str(error)) from None


def check_port(port: Port, project_id: str | None) -> None:
    """A server of the project may have the port."""
    if port.project_id != project_id:
        raise errors.Invalid(reason=f'Port {port.id} belongs to another project than the server.')
    if port.device_id:
        raise errors.PortInUse(port=port.id, device=port.device_id)
    if not port.fixed_ips:
        raise errors.Invalid(reason=f'Port {port.id} has no fixed address.')


def _check_networks(deps: Deps, context: RequestContext, found: Sequence[Wish], any_network: bool) -> None:
    asked = {one.network_id for one in found if one.network_id is not None}
    known = {network.id: network for network in deps.networks.networks(context, asked)} if asked else {}
    missing = sorted(network_id for network_id in asked if network_id not in known)
    if missing:
        raise errors.Invalid(reason=f'There is no network {", ".join(missing)}.')
    for network in known.values():
        check_network(network, any_network)
    addresses = [(one.network_id, one.fixed_ip) for one in found if one.fixed_ip is not None]
    for network_id, address in addresses:
        if addresses.count((network_id, address)) > 1:
            raise errors.Invalid(reason=f'Address {address} is asked for more than once.')
        check_address(deps, context, str(network_id), str(address))


def check_network(network: Network, any_network: bool) -> None:
    """A server may be on the network; ``any_network``: on one that leads outside, too."""
    if network.external and not network.shared and not any_network:
        raise errors.Forbidden(f'Network {network.id} is external: only an administrator puts servers on it.')
    _needs_subnet(network)


def check_address(deps: Deps, context: RequestContext, network_id: str, address: str) -> None:
    """Nobody has the address."""
    if not deps.networks.is_free(context, network_id, address):
        raise errors.Invalid(reason=f'Address {address} on network {network_id} is in use already.')


def _needs_subnet(network: Network) -> None:
    if not network.subnet_ids:
        raise errors.Invalid(reason=f'Network {network.id} has no subnet, so a server can have no address there.')
