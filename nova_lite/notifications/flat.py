# SPDX-License-Identifier: Apache-2.0
"""Unversioned payloads of servers: the flat ones that billing and DNS have listened to since before versions.

Nobody ever wrote down what they hold; these are the fields that listeners read.
"""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from nova_lite.model import networks
from nova_lite.notifications import families

Payload = dict[str, Any]

# field: column of servers
_SERVER = {
    'tenant_id': 'project_id', 'user_id': 'user_id', 'instance_id': 'uuid', 'display_name': 'name',
    'reservation_id': 'reservation_id', 'hostname': 'hostname', 'host': 'host', 'node': 'node',
    'availability_zone': 'availability_zone', 'state': 'vm_state', 'access_ip_v4': 'access_ip_v4',
    'access_ip_v6': 'access_ip_v6',
}
_TIMES = ('terminated_at', 'deleted_at', 'launched_at')
_MESSAGES = {families.END: {'message': 'Success'}}


def server(row: Any) -> Payload:
    """The fields that all of them have."""
    flavor = row.flavor
    properties: Mapping[str, Any] = getattr(row, 'image_properties', None) or {}
    return {
        **{field: getattr(row, column, None) for field, column in _SERVER.items()},
        **{name: _when(getattr(row, name, None)) for name in _TIMES},
        'created_at': str(row.created_at),
        'instance_type': flavor['name'], 'instance_type_id': None, 'instance_flavor_id': flavor['flavorid'],
        'memory_mb': flavor['ram'], 'vcpus': flavor['vcpus'], 'root_gb': flavor['disk'],
        'ephemeral_gb': flavor['ephemeral'], 'disk_gb': flavor['disk'] + flavor['ephemeral'],
        'architecture': properties.get('hw_architecture') or properties.get('architecture'),
        'os_type': properties.get('os_type'), 'cell_name': '',
        'image_ref_url': f'/images/{row.image_ref}' if row.image_ref else '',
        'image_meta': {**properties, 'base_image_ref': row.image_ref or ''},
        'kernel_id': getattr(row, 'kernel_id', None) or '', 'ramdisk_id': getattr(row, 'ramdisk_id', None) or '',
        'state_description': getattr(row, 'task_state', None) or '',
        'progress': getattr(row, 'progress', 0) or '', 'metadata': getattr(row, 'metadata', {}),
        'fixed_ips': fixed_ips(getattr(row, 'interfaces', None)),
    }


def fixed_ips(known: Sequence[networks.Interface] | None) -> list[Payload]:
    """The fixed addresses of a server."""
    return [{
        'address': fixed['addr'], 'version': fixed['version'], 'type': networks.FIXED, 'meta': {},
        'floating_ips': [], 'label': one['network'], 'vif_mac': one['mac'],
    } for one in networks.plugged(known) for fixed in one['addresses']]


def about(family: families.Family, phase: str, more: Mapping[str, Any]) -> Payload:
    """What one family adds; ``more`` is what its versioned payload adds, and ``error`` what failed."""
    added: Payload = {}
    if family.payload == families.CREATE:
        added |= _MESSAGES.get(phase, {})
    if family.payload == families.VOLUME:
        added['volume_id'] = more['volume_id']
    if family.payload == families.RESIZE_PREP and more.get('new_flavor'):
        added |= {'new_instance_type': more['new_flavor']['nova_object.data']['name'], 'new_instance_type_id': None}
    if phase == families.ERROR:
        failed = more['fault']['nova_object.data']
        added |= {'message': failed['exception_message'], 'code': 500, 'exception': failed['exception']}
    return added


def update(before: Any, row: Any, period: tuple[datetime.datetime, datetime.datetime], tags: Sequence[str]) -> Payload:
    """What changed of a server."""
    renamed = before.name if getattr(before, 'name', row.name) != row.name else None
    return {
        **server(row), 'old_state': before.vm_state, 'state': row.vm_state, 'old_task_state': before.task_state,
        'new_task_state': row.task_state, 'audit_period_beginning': _when(period[0]),
        'audit_period_ending': _when(period[1]), 'bandwidth': {}, 'tags': list(tags),
        **({'old_display_name': renamed} if renamed is not None else {})}


def _when(moment: datetime.datetime | None) -> str:
    return '' if moment is None else moment.strftime('%Y-%m-%dT%H:%M:%S.%f')
