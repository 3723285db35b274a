# SPDX-License-Identifier: Apache-2.0
"""Ports of the embedded Networking API.

What somebody changes of a port that a server has is in the server's own row when the answer goes out.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import webob

from nova_lite import errors
from nova_lite.db.queries import floating_ips, networks, ports, security_groups
from nova_lite.embedded import addresses, http, network_ports
from nova_lite.embedded import network_wire as wire
from nova_lite.embedded.network_store import seen_by
from nova_lite.embedded.security_group_store import GroupStore

_MAC = re.compile(r'([0-9a-f]{2}:){5}[0-9a-f]{2}')
_BINDING = ('binding:host_id', 'binding:profile', 'binding:vif_type', 'binding:vif_details')


def _mac(name: str, value: Any) -> str:
    found = str(value).lower().replace('-', ':')
    if not _MAC.fullmatch(found) or int(found[:2], 16) & 1:
        raise errors.Invalid(reason=f'{name} must be a MAC address of one machine.')
    return found


def _fixed(name: str, value: Any) -> list[network_ports.Fixed]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise errors.Invalid(reason=f'{name} must be a list of objects.')
    for one in value:
        if not one or set(one) - {'subnet_id', 'ip_address'}:
            raise errors.Invalid(reason=f'Each entry of {name} has subnet_id, ip_address or both.')
    return [(None if one.get('subnet_id') is None else wire.identity(f'{name}.subnet_id', one['subnet_id']),
             None if one.get('ip_address') is None else str(addresses.address_of(str(one['ip_address']))))
            for one in value]


def _groups(name: str, value: Any) -> list[str]:
    return [wire.identity(name, one) for one in wire.texts(name, value or [])]


def _normal(name: str, value: Any) -> Any:
    if value not in (None, 'normal'):
        raise errors.Invalid(reason=f'{name} can only be normal here.')
    return value


PORT = wire.Body('port', {
    'network_id': wire.identity, 'name': wire.text, 'description': wire.text, 'admin_state_up': wire.flag,
    'mac_address': _mac, 'fixed_ips': _fixed, 'security_groups': _groups, 'device_id': wire.text,
    'device_owner': wire.text, 'project_id': wire.text, 'tenant_id': wire.text, 'binding:vnic_type': _normal,
    'port_security_enabled': wire.flag, 'allowed_address_pairs': wire.anything, 'extra_dhcp_opts': wire.anything,
}, dict.fromkeys(_BINDING, wire.anything))
_CHANGES = ('name', 'description', 'admin_state_up', 'fixed_ips', 'security_groups', 'device_id', 'device_owner',
            'binding:vnic_type', 'port_security_enabled', 'allowed_address_pairs', 'extra_dhcp_opts', *_BINDING)
_COLUMNS = ('name', 'description', 'admin_state_up', 'device_id', 'device_owner', 'security_groups')


class Ports:
    """/v2.0/ports."""

    def __init__(self, services: Any) -> None:
        self._services = services
        self._db = services.db
        self._groups = GroupStore(services.db)

    def rows(self) -> Sequence[tuple[str, str, http.Handler]]:
        """The routes."""
        path = '/v2.0/ports/{port_id}'
        return (('GET', '/v2.0/ports', self.list), ('POST', '/v2.0/ports', self.create), ('GET', path, self.show),
                ('PUT', path, self.update), ('DELETE', path, self.delete))

    def list(self, request: webob.Request) -> webob.Response:
        context = wire.caller(request)
        wanted = wire.filters(request, ('id', 'name', 'network_id', 'project_id', 'device_id', 'device_owner',
                                        'mac_address'))
        with self._db.read() as conn:
            entries = _views(conn, ports.page(conn, wanted, seen_by(context)), context)
        return wire.page('ports', entries, request)

    def show(self, request: webob.Request, port_id: str) -> webob.Response:
        return wire.one('port', self._get(wire.caller(request), port_id), request)

    def create(self, request: webob.Request) -> webob.Response:
        context = wire.writer(request)

        def make(wishes: Sequence[wire.Entry]) -> Sequence[wire.Entry]:
            ports_wanted = [self._wish(context, values) for values in wishes]
            ids = network_ports.retried(self._db, _create, context, ports_wanted)
            return [self._get(context, port_id) for port_id in ids]

        return PORT.create(request, context, make)

    def _wish(self, context: Any, values: Mapping[str, Any]) -> network_ports.NewPort:
        if 'network_id' not in values:
            raise errors.Invalid(reason='A port needs network_id.')
        project_id = wire.project_of(context, values)
        groups = values.get('security_groups')
        return network_ports.NewPort(
            network_id=values['network_id'], project_id=project_id, mac_address=values.get('mac_address'),
            fixed=None if 'fixed_ips' not in values else tuple(values['fixed_ips']),
            security_groups=tuple([self._groups.default(project_id)] if groups is None else groups),
            **{name: values[name] for name in _COLUMNS if name in values and name != 'security_groups'})

    def update(self, request: webob.Request, port_id: str) -> webob.Response:
        context = wire.writer(request)
        values = PORT.read(request, context, _CHANGES)
        network_ports.retried(self._db, _update, context, port_id, values)
        return wire.one('port', self._get(context, port_id), request)

    def delete(self, request: webob.Request, port_id: str) -> webob.Response:
        context = wire.writer(request)
        self._services.wake(context, self._db.transaction(_delete, context, port_id, self._services.forget_port))
        return http.empty()

    def _get(self, context: Any, port_id: str) -> wire.Entry:
        with self._db.read() as conn:
            found = ports.page(conn, {'id': port_id}, seen_by(context))
            if not found:
                raise errors.PortNotFound(port=port_id)
            return _views(conn, found, context)[0]


def _views(conn: Any, rows: Sequence[Any], context: Any) -> list[wire.Entry]:
    given = ports.addresses(conn, [row.id for row in rows])
    return [{
        'id': row.id, 'name': row.name, 'network_id': row.network_id, 'tenant_id': row.project_id,
        'project_id': row.project_id, 'mac_address': row.mac_address, 'admin_state_up': row.admin_state_up,
        'status': row.status if row.admin_state_up else network_ports.DOWN, 'device_id': row.device_id,
        'device_owner': row.device_owner,
        'fixed_ips': [{'subnet_id': one.subnet_id, 'ip_address': one.address} for one in given[row.id]],
        'security_groups': row.security_groups, 'description': row.description, 'binding:vnic_type': 'normal',
        'port_security_enabled': True, 'allowed_address_pairs': [], 'extra_dhcp_opts': [], 'tags': [],
        'created_at': wire.shown_time(row.created_at), 'updated_at': wire.shown_time(row.updated_at),
        'revision_number': 1, **(_binding(row) if context.is_admin else {})} for row in rows]


def _binding(row: Any) -> dict[str, Any]:
    return {'binding:host_id': row.host or '', 'binding:profile': {}, 'binding:vif_details': {},
            'binding:vif_type': 'bridge' if row.host else 'unbound'}


def _create(conn: Any, context: Any, wishes: Sequence[network_ports.NewPort]) -> list[str]:
    made = []
    for wish in wishes:
        if not networks.page(conn, {'id': wish.network_id}, seen_by(context)):
            raise errors.NetworkNotFound(network=wish.network_id)
        security_groups.hold(conn, wish.security_groups, seen_by(context))
        made.append(network_ports.make(conn, wish))
    return made


def _own(conn: Any, context: Any, port_id: str) -> Any:
    missing = errors.PortNotFound(port=port_id)
    row = ports.lock(conn, port_id)
    if row is None or (not context.is_admin and row.project_id != context.project_id):
        raise missing
    return row


def _update(conn: Any, context: Any, port_id: str, values: Mapping[str, Any]) -> None:
    row = _own(conn, context, port_id)
    if 'security_groups' in values:
        security_groups.hold(conn, values['security_groups'], seen_by(context))
    changes = {name: values[name] for name in _COLUMNS if name in values}
    if changes:
        ports.update(conn, port_id, **changes)
    if 'fixed_ips' in values:
        networks.hold(conn, row.network_id)
        _readdress(conn, row, values['fixed_ips'])
        floating_ips.let_go_of(conn, port_id)
    network_ports.refresh(conn, [port_id])


def _readdress(conn: Any, row: Any, fixed: Sequence[network_ports.Fixed]) -> None:
    """Give a port these addresses; one of a subnet that it has already stays."""
    present = [(one.subnet_id, one.address) for one in ports.addresses(conn, [row.id])[row.id]]
    ports.take_back(conn, row.id)
    found: list[tuple[str, str]] = []
    for subnet_id, address in fixed:
        kept = [pair for pair in present if pair not in found and address is None and pair[0] == subnet_id]
        found += kept[:1] or network_ports.choose(conn, row.network_id, ((subnet_id, address),))
    ports.give(conn, row.id, found)


def _delete(conn: Any, context: Any, port_id: str, forget: Callable[..., list[str]]) -> list[str]:
    """The operations that tell the guest that had it."""
    row = _own(conn, context, port_id)
    if row.device_owner.startswith('network:'):
        raise errors.PortInUse(port=port_id, device=row.device_owner)
    ports.delete(conn, [port_id])
    return forget(conn, context, row.device_id, port_id) if row.device_id else []
