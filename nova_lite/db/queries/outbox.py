# SPDX-License-Identifier: Apache-2.0
"""Notifications that wait for the broker.

One process sends them at a time, so that what is said of a server is said in its order.  It holds a lease, and
takes away only what it has sent while it held it.
"""

import datetime
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from nova_lite.db import tables
from nova_lite.db.engine import Conn
from nova_lite.db.queries import leases

WAITING = tables.notifications
#: The name of the lease of whoever sends.
SENDER = 'notifications'

_INSERT = sa.insert(WAITING)
_OLDEST = sa.select(WAITING).order_by(WAITING.c.id).limit(sa.bindparam('most'))
_SENT = sa.delete(WAITING).where(WAITING.c.id.in_(sa.bindparam('ids', expanding=True)))
_BEYOND = sa.select(WAITING.c.id).order_by(WAITING.c.id.desc()).offset(sa.bindparam('kept')).limit(1)
_DROP = sa.delete(WAITING).where(WAITING.c.id <= sa.bindparam('last'))


@dataclass(frozen=True)
class Notification:
    """One message; ``context`` says who caused it."""

    event_type: str
    priority: str
    publisher_id: str
    payload: Mapping[str, Any]
    context: Mapping[str, Any]
    versioned: bool = True


def insert(conn: sa.Connection, said: Sequence[Notification], now: datetime.datetime) -> None:
    """Have these sent once the transaction is committed."""
    if said:
        rows = [{**vars(one), 'message_id': str(uuid.uuid4()), 'created_at': now} for one in said]
        conn.execute(_INSERT, rows if len(rows) > 1 else rows[0])


def oldest(conn: Conn, most: int) -> Sequence[sa.Row[Any]]:
    """What waits, in its order."""
    return conn.execute(_OLDEST, {'most': most}).all()


def sent(conn: sa.Connection, owner: str, ids: Sequence[int], until: datetime.datetime) -> bool:
    """Take away what was sent, and go on being the one who sends; False if somebody else has been it meanwhile."""
    if not leases.renew(conn, SENDER, owner, until):
        return False
    if ids:
        conn.execute(_SENT, {'ids': list(ids)})
    return True


def drop_beyond(conn: sa.Connection, kept: int) -> int:
    """Take away the oldest if there are more than ``kept``; their number."""
    last = conn.execute(_BEYOND, {'kept': kept}).scalar()
    return conn.execute(_DROP, {'last': last}).rowcount if last is not None else 0
