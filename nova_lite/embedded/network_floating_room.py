# SPDX-License-Identifier: Apache-2.0
"""Floating addresses in the embedded Networking API."""

from collections.abc import Mapping, Sequence
from typing import Any

import webob

from nova_lite import errors
from nova_lite.embedded import addresses, floating_ip_store, http
from nova_lite.embedded import network_wire as wire
from nova_lite.embedded.network_store import seen_by


def _address(name: str, value: Any) -> str:
    return str(addresses.address_of(wire.text(name, value)))


FLOATING_IP = wire.Body('floatingip', {
    'floating_network_id': wire.identity, 'port_id': wire.or_none(wire.identity),
    'fixed_ip_address': wire.or_none(_address), 'description': wire.text, 'project_id': wire.text,
    'tenant_id': wire.text, 'subnet_id': wire.or_none(wire.anything), 'dns_name': wire.anything,
    'dns_domain': wire.anything, 'qos_policy_id': wire.or_none(wire.anything),
}, {'floating_ip_address': _address})
_CHANGES = ('port_id', 'fixed_ip_address', 'description')


class FloatingIps:
    """/v2.0/floatingips."""

    def __init__(self, services: Any) -> None:
        self._store = floating_ip_store.FloatingIpStore(services.db)

    def rows(self) -> Sequence[tuple[str, str, http.Handler]]:
        """The routes."""
        path = '/v2.0/floatingips/{floating_id}'
        return (('GET', '/v2.0/floatingips', self.list), ('POST', '/v2.0/floatingips', self.create),
                ('GET', path, self.show), ('PUT', path, self.update), ('DELETE', path, self.delete))

    def list(self, request: webob.Request) -> webob.Response:
        context = wire.caller(request)
        wanted = wire.filters(request, ('id', 'project_id', 'port_id'))
        return wire.page('floatingips', [_view(row) for row in self._store.find(seen_by(context), wanted)], request)

    def show(self, request: webob.Request, floating_id: str) -> webob.Response:
        return wire.one('floatingip', _view(self._store.get(seen_by(wire.caller(request)), floating_id)), request)

    def create(self, request: webob.Request) -> webob.Response:
        context = wire.writer(request)
        return FLOATING_IP.create(request, context, lambda wishes: [
            _view(self._make(context, values)) for values in wishes])

    def _make(self, context: Any, values: Mapping[str, Any]) -> Any:
        row = self._store.allocate(
            wire.project_of(context, values), wire.needed('floating_network_id', values),
            values.get('floating_ip_address'), values.get('description', ''))
        if values.get('port_id') is None:
            return row
        try:
            return self._store.update(seen_by(context), row.id, _leads(values))
        except errors.Error:
            # Of a request that is refused nothing stays.
            self._store.release(None, row.id)
            raise

    def update(self, request: webob.Request, floating_id: str) -> webob.Response:
        context = wire.writer(request)
        values = FLOATING_IP.read(request, context, _CHANGES)
        if 'fixed_ip_address' in values and 'port_id' not in values:
            values['port_id'] = self._store.get(seen_by(context), floating_id).port_id
        return wire.one('floatingip', _view(self._store.update(seen_by(context), floating_id, _leads(values))), request)

    def delete(self, request: webob.Request, floating_id: str) -> webob.Response:
        self._store.release(seen_by(wire.writer(request)), floating_id)
        return http.empty()


def _leads(values: Mapping[str, Any]) -> dict[str, Any]:
    names = {'port_id': 'port_id', 'fixed_ip_address': 'fixed_address', 'description': 'description'}
    return {column: values[name] for name, column in names.items() if name in values}


def _view(row: Any) -> wire.Entry:
    return {
        'id': row.id, 'tenant_id': row.project_id, 'project_id': row.project_id,
        'floating_ip_address': row.address, 'floating_network_id': row.network_id, 'port_id': row.port_id,
        'fixed_ip_address': row.fixed_address if row.port_id else None, 'router_id': None,
        'status': 'ACTIVE' if row.port_id else 'DOWN', 'description': row.description, 'dns_name': '',
        'dns_domain': '', 'qos_policy_id': None, 'port_details': None, 'port_forwardings': [], 'tags': [],
        'created_at': wire.shown_time(row.created_at), 'updated_at': wire.shown_time(row.updated_at),
        'revision_number': 1}
