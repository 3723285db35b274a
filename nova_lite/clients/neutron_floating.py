# SPDX-License-Identifier: Apache-2.0
"""The part of the network port that is about floating addresses, over Neutron's router."""

from collections.abc import Sequence
from typing import Any

from nova_lite import errors
from nova_lite.clients.floating_ip import FloatingIp
from nova_lite.clients.neutron_wire import Body, Wire

_KIND = 'floatingips'


class NeutronFloatingIps:
    """The floating addresses of Neutron, as the user's token shows them."""

    def __init__(self, wire: Wire, default_pool: str) -> None:
        self._wire = wire
        self._default = default_pool

    def pools(self, context: Any) -> list[str]:
        return [one['name'] or one['id'] for one in self._outside(context)]

    def all(self, context: Any) -> list[FloatingIp]:
        try:
            found = self._wire.find(context, _KIND, [('project_id', context.project_id)])
        except errors.NotFound:
            # No router, no floating addresses.
            return []
        return self._models(context, found)

    def get(self, context: Any, floating_id: str) -> FloatingIp:
        body = self._wire.call(context, 'GET', f'{_KIND}/{floating_id}', missing=_missing(floating_id))
        return self._models(context, [body['floatingip']])[0]

    def by_address(self, context: Any, address: str) -> FloatingIp:
        found = self._wire.find(context, _KIND, [('floating_ip_address', address)])
        if not found:
            raise errors.FloatingIpNotFound(floating_ip=address)
        return self._models(context, found)[0]

    def allocate(self, context: Any, pool: str | None) -> FloatingIp:
        found = self._outside(context)
        wanted = [one for one in found if (pool or self._default) in (one['name'], one['id'])]
        if not wanted and pool is not None or not found:
            raise errors.FloatingIpPoolNotFound(pool=pool or self._default)
        body = self._wire.call(context, 'POST', _KIND, {'floatingip': {
            'floating_network_id': (wanted or found)[0]['id']}})
        return self._models(context, [body['floatingip']])[0]

    def release(self, context: Any, floating_id: str) -> None:
        self._wire.call(context, 'DELETE', f'{_KIND}/{floating_id}', missing=_missing(floating_id))

    def lead_to(self, context: Any, floating_id: str, port_id: str | None, fixed_address: str | None = None) -> None:
        self._wire.call(context, 'PUT', f'{_KIND}/{floating_id}', {'floatingip': {
            'port_id': port_id, **({'fixed_ip_address': fixed_address} if port_id and fixed_address else {})}},
            missing=_missing(floating_id))

    def _outside(self, context: Any) -> list[dict[str, Any]]:
        found = self._wire.find(context, 'networks', [('router:external', True)])
        return sorted((one for one in found if one.get('subnets')), key=lambda one: (one['name'], one['id']))

    def _models(self, context: Any, bodies: Sequence[Body]) -> list[FloatingIp]:
        pools = {one['id']: one['name'] for one in self._wire.by_ids(context, 'networks', (
            body['floating_network_id'] for body in bodies), ('id', 'name'))}
        devices = {one['id']: one['device_id'] for one in self._wire.by_ids(context, 'ports', (
            body['port_id'] for body in bodies if body.get('port_id')), ('id', 'device_id', 'device_owner'))
            if one['device_owner'].startswith('compute:')}
        return [FloatingIp(body['id'], body['floating_ip_address'],
                           pools.get(body['floating_network_id']) or body['floating_network_id'],
                           body.get('fixed_ip_address') if body.get('port_id') else None,
                           devices.get(body.get('port_id')), body.get('port_id')) for body in bodies]


def _missing(floating_id: str) -> errors.Error:
    return errors.FloatingIpNotFound(floating_ip=floating_id)
