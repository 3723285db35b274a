# SPDX-License-Identifier: Apache-2.0
"""The work list as an operator sees and corrects it."""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from nova_lite.db import tables
from nova_lite.db.engine import Conn
from nova_lite.db.queries import operations

OPERATIONS = tables.operations
_C = OPERATIONS.c

OPEN = (operations.PENDING, operations.RUNNING)
ALL = (*OPEN, operations.DONE, operations.FAILED)
#: Far more attempts than any option allows.
_ABANDONED = 1_000_000
_OPEN_ONE = sa.and_(_C.id == sa.bindparam('of_id'), _C.state.in_(OPEN))
_DUE_NOW = sa.update(OPERATIONS).where(_OPEN_ONE).values(lease_until=sa.bindparam('now'))
_ABANDON = sa.update(OPERATIONS).where(_OPEN_ONE).values(
    state=operations.PENDING, step='', owner=None, attempt=sa.bindparam('new_attempt'), lease_until=sa.bindparam('now'),
    error=sa.bindparam('new_error', type_=tables.Json), updated_at=sa.bindparam('now'))


def page(conn: Conn, states: Sequence[str], limit: int, server_uuid: str | None = None,
         before: datetime.datetime | None = None) -> Sequence[sa.Row[Any]]:
    """Operations in these states, the oldest first: of one server, or accepted ``before``."""
    query = sa.select(OPERATIONS).where(_C.state.in_(states)).order_by(_C.created_at, _C.id).limit(limit)
    if server_uuid is not None:
        query = query.where(_C.server_uuid == server_uuid)
    if before is not None:
        query = query.where(_C.created_at < before)
    return conn.execute(query).all()


def retry(conn: sa.Connection, operation_id: str, now: datetime.datetime) -> bool:
    """Let the next conductor that looks begin another attempt; False if the operation is over."""
    return bool(conn.execute(_DUE_NOW, {'of_id': operation_id, 'now': now}).rowcount)


def abandon(conn: sa.Connection, operation_id: str, error: Mapping[str, Any], now: datetime.datetime) -> bool:
    """Let the next conductor that looks give the operation up, as if its attempts were used up; False if it is over.

    Whoever is at it meanwhile reports too late.
    """
    operation = operations.lock(conn, operation_id)
    if operation is None or operation.state not in OPEN:
        return False
    attempt = operation.attempt + _ABANDONED
    conn.execute(_ABANDON, {'of_id': operation_id, 'new_attempt': attempt, 'now': now, 'new_error': {
        **error, 'attempt': attempt, 'abandoned': True}})
    return True
