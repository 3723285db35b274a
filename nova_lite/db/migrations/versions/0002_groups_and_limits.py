# SPDX-License-Identifier: Apache-2.0
"""Server groups with their members, and limits of quota that an administrator set."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = '0002'
down_revision = '0001'

# These types are this step's own: what tables.py says later must not change what was done here.
Id = sa.BigInteger().with_variant(sa.Integer, 'sqlite')
Time = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), 'mysql', 'mariadb')
Json = sa.Text().with_variant(mysql.MEDIUMTEXT(charset='utf8mb4', collation='utf8mb4_bin'), 'mysql', 'mariadb')


def Name(length: int = 255) -> sa.types.TypeEngine:  # noqa: N802 - reads like a column type
    """A string compared byte for byte."""
    return sa.String(length).with_variant(
        mysql.VARCHAR(length, charset='utf8mb4', collation='utf8mb4_bin'), 'mysql', 'mariadb').with_variant(
        sa.String(length, collation='C'), 'postgresql')


def _create(name: str, *parts: sa.schema.SchemaItem) -> None:
    op.create_table(name, *parts, if_not_exists=True, mysql_engine='InnoDB', mysql_charset='utf8mb4')


def _index(table: str, name: str, *columns: str) -> None:
    # MySQL has no IF NOT EXISTS for an index.
    if name not in {index['name'] for index in sa.inspect(op.get_bind()).get_indexes(table)}:
        op.create_index(name, table, columns)


def upgrade() -> None:
    """Also right where a killed upgrade has done a part of it: MariaDB cannot roll back tables."""
    _create(
        'quota_limits',
        sa.Column('kind', Name(8), primary_key=True),
        sa.Column('subject', Name(), primary_key=True),
        sa.Column('user_id', Name(), primary_key=True),
        sa.Column('resource', Name(32), primary_key=True),
        sa.Column('hard_limit', sa.Integer, nullable=False),
    )
    _create(
        'server_groups',
        sa.Column('id', Id, primary_key=True),
        sa.Column('uuid', Name(36), nullable=False, unique=True),
        sa.Column('project_id', Name(), nullable=False),
        sa.Column('user_id', Name(), nullable=False),
        sa.Column('name', Name(), nullable=False),
        sa.Column('policy', Name(32), nullable=False),
        sa.Column('rules', Json, nullable=False),
        sa.Column('created_at', Time, nullable=False),
    )
    _index('server_groups', 'ix_server_groups_project', 'project_id', 'id')
    _create(
        'server_group_members',
        sa.Column('server_uuid', Name(36), primary_key=True),
        sa.Column('group_id', Id, sa.ForeignKey('server_groups.id', ondelete='CASCADE'), nullable=False),
    )
    _index('server_group_members', 'ix_server_group_members_group_id', 'group_id')
