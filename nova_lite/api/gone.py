# SPDX-License-Identifier: Apache-2.0
"""What Nova has removed for good: it answers 410 at every microversion, whatever is asked of it.

Source: compute API reference, "Deprecated/Removed APIs"; microversions 2.4 and 2.12 changed two of these, and
2.6 took away an action that was gone already.
"""

from typing import NoReturn

from oslo_policy import policy as oslo_policy

from nova_lite import errors
from nova_lite.wsgi import window
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import Answer, Endpoint
from nova_lite.wsgi.window import until

RULES: tuple[oslo_policy.RuleDefault, ...] = ()

_AGENTS = 'guest agents were those of XenServer, which is not supported any more.'
_CELLS = 'it belonged to the first version of cells.'
_CERTIFICATES = 'certificates of users are not made any more.'
_CLOUDPIPE = 'VPN servers of projects went with the old networks.'
_OLD_NETWORKS = 'networks are the business of the network service.'
_RDP = 'no hypervisor offers RDP consoles any more.'
_CONSOLES = 'consoles of XenServer are not supported any more; see remote-consoles.'

_FIXED_IP = '/os-fixed-ips/{id}'
_DOMAIN = '/os-floating-ip-dns/{id}'
_ENTRY = '/os-floating-ip-dns/{domain_id}/entries/{id}'
_BULK = '/os-floating-ips-bulk'
_NETWORK_ACTION = '/os-networks/{id}/action'
_DEFAULT_RULES = '/os-security-group-default-rules'
_SERVER_ACTION = '/servers/{id}/action'
_OF_SERVER = '/servers/{server_id}/consoles'

# method(s), path, why; an action's name follows its path after a blank
_GONE = (
    ('GET POST', '/os-agents', _AGENTS),
    ('PUT DELETE', '/os-agents/{id}', _AGENTS),
    ('GET POST', '/os-cells', _CELLS),
    ('GET', '/os-cells/capacities', _CELLS),
    ('GET', '/os-cells/detail', _CELLS),
    ('GET', '/os-cells/info', _CELLS),
    ('POST', '/os-cells/sync_instances', _CELLS),
    ('GET PUT DELETE', '/os-cells/{id}', _CELLS),
    ('GET', '/os-cells/{id}/capacities', _CELLS),
    ('POST', '/os-certificates', _CERTIFICATES),
    ('GET', '/os-certificates/{id}', _CERTIFICATES),
    ('GET POST', '/os-cloudpipe', _CLOUDPIPE),
    ('PUT', '/os-cloudpipe/{id}', _CLOUDPIPE),
    ('GET', _FIXED_IP, _OLD_NETWORKS),
    ('POST', f'{_FIXED_IP}/action reserve', _OLD_NETWORKS),
    ('POST', f'{_FIXED_IP}/action unreserve', _OLD_NETWORKS),
    ('GET', '/os-floating-ip-dns', _OLD_NETWORKS),
    ('PUT DELETE', _DOMAIN, _OLD_NETWORKS),
    ('GET PUT DELETE', _ENTRY, _OLD_NETWORKS),
    ('GET POST', _BULK, _OLD_NETWORKS),
    ('GET PUT', _BULK + '/{id}', _OLD_NETWORKS),
    ('GET', '/os-fping', _OLD_NETWORKS),
    ('GET', '/os-fping/{id}', _OLD_NETWORKS),
    ('POST', '/os-networks', _OLD_NETWORKS),
    ('POST', '/os-networks/add', _OLD_NETWORKS),
    ('DELETE', '/os-networks/{id}', _OLD_NETWORKS),
    ('POST', f'{_NETWORK_ACTION} disassociate', _OLD_NETWORKS),
    ('POST', f'{_NETWORK_ACTION} disassociate_host', _OLD_NETWORKS),
    ('POST', f'{_NETWORK_ACTION} disassociate_project', _OLD_NETWORKS),
    ('POST', f'{_NETWORK_ACTION} associate_host', _OLD_NETWORKS),
    ('GET POST', _DEFAULT_RULES, _OLD_NETWORKS),
    ('GET DELETE', _DEFAULT_RULES + '/{id}', _OLD_NETWORKS),
    ('POST', '/os-tenant-networks', _OLD_NETWORKS),
    ('DELETE', '/os-tenant-networks/{id}', _OLD_NETWORKS),
    ('POST', f'{_SERVER_ACTION} resetNetwork', _AGENTS),
    ('POST', f'{_SERVER_ACTION} os-getRDPConsole', _RDP),
    ('GET POST', _OF_SERVER, _CONSOLES),
    ('GET DELETE', _OF_SERVER + '/{id}', _CONSOLES),
    ('GET', '/servers/{server_id}/os-virtual-interfaces', _OLD_NETWORKS),
)
# The one that has a last version: after it there is no such thing any more (404).
_UNTIL = {'os-getRDPConsole': until(5)}


def gone(call: Call) -> NoReturn:
    """Removed; answers 410."""
    raise errors.Gone(reason=call.endpoint.summary.removeprefix(_SUMMARY))


_SUMMARY = 'Removed: '


def _row(method: str, where: str, why: str) -> Endpoint:
    path, _, action = where.partition(' ')
    return Endpoint(method, path, gone, action=action, when=_UNTIL.get(action, window.ALWAYS),
                    answers=(Answer(410),), summary=_SUMMARY + why)


ENDPOINTS = tuple(_row(method, where, why) for methods, where, why in _GONE for method in methods.split())
