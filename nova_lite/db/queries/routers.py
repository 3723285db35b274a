# SPDX-License-Identifier: Apache-2.0
"""Routers of the embedded network service."""

import uuid
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from oslo_utils import timeutils

from nova_lite.db import tables
from nova_lite.db.conditions import is_one_of
from nova_lite.db.engine import Conn

ROUTERS = tables.routers


def page(conn: Conn, filters: Mapping[str, Any] | None = None, seen_by: str | None = None) -> list[sa.Row[Any]]:
    """Routers by age; ``filters`` maps columns to a value or to several, ``seen_by`` leaves those of a project."""
    statement = sa.select(ROUTERS).order_by(ROUTERS.c.created_at, ROUTERS.c.id).where(
        *(is_one_of(ROUTERS.c[name], wanted) for name, wanted in (filters or {}).items()))
    if seen_by is not None:
        statement = statement.where(ROUTERS.c.project_id == seen_by)
    return list(conn.execute(statement).all())


def lock(conn: sa.Connection, router_id: str) -> sa.Row[Any] | None:
    """A router, which nobody else changes before this transaction ends."""
    return conn.execute(sa.select(ROUTERS).where(ROUTERS.c.id == router_id).with_for_update()).first()


def insert(conn: sa.Connection, values: Mapping[str, Any]) -> str:
    """Store a router; its id."""
    now = timeutils.utcnow()
    row = {'id': str(uuid.uuid4()), 'created_at': now, 'updated_at': now, **values}
    conn.execute(ROUTERS.insert(), row)
    return str(row['id'])


def update(conn: sa.Connection, router_id: str, **values: Any) -> bool:
    """Change a router; whether it is there."""
    return bool(conn.execute(ROUTERS.update().where(ROUTERS.c.id == router_id).values(
        {'updated_at': timeutils.utcnow(), **values})).rowcount)


def delete(conn: sa.Connection, router_id: str) -> bool:
    """Remove a router; whether it was there."""
    return bool(conn.execute(ROUTERS.delete().where(ROUTERS.c.id == router_id)).rowcount)
