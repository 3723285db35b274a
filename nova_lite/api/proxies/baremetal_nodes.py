# SPDX-License-Identifier: Apache-2.0
"""Bare metal nodes in the old shape of Compute, until 2.35.

Source: compute API reference, "Bare metal nodes (DEPRECATED)".  They are those of a bare metal service, and there
is none that could be configured here: the answer is that of Nova without one.
"""

from typing import NoReturn

from nova_lite import errors
from nova_lite.auth import policy
from nova_lite.wsgi import kinds, window
from nova_lite.wsgi.body import Body, Object
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import ACTION, DELETE, GET, POST
from nova_lite.wsgi.window import until

_ROOT, _ONE, _ACTION = '/os-baremetal-nodes', '/os-baremetal-nodes/{id}', '/os-baremetal-nodes/{id}/action'
LIST = 'os_compute_api:os-baremetal-nodes:list'
SHOW = 'os_compute_api:os-baremetal-nodes:show'

RULES = (
    policy.rule(LIST, policy.ADMIN, 'List bare metal nodes.', ('GET', _ROOT)),
    policy.rule(SHOW, policy.ADMIN, 'Show a bare metal node.', ('GET', _ONE)),
)

_ANYTHING = Body(Object(open_=window.ALWAYS))
_PROXY = until(35)
_NODES = kinds.under('nodes', kinds.listed(kinds.ANY))


def read(call: Call) -> NoReturn:
    """Show bare metal nodes; without a bare metal service it answers 501."""
    raise errors.Unsupported(reason='No bare metal service is configured here, so there are no nodes to show.')


def change(call: Call) -> NoReturn:
    """Change bare metal nodes, which has to be asked of the bare metal service; it answers 400."""
    raise errors.Invalid('Bare metal nodes cannot be changed here; ask the bare metal service.')


ENDPOINTS = (
    GET(_ROOT, read, rule=LIST, when=_PROXY, reply=_NODES, errors=(404, 501)),
    GET(_ONE, read, rule=SHOW, when=_PROXY, reply=kinds.under('node', kinds.ANY), errors=(404, 501)),
    POST(_ROOT, change, when=_PROXY, body=_ANYTHING, errors=(400,)),
    DELETE(_ONE, change, when=_PROXY, errors=(400,)),
    *(ACTION(action, change, path=_ACTION, when=_PROXY, body=_ANYTHING, errors=(400,))
      for action in ('add_interface', 'remove_interface')),
)
