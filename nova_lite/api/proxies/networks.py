# SPDX-License-Identifier: Apache-2.0
"""Networks and fixed addresses in the old shape of Compute, asked of the network service.

Source: compute API reference, "Networks (DEPRECATED)", "Tenant Networks (DEPRECATED)" and the server actions
addFixedIp and removeFixedIp; they end with 2.35 and 2.43.
"""

from collections.abc import Sequence
from typing import Any

from nova_lite.api import shared
from nova_lite.auth import policy
from nova_lite.model.networks import Network
from nova_lite.ops import interfaces as ops
from nova_lite.ops.base import NEEDED
from nova_lite.wsgi import kinds
from nova_lite.wsgi.body import Body, Object, Prop
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import ACTION, GET, Endpoint, answer, many, one
from nova_lite.wsgi.view import OMIT, Field, Rendering, View
from nova_lite.wsgi.window import until

_ACTION = '/servers/{server_id}/action'
_OLD, _TENANT = '/os-networks', '/os-tenant-networks'
_MULTINIC = 'os_compute_api:os-multinic:'

RULES = (
    *(policy.rule(f'os_compute_api:{path[1:]}:{verb}', policy.READER_OR_ADMIN, text, ('GET', path + tail))
      for path in (_OLD, _TENANT)
      for verb, text, tail in (('list', 'List networks.', ''), ('show', 'Show a network.', '/{network_id}'))),
    policy.rule(_MULTINIC + 'add', policy.MEMBER_OR_ADMIN, 'Give a server one address more.',
                ('POST', f'{_ACTION} (addFixedIp)')),
    policy.rule(_MULTINIC + 'remove', policy.MEMBER_OR_ADMIN, 'Take an address from a server.',
                ('POST', f'{_ACTION} (removeFixedIp)')),
)

# What the old networks had and those of a network service have not, for everybody and for administrators.
_EMPTY = ('cidr', 'netmask', 'gateway', 'broadcast', 'dns1', 'dns2', 'cidr_v6', 'gateway_v6', 'netmask_v6')
_EMPTY_TO_ADMINS = (
    'created_at', 'updated_at', 'deleted_at', 'deleted', 'injected', 'bridge', 'vlan', 'vpn_public_address',
    'vpn_public_port', 'vpn_private_address', 'dhcp_start', 'project_id', 'host', 'bridge_interface', 'multi_host',
    'priority', 'rxtx_base', 'mtu', 'dhcp_server', 'enable_dhcp', 'share_address')


def _nothing(network: Network, rendering: Rendering) -> None:
    return None


def _to_admins(network: Network, rendering: Rendering) -> Any:
    return None if rendering.call.context.is_admin else OMIT


_COMMON = (Field('id', lambda network, _: network.id, kind=kinds.UUID),
           Field('label', lambda network, _: network.name, kind=kinds.TEXT))
NETWORK = View(*_COMMON, *(Field(name, _nothing, kind=kinds.NULL) for name in _EMPTY),
               *(Field(name, _to_admins, sometimes=True, kind=kinds.NULL) for name in _EMPTY_TO_ADMINS))
TENANT_NETWORK = View(*_COMMON, Field('cidr', lambda network, _: 'None', kind=kinds.TEXT))


def index(call: Call) -> Sequence[Network]:
    """List the networks that the caller sees."""
    found: Sequence[Network] = call.services.networks.visible(call.context)
    return found


def show(call: Call) -> Network:
    """Show one network."""
    found: Network = call.services.networks.network(call.context, call.params['id'])
    return found


def find(call: Call) -> Any:
    """The server of the path."""
    return shared.find_server(call, call.params['id'], NEEDED | {'user_id'})


def add_fixed_ip(call: Call) -> None:
    """Give a server one address more on a network that it is on."""
    ops.add_fixed_ip(call.services, call.context, ops.AddFixedIp(
        call.target, str(call.body['networkId']), call.context.is_admin))


def remove_fixed_ip(call: Call) -> None:
    """Take an address from a server."""
    ops.remove_fixed_ip(call.services, call.context, ops.RemoveFixedIp(
        call.target, str(call.body['address']), call.context.is_admin))


def _rows(path: str, view: View) -> tuple[Endpoint, ...]:
    rule = f'os_compute_api:{path[1:]}:'
    return (GET(path, index, rule=rule + 'list', when=until(35), show=many('networks', view, links=False)),
            GET(path + '/{id}', show, rule=rule + 'show', when=until(35), show=one('network', view), errors=(404,)))


def _body(action: str, key: str) -> Body:
    text = {'type': ['string', 'integer'], 'maxLength': 255}
    return Body(Object(Prop(action, Object(Prop(key, text, required=True)), required=True)))


ENDPOINTS = (
    *_rows(_OLD, NETWORK),
    *_rows(_TENANT, TENANT_NETWORK),
    ACTION('addFixedIp', add_fixed_ip, load=find, rule=_MULTINIC + 'add', when=until(43),
           body=_body('addFixedIp', 'networkId'), answers=answer(202), errors=(400, 404)),
    ACTION('removeFixedIp', remove_fixed_ip, load=find, rule=_MULTINIC + 'remove', when=until(43),
           body=_body('removeFixedIp', 'address'), answers=answer(202), errors=(400, 404)),
)
