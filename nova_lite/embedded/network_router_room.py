# SPDX-License-Identifier: Apache-2.0
"""Routers of the embedded Networking API: what they connect is kept and shown, and nothing is routed.

An interface and the gateway are ports that the router has, so their addresses are given away once and a
subnet with an interface cannot be deleted.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import webob

from nova_lite import errors
from nova_lite.db.queries import networks, ports, routers
from nova_lite.embedded import addresses, http, network_ports
from nova_lite.embedded import network_wire as wire
from nova_lite.embedded.network_store import NOBODY, seen_by

INTERFACE, GATEWAY = 'network:router_interface', 'network:router_gateway'


def _gateway(name: str, value: Any) -> dict[str, Any]:
    if not value:
        return {}
    if not isinstance(value, dict) or set(value) - {'network_id', 'enable_snat', 'external_fixed_ips', 'qos_policy_id'}:
        raise errors.Invalid(reason=f'{name} must be an object with network_id.')
    wanted: dict[str, Any] = {'network_id': wire.identity(f'{name}.network_id', value.get('network_id'))}
    if 'enable_snat' in value:
        wanted['enable_snat'] = wire.flag(f'{name}.enable_snat', value['enable_snat'])
    return {**wanted, 'fixed': _fixed(f'{name}.external_fixed_ips', value.get('external_fixed_ips') or [])}


def _fixed(name: str, value: Any) -> list[network_ports.Fixed]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise errors.Invalid(reason=f'{name} must be a list of objects.')
    return [(one.get('subnet_id'), str(addresses.address_of(str(one['ip_address']))) if 'ip_address' in one else None)
            for one in value]


ROUTER = wire.Body('router', {
    'name': wire.text, 'description': wire.text, 'admin_state_up': wire.flag, 'external_gateway_info': _gateway,
    'project_id': wire.text, 'tenant_id': wire.text, 'availability_zone_hints': wire.texts,
}, {'distributed': wire.flag, 'ha': wire.flag})
_CHANGES = ('name', 'description', 'admin_state_up', 'external_gateway_info', 'distributed', 'ha')
_COLUMNS = ('name', 'description', 'admin_state_up')


class Routers:
    """/v2.0/routers."""

    def __init__(self, services: Any) -> None:
        self._db = services.db

    def rows(self) -> Sequence[tuple[str, str, http.Handler]]:
        """The routes."""
        path = '/v2.0/routers/{router_id}'
        return (('GET', '/v2.0/routers', self.list), ('POST', '/v2.0/routers', self.create), ('GET', path, self.show),
                ('PUT', path, self.update), ('DELETE', path, self.delete),
                ('PUT', f'{path}/add_router_interface', self.add_interface),
                ('PUT', f'{path}/remove_router_interface', self.remove_interface))

    def list(self, request: webob.Request) -> webob.Response:
        context = wire.caller(request)
        with self._db.read() as conn:
            found = routers.page(conn, wire.filters(request, ('id', 'name', 'project_id')), seen_by(context))
            entries = [_view(conn, row) for row in found]
        return wire.page('routers', entries, request)

    def show(self, request: webob.Request, router_id: str) -> webob.Response:
        return wire.one('router', self._get(wire.caller(request), router_id), request)

    def create(self, request: webob.Request) -> webob.Response:
        context = wire.writer(request)

        def make(wishes: Sequence[wire.Entry]) -> Sequence[wire.Entry]:
            ids = network_ports.retried(self._db, _create, context, wishes)
            return [self._get(context, router_id) for router_id in ids]

        return ROUTER.create(request, context, make)

    def update(self, request: webob.Request, router_id: str) -> webob.Response:
        context = wire.writer(request)
        values = ROUTER.read(request, context, _CHANGES)
        network_ports.retried(self._db, _update, context, router_id, values)
        return wire.one('router', self._get(context, router_id), request)

    def delete(self, request: webob.Request, router_id: str) -> webob.Response:
        self._db.transaction(_delete, wire.writer(request), router_id)
        return http.empty()

    def add_interface(self, request: webob.Request, router_id: str) -> webob.Response:
        context, wanted = wire.writer(request), _interface(request)
        return http.answer(network_ports.retried(self._db, _connect, context, router_id, wanted))

    def remove_interface(self, request: webob.Request, router_id: str) -> webob.Response:
        context, wanted = wire.writer(request), _interface(request)
        return http.answer(self._db.transaction(_disconnect, context, router_id, wanted))

    def _get(self, context: Any, router_id: str) -> wire.Entry:
        with self._db.read() as conn:
            found = routers.page(conn, {'id': router_id}, seen_by(context))
            if not found:
                raise errors.RouterNotFound(router=router_id)
            return _view(conn, found[0])


def _view(conn: Any, row: Any) -> wire.Entry:
    return {
        'id': row.id, 'name': row.name, 'tenant_id': row.project_id, 'project_id': row.project_id,
        'admin_state_up': row.admin_state_up, 'status': 'ACTIVE', 'description': row.description,
        'external_gateway_info': _gateway_view(conn, row), 'routes': [], 'distributed': False, 'ha': False,
        'availability_zone_hints': [], 'availability_zones': ['nova'], 'tags': [],
        'created_at': wire.shown_time(row.created_at), 'updated_at': wire.shown_time(row.updated_at),
        'revision_number': 1}


def _gateway_view(conn: Any, row: Any) -> dict[str, Any] | None:
    for port in _ports(conn, row.id, GATEWAY):
        given = ports.addresses(conn, [port.id])[port.id]
        return {'network_id': port.network_id, 'enable_snat': row.enable_snat, 'external_fixed_ips': [
            {'subnet_id': one.subnet_id, 'ip_address': one.address} for one in given]}
    return None


def _ports(conn: Any, router_id: str, owner: str) -> list[Any]:
    return ports.page(conn, {'device_id': router_id, 'device_owner': owner})


def _create(conn: Any, context: Any, wishes: Sequence[Mapping[str, Any]]) -> list[str]:
    made = []
    for values in wishes:
        router_id = routers.insert(conn, {
            'project_id': wire.project_of(context, values), 'name': '', 'description': '', 'admin_state_up': True,
            'enable_snat': True, **{name: values[name] for name in _COLUMNS if name in values}})
        _lead_outside(conn, context, router_id, values.get('external_gateway_info'))
        made.append(router_id)
    return made


def _own(conn: Any, context: Any, router_id: str) -> Any:
    """A router that the caller may change, and nobody else changes before this transaction ends."""
    row = routers.lock(conn, router_id)
    if row is None or (not context.is_admin and row.project_id != context.project_id):
        raise errors.RouterNotFound(router=router_id)
    return row


def _update(conn: Any, context: Any, router_id: str, values: Mapping[str, Any]) -> None:
    _own(conn, context, router_id)
    routers.update(conn, router_id, **{name: values[name] for name in _COLUMNS if name in values})
    gateway = values.get('external_gateway_info')
    if gateway is not None:
        ports.delete(conn, [port.id for port in _ports(conn, router_id, GATEWAY)])
    _lead_outside(conn, context, router_id, gateway)


def _lead_outside(conn: Any, context: Any, router_id: str, gateway: Mapping[str, Any] | None) -> None:
    """Give a router its gateway, which is a port of nobody's on an external network."""
    if not gateway:
        return
    found = networks.page(conn, {'id': gateway['network_id']}, seen_by(context))
    if not found:
        raise errors.NetworkNotFound(network=gateway['network_id'])
    if not found[0].external:
        raise errors.Invalid(reason=f'Network {found[0].id} does not lead outside.')
    network_ports.make(conn, network_ports.NewPort(
        network_id=found[0].id, project_id=NOBODY, device_id=router_id, device_owner=GATEWAY,
        fixed=tuple(gateway['fixed']) or None))
    if 'enable_snat' in gateway:
        routers.update(conn, router_id, enable_snat=gateway['enable_snat'])


