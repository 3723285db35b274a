# SPDX-License-Identifier: Apache-2.0
"""Networks and subnets of the embedded network service."""

import uuid
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from oslo_utils import timeutils

from nova_lite.db import tables
from nova_lite.db.conditions import is_one_of
from nova_lite.db.engine import Conn

NETWORKS = tables.networks
SUBNETS = tables.subnets


def page(conn: Conn, filters: Mapping[str, Any] | None = None, seen_by: str | None = None) -> list[sa.Row[Any]]:
    """Networks by age; ``seen_by`` a project are its own, shared and external ones.

    ``filters`` maps columns to a value, or to several of which one has to match.
    """
    statement = _filtered(NETWORKS, filters)
    if seen_by is not None:
        statement = statement.where(sa.or_(NETWORKS.c.project_id == seen_by, NETWORKS.c.shared, NETWORKS.c.external))
    return list(conn.execute(statement).all())


def usable(conn: Conn, project_id: str) -> list[sa.Row[Any]]:
    """The networks that a server gets when its request names none: of its project, and shared ones."""
    return list(conn.execute(_ORDERED_NETWORKS.where(
        sa.or_(NETWORKS.c.project_id == project_id, NETWORKS.c.shared), sa.not_(NETWORKS.c.external),
        NETWORKS.c.admin_state_up)).all())


def hold(conn: sa.Connection, network_id: str) -> sa.Row[Any] | None:
    """A network, which nobody can delete before this transaction ends."""
    return conn.execute(
        sa.select(NETWORKS).where(NETWORKS.c.id == network_id).with_for_update(read=True)).first()


def lock(conn: sa.Connection, network_id: str) -> sa.Row[Any] | None:
    """A network, which nobody else changes before this transaction ends."""
    return conn.execute(sa.select(NETWORKS).where(NETWORKS.c.id == network_id).with_for_update()).first()


def subnets(conn: Conn, filters: Mapping[str, Any] | None = None) -> list[sa.Row[Any]]:
    """Subnets by age."""
    return list(conn.execute(_filtered(SUBNETS, filters)).all())


def subnets_of(conn: Conn, network_ids: Collection[str]) -> dict[str, list[sa.Row[Any]]]:
    """The subnets of each network, by age."""
    found: dict[str, list[sa.Row[Any]]] = {network_id: [] for network_id in network_ids}
    for row in subnets(conn, {'network_id': list(network_ids)}) if network_ids else ():
        found[row.network_id].append(row)
    return found


def insert(conn: sa.Connection, values: Mapping[str, Any]) -> str:
    """Store a network; its id."""
    return _insert(conn, NETWORKS, values)


def update(conn: sa.Connection, network_id: str, **values: Any) -> bool:
    """Change a network; whether it is there."""
    return _update(conn, NETWORKS, network_id, values)


def delete(conn: sa.Connection, network_id: str) -> bool:
    """Remove a network that has no ports, with its subnets; whether it was there."""
    conn.execute(SUBNETS.delete().where(SUBNETS.c.network_id == network_id))
    return bool(conn.execute(NETWORKS.delete().where(NETWORKS.c.id == network_id)).rowcount)


def insert_subnet(conn: sa.Connection, values: Mapping[str, Any]) -> str:
    """Store a subnet; its id."""
    return _insert(conn, SUBNETS, values)


def update_subnet(conn: sa.Connection, subnet_id: str, **values: Any) -> bool:
    """Change a subnet; whether it is there."""
    return _update(conn, SUBNETS, subnet_id, values)


def delete_subnet(conn: sa.Connection, subnet_id: str) -> bool:
    """Remove a subnet of which no address is given away; whether it was there."""
    return bool(conn.execute(SUBNETS.delete().where(SUBNETS.c.id == subnet_id)).rowcount)


_ORDERED_NETWORKS = sa.select(NETWORKS).order_by(NETWORKS.c.created_at, NETWORKS.c.id)


def _filtered(table: sa.Table, filters: Mapping[str, Any] | None) -> sa.Select[Any]:
    statement = sa.select(table).order_by(table.c.created_at, table.c.id)
    return statement.where(*(is_one_of(table.c[name], wanted) for name, wanted in (filters or {}).items()))


def _insert(conn: sa.Connection, table: sa.Table, values: Mapping[str, Any]) -> str:
    now = timeutils.utcnow()
    row = {'id': str(uuid.uuid4()), 'created_at': now, 'updated_at': now, **values}
    conn.execute(table.insert(), row)
    return str(row['id'])


def _update(conn: sa.Connection, table: sa.Table, row_id: str, values: Mapping[str, Any]) -> bool:
    return bool(conn.execute(table.update().where(table.c.id == row_id).values(
        {'updated_at': timeutils.utcnow(), **values})).rowcount)
