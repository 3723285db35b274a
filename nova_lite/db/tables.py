# SPDX-License-Identifier: Apache-2.0
"""Every table of the database, and nothing else.

Times are naive UTC with microseconds.  JSON columns hold what is read and written whole.  A row
that the wire may still show after its end (a deleted server) stays with ``deleted`` set to true
and its ``deleted_at``; ``nova-manage db purge`` takes it away.
"""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from nova_lite.db import types

# MariaDB compares strings without regard to case unless told; names and keys must not collide.
NAMING = {
    'ix': 'ix_%(column_0_label)s', 'uq': 'uq_%(table_name)s_%(column_0_name)s',
    'fk': 'fk_%(table_name)s_%(column_0_name)s', 'pk': 'pk_%(table_name)s',
}
metadata = sa.MetaData(naming_convention=NAMING)

Time = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), 'mysql', 'mariadb')
Id = sa.BigInteger().with_variant(sa.Integer, 'sqlite')
Text = sa.Text().with_variant(mysql.MEDIUMTEXT(), 'mysql', 'mariadb')
Json = types.Json


def Name(length: int = 255) -> sa.types.TypeEngine:  # noqa: N802 - reads like a column type
    """A string compared and sorted byte for byte on every database."""
    return sa.String(length).with_variant(
        mysql.VARCHAR(length, charset='utf8mb4', collation='utf8mb4_bin'), 'mysql', 'mariadb').with_variant(
        sa.String(length, collation='C'), 'postgresql')


def Uuid() -> sa.types.TypeEngine:  # noqa: N802 - reads like a column type
    """A UUID in its canonical 36 characters."""
    return Name(36)


def _table(name: str, *columns: sa.schema.SchemaItem) -> sa.Table:
    return sa.Table(name, metadata, *columns, mysql_engine='InnoDB', mysql_charset='utf8mb4')


flavors = _table(
    'flavors',
    sa.Column('id', Id, primary_key=True),
    sa.Column('flavorid', Name(), nullable=False, unique=True),
    sa.Column('name', Name(), nullable=False, unique=True),
    sa.Column('ram', sa.Integer, nullable=False),            # MiB
    sa.Column('vcpus', sa.Integer, nullable=False),
    sa.Column('disk', sa.Integer, nullable=False),           # GiB, root disk
    sa.Column('ephemeral', sa.Integer, nullable=False),      # GiB
    sa.Column('swap', sa.Integer, nullable=False),           # MiB
    sa.Column('rxtx_factor', sa.Float, nullable=False),
    sa.Column('is_public', sa.Boolean, nullable=False),
    sa.Column('disabled', sa.Boolean, nullable=False),
    sa.Column('description', Text),
    sa.Column('extra_specs', Json, nullable=False),
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time),
)

flavor_projects = _table(
    'flavor_projects',
    sa.Column('flavor_id', Id, sa.ForeignKey('flavors.id', ondelete='CASCADE'), primary_key=True),
    sa.Column('project_id', Name(), primary_key=True),
)

keypairs = _table(
    'keypairs',
    sa.Column('id', Id, primary_key=True),
    sa.Column('user_id', Name(), nullable=False),
    sa.Column('name', Name(), nullable=False),
    sa.Column('type', Name(16), nullable=False),             # ssh, x509
    sa.Column('fingerprint', Name(), nullable=False),
    sa.Column('public_key', Text, nullable=False),
    sa.Column('created_at', Time, nullable=False),
    sa.UniqueConstraint('user_id', 'name'),
)

services = _table(
    'services',
    sa.Column('id', Id, primary_key=True),
    sa.Column('uuid', Uuid(), nullable=False, unique=True),
    sa.Column('host', Name(), nullable=False),
    sa.Column('binary', Name(), nullable=False),             # nova-compute, nova-conductor …
    sa.Column('disabled', sa.Boolean, nullable=False),
    sa.Column('disabled_reason', Name()),
    sa.Column('forced_down', sa.Boolean, nullable=False),
    sa.Column('version', sa.Integer, nullable=False),
    sa.Column('last_seen_at', Time),
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time),
    sa.UniqueConstraint('host', 'binary'),
)

