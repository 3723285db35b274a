# SPDX-License-Identifier: Apache-2.0
"""Runs operations: each step is decided and recorded in one transaction, and only then asked for.

Whatever dies in between, the operation's lease runs out and the next conductor finds it as recorded.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.conductor import power, work
from nova_lite.conductor.build import Build
from nova_lite.conductor.delete import Delete
from nova_lite.conductor.work import Deps, Kind, Work
from nova_lite.db.queries import actions, operations, servers
from nova_lite.model import times
from nova_lite.objects.operation import Operation, OperationReport
from nova_lite.objects.server import Server

LOG = logging.getLogger(__name__)

KINDS: dict[str, Kind] = {
    'build': Build(),
    'delete': Delete(),
    **power.KINDS,
}


@dataclass(frozen=True)
class Errand:
    """What to send to a host once the transaction is committed."""

    host: str
    operation: Operation
    server: Server
    context: RequestContext


class Runner:
    """The work of one conductor process."""

    def __init__(self, deps: Deps, kinds: Mapping[str, Kind] = KINDS) -> None:
        self._deps = deps
        self._kinds = kinds

    def run(self, context: RequestContext, operation_id: str) -> None:
        """Take the operation and have its next step done, if nobody else is at it."""
        errand = self._deps.db.transaction(self._begin, operation_id, context)
        if errand is None:
            return
        try:
            self._deps.compute.run_operation(errand.context, errand.host, errand.operation, errand.server)
        except Exception as error:
            LOG.warning('Operation %s (%s) of server %s could not be sent to host %s and is sent again soon: %s: %s',
                        operation_id, errand.operation.kind, errand.server.uuid, errand.host,
                        type(error).__name__, error)
            self._deps.db.transaction(operations.postpone, operation_id, errand.operation.attempt, times.utcnow())

    def report(self, context: RequestContext, report: OperationReport) -> bool:
        """Write down what a host did; False if the operation is not that host's any more."""
        taken, again = self._deps.db.transaction(self._end, report)
        if again:
            self.run(context, report.operation_id)
        return taken

    def due(self) -> list[str]:
        """Operations that nobody cares for."""
        with self._deps.db.read() as conn:
            return operations.due(conn, times.utcnow(), 200)

    def _begin(self, conn: Any, operation_id: str, context: RequestContext) -> Errand | None:
        now = times.utcnow()
        operation = operations.take(conn, operation_id, self._deps.name, self._deps.lease(now), now)
        if operation is None:
            return None
        if operation.attempt > 1:
            operations.postpone(conn, operation_id, operation.attempt, self._deps.lease(now, operation.attempt))
        found = self._work(conn, operation, now)
        if found is None:
            return None
        kind = self._kinds[operation.kind]
        if operation.attempt > self._deps.conf.conductor.operation_attempts:
            kind.give_up(found, work.too_many_attempts(found))
            return None
        host = kind.assign(found)
        if host is None:
            return None
        operations.hand_over(conn, operation, host, kind.step, found.params)
        return Errand(host, work.operation_message(operation, kind.step, found.params),
                      work.server_message(self._deps.conf, found.server, found.params),
                      _context_of(operation, context))

    def _end(self, conn: Any, report: OperationReport) -> tuple[bool, bool]:
        """(whether the report was taken, whether the operation goes on at once)."""
        operation = operations.lock(conn, report.operation_id)
        good = report.outcome == 'succeeded'
        if operation is None or operation.owner != report.host or operation.state not in (
                operations.RUNNING, operations.DONE):
            LOG.info('The report of host %s on operation %s comes too late.', report.host, report.operation_id)
            return False, False
        if operation.state == operations.DONE:
            # Said twice, because the first answer was lost.
            return good, False
        if operation.attempt != report.attempt and not good:
            return False, False
        found = self._work(conn, operation, times.utcnow())
        if found is None:
            return False, False
        found.events.extend(work.reported_events(report))
        kind = self._kinds[operation.kind]
        (kind.succeeded if good else kind.failed)(found, report)
        return True, found.again

    def _work(self, conn: Any, operation: Any, now: Any) -> Work | None:
        """The operation with its server; ends it if there is nothing to do it to, or nobody who knows how."""
        error = None
        try:
            row = servers.lock(conn, operation.server_uuid)
        except errors.ServerNotFound as missing:
            error = {'code': 404, 'message': str(missing), 'details': ''}
        if operation.kind not in self._kinds:
            error = {'code': 501, 'message': f'No conductor knows operation {operation.kind}.', 'details': ''}
        if error is None:
            return Work(self._deps, conn, operation, SimpleNamespace(**row._mapping), now, dict(operation.params))
        operations.finish(conn, operation, now, error)
        if operation.action_id is not None:
            actions.finish(conn, operation.action_id, 'Error')
        return None


def _context_of(operation: Any, context: RequestContext) -> RequestContext:
    """The context of the request that the operation came with, whoever runs it."""
    if context.request_id == operation.request_id:
        return context
    return RequestContext(user_id=operation.user_id, project_id=operation.project_id,
                          request_id=operation.request_id, overwrite=False)
