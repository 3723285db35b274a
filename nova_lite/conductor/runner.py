# SPDX-License-Identifier: Apache-2.0
"""Runs operations: each step is decided and recorded in one transaction, and only then asked for.

Whatever dies in between, the operation's lease runs out and the next conductor finds it as recorded.
"""

import datetime
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from nova_lite import errors
from nova_lite.auth.context import RequestContext, service_context
from nova_lite.conductor import (
    confirm_resize,
    here,
    mishaps,
    networking,
    power,
    pruning,
    shelve,
    snapshot,
    soft_delete,
    supplies,
    tidying,
    volume_attachments,
    volume_images,
    volumes,
    work,
)
from nova_lite.conductor.build import Build
from nova_lite.conductor.confirm_resize import ConfirmResize
from nova_lite.conductor.crash_dump import CrashDump
from nova_lite.conductor.delete import Delete
from nova_lite.conductor.evacuate import Evacuate
from nova_lite.conductor.live_migrate import LiveMigrate
from nova_lite.conductor.rebuild import Rebuild
from nova_lite.conductor.resize import Resize
from nova_lite.conductor.revert_resize import RevertResize
from nova_lite.conductor.work import Chore, Deps, Kind, Work
from nova_lite.db.queries import actions, operations, servers
from nova_lite.model import times
from nova_lite.objects.operation import Operation, OperationReport
from nova_lite.objects.server import Server

LOG = logging.getLogger(__name__)

KINDS: dict[str, Kind] = {
    'build': Build(),
    'confirm_resize': ConfirmResize(),
    'crash_dump': CrashDump(),
    'delete': Delete(),
    'evacuate': Evacuate(),
    'live_migrate': LiveMigrate(),
    'rebuild': Rebuild(),
    'resize': Resize(),
    'revert_resize': RevertResize(),
    **networking.KINDS,
    **power.KINDS,
    **shelve.KINDS,
    **snapshot.KINDS,
    **soft_delete.KINDS,
    **volume_attachments.KINDS,
    **volume_images.KINDS,
}

#: What a conductor does itself, outside of a transaction; each may be done again.
CHORES: dict[str, Chore] = {
    'delete_image': tidying.delete_image,
    **networking.CHORES,
    volumes.CHORE: volumes.release_later,
}

for steps in (networking.STEPS, volumes.STEPS, volume_attachments.STEPS, volume_images.STEPS):
    here.STEPS.update(steps)
