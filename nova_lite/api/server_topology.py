# SPDX-License-Identifier: Apache-2.0
"""Topology: the NUMA nodes of a server. Source: compute API reference, "Servers topology"; microversion 2.78.

No hypervisor here places servers on NUMA nodes yet, so the list has none, as for any server without them.
"""

from typing import Any

from nova_lite.api import shared
from nova_lite.auth import policy
from nova_lite.wsgi import kinds
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import GET
from nova_lite.wsgi.window import since

RULE = 'compute:server:topology:index'
HOST = 'compute:server:topology:host:index'
_PATH = '/servers/{server_id}/topology'

RULES = (
    policy.rule(RULE, policy.READER_OR_ADMIN, 'See the NUMA topology of a server.', ('GET', _PATH)),
    policy.rule(HOST, policy.ADMIN, 'See where on its host the NUMA nodes of a server are.', ('GET', _PATH)),
)

_CELLS = kinds.mapped(kinds.INTEGER)
_SHOWN = kinds.record({
    'pagesize_kb': kinds.maybe(kinds.INTEGER),
    'nodes': kinds.listed(kinds.record(
        {'memory_mb': kinds.INTEGER, 'vcpu_set': kinds.listed(kinds.INTEGER),
         'siblings': kinds.listed(kinds.listed(kinds.INTEGER))},
        {'host_node': kinds.INTEGER, 'cpu_pinning': _CELLS}))})
_OWNER = frozenset(('uuid', 'project_id', 'user_id'))


def find(call: Call) -> Any:
    """The server of the path."""
    return shared.find_server(call, call.params['server_id'], _OWNER)


def show(call: Call) -> dict[str, Any]:
    """Show the NUMA topology of a server."""
    return {'nodes': [], 'pagesize_kb': None}


ENDPOINTS = (
    GET(_PATH, show, load=find, rule=RULE, query=shared.NOTHING_KNOWN, when=since(78), reply=_SHOWN, errors=(404,)),
)