hosts = _table(
    'hosts',
    sa.Column('id', Id, primary_key=True),
    sa.Column('uuid', Uuid(), nullable=False, unique=True),
    sa.Column('service_id', Id, sa.ForeignKey('services.id', ondelete='CASCADE'),
              nullable=False, unique=True),
    sa.Column('host', Name(), nullable=False, unique=True),
    sa.Column('hypervisor_hostname', Name(), nullable=False),
    sa.Column('hypervisor_type', Name(), nullable=False),
    sa.Column('hypervisor_version', sa.Integer, nullable=False),
    sa.Column('host_ip', Name(64), nullable=False),
    sa.Column('cpu_info', Json, nullable=False),
    sa.Column('traits', Json, nullable=False),
    sa.Column('uptime', Text),
    sa.Column('capabilities', Json),                         # optional ports of its driver; null if it does not say
    sa.Column('vcpus', sa.Integer, nullable=False),
    sa.Column('memory_mb', sa.Integer, nullable=False),
    sa.Column('local_gb', sa.Integer, nullable=False),
    sa.Column('disk_available_least', sa.Integer),
    # What may be given away: (inventory - reserved) x allocation ratio, worked out at each report.
    sa.Column('vcpus_limit', sa.Integer, nullable=False),
    sa.Column('memory_mb_limit', sa.Integer, nullable=False),
    sa.Column('local_gb_limit', sa.Integer, nullable=False),
    sa.Column('rates', Json),                                # {resource: [reserved, ratio]} of these; null if unknown
    # What is given away: changed only in the transaction that changes `allocations`.
    sa.Column('vcpus_used', sa.Integer, nullable=False),
    sa.Column('memory_mb_used', sa.Integer, nullable=False),
    sa.Column('local_gb_used', sa.Integer, nullable=False),
    sa.Column('servers', sa.Integer, nullable=False),
    sa.Column('failed_builds', sa.Integer, nullable=False, server_default='0'),   # since the last that did not
    # Indexed, so that the hosts with most room are found without reading all hosts.
    sa.Column('memory_mb_free', sa.Integer, sa.Computed('memory_mb_limit - memory_mb_used', persisted=True)),
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time),
)
sa.Index('ix_hosts_memory_free', hosts.c.memory_mb_free, hosts.c.id)

allocations = _table(
    'allocations',
    sa.Column('server_uuid', Uuid(), primary_key=True),
    sa.Column('host_id', Id, sa.ForeignKey('hosts.id'), primary_key=True, index=True),
    sa.Column('vcpus', sa.Integer, nullable=False),
    sa.Column('memory_mb', sa.Integer, nullable=False),
    sa.Column('local_gb', sa.Integer, nullable=False),
    sa.Column('created_at', Time, nullable=False),
)

# What Placement was told last, if there is one: the difference to the tables above is what it has to be told.
mirrored_hosts = _table(
    'mirrored_hosts',
    sa.Column('uuid', Uuid(), primary_key=True),
    sa.Column('digest', Name(64), nullable=False),           # of all that it was told of the host
    sa.Column('checked_at', Time, nullable=False),
)

mirrored_allocations = _table(
    'mirrored_allocations',
    sa.Column('server_uuid', Uuid(), primary_key=True),
    sa.Column('host_uuid', Uuid(), primary_key=True, index=True),
    sa.Column('vcpus', sa.Integer, nullable=False),
    sa.Column('memory_mb', sa.Integer, nullable=False),
    sa.Column('local_gb', sa.Integer, nullable=False),
)

aggregates = _table(
    'aggregates',
    sa.Column('id', Id, primary_key=True),
    sa.Column('uuid', Uuid(), nullable=False, unique=True),
    sa.Column('name', Name(), nullable=False, unique=True),
    sa.Column('metadata', Json, nullable=False),             # availability_zone lives here, as on the wire
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time),
)

