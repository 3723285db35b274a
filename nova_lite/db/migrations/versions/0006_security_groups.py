# SPDX-License-Identifier: Apache-2.0
"""Security groups, their rules, and floating addresses of the embedded network service."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = '0006'
down_revision = '0005'

# These types are this step's own: what tables.py says later must not change what was done here.
Time = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), 'mysql', 'mariadb')


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
    _table(
        'security_groups',
        sa.Column('id', Name(36), primary_key=True),
        sa.Column('project_id', Name(), nullable=False),
        sa.Column('name', Name(), nullable=False),
        sa.Column('description', Name(), nullable=False),
        sa.Column('stateful', sa.Boolean, nullable=False),
        sa.Column('default_of', Name(), unique=True),
        sa.Column('created_at', Time, nullable=False),
        sa.Column('updated_at', Time, nullable=False))
    _index('security_groups', 'project_id', 'name')
    _table(
        'security_group_rules',
        sa.Column('id', Name(36), primary_key=True),
        sa.Column('group_id', Name(36), sa.ForeignKey('security_groups.id', ondelete='CASCADE'), nullable=False),
        sa.Column('project_id', Name(), nullable=False),
        sa.Column('direction', Name(8), nullable=False),
        sa.Column('ethertype', Name(8), nullable=False),
        sa.Column('protocol', Name(40)),
        sa.Column('port_range_min', sa.Integer),
        sa.Column('port_range_max', sa.Integer),
        sa.Column('remote_ip_prefix', Name(64)),
        sa.Column('remote_group_id', Name(36), sa.ForeignKey('security_groups.id', ondelete='CASCADE')),
        sa.Column('description', Name(), nullable=False),
        sa.Column('sameness', Name(), nullable=False),
        sa.Column('created_at', Time, nullable=False),
        sa.Column('updated_at', Time, nullable=False),
        sa.UniqueConstraint('group_id', 'sameness'))
    _index('security_group_rules', 'project_id')
    _index('security_group_rules', 'remote_group_id')
    _table(
        'floating_ips',
        sa.Column('id', Name(36), primary_key=True),
        sa.Column('project_id', Name(), nullable=False),
        sa.Column('network_id', Name(36), sa.ForeignKey('networks.id'), nullable=False),
        sa.Column('address', Name(39), nullable=False),
        sa.Column('own_port_id', Name(36), sa.ForeignKey('ports.id'), nullable=False, unique=True),
        sa.Column('port_id', Name(36), sa.ForeignKey('ports.id', ondelete='SET NULL')),
        sa.Column('fixed_address', Name(39)),
        sa.Column('description', Name(), nullable=False),
        sa.Column('created_at', Time, nullable=False),
        sa.Column('updated_at', Time, nullable=False),
        sa.UniqueConstraint('port_id', 'fixed_address'))
    _index('floating_ips', 'project_id')
    _index('floating_ips', 'network_id')
    _index('floating_ips', 'address')
