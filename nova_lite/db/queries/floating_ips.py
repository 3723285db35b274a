# SPDX-License-Identifier: Apache-2.0
"""Floating addresses: who has them, and which address of which port each leads to.

When the port goes, the database itself takes it out of the row; without a port the row's fixed address says nothing.
"""

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from oslo_utils import timeutils, uuidutils

from nova_lite import errors
from nova_lite.db import tables
from nova_lite.db.conditions import is_one_of
from nova_lite.db.engine import Conn

FLOATING = tables.floating_ips
ADDRESSES = tables.port_addresses


def find(conn: Conn, filters: Mapping[str, Any] | None = None) -> list[sa.Row[Any]]:
    """Floating addresses by age; ``filters`` maps columns to a value or a collection of values."""
    return list(conn.execute(sa.select(FLOATING).where(
        *(is_one_of(FLOATING.c[name], wanted) for name, wanted in (filters or {}).items())).order_by(
        FLOATING.c.created_at, FLOATING.c.id)).all())


def get(conn: Conn, floating_id: str, project_id: str | None = None, lock: bool = False) -> sa.Row[Any]:
    """One floating address, of the project if one is given."""
    statement = sa.select(FLOATING).where(FLOATING.c.id == floating_id)
    if project_id is not None:
        statement = statement.where(FLOATING.c.project_id == project_id)
    row = conn.execute(statement.with_for_update() if lock else statement).first()
    if row is None:
        raise errors.FloatingIpNotFound(floating_ip=floating_id)
    return row


def of_ports(conn: Conn, port_ids: Collection[str]) -> dict[str, dict[str, list[str]]]:
    """Port → its address → the floating addresses that lead there."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in find(conn, {'port_id': list(port_ids)}) if port_ids else ():
        found.setdefault(row.port_id, {}).setdefault(row.fixed_address, []).append(row.address)
    return found


def count(conn: Conn, project_id: str) -> int:
    """How many floating addresses a project has."""
    return int(conn.execute(sa.select(sa.func.count()).select_from(FLOATING).where(
        FLOATING.c.project_id == project_id)).scalar_one())


def insert(conn: sa.Connection, values: Mapping[str, Any]) -> str:
    """Store project_id, network_id, address and own_port_id; the id."""
    now = timeutils.utcnow()
    row = {'id': uuidutils.generate_uuid(), 'port_id': None, 'fixed_address': None, 'description': '',
           'created_at': now, 'updated_at': now, **values}
    conn.execute(sa.insert(FLOATING), row)
    return str(row['id'])


def lead_to(conn: sa.Connection, floating_id: str, port_id: str | None, fixed_address: str | None) -> None:
    """Where the address leads to from now on, or nowhere; ``Duplicate`` if another one leads there."""
    update(conn, floating_id, {'port_id': port_id, 'fixed_address': fixed_address})


def let_go_of(conn: sa.Connection, port_id: str) -> None:
    """What led to an address that the port does not have any more leads nowhere."""
    present = sa.exists().where(ADDRESSES.c.port_id == port_id, ADDRESSES.c.address == FLOATING.c.fixed_address)
    conn.execute(sa.update(FLOATING).where(FLOATING.c.port_id == port_id, sa.not_(present)).values(
        port_id=None, fixed_address=None, updated_at=timeutils.utcnow()))


def update(conn: sa.Connection, floating_id: str, values: Mapping[str, Any]) -> None:
    """Change a floating address."""
    conn.execute(sa.update(FLOATING).where(FLOATING.c.id == floating_id).values(
        updated_at=timeutils.utcnow(), **values))


def delete(conn: sa.Connection, floating_id: str) -> None:
    """Remove a floating address; its own port is left."""
    conn.execute(sa.delete(FLOATING).where(FLOATING.c.id == floating_id))