aggregate_hosts = _table(
    'aggregate_hosts',
    sa.Column('aggregate_id', Id, sa.ForeignKey('aggregates.id', ondelete='CASCADE'), primary_key=True),
    sa.Column('host', Name(), primary_key=True, index=True),
)

servers = _table(
    'servers',
    sa.Column('id', Id, primary_key=True),
    sa.Column('uuid', Uuid(), nullable=False, unique=True),
    sa.Column('project_id', Name(), nullable=False),
    sa.Column('user_id', Name(), nullable=False),
    sa.Column('reservation_id', Name(32), nullable=False, index=True),
    sa.Column('launch_index', sa.Integer, nullable=False),
    sa.Column('name', Name(), nullable=False),
    sa.Column('hostname', Name(), nullable=False),
    sa.Column('description', Name()),
    sa.Column('vm_state', Name(32), nullable=False),
    sa.Column('task_state', Name(64)),
    sa.Column('power_state', sa.Integer, nullable=False),
    sa.Column('progress', sa.Integer, nullable=False),
    sa.Column('locked', sa.Boolean, nullable=False),
    sa.Column('locked_by', Name(16)),                        # owner, admin
    sa.Column('locked_reason', Name()),
    sa.Column('host', Name()),                               # null until placed
    sa.Column('node', Name()),
    sa.Column('availability_zone', Name()),                  # where it is
    sa.Column('pinned_availability_zone', Name()),           # where its owner wants it
    sa.Column('image_ref', Name(64)),
    sa.Column('image_properties', Json, nullable=False),
    sa.Column('kernel_id', Name(64)),
    sa.Column('ramdisk_id', Name(64)),
    # flavorid, name, ram, vcpus, disk, ephemeral, swap, rxtx_factor, extra_specs as of create or resize
    sa.Column('flavor', Json, nullable=False),
    sa.Column('flavor_id', Name(), nullable=False),          # its flavorid, to find and count by
    sa.Column('key_name', Name()),
    sa.Column('public_key', Text),
    sa.Column('key_type', Name(16)),
    sa.Column('user_data', Text),
    sa.Column('config_drive', sa.Boolean, nullable=False),
    sa.Column('disk_config', Name(8), nullable=False),       # AUTO, MANUAL
    sa.Column('root_device_name', Name()),
    sa.Column('access_ip_v4', Name(39)),
    sa.Column('access_ip_v6', Name(39)),
    sa.Column('addresses', types.Addresses, nullable=False),  # {network: [{addr, version, type, mac}]}
    # What the network and volume services gave it, in the order of attachment; null is nothing.
    sa.Column('interfaces', Json),
    sa.Column('security_groups', Json),                      # names, as the server's owner sees them
    sa.Column('block_devices', Json),
    sa.Column('metadata', Json, nullable=False),
    sa.Column('scheduler_hints', Json, nullable=False),
    sa.Column('trusted_image_certificates', Json),
    sa.Column('fault', Json),                                # {code, message, details, created}
    # What only we know of it: boot_roles, owner_user_name, owner_project_name, password (encrypted, in pieces),
    # shelved_at and shelved_image; null is nothing.
    sa.Column('system_metadata', Json),
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time, nullable=False),
    sa.Column('launched_at', Time),
    sa.Column('terminated_at', Time),
    sa.Column('deleted', sa.Boolean, nullable=False),
    sa.Column('deleted_at', Time),
)
sa.Index('ix_servers_project_page',
         servers.c.deleted, servers.c.project_id, servers.c.created_at, servers.c.id)
sa.Index('ix_servers_page', servers.c.deleted, servers.c.created_at, servers.c.id)
sa.Index('ix_servers_busy', servers.c.host, servers.c.task_state,
         postgresql_where=servers.c.task_state.is_not(None), sqlite_where=servers.c.task_state.is_not(None))
