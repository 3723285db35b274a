# SPDX-License-Identifier: Apache-2.0
"""Diagnostics: what the hypervisor counts of a server.

Source: compute API reference, "Servers diagnostics"; microversion 2.48 (the same fields for all hypervisors).
"""

from typing import Any

from nova_lite.api import shared
from nova_lite.auth import policy
from nova_lite.ops import console as ops
from nova_lite.ops.base import NEEDED
from nova_lite.wsgi import kinds
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import GET
from nova_lite.wsgi.window import since, until

RULE = 'os_compute_api:os-server-diagnostics'
_ALL = '/servers/{server_id}/diagnostics'

RULES = (
    policy.rule(RULE, policy.ADMIN, 'See what the hypervisor counts of a server.', ('GET', _ALL)),
)

COMMON_FIELDS = 'the fields are those of all hypervisors'
_CPU = ('id', 'time', 'utilisation')
_DISK = ('read_bytes', 'read_requests', 'write_bytes', 'write_requests', 'errors_count')
_NIC = ('mac_address', *(f'{way}_{what}' for way in ('rx', 'tx')
                         for what in ('octets', 'errors', 'drop', 'packets', 'rate')))
_COUNT = kinds.maybe(kinds.NUMBER)
_SHOWN = kinds.record({
    'state': kinds.word('pending', 'running', 'paused', 'shutdown', 'crashed', 'suspended'), 'driver': kinds.TEXT,
    'hypervisor': kinds.maybe(kinds.TEXT), 'hypervisor_os': kinds.maybe(kinds.TEXT), 'uptime': _COUNT,
    'config_drive': kinds.BOOLEAN, **dict.fromkeys(('num_cpus', 'num_disks', 'num_nics'), kinds.INTEGER),
    'cpu_details': kinds.listed(kinds.record(dict.fromkeys(_CPU, _COUNT))),
    'disk_details': kinds.listed(kinds.record(dict.fromkeys(_DISK, _COUNT))),
    'nic_details': kinds.listed(kinds.record(dict.fromkeys(_NIC, _COUNT) | {'mac_address': kinds.TEXT})),
    'memory_details': kinds.record({'maximum': _COUNT, 'used': _COUNT})})
_COLUMNS = NEEDED | {'user_id', 'config_drive'}


def find(call: Call) -> Any:
    """The server of the path."""
    return shared.find_server(call, call.params['server_id'], _COLUMNS)


def show(call: Call) -> dict[str, Any]:
    """Show what the hypervisor counts of a server."""
    found = ops.diagnostics(call.services, call.context, call.target)
    if not call.has(COMMON_FIELDS):
        return dict(found['counters'])
    cpus, disks, nics = (_filled(found[part], fields) for part, fields in (
        ('cpus', _CPU), ('disks', _DISK), ('nics', _NIC)))
    return {
        'state': found['state'], 'driver': found['driver'], 'hypervisor': found['hypervisor'],
        'hypervisor_os': found['hypervisor_os'], 'uptime': found['uptime'],
        'config_drive': bool(call.target.config_drive),
        'num_cpus': len(cpus), 'num_disks': len(disks), 'num_nics': len(nics),
        'cpu_details': cpus, 'disk_details': disks, 'nic_details': nics,
        'memory_details': {'maximum': found['memory_maximum'], 'used': found['memory_used']}}


def _filled(entries: Any, fields: tuple[str, ...]) -> list[dict[str, Any]]:
    """All fields of each entry, null where the hypervisor does not know."""
    return [{field: entry.get(field) for field in fields} for entry in entries]


ENDPOINTS = (
    GET(_ALL, show, load=find, rule=RULE, query=shared.NOTHING_KNOWN, flags=(COMMON_FIELDS, since(48)),
        # Before 2.48 each hypervisor tells what it likes.
        reply=((kinds.mapped(kinds.ANY), until(47)), (_SHOWN, since(48))),
        errors=(400, 404, 409, 501)),
)
