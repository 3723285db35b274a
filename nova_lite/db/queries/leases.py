# SPDX-License-Identifier: Apache-2.0
"""What only one process does at a time, until its time is over or it says that it has ended."""

import datetime

import sqlalchemy as sa
from oslo_db import exception as db_exc

from nova_lite.db import tables

LEASES = tables.leases

_OF = LEASES.c.name == sa.bindparam('of')
_MINE = LEASES.c.owner == sa.bindparam('by')
_TAKE = sa.update(LEASES).where(_OF, sa.or_(_MINE, LEASES.c.held_until < sa.bindparam('now'))).values(
    owner=sa.bindparam('by'), held_until=sa.bindparam('until'))
_RENEW = sa.update(LEASES).where(_OF, _MINE).values(held_until=sa.bindparam('until'))
_RELEASE = sa.delete(LEASES).where(_OF, _MINE)


def take(conn: sa.Connection, name: str, owner: str, now: datetime.datetime, until: datetime.datetime) -> bool:
    """Have it until then, or go on having it; False if somebody else has."""
    if conn.execute(_TAKE, {'of': name, 'by': owner, 'now': now, 'until': until}).rowcount:
        return True
    try:
        with conn.begin_nested():
            conn.execute(sa.insert(LEASES), {'name': name, 'owner': owner, 'held_until': until})
    except db_exc.DBDuplicateEntry:
        return False
    return True


def renew(conn: sa.Connection, name: str, owner: str, until: datetime.datetime) -> bool:
    """Go on having it; False if somebody else has had it meanwhile."""
    return bool(conn.execute(_RENEW, {'of': name, 'by': owner, 'until': until}).rowcount)


def release(conn: sa.Connection, name: str, owner: str) -> None:
    """Let somebody else have it at once."""
    conn.execute(_RELEASE, {'of': name, 'by': owner})
