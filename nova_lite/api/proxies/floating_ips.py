# SPDX-License-Identifier: Apache-2.0
"""Floating addresses in the old shape of Compute: the addresses and their pools until 2.35, the actions until 2.43.

Source: compute API reference, "Floating IPs (DEPRECATED)", "Floating IP pools (DEPRECATED)" and the server actions
addFloatingIp and removeFloatingIp.
"""

import ipaddress
from typing import Any

from nova_lite import errors
from nova_lite.api import shared
from nova_lite.auth import policy
from nova_lite.clients.floating_ip import FloatingIp
from nova_lite.clients.network import Port
from nova_lite.wsgi import kinds, window
from nova_lite.wsgi.body import Body, Object, Prop
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import ACTION, DELETE, GET, POST, answer, many, one
from nova_lite.wsgi.view import View, column
from nova_lite.wsgi.window import until

# ------------------------------------------------------------------- policy

_RULE = 'os_compute_api:os-floating-ips:'
POOLS = 'os_compute_api:os-floating-ip-pools'
_ROOT, _ONE, _POOLS = '/os-floating-ips', '/os-floating-ips/{id}', '/os-floating-ip-pools'
_ACTION = '/servers/{server_id}/action'

RULES = (
    policy.rule(POOLS, policy.ANYBODY, 'List the pools of floating addresses.', ('GET', _POOLS)),
    policy.rule(_RULE + 'list', policy.READER_OR_ADMIN, 'List floating addresses.', ('GET', _ROOT)),
    policy.rule(_RULE + 'show', policy.READER_OR_ADMIN, 'Show a floating address.', ('GET', _ONE)),
    policy.rule(_RULE + 'create', policy.MEMBER_OR_ADMIN, 'Get a floating address.', ('POST', _ROOT)),
    policy.rule(_RULE + 'delete', policy.MEMBER_OR_ADMIN, 'Give back a floating address.', ('DELETE', _ONE)),
    policy.rule(_RULE + 'add', policy.MEMBER_OR_ADMIN, 'Let a floating address lead to a server.',
                ('POST', f'{_ACTION} (addFloatingIp)')),
    policy.rule(_RULE + 'remove', policy.MEMBER_OR_ADMIN, 'Let a floating address lead to a server no more.',
                ('POST', f'{_ACTION} (removeFloatingIp)')),
)

# --------------------------------------------------------- bodies and view

_ADDRESS = {'type': 'string', 'format': 'ipv4'}
ALLOCATE = Body(Object(Prop('pool', {'type': ['string', 'null'], 'maxLength': 255}), open_=window.ALWAYS))
ADD = Body(Object(Prop('addFloatingIp', Object(
    Prop('address', _ADDRESS, required=True), Prop('fixed_address', _ADDRESS)), required=True)))
REMOVE = Body(Object(Prop('removeFloatingIp', Object(Prop('address', _ADDRESS, required=True)), required=True)))

FLOATING_IP = View(
    column('id', kind=kinds.UUID), column('ip', 'address', kind=kinds.TEXT), column('pool', kind=kinds.TEXT),
    column('fixed_ip', 'fixed_address', kind=kinds.maybe(kinds.TEXT)),
    column('instance_id', 'server_uuid', kind=kinds.maybe(kinds.TEXT)))
_POOLS_REPLY = kinds.under('floating_ip_pools', kinds.listed(kinds.under('name', kinds.TEXT)))

# ----------------------------------------------------------------- handlers


def pools(call: Call) -> dict[str, Any]:
    """List the pools of floating addresses."""
    return {'floating_ip_pools': [{'name': name} for name in call.services.networks.floating.pools(call.context)]}


def index(call: Call) -> list[FloatingIp]:
    """List the floating addresses of the project."""
    return list(call.services.networks.floating.all(call.context))


def show(call: Call) -> FloatingIp:
    """Show one floating address."""
    return call.services.networks.floating.get(call.context, call.params['id'])


def create(call: Call) -> FloatingIp:
    """Get a floating address from a pool."""
    try:
        return call.services.networks.floating.allocate(call.context, call.body.get('pool'))
    except errors.NoMoreAddresses as error:
        raise errors.NotFound(str(error)) from None


def delete(call: Call) -> None:
    """Give back a floating address."""
    call.services.networks.floating.release(call.context, call.params['id'])


def find(call: Call) -> Any:
    """The server that an action is about."""
    return shared.find_server(call, call.params['id'], frozenset(('uuid', 'project_id', 'user_id')))


def add(call: Call) -> None:
    """Let a floating address lead to a server, wherever it led to before."""
    networks = call.services.networks
    ports = networks.ports(call.context, call.target.uuid)
    port, fixed = _fixed(ports, call.target.uuid, call.body.get('fixed_address'))
    floating = networks.floating.by_address(call.context, call.body['address'])
    try:
        networks.floating.lead_to(call.context, floating.id, port.id, fixed)
    except errors.Conflict as error:
        raise errors.Invalid(str(error)) from None


def _fixed(ports: list[Port], server_uuid: str, wanted: str | None) -> tuple[Port, str]:
    """The address of the server that is meant; without a wish the first one of IPv4."""
    known = [(port, one.address) for port in ports for one in port.fixed_ips]
    if not known:
        raise errors.Invalid(f'Server {server_uuid} has no address that a floating one could lead to.')
    if wanted is not None:
        found = [pair for pair in known if pair[1] == wanted]
        if not found:
            raise errors.Invalid(f'Server {server_uuid} has no address {wanted}.')
        return found[0]
    usable = [pair for pair in known if ipaddress.ip_address(pair[1]).version == 4]
    if not usable:
        raise errors.Invalid(f'Server {server_uuid} has no IPv4 address that a floating one could lead to.')
    return usable[0]


def remove(call: Call) -> None:
    """Let a floating address lead to a server no more."""
    address = call.body['address']
    floating = call.services.networks.floating.by_address(call.context, address)
    if floating.server_uuid != call.target.uuid:
        raise errors.Conflict(reason=f'Floating address {address} does not lead to server {call.target.uuid}.')
    call.services.networks.floating.lead_to(call.context, floating.id, None)


_PROXY, _ACTIONS = until(35), until(43)

ENDPOINTS = (
    GET(_POOLS, pools, rule=POOLS, when=_PROXY, reply=_POOLS_REPLY),
    GET(_ROOT, index, rule=_RULE + 'list', when=_PROXY, show=many('floating_ips', FLOATING_IP, links=False)),
    POST(_ROOT, create, rule=_RULE + 'create', when=_PROXY, body=ALLOCATE, show=one('floating_ip', FLOATING_IP),
         errors=(400, 403, 404)),
    GET(_ONE, show, rule=_RULE + 'show', when=_PROXY, show=one('floating_ip', FLOATING_IP), errors=(400, 404)),
    DELETE(_ONE, delete, rule=_RULE + 'delete', when=_PROXY, answers=answer(202), errors=(400, 403, 404, 409)),
    ACTION('addFloatingIp', add, load=find, rule=_RULE + 'add', when=_ACTIONS, body=ADD, answers=answer(202),
           errors=(400, 403, 404)),
    ACTION('removeFloatingIp', remove, load=find, rule=_RULE + 'remove', when=_ACTIONS, body=REMOVE,
           answers=answer(202), errors=(400, 403, 404, 409)),
)
