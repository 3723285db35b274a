# SPDX-License-Identifier: Apache-2.0
"""What a decision on thousands of hosts and a list of many servers need to stay quick."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = '0008'
down_revision = '0007'

_BUSY = sa.text('task_state IS NOT NULL')


def _index(table: str, name: str, *columns: str, **only: Any) -> None:
    # MySQL has no IF NOT EXISTS for an index.
    if name not in {index['name'] for index in sa.inspect(op.get_bind()).get_indexes(table)}:
        op.create_index(name, table, columns, **only)


def upgrade() -> None:
    """Also right where a killed upgrade has done a part of it: MariaDB cannot roll back tables."""
    if 'failed_builds' not in {column['name'] for column in sa.inspect(op.get_bind()).get_columns('hosts')}:
        op.add_column('hosts', sa.Column('failed_builds', sa.Integer, nullable=False, server_default='0'))
    _index('servers', 'ix_servers_busy', 'host', 'task_state', postgresql_where=_BUSY, sqlite_where=_BUSY)
    _index('servers', 'ix_servers_name', 'deleted', 'name', 'id')
    for name, column in (('state', 'vm_state'), ('user', 'user_id'), ('image', 'image_ref')):
        _index('servers', f'ix_servers_{name}', column, 'deleted', 'created_at', 'id')
