# SPDX-License-Identifier: Apache-2.0
"""Versioned payloads of what is no server, as it is at this moment in this transaction."""

from collections.abc import Callable
from typing import Any

from nova_lite.db.queries import aggregates, flavors, keypairs, server_groups, services
from nova_lite.notifications import payloads
from nova_lite.notifications.payloads import Payload

#: Topics of the programs that have one.
_TOPICS = {'nova-compute': 'compute', 'nova-conductor': 'conductor'}


def aggregate(conn: Any, aggregate_id: int) -> Payload:
    """An aggregate and its hosts."""
    row = aggregates.get(conn, aggregate_id)
    assert row is not None
    return payloads.enveloped('AggregatePayload', {
        'id': row.id, 'uuid': row.uuid, 'name': row.name, 'metadata': row.metadata,
        'hosts': aggregates.members(conn, [row.id])[row.id]})


def flavor(conn: Any, flavorid: str) -> Payload:
    """A flavor, and who may use it if not everybody may."""
    row = flavors.get(conn, flavorid, is_admin=True)
    return payloads.flavor(row._mapping, None if row.is_public else flavors.projects(conn, row.id))


def keypair(conn: Any, user_id: str, name: str) -> Payload:
    """A key pair."""
    row = keypairs.get(conn, user_id, name)
    return payloads.enveloped('KeypairPayload', {field: getattr(row, field) for field in (
        'user_id', 'name', 'fingerprint', 'public_key', 'type')})


def server_group(conn: Any, uuid: str) -> Payload:
    """A group of servers and its members."""
    row = server_groups.get(conn, uuid)
    return payloads.enveloped('ServerGroupPayload', {
        'uuid': row.uuid, 'name': row.name, 'project_id': row.project_id, 'user_id': row.user_id,
        'policies': [row.policy], 'policy': row.policy,
        'rules': {name: str(value) for name, value in row.rules.items()},
        'members': server_groups.members(conn, [row.id])[row.id], 'hosts': None})


def service(conn: Any, service_id: int) -> Payload:
    """A program on a host."""
    row = services.get(conn, service_id)
    return payloads.enveloped('ServiceStatusPayload', {
        'host': row.host, 'binary': row.binary, 'topic': _TOPICS.get(row.binary), 'report_count': 0,
        'disabled': row.disabled, 'disabled_reason': row.disabled_reason, 'forced_down': row.forced_down,
        'version': row.version, 'uuid': row.uuid, 'availability_zone': None,
        'last_seen_up': payloads.when(row.last_seen_at)})


#: By the first word of the type of the notification; what each takes is the key of its row.
BUILDERS: dict[str, Callable[..., Payload]] = {
    'aggregate': aggregate, 'flavor': flavor, 'keypair': keypair, 'server_group': server_group, 'service': service}