def _delete(conn: Any, context: Any, router_id: str) -> None:
    _own(conn, context, router_id)
    used = len(_ports(conn, router_id, INTERFACE))
    if used:
        raise errors.RouterInUse(router=router_id, ports=used)
    ports.delete(conn, [port.id for port in _ports(conn, router_id, GATEWAY)])
    routers.delete(conn, router_id)


# --------------------------------------------------------------- interfaces


def _interface(request: webob.Request) -> dict[str, str]:
    """Which subnet or port the body is about."""
    body = http.read_json(request, wire.BODY_LIMIT)
    named = {name: wire.identity(name, body[name]) for name in ('subnet_id', 'port_id')
             if body.get(name) is not None} if isinstance(body, dict) else {}
    if not named:
        raise errors.Invalid(reason='The body must be an object with subnet_id or port_id.')
    return named


def _connect(conn: Any, context: Any, router_id: str, wanted: Mapping[str, str]) -> dict[str, Any]:
    row = _own(conn, context, router_id)
    if len(wanted) > 1:
        raise errors.Invalid(reason='The body must have either subnet_id or port_id.')
    port_id = _take(conn, context, row, wanted['port_id']) if 'port_id' in wanted else _enter(
        conn, context, row, wanted['subnet_id'])
    return _interface_view(conn, row, port_id)


