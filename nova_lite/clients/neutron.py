# SPDX-License-Identifier: Apache-2.0
"""The port to networks, over Neutron.

What a project may see is asked with its own token.  Ports of servers are the service's business: only it says on which
host they are, so they are made, bound and given back with our credentials.  Which wish of a server a port is for, and
whether it was made for it, stands in the port's binding profile; so doing a step twice makes one port, and a port that
somebody brought along is only let go of.
"""

import contextlib
import ipaddress
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from oslo_config import cfg

from nova_lite import errors
from nova_lite.clients.floating_ip import FloatingIpClient
from nova_lite.clients.neutron_floating import NeutronFloatingIps
from nova_lite.clients.neutron_groups import NeutronSecurityGroups
from nova_lite.clients.neutron_wire import HOST, MADE, PROFILE, SLOT, TAG, VIF_TYPE, Body, Wire, network, seen, subnet
from nova_lite.clients.security_group import SecurityGroupClient
from nova_lite.model.networks import OWNER, Network, Port, Subnet, Wish

FAILED = 'binding_failed'
# How often a change is made anew because somebody else changed the port in between.
_ATTEMPTS = 5


class NeutronNetworks:
    """Neutron behind the port."""

    is_there = True
    tells_servers = False

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._wire = Wire(conf)
        self.groups: SecurityGroupClient = NeutronSecurityGroups(self._wire)
        self.floating: FloatingIpClient = NeutronFloatingIps(self._wire, conf.neutron.default_floating_pool)

    def prepare(self, conf: cfg.ConfigOpts) -> None:
        """Neutron's networks are made by whoever runs it."""

    # -------------------------------------------------------------------- reads

    def networks(self, context: Any, ids: Collection[str] | None = None) -> list[Network]:
        if ids is not None:
            found = self._wire.find(context, 'networks', [('id', one) for one in ids]) if ids else []
            return [network(one) for one in found if seen(context, one)]
        up = ('admin_state_up', True)
        own = self._wire.find(context, 'networks', [('project_id', context.project_id), ('shared', False), up])
        shared = self._wire.find(context, 'networks', [('shared', True), up])
        # What leads outside is for routers and floating addresses.
        return [one for one in map(network, (*own, *shared)) if not one.external or one.shared]

    def visible(self, context: Any) -> list[Network]:
        return [network(one) for one in self._wire.find(context, 'networks', []) if seen(context, one)]

    def network(self, context: Any, network_id: str) -> Network:
        found = self.networks(context, (network_id,))
        if not found:
            raise errors.NetworkNotFound(network=network_id)
        return found[0]

    def make_own(self, context: Any) -> Network | None:
        try:
            found = self._wire.call(context, 'GET', f'auto-allocated-topology/{context.project_id}')
        except errors.NotFound:
            # The extension is not there.
            return None
        return self.network(context, found['auto_allocated_topology']['id'])

    def subnets(self, context: Any, network_id: str) -> list[Subnet]:
        return [subnet(one) for one in self._wire.find(context, 'subnets', [('network_id', network_id)], own=True)]

    def port(self, context: Any, port_id: str) -> Port:
        found = self._wire.find(context, 'ports', [('id', port_id)])
        if not found or not seen(context, found[0]):
            raise errors.PortNotFound(port=port_id)
        return self._wire.ports(context, found)[0]

    def ports(self, context: Any, server_uuid: str) -> list[Port]:
        return self._wire.ports(context, self._of(context, server_uuid))

    def is_free(self, context: Any, network_id: str, address: str) -> bool:
        wanted = _address(address)
        known = self.subnets(context, network_id)
        home = next((one for one in known if wanted in ipaddress.ip_network(one.cidr)), None)
        if home is None:
            raise errors.Invalid(reason=f'No subnet of network {network_id} has the address {wanted}.')
        return str(wanted) != home.gateway_ip and not self._wire.find(context, 'ports', [
            ('network_id', network_id), ('fixed_ips', f'ip_address={wanted}'), ('fields', 'id')], own=True)

    def _of(self, context: Any, server_uuid: str) -> list[dict[str, Any]]:
        """The bodies of a server's ports, in the order of their slots; ports of nobody's making come last."""
        found = self._wire.find(context, 'ports', [('device_id', server_uuid)], own=True) if server_uuid else []
        return sorted(found, key=lambda body: (_slot(body) is None, _slot(body), body['id']))

    # ------------------------------------------------------------------ changes

    def plug(self, context: Any, server: Any, host: str | None, wishes: Sequence[Wish],
             groups: Sequence[str] = ()) -> list[Port]:
        if not wishes:
            return []
        present = {_slot(body): body for body in self._of(context, server.uuid)}
        bound = {HOST: host or '', 'device_id': server.uuid,
                 'device_owner': OWNER + (server.availability_zone or 'None')}
        found: list[dict[str, Any]] = []
        new: list[str] = []
        try:
            for wish in wishes:
                known = present.get(wish.slot)
                if known is not None and wish.port_id in (None, known['id']):
                    body = self._change(context, known['id'], bound)
                elif wish.port_id is not None:
                    body = self._take(context, wish, bound)
                    new.append(body['id'])
                else:
                    body = self._make(context, server, wish, bound, groups)
                    new.append(body['id'])
                found.append(body)
                _check_bound(body, host)
        except errors.Unavailable:
            # Nobody knows what was done; asking again finds it.
            raise
        except errors.Error:
            self._undo(context, [body for body in found if body['id'] in new])
            raise
        return self._wire.ports(context, found)

    def _make(self, context: Any, server: Any, wish: Wish, bound: Body, groups: Sequence[str]) -> dict[str, Any]:
        body: dict[str, Any] = {
            **bound, 'network_id': wish.network_id, 'project_id': server.project_id, 'admin_state_up': True,
            PROFILE: _profile({}, wish, True)}
        if wish.fixed_ip is not None:
            body['fixed_ips'] = [{'ip_address': str(_address(wish.fixed_ip))}]
        if groups:
            body['security_groups'] = list(groups)
        made: dict[str, Any] = self._wire.call(
            context, 'POST', 'ports', {'port': body}, own=True,
            missing=errors.NetworkNotFound(network=wish.network_id))['port']
        return made

    def _take(self, context: Any, wish: Wish, bound: Body) -> dict[str, Any]:
        """A port that somebody made, unless another server has it."""
        def mine(body: Body) -> dict[str, Any]:
            if body.get('device_id') not in ('', None, bound['device_id']):
                raise errors.PortInUse(port=body['id'], device=body['device_id'])
            return {**bound, PROFILE: _profile(body.get(PROFILE) or {}, wish, False)}

        return self._change(context, str(wish.port_id), mine)

    def _change(self, context: Any, port_id: str, values: Any) -> dict[str, Any]:
        """Change a port; ``values`` may be made of its body, and then nobody else changes it in between."""
        missing = errors.PortNotFound(port=port_id)
        if not callable(values):
            changed: dict[str, Any] = self._wire.call(
                context, 'PUT', f'ports/{port_id}', {'port': dict(values)}, own=True, missing=missing)['port']
            return changed
        for number in range(1, _ATTEMPTS + 1):
            body = self._wire.call(context, 'GET', f'ports/{port_id}', own=True, missing=missing)['port']
            wanted = values(body)
            revision = body.get('revision_number')
            headers = {} if revision is None else {'If-Match': f'revision_number={revision}'}
            try:
                return dict(self._wire.call(context, 'PUT', f'ports/{port_id}', {'port': wanted}, own=True,
                                            missing=missing, headers=headers)['port'])
            except errors.Conflict:
                # Either it is refused for good or somebody was faster; the port as it is now tells.
                if number == _ATTEMPTS:
                    raise
        raise AssertionError('at least one attempt')

    def bind(self, context: Any, server_uuid: str, host: str | None) -> list[Port]:
        found = []
        for body in self._of(context, server_uuid):
            if (body.get(HOST) or None) != host or body.get(VIF_TYPE) == FAILED:
                with contextlib.suppress(errors.PortNotFound):
                    found.append(self._change(context, body['id'], {HOST: host or ''}))
                    _check_bound(found[-1], host)
            else:
                found.append(body)
        return self._wire.ports(context, found)

    def unplug(self, context: Any, server_uuid: str, port_id: str) -> None:
        self._let_go(context, [body for body in self._of(context, server_uuid) if body['id'] == port_id])

    def release(self, context: Any, server_uuid: str) -> None:
        self._let_go(context, self._of(context, server_uuid))

    def _let_go(self, context: Any, bodies: Sequence[Body]) -> None:
        """Remove the ports that were made for their server, and free the others."""
        for body in bodies:
            with contextlib.suppress(errors.NotFound):
                if (body.get(PROFILE) or {}).get(MADE):
                    self._wire.call(context, 'DELETE', f'ports/{body["id"]}', own=True)
                else:
                    rest = {key: value for key, value in (body.get(PROFILE) or {}).items()
                            if key not in (SLOT, MADE, TAG)}
                    self._change(context, body['id'], {'device_id': '', 'device_owner': '', HOST: '', PROFILE: rest})

    def _undo(self, context: Any, bodies: Sequence[Body]) -> None:
        # The error that is on its way says more than one that comes of cleaning up; the server's end cleans up anew.
        with contextlib.suppress(errors.Error):
            self._let_go(context, bodies)

    def add_fixed_ip(self, context: Any, server_uuid: str, network_id: str) -> Port:
        body = next((one for one in self._of(context, server_uuid) if one['network_id'] == network_id), None)
        if body is None:
            raise errors.NotFound(f'Server {server_uuid} has no port on network {network_id}.')
        subnets = self.subnets(context, network_id)
        if not subnets:
            raise errors.Invalid(reason=f'Network {network_id} has no subnet.')

        def more(now: Body) -> dict[str, Any]:
            return {'fixed_ips': [*now['fixed_ips'], {'subnet_id': subnets[0].id}]}

        return self._wire.ports(context, [self._change(context, body['id'], more)])[0]

    def remove_fixed_ip(self, context: Any, server_uuid: str, address: str) -> Port:
        wanted = str(_address(address))
        for body in self._of(context, server_uuid):
            if any(one['ip_address'] == wanted for one in body['fixed_ips']):
                changed = self._change(context, body['id'], lambda now: {
                    'fixed_ips': [one for one in now['fixed_ips'] if one['ip_address'] != wanted]})
                return self._wire.ports(context, [changed])[0]
        raise errors.Invalid(reason=f'Server {server_uuid} has no fixed address {wanted}.')


def _slot(body: Body) -> str | None:
    return (body.get(PROFILE) or {}).get(SLOT)


def _profile(known: Mapping[str, Any], wish: Wish, made: bool) -> dict[str, Any]:
    ours = {SLOT: wish.slot, MADE: made, TAG: wish.tag}
    return {**known, **{key: value for key, value in ours.items() if value is not None}}


def _check_bound(body: Body, host: str | None) -> None:
    if host is not None and body.get(VIF_TYPE) == FAILED:
        raise errors.PortBindingFailed(port=body['id'], host=host)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise errors.Invalid(reason=f'{text!r} is no IP address.') from None
