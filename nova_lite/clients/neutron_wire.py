# SPDX-License-Identifier: Apache-2.0
"""Requests to Neutron's API 2.0, what its errors are here, and its bodies as our models."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from oslo_config import cfg

from nova_lite import errors
from nova_lite.clients.session import Service
from nova_lite.model.networks import FixedIp, Network, Port, Subnet

Body = Mapping[str, Any]
Params = Sequence[tuple[str, Any]]

HOST, PROFILE, VIF_TYPE = 'binding:host_id', 'binding:profile', 'binding:vif_type'
#: Keys of a port's binding profile, which only services and administrators see: for which wish of its server the port
#: is, whether it was made for it, and what the guest calls it.
SLOT, MADE, TAG = 'nova_lite_slot', 'nova_lite_made', 'nova_lite_tag'

# Ids in one request at most: they are in its URL.
_IDS = 50


class Wire:
    """Neutron, asked with the user's token, or with our own where that is gone or not enough."""

    def __init__(self, conf: cfg.ConfigOpts):
        self._service = Service(conf, 'neutron', 'Neutron', retries=conf.neutron.http_retries)

    def call(self, context: Any, method: str, path: str, body: Any = None, own: bool = False,
             missing: errors.Error | None = None, **more: Any) -> Any:
        """The body of a good answer; ``missing`` is what a 404 means, ``more`` goes to requests."""
        response = self._service.request(context, f'/v2.0/{path}', method, own, json=body, **more)
        if response.status_code == 401 and not own and self._service.has_credentials() and method == 'GET':
            # the token expired while the request was being worked on
            return self.call(context, method, path, body, True, missing, **more)
        if response.status_code < 400:
            return response.json() if response.content else {}
        raise _error(response, missing)

    def find(self, context: Any, kind: str, params: Params = (), own: bool = False) -> list[dict[str, Any]]:
        """All that match; ``kind`` is the collection in the path."""
        return list(self.call(context, 'GET', kind, own=own, params=list(params))[kind.replace('-', '_')])

    def by_ids(self, context: Any, kind: str, ids: Iterable[str], fields: Sequence[str] = (),
               name: str = 'id') -> list[dict[str, Any]]:
        """Those of some ids, as a service sees them."""
        wanted = sorted(set(ids))
        found: list[dict[str, Any]] = []
        for first in range(0, len(wanted), _IDS):
            params = [(name, one) for one in wanted[first:first + _IDS]]
            found += self.find(context, kind, [*params, *(('fields', field) for field in fields)], own=True)
        return found

    # ------------------------------------------------------------------ models

    def ports(self, context: Any, bodies: Sequence[Body]) -> list[Port]:
        """Ports with all that they lean on: four requests for any number."""
        if not bodies:
            return []
        nets = {one['id']: network(one) for one in self.by_ids(
            context, 'networks', (body['network_id'] for body in bodies))}
        subnets = {one['id']: subnet(one) for one in self.by_ids(context, 'subnets', (
            fixed['subnet_id'] for body in bodies for fixed in body['fixed_ips']))}
        outside = self._floating(context, [body['id'] for body in bodies])
        names = {one['id']: one['name'] for one in self.by_ids(context, 'security-groups', (
            group for body in bodies for group in body.get('security_groups') or ()), ('id', 'name'))}
        return [_port(body, nets, subnets, outside, names) for body in bodies]

    def _floating(self, context: Any, port_ids: Sequence[str]) -> dict[tuple[str, str], list[str]]:
        try:
            found = self.by_ids(context, 'floatingips', port_ids, (
                'port_id', 'fixed_ip_address', 'floating_ip_address'), 'port_id')
        except errors.NotFound:
            # No router, no floating addresses.
            return {}
        outside: dict[tuple[str, str], list[str]] = {}
        for one in found:
            outside.setdefault((one['port_id'], one['fixed_ip_address']), []).append(one['floating_ip_address'])
        return outside


