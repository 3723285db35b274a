# SPDX-License-Identifier: Apache-2.0
"""Networks and subnets of the embedded Networking API."""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

import webob

from nova_lite import errors
from nova_lite.db.queries import networks, ports
from nova_lite.embedded import addresses, http
from nova_lite.embedded import network_wire as wire
from nova_lite.embedded.network_store import seen_by

NETWORK = wire.Body('network', {
    'name': wire.text, 'description': wire.text, 'admin_state_up': wire.flag, 'mtu': wire.number,
    'project_id': wire.text, 'tenant_id': wire.text, 'availability_zone_hints': wire.texts,
    'port_security_enabled': wire.flag,
}, {'shared': wire.flag, 'router:external': wire.flag, 'is_default': wire.anything})
_NETWORK_CHANGES = ('name', 'description', 'admin_state_up', 'mtu', 'shared', 'router:external', 'is_default',
                    'port_security_enabled')
# Words of the body, and the columns that they set.
_NETWORK_COLUMNS = {'name': 'name', 'description': 'description', 'admin_state_up': 'admin_state_up', 'mtu': 'mtu',
                    'shared': 'shared', 'router:external': 'external'}
_SMALLEST_MTU = 68


class Networks:
    """/v2.0/networks."""

    def __init__(self, services: Any) -> None:
        self._db = services.db
        self._mtu = services.conf.embedded.network_mtu

    def rows(self) -> Sequence[tuple[str, str, http.Handler]]:
        """The routes."""
        path = '/v2.0/networks/{network_id}'
        return (('GET', '/v2.0/networks', self.list), ('POST', '/v2.0/networks', self.create),
                ('GET', path, self.show), ('PUT', path, self.update), ('DELETE', path, self.delete))

    def list(self, request: webob.Request) -> webob.Response:
        context = wire.caller(request)
        with self._db.read() as conn:
            found = networks.page(conn, wire.filters(request, ('id', 'name', 'project_id')), seen_by(context))
            entries = self._views(conn, found)
        return wire.page('networks', entries, request)

    def show(self, request: webob.Request, network_id: str) -> webob.Response:
        return wire.one('network', self._get(wire.caller(request), network_id), request)

    def create(self, request: webob.Request) -> webob.Response:
        context = wire.writer(request)

        def make(wishes: Sequence[wire.Entry]) -> Sequence[wire.Entry]:
            rows = [{
                'project_id': wire.project_of(context, values), 'name': '', 'description': '', 'mtu': self._mtu,
                'admin_state_up': True, 'shared': False, 'external': False, **_network_columns(values)}
                for values in wishes]
            ids = self._db.transaction(lambda conn: [networks.insert(conn, row) for row in rows])
            return [self._get(context, network_id) for network_id in ids]

        return NETWORK.create(request, context, make)

    def update(self, request: webob.Request, network_id: str) -> webob.Response:
        context = wire.writer(request)
        values = NETWORK.read(request, context, _NETWORK_CHANGES)
        self._db.transaction(_update_network, context, network_id, _network_columns(values))
        return wire.one('network', self._get(context, network_id), request)

    def delete(self, request: webob.Request, network_id: str) -> webob.Response:
        self._db.transaction(_delete_network, wire.writer(request), network_id)
        return http.empty()

    def _get(self, context: Any, network_id: str) -> wire.Entry:
        with self._db.read() as conn:
            found = networks.page(conn, {'id': network_id}, seen_by(context))
            if not found:
                raise errors.NetworkNotFound(network=network_id)
            return self._views(conn, found)[0]

    @staticmethod
    def _views(conn: Any, rows: Sequence[Any]) -> Sequence[wire.Entry]:
        subnets = networks.subnets_of(conn, [row.id for row in rows])
        return [{
            'id': row.id, 'name': row.name, 'tenant_id': row.project_id, 'project_id': row.project_id,
            'admin_state_up': row.admin_state_up, 'status': 'ACTIVE' if row.admin_state_up else 'DOWN',
            'subnets': [subnet.id for subnet in subnets[row.id]], 'shared': row.shared,
            'router:external': row.external, 'mtu': row.mtu, 'description': row.description,
            'availability_zone_hints': [], 'availability_zones': ['nova'], 'port_security_enabled': True,
            'ipv4_address_scope': None, 'ipv6_address_scope': None, 'is_default': row.external, 'tags': [],
            'created_at': wire.shown_time(row.created_at), 'updated_at': wire.shown_time(row.updated_at),
            'revision_number': 1} for row in rows]


def _network_columns(values: Mapping[str, Any]) -> dict[str, Any]:
    if values.get('mtu', _SMALLEST_MTU) < _SMALLEST_MTU:
        raise errors.Invalid(reason=f'mtu must be at least {_SMALLEST_MTU}, not {values["mtu"]}.')
    return {column: values[word] for word, column in _NETWORK_COLUMNS.items() if word in values}


