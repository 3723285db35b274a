# SPDX-License-Identifier: Apache-2.0
"""Key pairs: one list per user, by name."""

import functools
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from oslo_db import exception as db_exc
from oslo_utils import timeutils

from nova_lite import errors
from nova_lite.db import paging, tables
from nova_lite.db.engine import Conn

KEYPAIRS = tables.keypairs
ORDER = paging.Order(marker=KEYPAIRS.c.name, tie=KEYPAIRS.c.id, default=(('name', 'asc'),),
                     keys={'name': KEYPAIRS.c.name})
#: A name that no key pair can have.
NOBODYS = ''


def page(conn: Conn, user_id: str, limit: int | None = None, marker: str | None = None,
         columns: frozenset[str] | None = None) -> list[sa.Row[Any]]:
    """One page of a user's key pairs."""
    mine = KEYPAIRS.c.user_id == user_id
    statement = paging.columns_of(KEYPAIRS, columns).where(mine)
    return list(conn.execute(
        paging.select_page(conn, statement, ORDER, paging.Page(limit, marker), mine)).all())


def get(conn: Conn, user_id: str, name: str, columns: frozenset[str] | None = None) -> sa.Row[Any]:
    """One key pair of a user."""
    row = conn.execute(_get(columns), {'user': user_id, 'key': name}).first()
    if row is None:
        raise errors.KeypairNotFound(user=user_id, name=name)
    return row


@functools.lru_cache(64)
def _get(columns: frozenset[str] | None) -> sa.Select[Any]:
    return paging.columns_of(KEYPAIRS, columns).where(
        KEYPAIRS.c.user_id == sa.bindparam('user'), KEYPAIRS.c.name == sa.bindparam('key'))


def create(conn: sa.Connection, values: Mapping[str, Any]) -> int:
    """Store user_id, name, type, fingerprint and public_key; the row id."""
    row = {'created_at': timeutils.utcnow(), **values}
    try:
        return int(conn.execute(KEYPAIRS.insert(), row).inserted_primary_key[0])
    except db_exc.DBDuplicateEntry:
        raise errors.KeypairExists(name=row['name']) from None


def delete(conn: sa.Connection, user_id: str, name: str) -> None:
    """Remove one key pair; servers keep their copy of the public key."""
    statement = KEYPAIRS.delete().where(KEYPAIRS.c.user_id == user_id, KEYPAIRS.c.name == name)
    if not conn.execute(statement).rowcount:
        raise errors.KeypairNotFound(user=user_id, name=name)


def count(conn: Conn, user_id: str) -> int:
    """How many key pairs a user has."""
    return int(conn.scalar(
        sa.select(sa.func.count()).select_from(KEYPAIRS).where(KEYPAIRS.c.user_id == user_id)))


def lock_list(conn: sa.Connection, user_id: str) -> None:
    """Let nobody else who calls this add to the user's list before this transaction ends."""
    if _lock_first(conn, user_id):
        return
    # There is nothing to lock yet: whoever else is here waits for the one row that both of us want to make.
    stand_in = {'user_id': user_id, 'name': NOBODYS, 'type': '', 'fingerprint': '', 'public_key': '',
                'created_at': timeutils.utcnow()}
    conn.execute(KEYPAIRS.insert(), stand_in)
    conn.execute(KEYPAIRS.delete().where(KEYPAIRS.c.user_id == user_id, KEYPAIRS.c.name == NOBODYS))
    # By now somebody may have added the first one, and others may have locked that.
    _lock_first(conn, user_id)


def _lock_first(conn: sa.Connection, user_id: str) -> bool:
    first = sa.select(KEYPAIRS.c.id).where(KEYPAIRS.c.user_id == user_id).order_by(KEYPAIRS.c.id).limit(1)
    return conn.execute(first.with_for_update()).first() is not None
