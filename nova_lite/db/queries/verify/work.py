# SPDX-License-Identifier: Apache-2.0
"""What is going on, held against what servers say of it: each has its operation, and each operation its server."""

import datetime
import uuid
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from nova_lite.db import tables
from nova_lite.db.engine import Conn
from nova_lite.db.queries import operations, servers
from nova_lite.db.queries.verify.base import Check, Finding
from nova_lite.model import states, times

SERVERS = tables.servers
OPERATIONS = tables.operations
_O = OPERATIONS.c
#: A sweeper looks every few seconds; what is due for so long nobody looks after.
OVERDUE = datetime.timedelta(minutes=10)
_OPEN = _O.state.in_((operations.PENDING, operations.RUNNING))
_HAS_WORK = sa.exists().where(_O.server_uuid == SERVERS.c.uuid, _OPEN, _O.kind.not_in(operations.LASTING))
_BUSY = sa.or_(SERVERS.c.task_state.is_not(None), SERVERS.c.vm_state == states.BUILDING)
# Kinds that are named otherwise than their row in the table of states, and show a task.
_ALSO_BUSY = ('reboot', 'rebuild_volume', 'shelve_on_volume', 'snapshot_volumes')
BUSY_KINDS = (*(name for name, row in states.TRANSITIONS.items() if row.task is not None), *_ALSO_BUSY)


def find_lost(conn: Conn, now: datetime.datetime) -> Iterator[Finding]:
    """Servers that wait for the end of something that is not on the work list."""
    query = sa.select(SERVERS.c.uuid, SERVERS.c.vm_state, SERVERS.c.task_state).where(
        SERVERS.c.deleted == sa.false(), _BUSY, sa.not_(_HAS_WORK))
    for server, vm_state, task_state in conn.execute(query):
        yield Finding('tasks', f'server {server}', f'it is {vm_state}, {task_state or "with no task"}, and no '
                      'operation will change that', {'server': server})


def repair_lost(conn: sa.Connection, finding: Finding, now: datetime.datetime) -> str:
    """Say so; a delete is put on the list again."""
    server = conn.execute(sa.select(SERVERS).where(
        SERVERS.c.uuid == finding.key['server'], SERVERS.c.deleted == sa.false(), _BUSY, sa.not_(_HAS_WORK))
        .with_for_update()).first()
    if server is None:
        return ''
    if server.task_state == states.DELETING:
        operations.insert(conn, [_delete(server, now)])
        return 'put its delete on the work list again'
    values: dict[str, Any] = {'task_state': None, 'updated_at': now}
    if server.vm_state == states.BUILDING:
        fault = {'code': 500, 'message': 'The build was lost: no operation was left of it.', 'details': '',
                 'created': times.isoformat(now)}
        servers.update(conn, server.uuid, vm_state=states.ERROR, fault=fault, **values)
        return 'set it to ERROR with a reason'
    servers.update(conn, server.uuid, **values)
    return 'cleared its task'


def _delete(server: Any, now: datetime.datetime) -> dict[str, Any]:
    return {'id': str(uuid.uuid4()), 'kind': 'delete', 'server_uuid': server.uuid, 'project_id': server.project_id,
            'user_id': server.user_id, 'request_id': f'req-{uuid.uuid4()}', 'action_id': None,
            'state': operations.PENDING, 'step': '', 'attempt': 0, 'owner': None, 'lease_until': now, 'params': {},
            'error': None, 'created_at': now, 'updated_at': now}


def find_pointless(conn: Conn, now: datetime.datetime) -> Iterator[Finding]:
    """Open operations on servers that are gone."""
    query = sa.select(_O.id, _O.kind, _O.server_uuid).select_from(
        OPERATIONS.outerjoin(SERVERS, SERVERS.c.uuid == _O.server_uuid)).where(
        _OPEN, _O.kind.not_in(operations.LASTING), sa.or_(SERVERS.c.uuid.is_(None), SERVERS.c.deleted))
    for key, kind, server in conn.execute(query):
        yield Finding('pointless', f'operation {key}', f'{kind} of server {server}, which is deleted',
                      {'operation': key})


def repair_pointless(conn: sa.Connection, finding: Finding, now: datetime.datetime) -> str:
    """End it."""
    operation = operations.lock(conn, finding.key['operation'])
    if operation is None or operation.state not in (operations.PENDING, operations.RUNNING):
        return ''
    error = {'code': 404, 'message': f'Server {operation.server_uuid} is deleted.', 'details': ''}
    conn.execute(sa.update(OPERATIONS).where(_O.id == operation.id).values(
        state=operations.FAILED, step='', lease_until=None, error=error, params={}, updated_at=now))
    return 'ended it'


def find_silent(conn: Conn, now: datetime.datetime) -> Iterator[Finding]:
    """Open operations whose server does not show that something is done to it, as after a reset of its state."""
    query = sa.select(_O.id, _O.kind, _O.server_uuid).select_from(
        OPERATIONS.join(SERVERS, SERVERS.c.uuid == _O.server_uuid)).where(
        # What was put on the list for later has no action, and shows nothing until then.
        _OPEN, _O.action_id.is_not(None), _O.kind.in_(BUSY_KINDS), SERVERS.c.deleted == sa.false(),
        SERVERS.c.task_state.is_(None))
    for key, kind, server in conn.execute(query):
        yield Finding('silent', f'operation {key}', f'{kind} of server {server}, which shows no task; '
                      'nova-manage operations abandon ends it')


def find_overdue(conn: Conn, now: datetime.datetime) -> Iterator[Finding]:
    """Open operations that are due for long, and nobody takes them."""
    query = sa.select(_O.id, _O.kind, _O.server_uuid, _O.lease_until).where(
        _OPEN, sa.or_(_O.lease_until.is_(None), _O.lease_until < now - OVERDUE))
    for key, kind, server, due in conn.execute(query):
        since = f'due since {due.isoformat(timespec="seconds")}' if due else 'never due'
        yield Finding('overdue', f'operation {key}', f'{kind} of server {server} is {since}; is a conductor running?',
                      {'operation': key, 'never': due is None})


def repair_overdue(conn: sa.Connection, finding: Finding, now: datetime.datetime) -> str:
    """Make it due, if it never would be."""
    changed = conn.execute(sa.update(OPERATIONS).where(
        _O.id == finding.key['operation'], _OPEN, _O.lease_until.is_(None)).values(lease_until=now)).rowcount
    return 'made it due now' if changed else ''


CHECKS = (
    Check('tasks', 'Every server that is busy has an open operation.', find_lost, repair_lost),
    Check('pointless', 'Every open operation has a server that is there.', find_pointless, repair_pointless),
    Check('silent', 'Every server shows the task of its open operation.', find_silent),
    Check('overdue', 'Every open operation is looked after.', find_overdue, repair_overdue),
)
