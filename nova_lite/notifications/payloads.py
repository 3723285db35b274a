# SPDX-License-Identifier: Apache-2.0
"""Versioned payloads, made from rows; their names, versions and fields are those that Nova documents."""

import datetime
import re
from collections.abc import Mapping, Sequence
from typing import Any

from nova_lite import errors
from nova_lite.model import block_devices, keys, networks, times
from nova_lite.model.power import Power
from nova_lite.notifications import families

#: The version of each payload that is sent.
VERSIONS = {
    'AggregatePayload': '1.1', 'AuditPeriodPayload': '1.0', 'BlockDevicePayload': '1.0', 'ComputeTaskPayload': '1.0',
    'ExceptionPayload': '1.1', 'FlavorPayload': '1.4', 'InstanceStateUpdatePayload': '1.0', 'IpPayload': '1.0',
    'KeypairPayload': '1.0', 'ServerGroupPayload': '1.1', 'ServiceStatusPayload': '1.1',
    families.ACTION: '1.9', families.CREATE: '1.13', families.REBUILD: '1.10', families.RESCUE: '1.4',
    families.RESIZE_PREP: '1.4', families.SNAPSHOT: '1.10', families.SWAP: '1.9', families.UPDATE: '2.1',
    families.VOLUME: '1.7',
}

Payload = dict[str, Any]

# field: column of servers
_SERVER = {
    'uuid': 'uuid', 'user_id': 'user_id', 'tenant_id': 'project_id', 'reservation_id': 'reservation_id',
    'display_name': 'name', 'display_description': 'description', 'host_name': 'hostname', 'host': 'host',
    'node': 'node', 'availability_zone': 'availability_zone', 'image_uuid': 'image_ref', 'key_name': 'key_name',
    'state': 'vm_state', 'task_state': 'task_state', 'progress': 'progress', 'metadata': 'metadata',
    'locked': 'locked', 'locked_reason': 'locked_reason', 'auto_disk_config': 'disk_config',
}
_TIMES = ('created_at', 'launched_at', 'terminated_at', 'deleted_at', 'updated_at')
_DEFAULTS = {'progress': 0, 'locked': False, 'metadata': {}}
_POWER = {state: state.name.lower() for state in Power} | {Power.NOSTATE: 'pending'}

_FRAME = re.compile(r'File "([^"]+)", line \d+, in (\S+)')


def enveloped(name: str, data: Mapping[str, Any]) -> Payload:
    """A payload with its name and version."""
    return {'nova_object.name': name, 'nova_object.namespace': 'nova', 'nova_object.version': VERSIONS[name],
            'nova_object.data': dict(data)}


def when(moment: datetime.datetime | None) -> str | None:
    """A time as payloads have it."""
    return None if moment is None else times.isoformat(moment)


def power(state: int | None) -> str:
    """A power state in the words of notifications."""
    return _POWER[Power(state or 0)]


def server(row: Any, who: Any, with_volumes: bool) -> Payload:
    """The fields that all payloads of servers have; ``who`` caused it."""
    properties = getattr(row, 'image_properties', None) or {}
    found = {field: getattr(row, column, _DEFAULTS.get(column)) for field, column in _SERVER.items()}
    return {
        **found,
        **{name: when(getattr(row, name, None)) for name in _TIMES},
        'architecture': properties.get('hw_architecture') or properties.get('architecture'),
        'os_type': properties.get('os_type'),
        'kernel_id': getattr(row, 'kernel_id', None) or '',
        'ramdisk_id': getattr(row, 'ramdisk_id', None) or '',
        'power_state': power(getattr(row, 'power_state', None)),
        'flavor': flavor(row.flavor),
        'ip_addresses': addresses(getattr(row, 'interfaces', None)),
        'block_devices': volumes(row) if with_volumes else None,
        'shares': [],
        'request_id': who.request_id,
        'action_initiator_user': who.user_id,
        'action_initiator_project': who.project_id,
    }