def _own_network(conn: Any, context: Any, network_id: str) -> Any:
    """A network that the caller may change, and nobody else changes before this transaction ends."""
    missing = errors.NetworkNotFound(network=network_id)
    if not networks.page(conn, {'id': network_id}, seen_by(context)):
        raise missing
    return wire.owned(context, networks.lock(conn, network_id), missing)


def _update_network(conn: Any, context: Any, network_id: str, values: dict[str, Any]) -> None:
    _own_network(conn, context, network_id)
    networks.update(conn, network_id, **values)


def _delete_network(conn: Any, context: Any, network_id: str) -> None:
    _own_network(conn, context, network_id)
    used = ports.count(conn, network_id)
    if used:
        raise errors.NetworkInUse(network=network_id, ports=used)
    networks.delete(conn, network_id)


# ------------------------------------------------------------------ subnets


def _pools(name: str, value: Any) -> list[list[str]]:
    if not isinstance(value, list):
        raise errors.Invalid(reason=f'{name} must be a list.')
    pools = []
    for pool in value:
        if not isinstance(pool, dict) or set(pool) != {'start', 'end'}:
            raise errors.Invalid(reason=f'Each entry of {name} needs start and end.')
        first, last = (addresses.address_of(str(pool[end])) for end in ('start', 'end'))
        if first.version != last.version or int(first) > int(last):
            raise errors.Invalid(reason=f'{name} has a range from {first} to {last}.')
        pools.append([str(first), str(last)])
    return pools


def _address(name: str, value: Any) -> str:
    return str(addresses.address_of(str(value)))


def _addresses(name: str, value: Any) -> list[str]:
    return [_address(name, one) for one in wire.texts(name, value)]


def _routes(name: str, value: Any) -> list[dict[str, str]]:
    if not isinstance(value, list) or not all(isinstance(one, dict) and set(one) == {'destination', 'nexthop'}
                                              for one in value):
        raise errors.Invalid(reason=f'{name} must be a list of objects with destination and nexthop.')
    return [{'destination': str(addresses.network_of(str(one['destination']))),
             'nexthop': _address(name, one['nexthop'])} for one in value]


SUBNET = wire.Body('subnet', {
    'network_id': wire.identity, 'name': wire.text, 'description': wire.text, 'ip_version': wire.number,
    'cidr': wire.text, 'gateway_ip': wire.or_none(_address), 'enable_dhcp': wire.flag, 'allocation_pools': _pools,
    'dns_nameservers': _addresses, 'host_routes': _routes, 'project_id': wire.text, 'tenant_id': wire.text,
    'ipv6_ra_mode': wire.text, 'ipv6_address_mode': wire.text,
}, {})
_SUBNET_CHANGES = ('name', 'description', 'gateway_ip', 'enable_dhcp', 'allocation_pools', 'dns_nameservers',
                   'host_routes')


class Subnets:
    """/v2.0/subnets."""

    def __init__(self, services: Any) -> None:
        self._db = services.db

    def rows(self) -> Sequence[tuple[str, str, http.Handler]]:
        """The routes."""
        path = '/v2.0/subnets/{subnet_id}'
        return (('GET', '/v2.0/subnets', self.list), ('POST', '/v2.0/subnets', self.create),
                ('GET', path, self.show), ('PUT', path, self.update), ('DELETE', path, self.delete))

    def list(self, request: webob.Request) -> webob.Response:
        with self._db.read() as conn:
            rows = _visible_subnets(conn, wire.caller(request), wire.filters(
                request, ('id', 'name', 'network_id', 'project_id', 'cidr')))
        return wire.page('subnets', [_subnet_view(row) for row in rows], request)

    def show(self, request: webob.Request, subnet_id: str) -> webob.Response:
        return wire.one('subnet', self._get(wire.caller(request), subnet_id), request)

    def create(self, request: webob.Request) -> webob.Response:
        context = wire.writer(request)

        def make(wishes: Sequence[wire.Entry]) -> Sequence[wire.Entry]:
            ids = self._db.transaction(lambda conn: [_create_subnet(conn, context, values) for values in wishes])
            return [self._get(context, subnet_id) for subnet_id in ids]

        return SUBNET.create(request, context, make)

    def update(self, request: webob.Request, subnet_id: str) -> webob.Response:
        context = wire.writer(request)
        values = SUBNET.read(request, context, _SUBNET_CHANGES)
        self._db.transaction(_update_subnet, context, subnet_id, values)
        return wire.one('subnet', self._get(context, subnet_id), request)

    def delete(self, request: webob.Request, subnet_id: str) -> webob.Response:
        self._db.transaction(_delete_subnet, wire.writer(request), subnet_id)
        return http.empty()

    def _get(self, context: Any, subnet_id: str) -> wire.Entry:
        with self._db.read() as conn:
            rows = _visible_subnets(conn, context, {'id': subnet_id})
        if not rows:
            raise errors.SubnetNotFound(subnet=subnet_id)
        return _subnet_view(rows[0])


