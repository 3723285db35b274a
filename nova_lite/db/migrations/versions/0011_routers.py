# SPDX-License-Identifier: Apache-2.0
"""Routers of the embedded network service; what they connect are ports."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = '0011'
down_revision = '0010'

# These types are this step's own: what tables.py says later must not change what was done here.
Time = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), 'mysql', 'mariadb')


def Name(length: int = 255) -> sa.types.TypeEngine:  # noqa: N802 - reads like a column type
    """A string compared byte for byte."""
    return sa.String(length).with_variant(
        mysql.VARCHAR(length, charset='utf8mb4', collation='utf8mb4_bin'), 'mysql', 'mariadb').with_variant(
        sa.String(length, collation='C'), 'postgresql')


def upgrade() -> None:
    """Also right where a killed upgrade has done a part of it: MariaDB cannot roll back tables."""
    op.create_table(
        'routers',
        sa.Column('id', Name(36), primary_key=True),
        sa.Column('project_id', Name(), nullable=False),
        sa.Column('name', Name(), nullable=False),
        sa.Column('description', Name(), nullable=False),
        sa.Column('admin_state_up', sa.Boolean, nullable=False),
        sa.Column('enable_snat', sa.Boolean, nullable=False),
        sa.Column('created_at', Time, nullable=False),
        sa.Column('updated_at', Time, nullable=False),
        if_not_exists=True, mysql_engine='InnoDB', mysql_charset='utf8mb4')
    # MySQL has no IF NOT EXISTS for an index.
    if 'ix_routers_project_id' not in {index['name'] for index in sa.inspect(op.get_bind()).get_indexes('routers')}:
        op.create_index('ix_routers_project_id', 'routers', ['project_id'])