def addresses(known: Sequence[networks.Interface] | None) -> list[Payload]:
    """The fixed addresses of a server."""
    return [enveloped('IpPayload', {
        'label': one['network'], 'mac': one['mac'], 'meta': {}, 'port_uuid': one['port_id'],
        'version': fixed['version'], 'address': fixed['addr'], 'device_name': f'tap{one["port_id"]}'[:14],
    }) for one in networks.plugged(known) for fixed in one['addresses']]


def volumes(row: Any) -> list[Payload]:
    """The volumes of a server."""
    return [enveloped('BlockDevicePayload', {
        'device_name': one['device'], 'boot_index': one['boot_index'] if one['boot_index'] >= 0 else None,
        'delete_on_termination': one['delete_on_termination'], 'volume_id': one['volume_id'], 'tag': one.get('tag'),
    }) for one in block_devices.volumes(row)]


def flavor(known: Mapping[str, Any], projects: Sequence[str] | None = None) -> Payload:
    """A flavor, or the copy of one that a server has, which knows neither who may use it nor what became of it."""
    return enveloped('FlavorPayload', {
        'flavorid': known['flavorid'], 'name': known['name'], 'memory_mb': known['ram'], 'vcpus': known['vcpus'],
        'root_gb': known['disk'], 'ephemeral_gb': known['ephemeral'], 'swap': known['swap'],
        'rxtx_factor': known['rxtx_factor'], 'vcpu_weight': 0, 'disabled': known.get('disabled', False),
        'is_public': known.get('is_public', True), 'extra_specs': known['extra_specs'],
        'projects': projects, 'description': known.get('description')})


def keypairs_of(row: Any) -> list[Payload]:
    """The key that a server was given."""
    if not getattr(row, 'key_name', None):
        return []
    kind = row.key_type or keys.SSH
    try:
        fingerprint = keys.fingerprint(kind, row.public_key)
    except errors.Invalid:
        # Of a time at which less was checked; nothing else may fail for it.
        fingerprint = ''
    return [enveloped('KeypairPayload', {
        'user_id': row.user_id, 'name': row.key_name, 'public_key': row.public_key, 'type': kind,
        'fingerprint': fingerprint})]


def failure(error: Mapping[str, Any], kind: str) -> Payload:
    """What went wrong in an operation; where it did is in its traceback, if there is one."""
    details = str(error.get('details') or '')
    frames = _FRAME.findall(details)
    path, function = frames[-1] if frames else ('nova_lite/conductor', kind)
    name = details.strip().rpartition('\n')[2].partition(':')[0].rpartition('.')[2] if frames else ''
    return enveloped('ExceptionPayload', {
        'module_name': _module(path),
        'function_name': function, 'exception': name or 'Error',
        'exception_message': str(error.get('message') or 'Unknown error.'), 'traceback': details})


def _module(path: str) -> str:
    _, ours, rest = path.rpartition('nova_lite/')
    return (ours + rest).removesuffix('.py').rpartition('site-packages/')[2].strip('/').replace('/', '.')


def state_update(before: Any, row: Any) -> Payload:
    """From which states a server came to which."""
    return enveloped('InstanceStateUpdatePayload', {
        'old_state': before.vm_state, 'state': row.vm_state,
        'old_task_state': before.task_state, 'new_task_state': row.task_state})


def audit_period(begin: datetime.datetime, end: datetime.datetime) -> Payload:
    """A period of the usage audit."""
    return enveloped('AuditPeriodPayload', {
        'audit_period_beginning': when(begin), 'audit_period_ending': when(end)})


def compute_task(row: Any, error: Mapping[str, Any], kind: str) -> Payload:
    """A server that no host could be found for."""
    return enveloped('ComputeTaskPayload', {
        'instance_uuid': row.uuid, 'request_spec': None, 'state': row.vm_state, 'reason': failure(error, kind)})
