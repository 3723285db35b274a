# SPDX-License-Identifier: Apache-2.0
"""Requests that carry a key by which they can be sent again, and what was answered to them.

Whoever is at a request holds its row.  The answer is stored in the transaction of what the request changed,
and only by the holder: one who was so slow that another took the row over cannot commit.
"""

import datetime
from typing import Any

import sqlalchemy as sa
from oslo_db import exception as db_exc

from nova_lite.db import tables
from nova_lite.db.engine import Conn

KEYS = tables.idempotency_keys

_BY_DIGEST = KEYS.c.digest == sa.bindparam('of_digest')
_GET = sa.select(KEYS).where(_BY_DIGEST)
_HELD = sa.and_(_BY_DIGEST, KEYS.c.holder == sa.bindparam('by'), KEYS.c.answer.is_(None))
_EXPIRE = sa.delete(KEYS).where(_BY_DIGEST, KEYS.c.created_at < sa.bindparam('before'))
_TAKE_OVER = sa.update(KEYS).where(
    _BY_DIGEST, KEYS.c.answer.is_(None), KEYS.c.held_until < sa.bindparam('now')).values(
    holder=sa.bindparam('by'), held_until=sa.bindparam('until'), request=sa.bindparam('new_request'),
    created_at=sa.bindparam('now'))
_ANSWER = sa.update(KEYS).where(_HELD).values(holder=None, held_until=None, answer=sa.bindparam('new_answer'))
_LET_GO = sa.delete(KEYS).where(_HELD)
_OLD = sa.select(KEYS.c.digest).where(KEYS.c.created_at < sa.bindparam('before')).limit(sa.bindparam('most'))
_DELETE = sa.delete(KEYS).where(KEYS.c.digest.in_(sa.bindparam('digests', expanding=True)))


def hold(conn: sa.Connection, row: dict[str, Any], before: datetime.datetime) -> bool:
    """Become the holder of a row: digest, request, holder, held_until and created_at, which is now.

    False if somebody else holds it, or if it has an answer that is not from ``before``.
    """
    values = {'of_digest': row['digest'], 'by': row['holder'], 'until': row['held_until'],
              'new_request': row['request'], 'now': row['created_at']}
    for _ in range(2):
        try:
            with conn.begin_nested():
                conn.execute(sa.insert(KEYS), {**row, 'answer': None})
            return True
        except db_exc.DBDuplicateEntry:
            if not conn.execute(_EXPIRE, {'of_digest': row['digest'], 'before': before}).rowcount:
                return bool(conn.execute(_TAKE_OVER, values).rowcount)
    return False


def get(conn: Conn, digest: str) -> sa.Row[Any] | None:
    """The row of a key."""
    return conn.execute(_GET, {'of_digest': digest}).first()


def answer(conn: sa.Connection, digest: str, holder: str, text: str) -> bool:
    """Store the answer; False if the row is not this holder's any more."""
    return bool(conn.execute(_ANSWER, {'of_digest': digest, 'by': holder, 'new_answer': text}).rowcount)


def let_go(conn: sa.Connection, digest: str, holder: str) -> None:
    """Forget a request that came to nothing, if this is still its holder."""
    conn.execute(_LET_GO, {'of_digest': digest, 'by': holder})


def prune(conn: sa.Connection, before: datetime.datetime, most: int) -> int:
    """Forget some of the requests from ``before``; their number."""
    digests = list(conn.execute(_OLD, {'before': before, 'most': most}).scalars())
    return conn.execute(_DELETE, {'digests': digests}).rowcount if digests else 0