def _take(conn: Any, context: Any, router: Any, port_id: str) -> str:
    """Make a port that is there an interface."""
    port = ports.lock(conn, port_id)
    if port is None or (not context.is_admin and port.project_id != context.project_id):
        raise errors.PortNotFound(port=port_id)
    if port.device_id:
        raise errors.PortInUse(port=port_id, device=port.device_id)
    if not ports.addresses(conn, [port_id])[port_id]:
        raise errors.Invalid(reason=f'Port {port_id} has no address.')
    ports.update(conn, port_id, device_id=router.id, device_owner=INTERFACE, status=network_ports.ACTIVE)
    return port_id


def _enter(conn: Any, context: Any, router: Any, subnet_id: str) -> str:
    """Make an interface with the address that the subnet has for its gateway."""
    found = networks.subnets(conn, {'id': subnet_id})
    if not found or not networks.page(conn, {'id': found[0].network_id}, seen_by(context)):
        raise errors.SubnetNotFound(subnet=subnet_id)
    subnet = found[0]
    if subnet.gateway_ip is None:
        raise errors.Invalid(reason=f'Subnet {subnet_id} has no gateway_ip for an interface to have.')
    if ports.taken(conn, subnet_id, (subnet.gateway_ip,)):
        raise errors.AddressInUse(address=subnet.gateway_ip, network=subnet.network_id)
    port_id = network_ports.make(conn, network_ports.NewPort(
        network_id=subnet.network_id, project_id=router.project_id, device_id=router.id, device_owner=INTERFACE,
        fixed=()))
    ports.give(conn, port_id, [(subnet_id, subnet.gateway_ip)])
    ports.update(conn, port_id, status=network_ports.ACTIVE)
    return port_id


def _disconnect(conn: Any, context: Any, router_id: str, wanted: Mapping[str, str]) -> dict[str, Any]:
    row = _own(conn, context, router_id)
    filters = {'device_id': router_id, 'device_owner': INTERFACE,
               **({'id': wanted['port_id']} if 'port_id' in wanted else {}),
               **({'subnet_id': wanted['subnet_id']} if 'subnet_id' in wanted else {})}
    found = ports.page(conn, filters)
    if not found:
        raise errors.NotFound(f'Router {router_id} has no such interface.')
    shown = _interface_view(conn, row, found[0].id)
    ports.delete(conn, [found[0].id])
    return shown


def _interface_view(conn: Any, router: Any, port_id: str) -> dict[str, Any]:
    subnets = [one.subnet_id for one in ports.addresses(conn, [port_id])[port_id]]
    (port,) = ports.page(conn, {'id': port_id})
    return {'id': router.id, 'tenant_id': router.project_id, 'project_id': router.project_id, 'port_id': port_id,
            'network_id': port.network_id, 'subnet_id': subnets[0], 'subnet_ids': subnets, 'tags': []}