def _error(response: Any, missing: errors.Error | None) -> errors.Error:
    kind, text = _told(response)
    if kind in _KINDS:
        return _KINDS[kind](text)
    if response.status_code == 404:
        return missing or errors.NotFound(text)
    known: dict[int, type[errors.Error]] = {
        401: errors.Unauthenticated, 403: errors.Forbidden, 409: errors.Conflict, 412: errors.Conflict}
    return known.get(response.status_code, errors.Invalid)(text)


#: What Neutron calls its errors, where the status is not enough.
_KINDS: dict[str, type[errors.Error]] = {
    'OverQuota': errors.OverQuota,
    'IpAddressInUse': errors.AddressInUse,
    'IpAddressAlreadyAllocated': errors.AddressInUse,
    'IpAddressGenerationFailure': errors.NoMoreAddresses,
    'ExternalIpAddressExhausted': errors.NoMoreAddresses,
    'InvalidIpForNetwork': errors.Invalid,
    'InvalidIpForSubnet': errors.Invalid,
    'SecurityGroupInUse': errors.SecurityGroupInUse,
    'SecurityGroupRuleExists': errors.SecurityGroupRuleExists,
    'SecurityGroupDefaultAlreadyExists': errors.SecurityGroupDefaultAlreadyExists,
    'SecurityGroupCannotRemoveDefault': errors.SecurityGroupCannotRemoveDefault,
    'SecurityGroupCannotUpdateDefault': errors.SecurityGroupCannotUpdateDefault,
    'SecurityGroupNotFound': errors.SecurityGroupNotFound,
    'FloatingIPPortAlreadyAssociated': errors.FloatingIPPortAlreadyAssociated,
    'PortNotFound': errors.PortNotFound,
}


def _told(response: Any) -> tuple[str, str]:
    try:
        told = response.json()
    except ValueError:
        told = None
    error = told.get('NeutronError') if isinstance(told, dict) else None
    if isinstance(error, dict):
        return str(error.get('type')), f'Neutron refuses: {error.get("message")}'
    return '', f'Neutron answered {response.status_code}: {error or response.text[:300]}'


def network(body: Body) -> Network:
    """A network."""
    return Network(body['id'], body['name'], body.get('project_id') or body.get('tenant_id') or '',
                   body.get('mtu') or 1500, bool(body.get('shared')), bool(body.get('router:external')),
                   bool(body.get('admin_state_up', True)), tuple(body.get('subnets') or ()))


def subnet(body: Body) -> Subnet:
    """A subnet."""
    return Subnet(body['id'], body['network_id'], body['cidr'], body['ip_version'], body.get('gateway_ip'),
                  tuple(body.get('dns_nameservers') or ()))


def _port(body: Body, nets: Mapping[str, Network], subnets: Mapping[str, Subnet],
          outside: Mapping[tuple[str, str], Sequence[str]], names: Mapping[str, str]) -> Port:
    profile = body.get(PROFILE) or {}
    groups = tuple(body.get('security_groups') or ())
    return Port(
        id=body['id'], network=nets.get(body['network_id']) or Network(body['network_id'], '', ''),
        project_id=body.get('project_id') or body.get('tenant_id') or '', mac_address=body['mac_address'],
        name=body.get('name') or '', device_id=body.get('device_id') or '',
        device_owner=body.get('device_owner') or '', host=body.get(HOST) or None, status=body['status'],
        admin_state_up=bool(body.get('admin_state_up', True)),
        fixed_ips=tuple(FixedIp(one['ip_address'], subnets[one['subnet_id']],
                                tuple(outside.get((body['id'], one['ip_address']), ())))
                        for one in body['fixed_ips'] if one['subnet_id'] in subnets),
        security_groups=groups, group_names=tuple(names.get(group) or group for group in groups),
        tag=profile.get(TAG), ours=bool(profile.get(MADE)), slot=profile.get(SLOT))


def seen(context: Any, body: Body) -> bool:
    """Whether the caller may know of something that a service sees."""
    return bool(context.is_admin or (body.get('project_id') or body.get('tenant_id')) == context.project_id
                or body.get('shared') or body.get('router:external'))
