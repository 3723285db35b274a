# SPDX-License-Identifier: Apache-2.0
"""The first tables, which every later step changes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = '0001'
down_revision = None

# These types are this step's own: what tables.py says later must not change what was done here.
_MEDIUM = mysql.MEDIUMTEXT(charset='utf8mb4', collation='utf8mb4_bin')
Id = sa.BigInteger().with_variant(sa.Integer, 'sqlite')
Time = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), 'mysql', 'mariadb')
Text = sa.Text().with_variant(mysql.MEDIUMTEXT(), 'mysql', 'mariadb')
Json = sa.Text().with_variant(_MEDIUM, 'mysql', 'mariadb')


def Name(length: int = 255) -> sa.types.TypeEngine:  # noqa: N802 - reads like a column type
    """A string compared byte for byte."""
    return sa.String(length).with_variant(
        mysql.VARCHAR(length, charset='utf8mb4', collation='utf8mb4_bin'), 'mysql', 'mariadb').with_variant(
        sa.String(length, collation='C'), 'postgresql')


def Uuid() -> sa.types.TypeEngine:  # noqa: N802 - reads like a column type
    """36 characters."""
    return Name(36)


def _create(name: str, *parts: sa.schema.SchemaItem) -> None:
    op.create_table(name, *parts, if_not_exists=True, mysql_engine='InnoDB', mysql_charset='utf8mb4')


def _index(table: str, name: str, *columns: str) -> None:
    # MySQL has no IF NOT EXISTS for an index.
    if name not in {index['name'] for index in sa.inspect(op.get_bind()).get_indexes(table)}:
        op.create_index(name, table, columns)


def upgrade() -> None:
    """Also right where a killed upgrade has done a part of it: MariaDB cannot roll back tables."""
    for create in (
            _flavors, _flavor_projects, _keypairs, _services, _hosts, _allocations, _aggregates,
            _aggregate_hosts, _servers, _server_tags, _server_actions, _server_action_events, _operations,
            _quota_usages,
    ):
        create()


def _flavors() -> None:
    _create(
        'flavors',
        sa.Column('id', Id, primary_key=True),
        sa.Column('flavorid', Name(), nullable=False, unique=True),
        sa.Column('name', Name(), nullable=False, unique=True),
        sa.Column('ram', sa.Integer, nullable=False),
        sa.Column('vcpus', sa.Integer, nullable=False),
        sa.Column('disk', sa.Integer, nullable=False),
        sa.Column('ephemeral', sa.Integer, nullable=False),
        sa.Column('swap', sa.Integer, nullable=False),
        sa.Column('rxtx_factor', sa.Float, nullable=False),
        sa.Column('is_public', sa.Boolean, nullable=False),
        sa.Column('disabled', sa.Boolean, nullable=False),
        sa.Column('description', Text),
        sa.Column('extra_specs', Json, nullable=False),
        sa.Column('created_at', Time, nullable=False),
        sa.Column('updated_at', Time),
    )


def _flavor_projects() -> None:
    _create(
        'flavor_projects',
        sa.Column('flavor_id', Id, sa.ForeignKey('flavors.id', ondelete='CASCADE'), primary_key=True),
        sa.Column('project_id', Name(), primary_key=True),
    )


def _keypairs() -> None:
    _create(
        'keypairs',
        sa.Column('id', Id, primary_key=True),
        sa.Column('user_id', Name(), nullable=False),
        sa.Column('name', Name(), nullable=False),
        sa.Column('type', Name(16), nullable=False),
        sa.Column('fingerprint', Name(), nullable=False),
        sa.Column('public_key', Text, nullable=False),
        sa.Column('created_at', Time, nullable=False),
        sa.UniqueConstraint('user_id', 'name'),
    )


def _services() -> None:
    _create(
        'services',
        sa.Column('id', Id, primary_key=True),
        sa.Column('uuid', Uuid(), nullable=False, unique=True),
        sa.Column('host', Name(), nullable=False),
        sa.Column('binary', Name(), nullable=False),
        sa.Column('disabled', sa.Boolean, nullable=False),
        sa.Column('disabled_reason', Name()),
        sa.Column('forced_down', sa.Boolean, nullable=False),
        sa.Column('version', sa.Integer, nullable=False),
        sa.Column('last_seen_at', Time),
        sa.Column('created_at', Time, nullable=False),
        sa.Column('updated_at', Time),
        sa.UniqueConstraint('host', 'binary'),
    )


def _hosts() -> None:
    _create(
        'hosts',
        sa.Column('id', Id, primary_key=True),
        sa.Column('uuid', Uuid(), nullable=False, unique=True),
        sa.Column('service_id', Id,
                  sa.ForeignKey('services.id', ondelete='CASCADE'), nullable=False, unique=True),
        sa.Column('host', Name(), nullable=False, unique=True),
        sa.Column('hypervisor_hostname', Name(), nullable=False),
        sa.Column('hypervisor_type', Name(), nullable=False),
        sa.Column('hypervisor_version', sa.Integer, nullable=False),
        sa.Column('host_ip', Name(64), nullable=False),
        sa.Column('cpu_info', Json, nullable=False),
        sa.Column('traits', Json, nullable=False),
        sa.Column('uptime', Text),
        sa.Column('vcpus', sa.Integer, nullable=False),
        sa.Column('memory_mb', sa.Integer, nullable=False),
        sa.Column('local_gb', sa.Integer, nullable=False),
        sa.Column('disk_available_least', sa.Integer),
        sa.Column('vcpus_limit', sa.Integer, nullable=False),
        sa.Column('memory_mb_limit', sa.Integer, nullable=False),
        sa.Column('local_gb_limit', sa.Integer, nullable=False),
        sa.Column('vcpus_used', sa.Integer, nullable=False),
        sa.Column('memory_mb_used', sa.Integer, nullable=False),
        sa.Column('local_gb_used', sa.Integer, nullable=False),
        sa.Column('servers', sa.Integer, nullable=False),
        sa.Column('memory_mb_free', sa.Integer,
                  sa.Computed('memory_mb_limit - memory_mb_used', persisted=True)),
        sa.Column('created_at', Time, nullable=False),
        sa.Column('updated_at', Time),
    )
    _index('hosts', 'ix_hosts_memory_free', 'memory_mb_free', 'id')


def _allocations() -> None:
    _create(
        'allocations',
        sa.Column('server_uuid', Uuid(), primary_key=True),
        sa.Column('host_id', Id, sa.ForeignKey('hosts.id'), primary_key=True),
        sa.Column('vcpus', sa.Integer, nullable=False),
        sa.Column('memory_mb', sa.Integer, nullable=False),
        sa.Column('local_gb', sa.Integer, nullable=False),
        sa.Column('created_at', Time, nullable=False),
    )
    _index('allocations', 'ix_allocations_host_id', 'host_id')


def _aggregates() -> None:
    _create(
        'aggregates',
        sa.Column('id', Id, primary_key=True),
        sa.Column('uuid', Uuid(), nullable=False, unique=True),
        sa.Column('name', Name(), nullable=False, unique=True),
        sa.Column('metadata', Json, nullable=False),
        sa.Column('created_at', Time, nullable=False),
        sa.Column('updated_at', Time),
    )


def _aggregate_hosts() -> None:
    _create(
        'aggregate_hosts',
        sa.Column('aggregate_id', Id, sa.ForeignKey('aggregates.id', ondelete='CASCADE'), primary_key=True),
        sa.Column('host', Name(), primary_key=True),
    )
    _index('aggregate_hosts', 'ix_aggregate_hosts_host', 'host')


def _servers() -> None:
    _create(
        'servers',
        sa.Column('id', Id, primary_key=True),
        sa.Column('uuid', Uuid(), nullable=False, unique=True),
        sa.Column('project_id', Name(), nullable=False),
        sa.Column('user_id', Name(), nullable=False),
        sa.Column('reservation_id', Name(32), nullable=False),
        sa.Column('launch_index', sa.Integer, nullable=False),
        sa.Column('name', Name(), nullable=False),
        sa.Column('hostname', Name(), nullable=False),
        sa.Column('description', Name()),
        sa.Column('vm_state', Name(32), nullable=False),
        sa.Column('task_state', Name(64)),
        sa.Column('power_state', sa.Integer, nullable=False),
        sa.Column('progress', sa.Integer, nullable=False),
        sa.Column('locked', sa.Boolean, nullable=False),
        sa.Column('locked_by', Name(16)),
        sa.Column('locked_reason', Name()),
        sa.Column('host', Name()),
        sa.Column('node', Name()),
        sa.Column('availability_zone', Name()),
        sa.Column('pinned_availability_zone', Name()),
        sa.Column('image_ref', Name(64)),
        sa.Column('image_properties', Json, nullable=False),
        sa.Column('kernel_id', Name(64)),
        sa.Column('ramdisk_id', Name(64)),
        sa.Column('flavor', Json, nullable=False),
        sa.Column('flavor_id', Name(), nullable=False),
        sa.Column('key_name', Name()),
        sa.Column('public_key', Text),
        sa.Column('key_type', Name(16)),
        sa.Column('user_data', Text),
        sa.Column('config_drive', sa.Boolean, nullable=False),
        sa.Column('disk_config', Name(8), nullable=False),
        sa.Column('root_device_name', Name()),
        sa.Column('access_ip_v4', Name(39)),
        sa.Column('access_ip_v6', Name(39)),
        sa.Column('addresses', Json, nullable=False),
        sa.Column('metadata', Json, nullable=False),
        sa.Column('scheduler_hints', Json, nullable=False),
        sa.Column('trusted_image_certificates', Json),
        sa.Column('fault', Json),
        sa.Column('created_at', Time, nullable=False),
        sa.Column('updated_at', Time, nullable=False),
        sa.Column('launched_at', Time),
        sa.Column('terminated_at', Time),
        sa.Column('deleted', sa.Boolean, nullable=False),
        sa.Column('deleted_at', Time),
    )
    _index('servers', 'ix_servers_flavor', 'flavor_id', 'deleted')
    _index('servers', 'ix_servers_host', 'host', 'deleted')
    _index('servers', 'ix_servers_page', 'deleted', 'created_at', 'id')
    _index('servers', 'ix_servers_project_page', 'deleted', 'project_id', 'created_at', 'id')
    _index('servers', 'ix_servers_reservation_id', 'reservation_id')
    _index('servers', 'ix_servers_updated', 'updated_at')


def _server_tags() -> None:
    _create(
        'server_tags',
        sa.Column('server_uuid', Uuid(), primary_key=True),
        sa.Column('tag', Name(60), primary_key=True),
    )
    _index('server_tags', 'ix_server_tags_tag', 'tag')


def _server_actions() -> None:
    _create(
        'server_actions',
        sa.Column('id', Id, primary_key=True),
        sa.Column('server_uuid', Uuid(), nullable=False),
        sa.Column('action', Name(), nullable=False),
        sa.Column('request_id', Name(64), nullable=False),
        sa.Column('user_id', Name(), nullable=False),
        sa.Column('project_id', Name(), nullable=False),
        sa.Column('message', Name()),
        sa.Column('start_time', Time, nullable=False),
        sa.Column('finish_time', Time),
        sa.Column('updated_at', Time, nullable=False),
    )
    _index('server_actions', 'ix_server_actions_page', 'server_uuid', 'start_time', 'id')
    _index('server_actions', 'ix_server_actions_request', 'server_uuid', 'request_id')


def _server_action_events() -> None:
    _create(
        'server_action_events',
        sa.Column('id', Id, primary_key=True),
        sa.Column('action_id', Id, sa.ForeignKey('server_actions.id', ondelete='CASCADE'), nullable=False),
        sa.Column('event', Name(), nullable=False),
        sa.Column('host', Name()),
        sa.Column('start_time', Time, nullable=False),
        sa.Column('finish_time', Time),
        sa.Column('result', Name(16)),
        sa.Column('traceback', Text),
        sa.Column('details', Text),
    )
    _index('server_action_events', 'ix_server_action_events_action_id', 'action_id')


def _operations() -> None:
    _create(
        'operations',
        sa.Column('id', Uuid(), primary_key=True),
        sa.Column('kind', Name(32), nullable=False),
        sa.Column('server_uuid', Uuid(), nullable=False),
        sa.Column('project_id', Name(), nullable=False),
        sa.Column('user_id', Name(), nullable=False),
        sa.Column('request_id', Name(64), nullable=False),
        sa.Column('action_id', Id),
        sa.Column('state', Name(16), nullable=False),
        sa.Column('step', Name(64), nullable=False),
        sa.Column('attempt', sa.Integer, nullable=False),
        sa.Column('owner', Name()),
        sa.Column('lease_until', Time),
        sa.Column('params', Json, nullable=False),
        sa.Column('error', Json),
        sa.Column('created_at', Time, nullable=False),
        sa.Column('updated_at', Time, nullable=False),
    )
    _index('operations', 'ix_operations_server_uuid', 'server_uuid')
    _index('operations', 'ix_operations_work', 'state', 'lease_until')


def _quota_usages() -> None:
    _create(
        'quota_usages',
        sa.Column('project_id', Name(), primary_key=True),
        sa.Column('instances', sa.BigInteger, nullable=False),
        sa.Column('cores', sa.BigInteger, nullable=False),
        sa.Column('ram', sa.BigInteger, nullable=False),
    )
