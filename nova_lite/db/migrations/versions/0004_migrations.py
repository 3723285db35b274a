# SPDX-License-Identifier: Apache-2.0
"""Moves of servers between hosts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = '0004'
down_revision = '0003'

# These types are this step's own: what tables.py says later must not change what was done here.
Id = sa.BigInteger().with_variant(sa.Integer, 'sqlite')
Time = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), 'mysql', 'mariadb')
Json = sa.Text().with_variant(mysql.MEDIUMTEXT(charset='utf8mb4', collation='utf8mb4_bin'), 'mysql', 'mariadb')


def Name(length: int = 255) -> sa.types.TypeEngine:  # noqa: N802 - reads like a column type
    """A string compared byte for byte."""
    return sa.String(length).with_variant(
        mysql.VARCHAR(length, charset='utf8mb4', collation='utf8mb4_bin'), 'mysql', 'mariadb').with_variant(
        sa.String(length, collation='C'), 'postgresql')


def _index(table: str, name: str, *columns: str) -> None:
    # MySQL has no IF NOT EXISTS for an index.
    if name not in {index['name'] for index in sa.inspect(op.get_bind()).get_indexes(table)}:
        op.create_index(name, table, columns)


def upgrade() -> None:
    """Also right where a killed upgrade has done a part of it: MariaDB cannot roll back tables."""
    op.create_table(
        'migrations',
        sa.Column('id', Id, primary_key=True),
        sa.Column('uuid', Name(36), nullable=False, unique=True),
        sa.Column('server_uuid', Name(36), nullable=False),
        sa.Column('type', Name(32), nullable=False),
        sa.Column('status', Name(32), nullable=False),
        sa.Column('user_id', Name(), nullable=False),
        sa.Column('project_id', Name(), nullable=False),
        sa.Column('source_compute', Name(), nullable=False),
        sa.Column('source_node', Name()),
        sa.Column('dest_compute', Name()),
        sa.Column('dest_node', Name()),
        sa.Column('dest_host', Name(64)),
        sa.Column('old_flavor', Json, nullable=False),
        sa.Column('new_flavor', Json, nullable=False),
        sa.Column('old_flavor_id', Id),
        sa.Column('new_flavor_id', Id),
        sa.Column('old_vm_state', Name(32), nullable=False),
        sa.Column('wish', Name(16)),
        sa.Column('memory_total', sa.BigInteger),
        sa.Column('memory_processed', sa.BigInteger),
        sa.Column('memory_remaining', sa.BigInteger),
        sa.Column('disk_total', sa.BigInteger),
        sa.Column('disk_processed', sa.BigInteger),
        sa.Column('disk_remaining', sa.BigInteger),
        sa.Column('created_at', Time, nullable=False),
        sa.Column('updated_at', Time),
        if_not_exists=True, mysql_engine='InnoDB', mysql_charset='utf8mb4')
    _index('migrations', 'ix_migrations_server', 'server_uuid', 'status')
    _index('migrations', 'ix_migrations_page', 'created_at', 'id')
    _index('migrations', 'ix_migrations_status', 'status', 'type')