# Whatever a list can be sorted by or narrowed to: each gives a page, in its order or of one value the newest first.
for _column in (servers.c[name] for name in (
        'access_ip_v4', 'access_ip_v6', 'availability_zone', 'config_drive', 'description', 'disk_config', 'flavor_id',
        'host', 'hostname', 'image_ref', 'kernel_id', 'key_name', 'launch_index', 'launched_at', 'locked', 'locked_by',
        'name', 'node', 'power_state', 'progress', 'ramdisk_id', 'root_device_name', 'task_state', 'terminated_at',
        'updated_at', 'user_id', 'vm_state')):
    # NULL is the smallest value in every list, and PostgreSQL alone takes it for the largest.
    sa.Index(f'ix_servers_by_{_column.name}', servers.c.deleted, _column, servers.c.created_at, servers.c.id,
             postgresql_ops={_column.name: 'NULLS FIRST'} if _column.nullable else {})

server_tags = _table(
    'server_tags',
    sa.Column('server_uuid', Uuid(), primary_key=True),
    sa.Column('tag', Name(60), primary_key=True, index=True),
)

server_actions = _table(
    'server_actions',
    sa.Column('id', Id, primary_key=True),
    sa.Column('server_uuid', Uuid(), nullable=False),
    sa.Column('action', Name(), nullable=False),             # the wire's words: create, stop, reboot …
    sa.Column('request_id', Name(64), nullable=False),
    sa.Column('user_id', Name(), nullable=False),
    sa.Column('project_id', Name(), nullable=False),
    sa.Column('message', Name()),                            # null, or Error
    sa.Column('start_time', Time, nullable=False),
    sa.Column('finish_time', Time),
    sa.Column('updated_at', Time, nullable=False),
)
sa.Index('ix_server_actions_page', server_actions.c.server_uuid, server_actions.c.start_time,
         server_actions.c.id)
sa.Index('ix_server_actions_request', server_actions.c.server_uuid, server_actions.c.request_id)

server_action_events = _table(
    'server_action_events',
    sa.Column('id', Id, primary_key=True),
    sa.Column('action_id', Id, sa.ForeignKey('server_actions.id', ondelete='CASCADE'),
              nullable=False, index=True),
    sa.Column('event', Name(), nullable=False),
    sa.Column('host', Name()),
    sa.Column('start_time', Time, nullable=False),
    sa.Column('finish_time', Time),
    sa.Column('result', Name(16)),                           # Success, Error
    sa.Column('traceback', Text),
    sa.Column('details', Text),
)

operations = _table(
    'operations',
    sa.Column('id', Uuid(), primary_key=True),
    sa.Column('kind', Name(32), nullable=False),             # build, delete, start, stop, reboot …
    sa.Column('server_uuid', Uuid(), nullable=False, index=True),
    sa.Column('project_id', Name(), nullable=False),
    sa.Column('user_id', Name(), nullable=False),
    sa.Column('request_id', Name(64), nullable=False),
    sa.Column('action_id', Id),                              # its row in server_actions
    sa.Column('state', Name(16), nullable=False),            # pending, running, done, failed
    sa.Column('step', Name(64), nullable=False),
    sa.Column('attempt', sa.Integer, nullable=False),
    sa.Column('owner', Name()),                              # the worker that holds the lease
    sa.Column('lease_until', Time),
    sa.Column('params', Json, nullable=False),
    sa.Column('error', Json),
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time, nullable=False),
)
sa.Index('ix_operations_work', operations.c.state, operations.c.lease_until)
sa.Index('ix_operations_updated', operations.c.state, operations.c.updated_at)

# Requests that carried an Idempotency-Key. Neither the key nor the answer can be read here: the answer is
# encrypted with the key, of which this is a digest.
idempotency_keys = _table(
    'idempotency_keys',
    sa.Column('digest', Name(64), primary_key=True),         # of project and key
    sa.Column('request', Name(64), nullable=False),          # of user, version, path and body
    sa.Column('holder', Name(36)),                           # who is at it; null once there is an answer
    sa.Column('held_until', Time),
    sa.Column('answer', Text),
    sa.Column('created_at', Time, nullable=False, index=True),
)

