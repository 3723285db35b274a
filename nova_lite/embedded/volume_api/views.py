# SPDX-License-Identifier: Apache-2.0
"""Volumes, snapshots, attachments and types as Block Storage v3 shows them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from nova_lite.embedded.volume_api.asking import Ask
from nova_lite.model import volumes as model

HOST = 'nova-lite@embedded'
POOL = f'{HOST}#files'


def time(moment: datetime | None) -> str | None:
    """A time as the wire has it."""
    return None if moment is None else moment.strftime('%Y-%m-%dT%H:%M:%S.%f')


def links(ask: Ask, kind: str, uuid: str) -> list[dict[str, str]]:
    """Where a resource is."""
    project = ask.context.project_id
    own = f'{ask.base}/{project}/{kind}/{uuid}'
    return [{'rel': 'self', 'href': own}, {'rel': 'bookmark', 'href': own.replace('/v3/', '/', 1)}]


def brief_volume(ask: Ask, row: Any) -> dict[str, Any]:
    """A volume in a short list."""
    return {'id': row.uuid, 'name': row.name, 'links': links(ask, 'volumes', row.uuid)}


def volume(ask: Ask, row: Any, attachments: Sequence[Any]) -> dict[str, Any]:
    """A volume as it is read."""
    shown = changed_volume(ask, row, attachments)
    shown['os-vol-tenant-attr:tenant_id'] = row.project_id
    if row.image_metadata:
        shown['volume_image_metadata'] = row.image_metadata
    if ask.context.is_admin:
        shown.update({'os-vol-host-attr:host': POOL, 'os-vol-mig-status-attr:migstat': None,
                      'os-vol-mig-status-attr:name_id': None})
    return shown


def changed_volume(ask: Ask, row: Any, attachments: Sequence[Any], status: str | None = None) -> dict[str, Any]:
    """A volume as the answer to a write shows it; ``status`` is shown in place of its own."""
    shown: dict[str, Any] = {
        'id': row.uuid, 'status': status or row.status, 'size': row.size, 'availability_zone': row.availability_zone,
        'created_at': time(row.created_at), 'updated_at': time(row.updated_at), 'name': row.name,
        'description': row.description, 'volume_type': row.volume_type, 'snapshot_id': row.snapshot_uuid,
        'source_volid': row.source_uuid, 'metadata': _metadata(row), 'links': links(ask, 'volumes', row.uuid),
        'user_id': row.user_id, 'bootable': str(row.bootable).lower(), 'encrypted': False,
        'replication_status': None, 'consistencygroup_id': None, 'multiattach': row.multiattach,
        'attachments': [_attached(row, one) for one in attachments if one.status == model.ATTACHED],
        'migration_status': None}
    for since, more in _LATER:
        if ask.minor >= since:
            shown.update(more)
    if ask.context.is_admin:
        shown.update({name: None for since, name in ((21, 'provider_id'), (61, 'cluster_name')) if ask.minor >= since})
    if ask.minor >= 63:
        shown['volume_type_id'] = row.type_uuid
    return shown


_LATER: tuple[tuple[int, Mapping[str, Any]], ...] = (
    (13, {'group_id': None}), (48, {'service_uuid': None, 'shared_targets': False}), (65, {'consumes_quota': True}),
    (69, {'shared_targets': None}))


def _metadata(row: Any) -> dict[str, str]:
    return row.metadata if row.readonly is None else {**row.metadata, 'readonly': str(row.readonly)}


def _attached(row: Any, one: Any) -> dict[str, Any]:
    return {'id': row.uuid, 'attachment_id': one.uuid, 'volume_id': row.uuid, 'server_id': one.server_uuid,
            'host_name': (one.connector or {}).get('host'), 'device': one.device, 'attached_at': time(one.attached_at)}


def snapshot(ask: Ask, row: Any, brief: bool = False) -> dict[str, Any]:
    """A snapshot."""
    shown: dict[str, Any] = {
        'id': row.uuid, 'name': row.name, 'description': row.description, 'volume_id': row.volume_uuid,
        'status': row.status, 'size': row.size, 'created_at': time(row.created_at),
        'updated_at': time(row.updated_at), 'metadata': row.metadata}
    if not brief:
        done = '100%' if row.status == model.AVAILABLE else '0%'
        shown.update({'os-extended-snapshot-attributes:progress': done,
                      'os-extended-snapshot-attributes:project_id': row.project_id})
    for since, more in ((14, {'group_snapshot_id': None}), (41, {'user_id': row.user_id}),
                        (65, {'consumes_quota': True})):
        if ask.minor >= since:
            shown.update(more)
    return shown


def brief_attachment(row: Any) -> dict[str, Any]:
    """An attachment in a short list."""
    return {'id': row.uuid, 'volume_id': row.volume_uuid, 'status': row.status, 'instance': row.server_uuid}


def attachment(row: Any) -> dict[str, Any]:
    """An attachment with how to connect."""
    connection = row.connection or {}
    info = {'driver_volume_type': connection['driver_volume_type'], 'attachment_id': row.uuid,
            **connection['data']} if connection else {}
    return {**brief_attachment(row), 'attached_at': time(row.attached_at) or '', 'detached_at': '',
            'attach_mode': row.mode, 'connection_info': info}


def volume_type(ask: Ask, row: Any) -> dict[str, Any]:
    """A type; what is in its extra specs is for administrators, but for what owners have to know."""
    specs = row.extra_specs if ask.context.is_admin else {
        key: value for key, value in row.extra_specs.items() if key in _FOR_ALL}
    return {'id': row.uuid, 'name': row.name, 'description': row.description, 'is_public': row.is_public,
            'extra_specs': specs, 'qos_specs_id': None, 'os-volume-type-access:is_public': row.is_public}


_FOR_ALL = frozenset(('multiattach', 'RESKEY:availability_zones', 'replication_enabled'))
