# SPDX-License-Identifier: Apache-2.0
"""Answers to requests that carried an Idempotency-Key; finished operations are found by age."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = '0009'
down_revision = '0008'

# These types are this step's own: what tables.py says later must not change what was done here.
Time = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), 'mysql', 'mariadb')
Text = sa.Text().with_variant(mysql.MEDIUMTEXT(), 'mysql', 'mariadb')


def Name(length: int) -> sa.types.TypeEngine:  # noqa: N802 - reads like a column type
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
        'idempotency_keys',
        sa.Column('digest', Name(64), primary_key=True),
        sa.Column('request', Name(64), nullable=False),
        sa.Column('holder', Name(36)),
        sa.Column('held_until', Time),
        sa.Column('answer', Text),
        sa.Column('created_at', Time, nullable=False),
        if_not_exists=True, mysql_engine='InnoDB', mysql_charset='utf8mb4')
    _index('idempotency_keys', 'ix_idempotency_keys_created_at', 'created_at')
    _index('operations', 'ix_operations_updated', 'state', 'updated_at')