# Notifications on their way to the broker, in the order in which they were written; a row goes once the broker has it.
notifications = _table(
    'notifications',
    sa.Column('id', Id, primary_key=True),
    sa.Column('message_id', Uuid(), nullable=False),         # stays the same if it is sent again
    sa.Column('versioned', sa.Boolean, nullable=False),
    sa.Column('event_type', Name(), nullable=False),
    sa.Column('priority', Name(16), nullable=False),         # INFO, ERROR …
    sa.Column('publisher_id', Name(), nullable=False),       # program:host
    sa.Column('payload', Json, nullable=False),
    sa.Column('context', Json, nullable=False),              # who caused it: request_id, user_id, project_id
    sa.Column('created_at', Time, nullable=False),
)

# What only one process does at a time, and until when.
leases = _table(
    'leases',
    sa.Column('name', Name(32), primary_key=True),
    sa.Column('owner', Name(), nullable=False),
    sa.Column('held_until', Time, nullable=False),
)

# One row for each project, so that a request books all that it needs, or nothing, in one statement.
quota_usages = _table(
    'quota_usages',
    sa.Column('project_id', Name(), primary_key=True),
    sa.Column('instances', sa.BigInteger, nullable=False),
    sa.Column('cores', sa.BigInteger, nullable=False),
    sa.Column('ram', sa.BigInteger, nullable=False),         # MiB
)

# Limits that an administrator set. kind: class (subject is its name) or project (subject is its id); with a
# user_id it is the limit of that user in the project, without it is empty.
quota_limits = _table(
    'quota_limits',
    sa.Column('kind', Name(8), primary_key=True),
    sa.Column('subject', Name(), primary_key=True),
    sa.Column('user_id', Name(), primary_key=True),
    sa.Column('resource', Name(32), primary_key=True),
    sa.Column('hard_limit', sa.Integer, nullable=False),     # -1 is without limit
)

server_groups = _table(
    'server_groups',
    sa.Column('id', Id, primary_key=True),
    sa.Column('uuid', Uuid(), nullable=False, unique=True),
    sa.Column('project_id', Name(), nullable=False),
    sa.Column('user_id', Name(), nullable=False),
    sa.Column('name', Name(), nullable=False),
    sa.Column('policy', Name(32), nullable=False),
    sa.Column('rules', Json, nullable=False),                # max_server_per_host
    sa.Column('created_at', Time, nullable=False),
)
sa.Index('ix_server_groups_project', server_groups.c.project_id, server_groups.c.id)

server_group_members = _table(
    'server_group_members',
    sa.Column('server_uuid', Uuid(), primary_key=True),      # a server is in one group at most
    sa.Column('group_id', Id, sa.ForeignKey('server_groups.id', ondelete='CASCADE'), nullable=False, index=True),
)

# Who holds the token that ``token_hash`` was made of may reach the console of a server, until it expires.
console_auth_tokens = _table(
    'console_auth_tokens',
    sa.Column('id', Id, primary_key=True),
    sa.Column('token_hash', Name(64), nullable=False, unique=True),
    sa.Column('console_type', Name(32), nullable=False),
    sa.Column('server_uuid', Uuid(), nullable=False, index=True),
    sa.Column('host', Name(), nullable=False),
    sa.Column('port', sa.Integer, nullable=False),
    sa.Column('tls_port', sa.Integer),
    sa.Column('internal_access_path', Name()),
    sa.Column('expires_at', Time, nullable=False, index=True),
    sa.Column('created_at', Time, nullable=False),
)

