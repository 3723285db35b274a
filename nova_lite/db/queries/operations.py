# SPDX-License-Identifier: Apache-2.0
"""The work list: who holds which operation, and since when too long.

An operation is ``pending`` until a conductor takes it, ``running`` while somebody holds its lease,
then ``done`` or ``failed``.  ``owner`` is who holds it: a conductor while it decides, a compute host
while that works.  ``lease_until`` is when others may take it away; of a pending operation it is when
the sweeper thinks that the wake-up was lost.
"""

import datetime
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from nova_lite.db import tables
from nova_lite.db.engine import Conn

OPERATIONS = tables.operations

PENDING, RUNNING, DONE, FAILED = 'pending', 'running', 'done', 'failed'
_OPEN = OPERATIONS.c.state.in_((PENDING, RUNNING))
_BY_ID = OPERATIONS.c.id == sa.bindparam('operation_id')
_HELD = sa.and_(_BY_ID, OPERATIONS.c.state == RUNNING, OPERATIONS.c.attempt == sa.bindparam('held_attempt'))

_GET = sa.select(OPERATIONS).where(_BY_ID)
_GET_LOCKED = _GET.with_for_update()
_TAKE = sa.update(OPERATIONS).where(
    _BY_ID, sa.or_(OPERATIONS.c.state == PENDING,
                   sa.and_(OPERATIONS.c.state == RUNNING, OPERATIONS.c.lease_until < sa.bindparam('now'))),
).values(state=RUNNING, attempt=OPERATIONS.c.attempt + 1, owner=sa.bindparam('new_owner'),
         lease_until=sa.bindparam('until'), updated_at=sa.bindparam('now'))
_TAKE_RETURNING = _TAKE.returning(OPERATIONS)
_HAND_OVER = sa.update(OPERATIONS).where(_HELD).values(
    owner=sa.bindparam('new_owner'), step=sa.bindparam('new_step'),
    params=sa.bindparam('new_params', type_=tables.Json))
_FINISH = sa.update(OPERATIONS).where(_HELD).values(
    state=sa.bindparam('new_state'), step='', lease_until=None, params=sa.bindparam('new_params', type_=tables.Json),
    error=sa.bindparam('new_error', type_=tables.Json), updated_at=sa.bindparam('now'))
_PUT_BACK = sa.update(OPERATIONS).where(_HELD).values(
    state=PENDING, step='', owner=None, lease_until=sa.bindparam('until'),
    params=sa.bindparam('new_params', type_=tables.Json), updated_at=sa.bindparam('now'))
_PUT_ASIDE = sa.update(OPERATIONS).where(_HELD).values(
    state=PENDING, step='', owner=None, attempt=sa.bindparam('new_attempt'), lease_until=sa.bindparam('until'),
    error=sa.bindparam('new_error', type_=tables.Json), updated_at=sa.bindparam('now'))
_NOTE_ERROR = sa.update(OPERATIONS).where(_HELD).values(error=sa.bindparam('new_error', type_=tables.Json))
_POSTPONE = sa.update(OPERATIONS).where(_HELD).values(lease_until=sa.bindparam('until'))
# What is locked is being looked after; and if that one is cut off, the others are not to wait for it.
_DUE = (sa.select(OPERATIONS.c.id).where(_OPEN, OPERATIONS.c.lease_until < sa.bindparam('now'))
        .order_by(OPERATIONS.c.lease_until).limit(sa.bindparam('most')).with_for_update(skip_locked=True))
#: Kinds that tidy up after a server and outlive it.
LASTING = ('delete_image', 'release_ports', 'release_volumes')
_SUPERSEDE = sa.update(OPERATIONS).where(
    OPERATIONS.c.server_uuid == sa.bindparam('server'), _OPEN,
    OPERATIONS.c.kind.not_in((sa.bindparam('kept'), *LASTING))).values(
    state=FAILED, lease_until=None, error=sa.bindparam('new_error', type_=tables.Json), params={},
    updated_at=sa.bindparam('now'))
_RENEW = sa.update(OPERATIONS).where(
    OPERATIONS.c.id.in_(sa.bindparam('ids', expanding=True)), OPERATIONS.c.owner == sa.bindparam('by'),
    OPERATIONS.c.state == RUNNING).values(lease_until=sa.bindparam('until'))
