# SPDX-License-Identifier: Apache-2.0
"""What the network and volume services gave a server."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = '0010'
down_revision = '0009'

# This type is this step's own: what tables.py says later must not change what was done here.
Json = sa.Text().with_variant(mysql.MEDIUMTEXT(charset='utf8mb4', collation='utf8mb4_bin'), 'mysql', 'mariadb')


def upgrade() -> None:
    """Also right where a killed upgrade has done a part of it: MariaDB cannot roll back tables."""
    present = {column['name'] for column in sa.inspect(op.get_bind()).get_columns('servers')}
    for name in ('interfaces', 'security_groups', 'block_devices'):
        if name not in present:
            op.add_column('servers', sa.Column(name, Json))