# Moves of servers between hosts, and resizes, as the API shows them.
migrations = _table(
    'migrations',
    sa.Column('id', Id, primary_key=True),
    sa.Column('uuid', Uuid(), nullable=False, unique=True),
    sa.Column('server_uuid', Uuid(), nullable=False),
    sa.Column('type', Name(32), nullable=False),             # migration, resize, live-migration, evacuation
    sa.Column('status', Name(32), nullable=False),           # the wire's words: queued, migrating, finished …
    sa.Column('user_id', Name(), nullable=False),            # who asked for it
    sa.Column('project_id', Name(), nullable=False),
    sa.Column('source_compute', Name(), nullable=False),
    sa.Column('source_node', Name()),
    sa.Column('dest_compute', Name()),                       # null until a host is found
    sa.Column('dest_node', Name()),
    sa.Column('dest_host', Name(64)),                        # its address
    sa.Column('old_flavor', Json, nullable=False),
    sa.Column('new_flavor', Json, nullable=False),
    sa.Column('old_flavor_id', Id),                          # row number; null if the flavor is gone
    sa.Column('new_flavor_id', Id),
    sa.Column('old_vm_state', Name(32), nullable=False),     # what the server is again after a revert
    sa.Column('wish', Name(16)),                             # abort, complete: what the source is to do at once
    sa.Column('memory_total', sa.BigInteger),                # bytes
    sa.Column('memory_processed', sa.BigInteger),
    sa.Column('memory_remaining', sa.BigInteger),
    sa.Column('disk_total', sa.BigInteger),
    sa.Column('disk_processed', sa.BigInteger),
    sa.Column('disk_remaining', sa.BigInteger),
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time),
)
sa.Index('ix_migrations_server', migrations.c.server_uuid, migrations.c.status)
sa.Index('ix_migrations_page', migrations.c.created_at, migrations.c.id)
sa.Index('ix_migrations_status', migrations.c.status, migrations.c.type)

# What the embedded network service keeps. A shared network is there for every project, an external one is where
# floating addresses come from.
networks = _table(
    'networks',
    sa.Column('id', Uuid(), primary_key=True),
    sa.Column('project_id', Name(), nullable=False, index=True),
    sa.Column('name', Name(), nullable=False),
    sa.Column('description', Name(), nullable=False),
    sa.Column('mtu', sa.Integer, nullable=False),
    sa.Column('admin_state_up', sa.Boolean, nullable=False),
    sa.Column('shared', sa.Boolean, nullable=False),
    sa.Column('external', sa.Boolean, nullable=False),
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time, nullable=False),
)

subnets = _table(
    'subnets',
    sa.Column('id', Uuid(), primary_key=True),
    sa.Column('network_id', Uuid(), sa.ForeignKey('networks.id', ondelete='CASCADE'), nullable=False, index=True),
    sa.Column('project_id', Name(), nullable=False),
    sa.Column('name', Name(), nullable=False),
    sa.Column('description', Name(), nullable=False),
    sa.Column('ip_version', sa.Integer, nullable=False),
    sa.Column('cidr', Name(64), nullable=False),
    sa.Column('gateway_ip', Name(39)),
    sa.Column('enable_dhcp', sa.Boolean, nullable=False),
    sa.Column('pools', Json, nullable=False),                # [[first, last]] of the addresses that are given away
    sa.Column('dns_nameservers', Json, nullable=False),
    sa.Column('host_routes', Json, nullable=False),
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time, nullable=False),
)

ports = _table(
    'ports',
    sa.Column('id', Uuid(), primary_key=True),
    sa.Column('network_id', Uuid(), sa.ForeignKey('networks.id'), nullable=False, index=True),
    sa.Column('project_id', Name(), nullable=False, index=True),
    sa.Column('name', Name(), nullable=False),
    sa.Column('description', Name(), nullable=False),
    sa.Column('mac_address', Name(17), nullable=False, unique=True),
    sa.Column('device_id', Name(), nullable=False),          # the server; empty if nobody has it
    sa.Column('device_owner', Name(), nullable=False),
    sa.Column('slot', Name(36)),                             # which of its server's wishes it is, so that each gets one
    sa.Column('host', Name()),                               # where it is bound
    sa.Column('status', Name(16), nullable=False),           # ACTIVE, DOWN
    sa.Column('admin_state_up', sa.Boolean, nullable=False),
    sa.Column('security_groups', Json, nullable=False),      # ids
    sa.Column('tag', Name(60)),                              # of the device, as the server's owner calls it
    sa.Column('ours', sa.Boolean, nullable=False),           # made for its server, with which it goes
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time, nullable=False),
    sa.UniqueConstraint('device_id', 'slot'),
)