_OF_OWNER = sa.select(OPERATIONS.c.id).where(
    OPERATIONS.c.owner == sa.bindparam('by'), OPERATIONS.c.state == RUNNING).order_by(OPERATIONS.c.created_at)
_PUT_BACK_OF_KIND = sa.select(OPERATIONS.c.id).where(
    OPERATIONS.c.state == PENDING, OPERATIONS.c.kind == sa.bindparam('of_kind'), OPERATIONS.c.attempt > 0).order_by(
    OPERATIONS.c.created_at).limit(sa.bindparam('most'))
_OF_SERVER = sa.select(OPERATIONS).where(OPERATIONS.c.server_uuid == sa.bindparam('server'), _OPEN).order_by(
    OPERATIONS.c.created_at)

_OVER = (sa.select(OPERATIONS.c.id).where(
    OPERATIONS.c.state.in_((DONE, FAILED)), OPERATIONS.c.updated_at < sa.bindparam('before'))
    .limit(sa.bindparam('most')))
_WITHDRAW = sa.delete(OPERATIONS).where(_BY_ID, OPERATIONS.c.state == PENDING)
_FORGET = sa.delete(OPERATIONS).where(OPERATIONS.c.id.in_(sa.bindparam('ids', expanding=True)))

#: What goes to a host in its own field, and not among the parameters.
SECRETS = frozenset(('admin_password',))
#: What a finished operation must not keep, or need not.
_FORGOTTEN = SECRETS | {'disk', 'personality'}


