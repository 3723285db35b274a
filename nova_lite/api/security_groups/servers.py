# SPDX-License-Identifier: Apache-2.0
"""The security groups of a server, which are those of its ports.

Source: compute API reference, "Servers Security Groups (servers, os-security-groups)" and the server actions
addSecurityGroup and removeSecurityGroup.
"""

from operator import attrgetter
from typing import Any

from nova_lite.api import shared
from nova_lite.api.security_groups import view
from nova_lite.auth import policy
from nova_lite.model.security_groups import Group
from nova_lite.ops import interfaces
from nova_lite.wsgi.body import Body, Object, Prop
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import ACTION, GET, answer, many

LIST = 'os_compute_api:os-security-groups:list'
ADD = 'os_compute_api:os-security-groups:add'
REMOVE = 'os_compute_api:os-security-groups:remove'
_PATH = '/servers/{server_id}/os-security-groups'
_ACTION = '/servers/{server_id}/action'

RULES = (
    policy.rule(LIST, policy.READER_OR_ADMIN, 'List the security groups of a server.', ('GET', _PATH)),
    policy.rule(ADD, policy.MEMBER_OR_ADMIN, 'Put a server into a security group.',
                ('POST', f'{_ACTION} (addSecurityGroup)')),
    policy.rule(REMOVE, policy.MEMBER_OR_ADMIN, 'Take a server out of a security group.',
                ('POST', f'{_ACTION} (removeSecurityGroup)')),
)

_OWNER = frozenset(('uuid', 'project_id', 'user_id'))


def _body(action: str) -> Body:
    name = Prop('name', {'type': 'string', 'minLength': 1, 'maxLength': 255, 'pattern': r'\S'}, required=True)
    return Body(Object(Prop(action, Object(name), required=True)))


def find(call: Call) -> Any:
    """The server of the path."""
    return shared.find_server(call, call.params['server_id'], _OWNER)


def find_to_change(call: Call) -> Any:
    """The server that an action is about."""
    return shared.find_server(call, call.params['id'], _OWNER)


def index(call: Call) -> list[Group]:
    """List the security groups of a server."""
    found = call.services.networks.groups.of_server(call.context, call.target.uuid)
    return sorted(found, key=attrgetter('project_id', 'name'))


def add(call: Call) -> None:
    """Put all ports of a server into a security group."""
    groups = call.services.networks.groups
    groups.add(call.context, call.target.uuid, groups.named(call.context, call.body['name'].strip()).id)
    interfaces.refresh(call.services, call.target.uuid)


def remove(call: Call) -> None:
    """Take all ports of a server out of a security group."""
    groups = call.services.networks.groups
    groups.remove(call.context, call.target.uuid, groups.named(call.context, call.body['name'].strip()).id)
    interfaces.refresh(call.services, call.target.uuid)


ENDPOINTS = (
    GET(_PATH, index, load=find, rule=LIST, query=shared.NOTHING_KNOWN,
        show=many('security_groups', view.GROUP, links=False), errors=(404,)),
    *(ACTION(action, handler, load=find_to_change, rule=rule, body=_body(action), answers=answer(202),
             errors=(400, 404, 409))
      for action, handler, rule in (('addSecurityGroup', add, ADD), ('removeSecurityGroup', remove, REMOVE))),
)