# The key is what makes sure that an address of a subnet is given away once.
port_addresses = _table(
    'port_addresses',
    sa.Column('subnet_id', Uuid(), sa.ForeignKey('subnets.id'), primary_key=True),
    sa.Column('address', Name(39), primary_key=True),
    sa.Column('port_id', Uuid(), sa.ForeignKey('ports.id', ondelete='CASCADE'), nullable=False, index=True),
    sa.Column('position', sa.Integer, nullable=False),       # among the addresses of the port
)

# What a router connects are ports that it has: of its interfaces, and of its gateway.
routers = _table(
    'routers',
    sa.Column('id', Uuid(), primary_key=True),
    sa.Column('project_id', Name(), nullable=False, index=True),
    sa.Column('name', Name(), nullable=False),
    sa.Column('description', Name(), nullable=False),
    sa.Column('admin_state_up', sa.Boolean, nullable=False),
    sa.Column('enable_snat', sa.Boolean, nullable=False),
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time, nullable=False),
)

security_groups = _table(
    'security_groups',
    sa.Column('id', Uuid(), primary_key=True),
    sa.Column('project_id', Name(), nullable=False),
    sa.Column('name', Name(), nullable=False),
    sa.Column('description', Name(), nullable=False),
    sa.Column('stateful', sa.Boolean, nullable=False),
    sa.Column('default_of', Name(), unique=True),            # its project, if it is the one that each project has
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time, nullable=False),
)
sa.Index('ix_security_groups_project_id', security_groups.c.project_id, security_groups.c.name)

security_group_rules = _table(
    'security_group_rules',
    sa.Column('id', Uuid(), primary_key=True),
    sa.Column('group_id', Uuid(), sa.ForeignKey('security_groups.id', ondelete='CASCADE'), nullable=False),
    sa.Column('project_id', Name(), nullable=False, index=True),
    sa.Column('direction', Name(8), nullable=False),         # ingress, egress
    sa.Column('ethertype', Name(8), nullable=False),         # IPv4, IPv6
    sa.Column('protocol', Name(40)),
    sa.Column('port_range_min', sa.Integer),
    sa.Column('port_range_max', sa.Integer),
    sa.Column('remote_ip_prefix', Name(64)),
    sa.Column('remote_group_id', Uuid(), sa.ForeignKey('security_groups.id', ondelete='CASCADE'), index=True),
    sa.Column('description', Name(), nullable=False),
    sa.Column('sameness', Name(), nullable=False),           # the same for rules that say the same
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time, nullable=False),
    sa.UniqueConstraint('group_id', 'sameness'),
)

# The address belongs to a port of its own on the external network, so that nobody else there can have it.
floating_ips = _table(
    'floating_ips',
    sa.Column('id', Uuid(), primary_key=True),
    sa.Column('project_id', Name(), nullable=False, index=True),
    sa.Column('network_id', Uuid(), sa.ForeignKey('networks.id'), nullable=False, index=True),
    sa.Column('address', Name(39), nullable=False, index=True),
    sa.Column('own_port_id', Uuid(), sa.ForeignKey('ports.id'), nullable=False, unique=True),
    sa.Column('port_id', Uuid(), sa.ForeignKey('ports.id', ondelete='SET NULL')),   # where it leads to
    sa.Column('fixed_address', Name(39)),                    # of that port; nothing is said by it without one
    sa.Column('description', Name(), nullable=False),
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time, nullable=False),
    sa.UniqueConstraint('port_id', 'fixed_address'),
)

# What the embedded volume service keeps; sizes are GiB.
volume_types = _table(
    'volume_types',
    sa.Column('id', Id, primary_key=True),
    sa.Column('uuid', Uuid(), nullable=False, unique=True),
    sa.Column('name', Name(), nullable=False, unique=True),
    sa.Column('description', Text),
    sa.Column('is_public', sa.Boolean, nullable=False),
    sa.Column('extra_specs', Json, nullable=False),
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time),
)

