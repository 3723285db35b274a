# SPDX-License-Identifier: Apache-2.0
"""What Placement was told of hosts and servers, and of what a host's limits were made."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = '0014'
down_revision = '0013'

# These types are this step's own: what tables.py says later must not change what was done here.
Time = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), 'mysql', 'mariadb')
Json = sa.Text().with_variant(mysql.MEDIUMTEXT(charset='utf8mb4', collation='utf8mb4_bin'), 'mysql', 'mariadb')


def Name(length: int) -> sa.types.TypeEngine:  # noqa: N802 - reads like a column type
    """A string compared byte for byte."""
    return sa.String(length).with_variant(
        mysql.VARCHAR(length, charset='utf8mb4', collation='utf8mb4_bin'), 'mysql', 'mariadb').with_variant(
        sa.String(length, collation='C'), 'postgresql')


def upgrade() -> None:
    """Also right where a killed upgrade has done a part of it: MariaDB cannot roll back tables."""
    if 'rates' not in {column['name'] for column in sa.inspect(op.get_bind()).get_columns('hosts')}:
        op.add_column('hosts', sa.Column('rates', Json))
    op.create_table(
        'mirrored_hosts',
        sa.Column('uuid', Name(36), primary_key=True),
        sa.Column('digest', Name(64), nullable=False),
        sa.Column('checked_at', Time, nullable=False),
        if_not_exists=True, mysql_engine='InnoDB', mysql_charset='utf8mb4')
    op.create_table(
        'mirrored_allocations',
        sa.Column('server_uuid', Name(36), primary_key=True),
        sa.Column('host_uuid', Name(36), primary_key=True),
        sa.Column('vcpus', sa.Integer, nullable=False),
        sa.Column('memory_mb', sa.Integer, nullable=False),
        sa.Column('local_gb', sa.Integer, nullable=False),
        if_not_exists=True, mysql_engine='InnoDB', mysql_charset='utf8mb4')
    if 'ix_mirrored_allocations_host_uuid' not in {
            index['name'] for index in sa.inspect(op.get_bind()).get_indexes('mirrored_allocations')}:
        op.create_index('ix_mirrored_allocations_host_uuid', 'mirrored_allocations', ['host_uuid'])
