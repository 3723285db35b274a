# SPDX-License-Identifier: Apache-2.0
"""Ports of the embedded network service, and the addresses that they have."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from oslo_utils import timeutils

from nova_lite.db import tables
from nova_lite.db.conditions import is_one_of
from nova_lite.db.engine import Conn

PORTS = tables.ports
ADDRESSES = tables.port_addresses

# By age; what was made for a server at the same time in the order of the wishes.
_SELECT = sa.select(PORTS).order_by(PORTS.c.created_at, PORTS.c.slot, PORTS.c.id)


def page(conn: Conn, filters: Mapping[str, Any] | None = None, seen_by: str | None = None) -> list[sa.Row[Any]]:
    """Ports; ``filters`` maps columns to a value or to several, ``seen_by`` leaves those of a project."""
    wanted = dict(filters or {})
    fixed = {name: wanted.pop(name) for name in ('subnet_id', 'address') if name in wanted}
    statement = _SELECT.where(*(is_one_of(PORTS.c[name], value) for name, value in wanted.items()))
    if seen_by is not None:
        statement = statement.where(PORTS.c.project_id == seen_by)
    if fixed:
        statement = statement.where(sa.exists().where(
            ADDRESSES.c.port_id == PORTS.c.id, *(is_one_of(ADDRESSES.c[name], value) for name, value in fixed.items())))
    return list(conn.execute(statement).all())


def get(conn: Conn, port_id: str) -> sa.Row[Any] | None:
    """One port."""
    return conn.execute(sa.select(PORTS).where(PORTS.c.id == port_id)).first()


def lock(conn: sa.Connection, port_id: str) -> sa.Row[Any] | None:
    """One port, which nobody else changes before this transaction ends."""
    return conn.execute(sa.select(PORTS).where(PORTS.c.id == port_id).with_for_update()).first()


def of_device(conn: Conn, device_id: str) -> list[sa.Row[Any]]:
    """The ports of a server."""
    return list(conn.execute(_SELECT.where(PORTS.c.device_id == device_id)).all())


def count(conn: Conn, network_id: str) -> int:
    """How many ports a network has."""
    return int(conn.scalar(sa.select(sa.func.count()).select_from(PORTS).where(PORTS.c.network_id == network_id)))


def insert(conn: sa.Connection, values: Mapping[str, Any]) -> str:
    """Store a port; its id. ``Duplicate`` if another port has its MAC address, or its slot of the server."""
    now = timeutils.utcnow()
    row = {'id': str(uuid.uuid4()), 'created_at': now, 'updated_at': now, **values}
    conn.execute(PORTS.insert(), row)
    return str(row['id'])


def update(conn: sa.Connection, port_id: str, **values: Any) -> bool:
    """Change a port; whether it is there."""
    return bool(conn.execute(PORTS.update().where(PORTS.c.id == port_id).values(
        {'updated_at': timeutils.utcnow(), **values})).rowcount)


def update_of_device(conn: sa.Connection, device_id: str, **values: Any) -> int:
    """Change all ports of a server; their number."""
    return conn.execute(PORTS.update().where(PORTS.c.device_id == device_id).values(
        {'updated_at': timeutils.utcnow(), **values})).rowcount


def delete(conn: sa.Connection, port_ids: Collection[str]) -> int:
    """Remove ports with their addresses; their number."""
    conn.execute(ADDRESSES.delete().where(ADDRESSES.c.port_id.in_(port_ids)))
    return conn.execute(PORTS.delete().where(PORTS.c.id.in_(port_ids))).rowcount


def addresses(conn: Conn, port_ids: Collection[str]) -> dict[str, list[sa.Row[Any]]]:
    """The addresses of each port, in their order."""
    found: dict[str, list[sa.Row[Any]]] = {port_id: [] for port_id in port_ids}
    if found:
        for row in conn.execute(sa.select(ADDRESSES).where(ADDRESSES.c.port_id.in_(port_ids)).order_by(
                ADDRESSES.c.position)):
            found[row.port_id].append(row)
    return found


def taken(conn: Conn, subnet_id: str, among: Collection[str] | None = None) -> set[str]:
    """The addresses of a subnet that are given away; of ``among``, if that is given."""
    statement = sa.select(ADDRESSES.c.address).where(ADDRESSES.c.subnet_id == subnet_id)
    if among is not None:
        statement = statement.where(ADDRESSES.c.address.in_(among))
    return set(conn.scalars(statement))


def give(conn: sa.Connection, port_id: str, given: Sequence[tuple[str, str]], first: int = 0) -> None:
    """Give (subnet, address) pairs to a port; ``Duplicate`` if somebody has one of them."""
    if given:
        conn.execute(ADDRESSES.insert(), [
            {'port_id': port_id, 'subnet_id': subnet_id, 'address': address, 'position': first + number}
            for number, (subnet_id, address) in enumerate(given)])


def take_back(conn: sa.Connection, port_id: str, address: str | None = None) -> int:
    """Take an address from a port, or all that it has; their number."""
    statement = ADDRESSES.delete().where(ADDRESSES.c.port_id == port_id)
    if address is not None:
        statement = statement.where(ADDRESSES.c.address == address)
    return conn.execute(statement).rowcount
