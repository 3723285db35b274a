# SPDX-License-Identifier: Apache-2.0
"""Notifications that wait for the broker, and who sends them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = '0012'
down_revision = '0011'

# These types are this step's own: what tables.py says later must not change what was done here.
Time = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), 'mysql', 'mariadb')
Json = sa.Text().with_variant(mysql.MEDIUMTEXT(charset='utf8mb4', collation='utf8mb4_bin'), 'mysql', 'mariadb')
Id = sa.BigInteger().with_variant(sa.Integer, 'sqlite')


def Name(length: int = 255) -> sa.types.TypeEngine:  # noqa: N802 - reads like a column type
    """A string compared byte for byte."""
    return sa.String(length).with_variant(
        mysql.VARCHAR(length, charset='utf8mb4', collation='utf8mb4_bin'), 'mysql', 'mariadb').with_variant(
        sa.String(length, collation='C'), 'postgresql')


def upgrade() -> None:
    """Also right where a killed upgrade has done a part of it: MariaDB cannot roll back tables."""
    op.create_table(
        'notifications',
        sa.Column('id', Id, primary_key=True),
        sa.Column('message_id', Name(36), nullable=False),
        sa.Column('versioned', sa.Boolean, nullable=False),
        sa.Column('event_type', Name(), nullable=False),
        sa.Column('priority', Name(16), nullable=False),
        sa.Column('publisher_id', Name(), nullable=False),
        sa.Column('payload', Json, nullable=False),
        sa.Column('context', Json, nullable=False),
        sa.Column('created_at', Time, nullable=False),
        if_not_exists=True, mysql_engine='InnoDB', mysql_charset='utf8mb4')
    op.create_table(
        'leases',
        sa.Column('name', Name(32), primary_key=True),
        sa.Column('owner', Name(), nullable=False),
        sa.Column('held_until', Time, nullable=False),
        if_not_exists=True, mysql_engine='InnoDB', mysql_charset='utf8mb4')
