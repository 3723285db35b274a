# SPDX-License-Identifier: Apache-2.0
"""Networks and addresses in the old shape of Compute, as far as an installation without a network service has them.

Source: compute API reference, "Networks (DEPRECATED)", "Tenant Networks (DEPRECATED)" and the server actions
addFixedIp, removeFixedIp, addFloatingIp and removeFloatingIp; they end with 2.35 and 2.43.
"""

from typing import Any, NoReturn

from nova_lite import errors
from nova_lite.api import shared
from nova_lite.auth import policy
from nova_lite.wsgi.body import Body, Object, Prop
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import ACTION, GET, Raw, answer
from nova_lite.wsgi.window import until

_ACTION = '/servers/{server_id}/action'
# path below the root, key of the list, word in the rules
_LISTS = (('/os-networks', 'networks', 'os-networks'), ('/os-tenant-networks', 'networks', 'os-tenant-networks'))
# action, key of its body that has to be there, word in the rules
_ADDRESSES = (('addFixedIp', 'networkId', 'os-multinic:add'), ('removeFixedIp', 'address', 'os-multinic:remove'),
              ('addFloatingIp', 'address', 'os-floating-ips:add'),
              ('removeFloatingIp', 'address', 'os-floating-ips:remove'))

RULES = (
    *(policy.rule(f'os_compute_api:{word}:{verb}', policy.READER_OR_ADMIN, text, ('GET', path + tail))
      for path, _, word in _LISTS
      for verb, text, tail in (('list', 'List networks.', ''), ('show', 'Show a network.', '/{network_id}'))),
    *(policy.rule(f'os_compute_api:{word}', policy.MEMBER_OR_ADMIN, 'Change the addresses of a server.',
                  ('POST', f'{_ACTION} ({action})')) for action, _, word in _ADDRESSES),
)


def index(call: Call) -> Raw:
    """List networks; without a network service there are none."""
    return Raw({'networks': []})


def show(call: Call) -> NoReturn:
    """Show one network."""
    raise errors.NotFound(f'No network {call.params["id"][:64]!r}.')


def find(call: Call) -> Any:
    """The server of the path."""
    return shared.find_server(call, call.params['id'], frozenset(('uuid', 'project_id', 'user_id')))


def change(call: Call) -> NoReturn:
    """Give a server an address, or take one away."""
    raise errors.Invalid(f'{call.endpoint.action} needs a network service, and none is configured.')


def _body(action: str, key: str) -> Body:
    text = {'type': ['string', 'integer'], 'maxLength': 255}
    more = (Prop('fixed_address', text),) if action == 'addFloatingIp' else ()
    return Body(Object(Prop(action, Object(Prop(key, text, required=True), *more), required=True)))


ENDPOINTS = (
    *(GET(path, index, rule=f'os_compute_api:{word}:list', when=until(35)) for path, _, word in _LISTS),
    *(GET(path + '/{id}', show, rule=f'os_compute_api:{word}:show', when=until(35)) for path, _, word in _LISTS),
    *(ACTION(action, change, load=find, rule=f'os_compute_api:{word}',
             when=until(43), body=_body(action, key), answers=answer(202), errors=(400,))
      for action, key, word in _ADDRESSES),
)
