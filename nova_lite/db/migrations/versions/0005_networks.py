# SPDX-License-Identifier: Apache-2.0
"""Networks, subnets and ports of the embedded network service."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = '0005'
down_revision = '0004'

# These types are this step's own: what tables.py says later must not change what was done here.
Time = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), 'mysql', 'mariadb')
Json = sa.Text().with_variant(mysql.MEDIUMTEXT(charset='utf8mb4', collation='utf8mb4_bin'), 'mysql', 'mariadb')


def Name(length: int = 255) -> sa.types.TypeEngine:  # noqa: N802 - reads like a column type
    """A string compared byte for byte."""
    return sa.String(length).with_variant(
        mysql.VARCHAR(length, charset='utf8mb4', collation='utf8mb4_bin'), 'mysql', 'mariadb').with_variant(
        sa.String(length, collation='C'), 'postgresql')


def _table(name: str, *columns: sa.schema.SchemaItem) -> None:
    op.create_table(name, *columns, if_not_exists=True, mysql_engine='InnoDB', mysql_charset='utf8mb4')


def _index(table: str, *columns: str) -> None:
    name = f'ix_{table}_{columns[0]}'
    # MySQL has no IF NOT EXISTS for an index.
    if name not in {index['name'] for index in sa.inspect(op.get_bind()).get_indexes(table)}:
        op.create_index(name, table, columns)


def upgrade() -> None:
    """Also right where a killed upgrade has done a part of it: MariaDB cannot roll back tables."""
    _networks()
    _ports()


def _networks() -> None:
    _table(
        'networks',
        sa.Column('id', Name(36), primary_key=True),
        sa.Column('project_id', Name(), nullable=False),
        sa.Column('name', Name(), nullable=False),
        sa.Column('description', Name(), nullable=False),
        sa.Column('mtu', sa.Integer, nullable=False),
        sa.Column('admin_state_up', sa.Boolean, nullable=False),
        sa.Column('shared', sa.Boolean, nullable=False),
        sa.Column('external', sa.Boolean, nullable=False),
        sa.Column('created_at', Time, nullable=False),
        sa.Column('updated_at', Time, nullable=False))
    _index('networks', 'project_id')
    _table(
        'subnets',
        sa.Column('id', Name(36), primary_key=True),
        sa.Column('network_id', Name(36), sa.ForeignKey('networks.id', ondelete='CASCADE'), nullable=False),
        sa.Column('project_id', Name(), nullable=False),
        sa.Column('name', Name(), nullable=False),
        sa.Column('description', Name(), nullable=False),
        sa.Column('ip_version', sa.Integer, nullable=False),
        sa.Column('cidr', Name(64), nullable=False),
        sa.Column('gateway_ip', Name(39)),
        sa.Column('enable_dhcp', sa.Boolean, nullable=False),
        sa.Column('pools', Json, nullable=False),
        sa.Column('dns_nameservers', Json, nullable=False),
        sa.Column('host_routes', Json, nullable=False),
        sa.Column('created_at', Time, nullable=False),
        sa.Column('updated_at', Time, nullable=False))
    _index('subnets', 'network_id')


def _ports() -> None:
    _table(
        'ports',
        sa.Column('id', Name(36), primary_key=True),
        sa.Column('network_id', Name(36), sa.ForeignKey('networks.id'), nullable=False),
        sa.Column('project_id', Name(), nullable=False),
        sa.Column('name', Name(), nullable=False),
        sa.Column('description', Name(), nullable=False),
        sa.Column('mac_address', Name(17), nullable=False, unique=True),
        sa.Column('device_id', Name(), nullable=False),
        sa.Column('device_owner', Name(), nullable=False),
        sa.Column('slot', Name(36)),
        sa.Column('host', Name()),
        sa.Column('status', Name(16), nullable=False),
        sa.Column('admin_state_up', sa.Boolean, nullable=False),
        sa.Column('security_groups', Json, nullable=False),
        sa.Column('tag', Name(60)),
        sa.Column('ours', sa.Boolean, nullable=False),
        sa.Column('created_at', Time, nullable=False),
        sa.Column('updated_at', Time, nullable=False),
        sa.UniqueConstraint('device_id', 'slot'))
    _index('ports', 'network_id')
    _index('ports', 'project_id')
    _table(
        'port_addresses',
        sa.Column('subnet_id', Name(36), sa.ForeignKey('subnets.id'), primary_key=True),
        sa.Column('address', Name(39), primary_key=True),
        sa.Column('port_id', Name(36), sa.ForeignKey('ports.id', ondelete='CASCADE'), nullable=False),
        sa.Column('position', sa.Integer, nullable=False))
    _index('port_addresses', 'port_id')
