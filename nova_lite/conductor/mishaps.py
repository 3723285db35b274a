# SPDX-License-Identifier: Apache-2.0
"""What becomes of an operation that made our own code fail.

The transaction that failed took its attempt back with it, so the attempt is counted in one of its own: a
mistake that is made every time ends the operation with a reason, like a host that never answers.
"""

import logging
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from nova_lite import errors
from nova_lite.conductor import work
from nova_lite.conductor.work import Deps, Work
from nova_lite.db.queries import operations
from nova_lite.model import states, times
from nova_lite.objects.operation import OperationReport

LOG = logging.getLogger(__name__)

#: Makes the work of an operation that is held in this transaction; None if there is nothing to do any more.
Find = Callable[[Any, Any, Any], Work | None]


def in_begin(conn: Any, deps: Deps, find: Find, operation_id: str, error: Exception) -> None:
    """Count an attempt that failed before anybody was asked; end the operation if giving it up is what failed."""
    now = times.utcnow()
    operation = operations.take(conn, operation_id, deps.name, now, now)
    if operation is None:
        return
    LOG.error('Attempt %d at operation %s (%s) of server %s failed.', operation.attempt, operation_id, operation.kind,
              operation.server_uuid, exc_info=error)
    tries = operation.attempt - work.attempts_before(operation.params)
    known = {**_described(error), 'attempt': operation.attempt}
    if tries <= deps.conf.conductor.operation_attempts:
        operations.put_aside(conn, operation, known, deps.lease(now, tries), now)
        return
    held = find(conn, operation, now)
    if held is not None:
        _end(held, work.too_many_attempts(held, known))


def in_end(conn: Any, deps: Deps, report: OperationReport, error: Exception) -> bool:
    """Count a report that nobody could make use of, which the host is to send again.

    True if there were too many of them: the operation is on the list as one whose attempts are used up.
    """
    now = times.utcnow()
    operation = operations.lock(conn, report.operation_id)
    if operation is None or operation.owner != report.host or operation.state != operations.RUNNING:
        return True
    before: Mapping[str, Any] = operation.error or {}
    reports = 1 + (before.get('reports', 0) if before.get('attempt') == operation.attempt else 0)
    LOG.error('Report %d of host %s on operation %s (%s) of server %s failed.', reports, report.host, operation.id,
              operation.kind, operation.server_uuid, exc_info=error)
    most = deps.conf.conductor.operation_attempts
    used_up = reports >= most
    attempt = work.attempts_before(operation.params) + most if used_up else operation.attempt
    known = {**_described(error), 'attempt': max(attempt, operation.attempt), 'reports': reports}
    if used_up:
        operations.put_aside(conn, operation, known, now, now)
    else:
        operations.note_error(conn, operation, known)
    return used_up


def _described(error: Exception) -> dict[str, Any]:
    """What is kept of a failure; the owner of a server reads the message, so it holds no foreign text."""
    known = str(error) if isinstance(error, errors.Error) else type(error).__name__
    return {'code': 500, 'message': known, 'details': ''.join(traceback.format_exception(error))}


def _end(held: Work, error: Mapping[str, Any]) -> None:
    """End an operation without asking its kind, which failed at that: its server is in ERROR, where it is."""
    held.change(vm_state=states.ERROR, task_state=None, fault=work.fault(error, held.now))
    held.fail(error)