def _visible_subnets(conn: Any, context: Any, filters: Mapping[str, Any]) -> list[Any]:
    """Subnets of networks that the caller may use; what is behind an external one is not his to know."""
    rows = networks.subnets(conn, filters)
    if context.is_admin:
        return rows
    seen = {row.id for row in networks.page(conn, {'id': {row.network_id for row in rows}}, seen_by(context))
            if row.shared or row.project_id == context.project_id}
    return [row for row in rows if row.network_id in seen]


def _subnet_view(row: Any) -> wire.Entry:
    return {
        'id': row.id, 'name': row.name, 'tenant_id': row.project_id, 'project_id': row.project_id,
        'network_id': row.network_id, 'ip_version': row.ip_version, 'cidr': row.cidr, 'gateway_ip': row.gateway_ip,
        'enable_dhcp': row.enable_dhcp,
        'allocation_pools': [{'start': first, 'end': last} for first, last in row.pools],
        'dns_nameservers': row.dns_nameservers, 'host_routes': row.host_routes, 'ipv6_address_mode': None,
        'ipv6_ra_mode': None, 'description': row.description, 'subnetpool_id': None, 'segment_id': None,
        'service_types': [], 'tags': [], 'created_at': wire.shown_time(row.created_at),
        'updated_at': wire.shown_time(row.updated_at), 'revision_number': 1}


def _create_subnet(conn: Any, context: Any, values: Mapping[str, Any]) -> str:
    for name in ('network_id', 'cidr', 'ip_version'):
        if name not in values:
            raise errors.Invalid(reason=f'A subnet needs {name}.')
    network = _own_network(conn, context, values['network_id'])
    cidr = addresses.network_of(values['cidr'])
    if cidr.version != values['ip_version']:
        raise errors.Invalid(reason=f'{cidr} is not of IP version {values["ip_version"]}.')
    for other in networks.subnets(conn, {'network_id': network.id}):
        known = ipaddress.ip_network(other.cidr)
        if known.version == cidr.version and cidr.overlaps(known):  # type: ignore[arg-type]
            raise errors.Invalid(reason=f'{cidr} overlaps with {known} of subnet {other.id}.')
    gateway = values.get('gateway_ip', addresses.first_of(str(cidr)))
    pools = values.get('allocation_pools', addresses.pools_of(str(cidr), gateway))
    _check_pools(str(cidr), gateway, pools)
    return networks.insert_subnet(conn, {
        'network_id': network.id, 'project_id': network.project_id, 'name': values.get('name', ''),
        'description': values.get('description', ''), 'ip_version': cidr.version, 'cidr': str(cidr),
        'gateway_ip': gateway, 'enable_dhcp': values.get('enable_dhcp', True), 'pools': pools,
        'dns_nameservers': values.get('dns_nameservers', []), 'host_routes': values.get('host_routes', [])})


def _check_pools(cidr: str, gateway: str | None, pools: Sequence[Sequence[str]]) -> None:
    if gateway is not None and addresses.address_of(gateway) not in addresses.network_of(cidr):
        raise errors.Invalid(reason=f'Gateway {gateway} is not in {cidr}.')
    taken: list[tuple[int, int]] = [] if gateway is None else [(int(addresses.address_of(gateway)),) * 2]
    for first, last in pools:
        if not (addresses.is_host(cidr, first) and addresses.is_host(cidr, last)):
            raise errors.Invalid(reason=f'Pool {first} to {last} is not within the addresses of {cidr}.')
        span = int(addresses.address_of(first)), int(addresses.address_of(last))
        if any(span[0] <= high and low <= span[1] for low, high in taken):
            raise errors.Conflict(reason=f'Pool {first} to {last} overlaps with another one, or holds the gateway.')
        taken.append(span)


def _own_subnet(conn: Any, context: Any, subnet_id: str) -> Any:
    rows = _visible_subnets(conn, context, {'id': subnet_id})
    if not rows:
        raise errors.SubnetNotFound(subnet=subnet_id)
    _own_network(conn, context, rows[0].network_id)
    return rows[0]


def _update_subnet(conn: Any, context: Any, subnet_id: str, values: dict[str, Any]) -> None:
    row = _own_subnet(conn, context, subnet_id)
    changes = {name: value for name, value in values.items() if name != 'allocation_pools'}
    if 'allocation_pools' in values:
        changes['pools'] = values['allocation_pools']
    if 'allocation_pools' in values or 'gateway_ip' in values:
        _check_pools(row.cidr, changes.get('gateway_ip', row.gateway_ip), changes.get('pools', row.pools))
    networks.update_subnet(conn, subnet_id, **changes)


def _delete_subnet(conn: Any, context: Any, subnet_id: str) -> None:
    _own_subnet(conn, context, subnet_id)
    used = len(ports.taken(conn, subnet_id))
    if used:
        raise errors.SubnetInUse(subnet=subnet_id, addresses=used)
    networks.delete_subnet(conn, subnet_id)