supplies.register(networking.SUPPLY)
supplies.register(volumes.SUPPLY)


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
        try:
            errand = self._deps.db.transaction(self._begin, operation_id, context)
        except errors.Unavailable:
            raise
        except Exception as error:
            self._deps.db.transaction(mishaps.in_begin, self._deps, self._work, operation_id, error)
            return
        if errand is None:
            return
        if isinstance(errand, str):
            self.run(context, errand)
            return
        if not isinstance(errand, Errand):
            self._do(errand, context)
            return
        if errand.host == self._deps.name:
            self._do_here(errand)
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
        try:
            taken, following = self._deps.db.transaction(self._end, report)
        except errors.Unavailable:
            raise
        except Exception as error:
            if not self._deps.db.transaction(mishaps.in_end, self._deps, report, error):
                # The host says it again.
                raise
            taken, following = False, report.operation_id
        if following:
            self.run(context, following)
        return taken

    def due(self) -> list[str]:
        """Operations that nobody cares for, and those that begin by themselves."""
        confirm_resize.begin_overdue(self._deps, times.utcnow())
        with self._deps.db.read() as conn:
            return operations.due(conn, times.utcnow(), 200)

    def resume(self, operation_id: str) -> None:
        """Go on with an operation whose host had forgotten it; if that fails a sweeper comes to it."""
        try:
            self.run(service_context(), operation_id)
        except Exception:
            LOG.exception('Operation %s could not be run.', operation_id)

    def prune(self) -> None:
        """Remove what was kept for a time that is over."""
        removed = pruning.prune(self._deps, times.utcnow())
        if removed:
            LOG.info('%d answers and operations were removed: they were kept long enough.', removed)

    def _do_here(self, errand: Errand) -> None:
        """Do a step ourselves and take the report, or leave it to a later attempt."""
        operation = errand.operation
        try:
            report = here.report(self._deps, errand.context, operation, errand.server)
        except here.NotYet as busy:
            self._deps.db.transaction(self._wait, operation, datetime.timedelta(seconds=busy.seconds))
        except errors.Unavailable as error:
            LOG.warning('Operation %s (%s) of server %s waits for another service: %s', operation.id, operation.step,
                        operation.server_uuid, error)
            until = self._deps.soon(times.utcnow(), operation.attempt - work.attempts_before(operation.params))
            self._deps.db.transaction(operations.postpone, operation.id, operation.attempt, until)
        else:
            if not self.report(errand.context, report) and report.outcome == 'succeeded':
                self._retract(errand, report)

    def _retract(self, errand: Errand, report: OperationReport) -> None:
        """Take back what a step of ours made for an operation that was given up meanwhile."""
        retract = here.RETRACT.get(errand.operation.step)
        with self._deps.db.read() as conn:
            operation = operations.get(conn, errand.operation.id)
        if retract is None or operation is not None and operation.state != operations.FAILED:
            return
        LOG.warning('Operation %s (%s) of server %s was given up; what was made for it is taken back.',
                    errand.operation.id, errand.operation.step, errand.server.uuid)
        retract(self._deps, errand.context, errand.operation, errand.server, report.changes)

    def _wait(self, conn: Any, operation: Operation, wait: datetime.timedelta) -> None:
        """Put a step of ours back as if it had not been tried."""
        held = operations.lock(conn, operation.id)
        if held is None or held.owner != self._deps.name or held.attempt != operation.attempt:
            return
        now = times.utcnow()
        found = self._work(conn, held, now)
        if found is not None:
            found.pass_on(False)
            found.put_back(now + wait)

    def _do(self, operation: Any, context: RequestContext) -> None:
        """Do a chore, or leave it to a later attempt."""
        now = times.utcnow()
        try:
            CHORES[operation.kind](self._deps, _context_of(operation, context), operation.params)
        except Exception as error:
            LOG.warning('Operation %s (%s) of server %s failed in attempt %d: %s: %s', operation.id, operation.kind,
                        operation.server_uuid, operation.attempt, type(error).__name__, error)
            known = {'code': 500, 'message': str(error), 'details': ''}
            if operation.attempt < self._deps.conf.conductor.operation_attempts:
                self._deps.db.transaction(operations.put_back, operation, operation.params,
                                          self._deps.soon(now, operation.attempt), now)
            else:
                self._deps.db.transaction(operations.finish, operation, now, known)
            return
        self._deps.db.transaction(operations.finish, operation, now)

    def _begin(self, conn: Any, operation_id: str, context: RequestContext) -> Any:
        """The errand to send out, the operation itself if it is a chore, or the id of one that goes on at once.

        None if there is nothing to do.
        """
        now = times.utcnow()
        operation = operations.take(conn, operation_id, self._deps.name, self._deps.lease(now), now)
        if operation is None:
            return None
        tries = operation.attempt - work.attempts_before(operation.params)
        if tries > 1:
            operations.postpone(conn, operation_id, operation.attempt, self._deps.lease(now, tries))
        if operation.kind in CHORES:
            if (operation.error or {}).get('abandoned'):
                operations.finish(conn, operation, now, operation.error)
                return None
            return operation
        found = self._work(conn, operation, now)
        if found is None:
            return None
        kind = self._kinds[operation.kind]
        if tries > self._deps.conf.conductor.operation_attempts:
            kind.give_up(found, work.too_many_attempts(found))
            return _following(found)
        host = kind.assign(found)
        if host is None:
            return _following(found)
        step = found.step or kind.step
        self._deps.notifications.begun(found, step, host)
        host = host or self._deps.name
        operations.hand_over(conn, operation, host, step, found.params)
        return Errand(host, work.operation_message(operation, step, found.params),
                      work.server_message(self._deps.conf, found.server, found.params),
                      _context_of(operation, context))

    def _end(self, conn: Any, report: OperationReport) -> tuple[bool, str | None]:
        """(whether the report was taken, the operation that goes on at once)."""
        operation = operations.lock(conn, report.operation_id)
        good = report.outcome == 'succeeded'
        earlier = work.was_taken(operation.params, report.attempt) if operation is not None else None
        if earlier is not None:
            # Of a step that is over; said again, because the first answer was lost.
            return good and earlier, None
        if operation is None or operation.owner != report.host or operation.state not in (
                operations.RUNNING, operations.DONE):
            LOG.info('The report of host %s on operation %s comes too late.', report.host, report.operation_id)
            return False, None
        if operation.state == operations.DONE:
            # Said twice, because the first answer was lost.
            return good, None
        if operation.attempt != report.attempt and not good:
            return False, None
        found = self._work(conn, operation, times.utcnow())
        if found is None:
            return False, None
        found.events.extend(work.reported_events(report))
        kind = self._kinds[operation.kind]
        (kind.succeeded if good else kind.failed)(found, report)
        return True, _following(found)

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


def _following(found: Work) -> str | None:
    """The operation that goes on once this transaction is committed."""
    return found.follow_up or (str(found.operation.id) if found.again else None)


def _context_of(operation: Any, context: RequestContext) -> RequestContext:
    """The context of the request that the operation came with, whoever runs it."""
    if context.request_id == operation.request_id:
        return context
    return RequestContext(user_id=operation.user_id, project_id=operation.project_id,
                          request_id=operation.request_id, overwrite=False)