def insert(conn: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put work on the list; ``row()`` makes what this takes."""
    conn.execute(sa.insert(OPERATIONS), rows if len(rows) > 1 else rows[0])


def successor(operation: sa.Row[Any], kind: str, params: Mapping[str, Any], now: datetime.datetime,
              due: datetime.datetime) -> dict[str, Any]:
    """What ``insert`` takes: an operation in the name of the one who asked for ``operation``, without its action."""
    return {
        'id': str(uuid.uuid4()), 'kind': kind, 'server_uuid': operation.server_uuid,
        'project_id': operation.project_id, 'user_id': operation.user_id, 'request_id': operation.request_id,
        'action_id': None, 'state': PENDING, 'step': '', 'attempt': 0, 'owner': None, 'lease_until': due,
        'params': dict(params), 'error': None, 'created_at': now, 'updated_at': now}


def get(conn: Conn, operation_id: str) -> sa.Row[Any] | None:
    """One operation."""
    return conn.execute(_GET, {'operation_id': operation_id}).first()


def lock(conn: sa.Connection, operation_id: str) -> sa.Row[Any] | None:
    """One operation, which nobody else changes before this transaction ends."""
    return conn.execute(_GET_LOCKED, {'operation_id': operation_id}).first()


def open_of_server(conn: Conn, server_uuid: str) -> Sequence[sa.Row[Any]]:
    """What is still to be done to a server, oldest first."""
    return conn.execute(_OF_SERVER, {'server': server_uuid}).all()


def take(conn: sa.Connection, operation_id: str, owner: str, until: datetime.datetime,
         now: datetime.datetime) -> sa.Row[Any] | None:
    """Take an operation that is pending or whose lease ran out, as a new attempt; None if it is neither."""
    values = {'operation_id': operation_id, 'new_owner': owner, 'until': until, 'now': now}
    if conn.dialect.update_returning:
        return conn.execute(_TAKE_RETURNING, values).first()
    if not conn.execute(_TAKE, values).rowcount:
        return None
    return get(conn, operation_id)


def hand_over(conn: sa.Connection, operation: sa.Row[Any], owner: str, step: str,
              params: Mapping[str, Any]) -> bool:
    """Give the lease to whoever does the next step; False if it was lost."""
    return bool(conn.execute(_HAND_OVER, {
        'operation_id': operation.id, 'held_attempt': operation.attempt, 'new_owner': owner, 'new_step': step,
        'new_params': params}).rowcount)


def finish(conn: sa.Connection, operation: sa.Row[Any], now: datetime.datetime,
           error: Mapping[str, Any] | None = None) -> bool:
    """End the operation, as failed if there is an error; False if the lease was lost."""
    return bool(conn.execute(_FINISH, {
        'operation_id': operation.id, 'held_attempt': operation.attempt, 'new_state': DONE if error is None else FAILED,
        'new_error': error, 'new_params': _lasting(operation.params), 'now': now}).rowcount)


def put_back(conn: sa.Connection, operation: sa.Row[Any], params: Mapping[str, Any], until: datetime.datetime,
             now: datetime.datetime) -> bool:
    """Make the operation pending again with new ``params``; False if the lease was lost."""
    return bool(conn.execute(_PUT_BACK, {
        'operation_id': operation.id, 'held_attempt': operation.attempt, 'new_params': params, 'until': until,
        'now': now}).rowcount)


def put_aside(conn: sa.Connection, operation: sa.Row[Any], error: Mapping[str, Any], until: datetime.datetime,
              now: datetime.datetime) -> None:
    """Make the operation pending again, not before ``until``, and remember what failed; ``error['attempt']`` counts."""
    conn.execute(_PUT_ASIDE, {
        'operation_id': operation.id, 'held_attempt': operation.attempt, 'new_attempt': error['attempt'],
        'new_error': error, 'until': until, 'now': now})


def note_error(conn: sa.Connection, operation: sa.Row[Any], error: Mapping[str, Any]) -> None:
    """Remember what failed, and leave the operation to who holds it."""
    conn.execute(_NOTE_ERROR, {
        'operation_id': operation.id, 'held_attempt': operation.attempt, 'new_error': error})


def postpone(conn: sa.Connection, operation_id: str, attempt: int, until: datetime.datetime) -> None:
    """Let the lease of this attempt run out at another time."""
    conn.execute(_POSTPONE, {'operation_id': operation_id, 'held_attempt': attempt, 'until': until})


def renew(conn: sa.Connection, operation_ids: Sequence[str], owner: str, until: datetime.datetime) -> int:
    """Prolong the leases that ``owner`` still holds; their number."""
    return conn.execute(_RENEW, {'ids': list(operation_ids), 'by': owner, 'until': until}).rowcount


def orphaned(conn: sa.Connection, owner: str, now: datetime.datetime) -> list[str]:
    """The operations that a host holds and does not do, because it has just started; others may take them."""
    ids = list(conn.execute(_OF_OWNER, {'by': owner}).scalars())
    if ids:
        conn.execute(_RENEW, {'ids': ids, 'by': owner, 'until': now})
    return ids


def waiting(conn: Conn, kind: str, most: int) -> list[str]:
    """Operations of a kind that were begun and put back, the oldest first."""
    return list(conn.execute(_PUT_BACK_OF_KIND, {'of_kind': kind, 'most': most}).scalars())


def due(conn: Conn, now: datetime.datetime, most: int) -> list[str]:
    """Operations that somebody should look after, the longest overdue first."""
    return list(conn.execute(_DUE, {'now': now, 'most': most}).scalars())


def supersede(conn: sa.Connection, server_uuid: str, by: str, now: datetime.datetime, keep: str = '') -> int:
    """End all open operations on a server, but those of kind ``keep``, for one ``by`` which they are pointless.

    Their reports are late from now on. The number of those that were ended.
    """
    reason = {'code': 409, 'message': f'Given up for {by}.', 'details': '', 'superseded_by': by}
    return conn.execute(_SUPERSEDE, {'server': server_uuid, 'kept': keep, 'new_error': reason, 'now': now}).rowcount


def withdraw(conn: sa.Connection, operation_id: str) -> bool:
    """Take off the list what nobody has begun; False if somebody has."""
    return bool(conn.execute(_WITHDRAW, {'operation_id': operation_id}).rowcount)


def prune(conn: sa.Connection, before: datetime.datetime, most: int) -> int:
    """Forget some of the operations that were over ``before``; their number."""
    ids = list(conn.execute(_OVER, {'before': before, 'most': most}).scalars())
    return conn.execute(_FORGET, {'ids': ids}).rowcount if ids else 0


def _lasting(params: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in params.items() if key not in _FORGOTTEN}
