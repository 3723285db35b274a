# SPDX-License-Identifier: Apache-2.0
"""Console tokens, what a server's service remembers of it, and what the driver of a host can do."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = '0003'
down_revision = '0002'

# These types are this step's own: what tables.py says later must not change what was done here.
Id = sa.BigInteger().with_variant(sa.Integer, 'sqlite')
Time = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), 'mysql', 'mariadb')
Json = sa.Text().with_variant(mysql.MEDIUMTEXT(charset='utf8mb4', collation='utf8mb4_bin'), 'mysql', 'mariadb')


def Name(length: int = 255) -> sa.types.TypeEngine:  # noqa: N802 - reads like a column type
    """A string compared byte for byte."""
    return sa.String(length).with_variant(
        mysql.VARCHAR(length, charset='utf8mb4', collation='utf8mb4_bin'), 'mysql', 'mariadb').with_variant(
        sa.String(length, collation='C'), 'postgresql')


def _add(table: str, column: sa.Column[str]) -> None:
    if column.name not in {present['name'] for present in sa.inspect(op.get_bind()).get_columns(table)}:
        op.add_column(table, column)


def _index(table: str, column: str) -> None:
    # MySQL has no IF NOT EXISTS for an index.
    name = f'ix_{table}_{column}'
    if name not in {index['name'] for index in sa.inspect(op.get_bind()).get_indexes(table)}:
        op.create_index(name, table, (column,))


def upgrade() -> None:
    """Also right where a killed upgrade has done a part of it: MariaDB cannot roll back tables."""
    _add('servers', sa.Column('system_metadata', Json))
    _add('hosts', sa.Column('capabilities', Json))
    op.create_table(
        'console_auth_tokens',
        sa.Column('id', Id, primary_key=True),
        sa.Column('token_hash', Name(64), nullable=False, unique=True),
        sa.Column('console_type', Name(32), nullable=False),
        sa.Column('server_uuid', Name(36), nullable=False),
        sa.Column('host', Name(), nullable=False),
        sa.Column('port', sa.Integer, nullable=False),
        sa.Column('tls_port', sa.Integer),
        sa.Column('internal_access_path', Name()),
        sa.Column('expires_at', Time, nullable=False),
        sa.Column('created_at', Time, nullable=False),
        if_not_exists=True, mysql_engine='InnoDB', mysql_charset='utf8mb4')
    _index('console_auth_tokens', 'server_uuid')
    _index('console_auth_tokens', 'expires_at')
