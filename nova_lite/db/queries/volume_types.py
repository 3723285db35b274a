# SPDX-License-Identifier: Apache-2.0
"""Types of volumes of the embedded volume service."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from oslo_db import exception as db_exc
from oslo_utils import timeutils, uuidutils

from nova_lite import errors
from nova_lite.db import paging, tables
from nova_lite.db.conditions import is_one_of
from nova_lite.db.engine import Conn
from nova_lite.model.volumes import DEFAULT_TYPE

TYPES = tables.volume_types
VOLUMES = tables.volumes

ORDER = paging.Order(marker=TYPES.c.uuid, tie=TYPES.c.id, default=(('created_at', 'desc'),),
                     keys={'id': TYPES.c.uuid, 'name': TYPES.c.name, 'created_at': TYPES.c.created_at,
                           'updated_at': TYPES.c.updated_at})


def find(conn: Conn, name_or_id: str) -> sa.Row[Any]:
    """One type by its id or its name."""
    rows = conn.execute(sa.select(TYPES).where(sa.or_(TYPES.c.uuid == name_or_id, TYPES.c.name == name_or_id))).all()
    if not rows:
        raise errors.VolumeTypeNotFound(type=name_or_id)
    # A name may look like the id of another type, and ids are what programs use.
    return next((row for row in rows if row.uuid == name_or_id), rows[0])


def page(conn: Conn, filters: Mapping[str, Any], paged: paging.Page, offset: int = 0) -> Sequence[sa.Row[Any]]:
    """One page of types, the newest first; filters are columns."""
    conditions = [is_one_of(TYPES.c[name], value) for name, value in filters.items()]
    statement = paging.select_page(conn, sa.select(TYPES).where(*conditions), ORDER, paged)
    return conn.execute(statement.offset(offset) if offset else statement).all()


def insert(conn: sa.Connection, values: Mapping[str, Any]) -> str:
    """Store name, description, is_public and extra_specs; the id."""
    row = {'uuid': uuidutils.generate_uuid(), 'created_at': timeutils.utcnow(), **values}
    try:
        with conn.begin_nested():
            conn.execute(TYPES.insert(), row)
    except db_exc.DBDuplicateEntry:
        raise errors.VolumeTypeExists(name=row['name']) from None
    return str(row['uuid'])


def ensure_default(conn: sa.Connection) -> None:
    """There is the type that volumes have whose owner names none; another process may make it at the same moment."""
    if conn.execute(sa.select(TYPES.c.id).where(TYPES.c.name == DEFAULT_TYPE)).first() is None:
        with contextlib.suppress(errors.VolumeTypeExists):
            insert(conn, {'name': DEFAULT_TYPE, 'description': 'The type of volumes for which no other is asked.',
                          'is_public': True, 'extra_specs': {}})


def update(conn: sa.Connection, type_id: str, **values: Any) -> None:
    """Change a type."""
    try:
        with conn.begin_nested():
            conn.execute(TYPES.update().where(TYPES.c.uuid == type_id).values(
                updated_at=timeutils.utcnow(), **values))
    except db_exc.DBDuplicateEntry:
        raise errors.VolumeTypeExists(name=values.get('name')) from None


def delete(conn: sa.Connection, row: Any) -> None:
    """Remove a type that no volume has."""
    if conn.execute(sa.select(VOLUMES.c.id).where(VOLUMES.c.type_id == row.id).limit(1)).first() is not None:
        raise errors.VolumeTypeInUse(type=row.name)
    conn.execute(TYPES.delete().where(TYPES.c.id == row.id))