# One row for each project, changed in the transaction that makes or takes away what it counts.
volume_usages = _table(
    'volume_usages',
    sa.Column('project_id', Name(), primary_key=True),
    sa.Column('volumes', sa.BigInteger, nullable=False),
    sa.Column('snapshots', sa.BigInteger, nullable=False),
    sa.Column('gigabytes', sa.BigInteger, nullable=False),   # of volumes and snapshots
)

volumes = _table(
    'volumes',
    sa.Column('id', Id, primary_key=True),
    sa.Column('uuid', Uuid(), nullable=False, unique=True),
    sa.Column('project_id', Name(), nullable=False),
    sa.Column('user_id', Name(), nullable=False),
    sa.Column('name', Name(), nullable=False),
    sa.Column('description', Text),
    sa.Column('size', sa.Integer, nullable=False),
    sa.Column('status', Name(32), nullable=False),           # the wire's words: creating, available, in-use …
    sa.Column('busy_until', Time, index=True),               # when another process may take over the work on it
    sa.Column('type_id', Id, sa.ForeignKey('volume_types.id'), nullable=False, index=True),
    sa.Column('availability_zone', Name(), nullable=False),
    sa.Column('bootable', sa.Boolean, nullable=False),
    sa.Column('multiattach', sa.Boolean, nullable=False),
    sa.Column('readonly', sa.Boolean),                       # null if nobody said so
    sa.Column('format', Name(16), nullable=False),           # of the file: raw, qcow2 …
    sa.Column('snapshot_uuid', Uuid()),                      # what it was made from
    sa.Column('source_uuid', Uuid()),
    sa.Column('image_id', Name(64)),
    sa.Column('image_metadata', Json, nullable=False),
    sa.Column('metadata', Json, nullable=False),
    sa.Column('request_key', Name(64)),                      # a request with the same key is the same request
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time),
    sa.UniqueConstraint('project_id', 'request_key'),
)
sa.Index('ix_volumes_project_page', volumes.c.project_id, volumes.c.created_at, volumes.c.id)
sa.Index('ix_volumes_page', volumes.c.created_at, volumes.c.id)

volume_snapshots = _table(
    'volume_snapshots',
    sa.Column('id', Id, primary_key=True),
    sa.Column('uuid', Uuid(), nullable=False, unique=True),
    sa.Column('volume_id', Id, sa.ForeignKey('volumes.id'), nullable=False, index=True),
    sa.Column('project_id', Name(), nullable=False),
    sa.Column('user_id', Name(), nullable=False),
    sa.Column('name', Name(), nullable=False),
    sa.Column('description', Text),
    sa.Column('size', sa.Integer, nullable=False),
    sa.Column('status', Name(32), nullable=False),
    sa.Column('busy_until', Time, index=True),
    sa.Column('bootable', sa.Boolean, nullable=False),       # as the volume was
    sa.Column('format', Name(16), nullable=False),
    sa.Column('image_metadata', Json, nullable=False),
    sa.Column('metadata', Json, nullable=False),
    sa.Column('request_key', Name(64)),
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time),
    sa.UniqueConstraint('project_id', 'request_key'),
)
sa.Index('ix_volume_snapshots_project_page', volume_snapshots.c.project_id, volume_snapshots.c.created_at,
         volume_snapshots.c.id)

volume_attachments = _table(
    'volume_attachments',
    sa.Column('id', Id, primary_key=True),
    sa.Column('uuid', Uuid(), nullable=False, unique=True),
    sa.Column('volume_id', Id, sa.ForeignKey('volumes.id', ondelete='CASCADE'), nullable=False, index=True),
    sa.Column('server_uuid', Uuid(), index=True),
    sa.Column('mode', Name(8), nullable=False),              # rw, ro
    sa.Column('status', Name(16), nullable=False),           # reserved, attaching, attached
    sa.Column('device', Name()),
    sa.Column('connector', Json),                            # who connects, and how he may
    sa.Column('connection', Json),
    sa.Column('request_key', Name(64), unique=True),
    sa.Column('attached_at', Time),
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time),
)
