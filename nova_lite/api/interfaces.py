# SPDX-License-Identifier: Apache-2.0
"""The interfaces of a server: list and show them, attach a port or make one, detach it.

Source: compute API reference, "Port interfaces (servers, os-interface)"; microversions 2.49 (tags are set) and
2.70 (tags are shown).
"""

from collections.abc import Sequence
from typing import Any

from nova_lite import errors
from nova_lite.api import shared
from nova_lite.auth import policy
from nova_lite.model.networks import Port
from nova_lite.ops import interfaces as ops
from nova_lite.ops.base import NEEDED
from nova_lite.wsgi import formats, kinds
from nova_lite.wsgi.body import Object, Prop, wrapped
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import DELETE, GET, POST, Raw, answer, many, one
from nova_lite.wsgi.view import Field, View
from nova_lite.wsgi.window import since

# ------------------------------------------------------------------- policy

_ALL = '/servers/{server_id}/os-interface'
_ONE = _ALL + '/{id}'
_IN_POLICY = _ALL + '/{port_id}'
_RULE = 'os_compute_api:os-attach-interfaces:'
# Of the room of the servers, which has the same condition for new ones.
_EXTERNAL = 'network:attach_external_network'

RULES = (
    policy.rule(_RULE + 'list', policy.READER_OR_ADMIN, 'List the interfaces of a server.', ('GET', _ALL)),
    policy.rule(_RULE + 'show', policy.READER_OR_ADMIN, 'Show an interface of a server.', ('GET', _IN_POLICY)),
    policy.rule(_RULE + 'create', policy.MEMBER_OR_ADMIN, 'Give a server an interface.', ('POST', _ALL)),
    policy.rule(_RULE + 'delete', policy.MEMBER_OR_ADMIN, 'Take an interface from a server.', ('DELETE', _IN_POLICY)),
)

# --------------------------------------------------------- bodies and views

_ADDRESS = {'type': 'string', 'anyOf': [{'format': 'ipv4'}, {'format': 'ipv6'}]}
ATTACH = wrapped('interfaceAttachment', Object(
    Prop('net_id', formats.UUID),
    Prop('port_id', formats.UUID),
    Prop('fixed_ips', {'type': 'array', 'minItems': 1, 'maxItems': 1, 'items': {
        'type': 'object', 'properties': {'ip_address': _ADDRESS}, 'required': ['ip_address'],
        'additionalProperties': False}}),
    Prop('tag', {'type': 'string', 'minLength': 1, 'maxLength': 60, 'pattern': '^[^,/]*$'}, since(49)),
))

_FIXED_IPS = kinds.listed(kinds.record({'subnet_id': kinds.UUID, 'ip_address': kinds.TEXT}))
INTERFACE = View(
    Field('port_id', lambda port, _: port.id, kind=kinds.UUID),
    Field('net_id', lambda port, _: port.network.id, kind=kinds.UUID),
    Field('mac_addr', lambda port, _: port.mac_address, kind=kinds.TEXT),
    Field('port_state', lambda port, _: port.status, kind=kinds.TEXT),
    Field('fixed_ips', lambda port, _: [{'subnet_id': fixed.subnet.id, 'ip_address': fixed.address}
                                        for fixed in port.fixed_ips], kind=_FIXED_IPS),
    Field('tag', lambda port, _: port.tag, since(70), kind=kinds.maybe(kinds.TEXT)),
)

# ----------------------------------------------------------------- handlers


def find(call: Call) -> Any:
    """The server of the path."""
    return shared.find_server(call, call.params['server_id'], NEEDED | {'user_id'})


def index(call: Call) -> Sequence[Port]:
    """List the interfaces of a server."""
    found: Sequence[Port] = call.services.networks.ports(call.context, call.target.uuid)
    return found


def show(call: Call) -> Port:
    """Show an interface of a server."""
    for port in index(call):
        if port.id == call.params['id']:
            return port
    raise errors.PortNotFound(f'Server {call.target.uuid} has no port {call.params["id"][:64]}.')


def create(call: Call) -> Port | Raw:
    """Give a server an interface."""
    body = call.body['interfaceAttachment']
    network_id, port_id = body.get('net_id'), body.get('port_id')
    fixed_ip = body['fixed_ips'][0]['ip_address'] if 'fixed_ips' in body else None
    if network_id and port_id:
        raise errors.Invalid('net_id and port_id cannot be given together: the port is on a network already.')
    if fixed_ip and not network_id:
        raise errors.Invalid('fixed_ips can be given only with net_id.')
    try:
        return ops.attach(call.services, call.context, ops.AttachInterface(
            call.target, network_id, port_id, fixed_ip, body.get('tag'), call.can(_EXTERNAL), call.context.is_admin))
    except errors.InterfaceAttachFailed as error:
        # The request was right, and so is everybody's code: no case for the log.
        return Raw({'computeFault': {'code': 500, 'message': str(error)}}, 500)


def delete(call: Call) -> None:
    """Take an interface from a server."""
    ops.detach(call.services, call.context, ops.DetachInterface(
        call.target, call.params['id'], call.context.is_admin))


ENDPOINTS = (
    GET(_ALL, index, load=find, rule=_RULE + 'list', query=shared.NOTHING_KNOWN,
        show=many('interfaceAttachments', INTERFACE, links=False), errors=(404, 501)),
    GET(_ONE, show, load=find, rule=_RULE + 'show', query=shared.NOTHING_KNOWN,
        show=one('interfaceAttachment', INTERFACE), errors=(403, 404)),
    POST(_ALL, create, load=find, rule=_RULE + 'create', body=ATTACH, show=one('interfaceAttachment', INTERFACE),
         errors=(400, 403, 404, 409, 500, 501)),
    DELETE(_ONE, delete, load=find, rule=_RULE + 'delete', answers=answer(202), errors=(404, 409, 501)),
)
