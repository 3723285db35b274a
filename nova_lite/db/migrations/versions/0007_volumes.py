# SPDX-License-Identifier: Apache-2.0
"""Volumes, their types, snapshots and attachments, and what projects use of them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = '0007'
down_revision = '0006'

# These types are this step's own: what tables.py says later must not change what was done here.
Id = sa.BigInteger().with_variant(sa.Integer, 'sqlite')
Time = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), 'mysql', 'mariadb')
Text = sa.Text().with_variant(mysql.MEDIUMTEXT(), 'mysql', 'mariadb')
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
    _types_and_usages()
    _volumes()
    _snapshots()
    _attachments()


def _types_and_usages() -> None:
    _create(
        'volume_types',
        sa.Column('id', Id, primary_key=True),
        sa.Column('uuid', Name(36), nullable=False, unique=True),
        sa.Column('name', Name(), nullable=False, unique=True),
        sa.Column('description', Text),
        sa.Column('is_public', sa.Boolean, nullable=False),
        sa.Column('extra_specs', Json, nullable=False),
        sa.Column('created_at', Time, nullable=False),
        sa.Column('updated_at', Time),
    )
    _create(
        'volume_usages',
        sa.Column('project_id', Name(), primary_key=True),
        sa.Column('volumes', sa.BigInteger, nullable=False),
        sa.Column('snapshots', sa.BigInteger, nullable=False),
        sa.Column('gigabytes', sa.BigInteger, nullable=False),
    )


def _volumes() -> None:
    _create(
        'volumes',
        sa.Column('id', Id, primary_key=True),
        sa.Column('uuid', Name(36), nullable=False, unique=True),
        sa.Column('project_id', Name(), nullable=False),
        sa.Column('user_id', Name(), nullable=False),
        sa.Column('name', Name(), nullable=False),
        sa.Column('description', Text),
        sa.Column('size', sa.Integer, nullable=False),
        sa.Column('status', Name(32), nullable=False),
        sa.Column('busy_until', Time),
        sa.Column('type_id', Id, sa.ForeignKey('volume_types.id'), nullable=False),
        sa.Column('availability_zone', Name(), nullable=False),
        sa.Column('bootable', sa.Boolean, nullable=False),
        sa.Column('multiattach', sa.Boolean, nullable=False),
        sa.Column('readonly', sa.Boolean),
        sa.Column('format', Name(16), nullable=False),
        sa.Column('snapshot_uuid', Name(36)),
        sa.Column('source_uuid', Name(36)),
        sa.Column('image_id', Name(64)),
        sa.Column('image_metadata', Json, nullable=False),
        sa.Column('metadata', Json, nullable=False),
        sa.Column('request_key', Name(64)),
        sa.Column('created_at', Time, nullable=False),
        sa.Column('updated_at', Time),
        sa.UniqueConstraint('project_id', 'request_key'),
    )
    _index('volumes', 'ix_volumes_project_page', 'project_id', 'created_at', 'id')
    _index('volumes', 'ix_volumes_page', 'created_at', 'id')
    _index('volumes', 'ix_volumes_busy_until', 'busy_until')
    _index('volumes', 'ix_volumes_type_id', 'type_id')


def _snapshots() -> None:
    _create(
        'volume_snapshots',
        sa.Column('id', Id, primary_key=True),
        sa.Column('uuid', Name(36), nullable=False, unique=True),
        sa.Column('volume_id', Id, sa.ForeignKey('volumes.id'), nullable=False),
        sa.Column('project_id', Name(), nullable=False),
        sa.Column('user_id', Name(), nullable=False),
        sa.Column('name', Name(), nullable=False),
        sa.Column('description', Text),
        sa.Column('size', sa.Integer, nullable=False),
        sa.Column('status', Name(32), nullable=False),
        sa.Column('busy_until', Time),
        sa.Column('bootable', sa.Boolean, nullable=False),
        sa.Column('format', Name(16), nullable=False),
        sa.Column('image_metadata', Json, nullable=False),
        sa.Column('metadata', Json, nullable=False),
        sa.Column('request_key', Name(64)),
        sa.Column('created_at', Time, nullable=False),
        sa.Column('updated_at', Time),
        sa.UniqueConstraint('project_id', 'request_key'),
    )
    _index('volume_snapshots', 'ix_volume_snapshots_project_page', 'project_id', 'created_at', 'id')
    _index('volume_snapshots', 'ix_volume_snapshots_busy_until', 'busy_until')
    _index('volume_snapshots', 'ix_volume_snapshots_volume_id', 'volume_id')


def _attachments() -> None:
    _create(
        'volume_attachments',
        sa.Column('id', Id, primary_key=True),
        sa.Column('uuid', Name(36), nullable=False, unique=True),
        sa.Column('volume_id', Id, sa.ForeignKey('volumes.id', ondelete='CASCADE'), nullable=False),
        sa.Column('server_uuid', Name(36)),
        sa.Column('mode', Name(8), nullable=False),
        sa.Column('status', Name(16), nullable=False),
        sa.Column('device', Name()),
        sa.Column('connector', Json),
        sa.Column('connection', Json),
        sa.Column('request_key', Name(64), unique=True),
        sa.Column('attached_at', Time),
        sa.Column('created_at', Time, nullable=False),
        sa.Column('updated_at', Time),
    )
    _index('volume_attachments', 'ix_volume_attachments_volume_id', 'volume_id')
    _index('volume_attachments', 'ix_volume_attachments_server_uuid', 'server_uuid')
