# SPDX-License-Identifier: Apache-2.0
"""What the kinds of operations have in common: their tools, and the port between them and the runner."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Protocol

from oslo_config import cfg

from nova_lite.auth.context import RequestContext
from nova_lite.db.engine import Database
from nova_lite.db.queries import actions, hosts, operations, quotas, servers
from nova_lite.model import quotas as quota_model
from nova_lite.model import states, times
from nova_lite.model.power import Power
from nova_lite.objects.operation import Operation, OperationReport
from nova_lite.objects.server import Server, of_row
from nova_lite.scheduler.place import Scheduler

#: Seconds between two attempts at most, whatever the back-off says.
LONGEST_LEASE = 240.0


class Compute(Protocol):
    """What a conductor says to compute hosts."""

    def run_operation(self, context: RequestContext, host: str, operation: Operation, server: Server) -> None:
        """Have the host do it; the answer is a report."""


@dataclass(frozen=True)
class Deps:
    """What a conductor works with. ``name`` is unique to the process."""

    conf: cfg.ConfigOpts
    db: Database
    compute: Compute
    scheduler: Scheduler
    name: str

    def lease(self, now: datetime.datetime, attempt: int = 1) -> datetime.datetime:
        """When an attempt that begins now may be taken over: later with each attempt."""
        first = float(self.conf.conductor.operation_lease)
        return now + datetime.timedelta(seconds=min(first * 2 ** min(attempt - 1, 10), max(first, LONGEST_LEASE)))

    def alive_since(self, now: datetime.datetime) -> datetime.datetime:
        """A host not heard since then is down."""
        return now - datetime.timedelta(seconds=self.conf.service_down_time)


@dataclass
class Work:
    """One operation in the transaction that changes it.

    ``server`` holds the columns of its row as they are in this transaction.  ``params`` begin as the
    operation's and are stored when it goes on.  ``again`` asks the runner to go on with the operation
    as soon as the transaction is committed.
    """

    deps: Deps
    conn: Any
    operation: Any
    server: SimpleNamespace
    now: datetime.datetime
    params: dict[str, Any]
    events: list[dict[str, Any]] = field(default_factory=list)
    again: bool = False

    def change(self, **values: Any) -> None:
        """Change the server."""
        servers.update(self.conn, self.server.uuid, updated_at=self.now, **values)
        vars(self.server).update(values)

    def done(self) -> None:
        """End the operation well."""
        operations.finish(self.conn, self.operation, self.now)
        self._close(None)

    def fail(self, error: Mapping[str, Any]) -> None:
        """End the operation badly; the server is the caller's business."""
        operations.finish(self.conn, self.operation, self.now, error)
        self._close('Error')

    def put_back(self, until: datetime.datetime) -> None:
        """Leave the operation to a later attempt, not before ``until`` unless ``again``."""
        operations.put_back(self.conn, self.operation, self.params, until, self.now)
        if self.operation.action_id is not None and self.events:
            actions.insert_events(self.conn, [
                {**event, 'action_id': self.operation.action_id} for event in self.events])

    def note(self, event: str, result: str, details: str | None = None, traceback: str | None = None) -> None:
        """Add an event that the owner of the server can read; the traceback is for the administrator."""
        self.events.append({
            'event': event, 'host': self.deps.conf.host, 'start_time': self.now, 'finish_time': times.utcnow(),
            'result': result, 'details': details, 'traceback': traceback})

    def _close(self, message: str | None) -> None:
        if self.operation.action_id is not None:
            actions.close(self.conn, self.operation.action_id, self.events, message)


class Kind(Protocol):
    """One kind of operation. All methods run in a transaction and may run again."""

    @property
    def step(self) -> str:
        """What the work list shows while a host is at it."""

    def assign(self, work: Work) -> str | None:
        """The host that has to do it; None if the operation was ended or put back instead."""

    def succeeded(self, work: Work, report: OperationReport) -> None:
        """Write down what the host did, and end the operation."""

    def failed(self, work: Work, report: OperationReport) -> None:
        """Write down what the host could not do; end the operation or put it back."""

    def give_up(self, work: Work, error: Mapping[str, Any]) -> None:
        """Leave the server in a state that is true, and end the operation."""


def fault(error: Mapping[str, Any], now: datetime.datetime) -> dict[str, Any]:
    """What ``servers.fault`` holds."""
    return {'code': error.get('code') or 500, 'message': error.get('message') or 'Unknown error.',
            'details': error.get('details') or '', 'created': times.isoformat(now)}


def too_many_attempts(work: Work) -> dict[str, Any]:
    """The error of an operation that nobody could bring to an end."""
    operation = work.operation
    where = f' by host {work.server.host}' if work.server.host else ''
    return {
        'code': 500,
        'message': f'The {operation.kind} was given up: {operation.attempt - 1} attempts were not answered.',
        'details': f'Operation {operation.id} was not reported{where} in {operation.attempt - 1} attempts.'}


def remove(work: Work) -> None:
    """The server is gone: end its row, and give back what it used."""
    server = work.server
    work.change(vm_state=states.DELETED, task_state=None, power_state=int(Power.NOSTATE), deleted=True,
                deleted_at=work.now, terminated_at=work.now)
    hosts.release(work.conn, server.uuid)
    quotas.give_back(work.conn, server.project_id, quota_model.use_of(server.flavor))


def server_message(conf: cfg.ConfigOpts, server: Any, params: Mapping[str, Any]) -> Server:
    """A row of ``servers`` as a compute host needs it."""
    return of_row(server, conf.instance_name_template % server.id, params.get('admin_password'))


def operation_message(operation: Any, step: str, params: Mapping[str, Any]) -> Operation:
    """A row of ``operations`` as a compute host needs it."""
    return Operation(
        id=operation.id, kind=operation.kind, server_uuid=operation.server_uuid, request_id=operation.request_id,
        attempt=operation.attempt, step=step, params={
            key: value for key, value in params.items() if key not in operations.SECRETS})


def reported_events(report: OperationReport) -> list[dict[str, Any]]:
    """The events of a report as rows of ``server_action_events`` without their action."""
    details = (report.error or {}).get('message')
    return [{
        'event': event['event'], 'host': report.host, 'start_time': times.parse(event['start']),
        'finish_time': times.parse(event['finish']) if event.get('finish') else None,
        'result': event.get('result'), 'traceback': event.get('traceback'),
        'details': details if event.get('result') == 'Error' else None,
    } for event in report.events]


def reported_power(report: OperationReport, default: Power) -> int:
    """The power state that a report tells, or what it should be."""
    return int(report.changes.get('power_state', default))
