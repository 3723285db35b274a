# SPDX-License-Identifier: Apache-2.0
"""What the kinds of operations have in common: their tools, and the port between them and the runner."""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Protocol

from oslo_config import cfg

from nova_lite.auth.context import RequestContext
from nova_lite.clients.image import ImageClient
from nova_lite.clients.network import NetworkClient, NoNetworks
from nova_lite.clients.volume import VolumeClient, no_volumes
from nova_lite.db.engine import Database
from nova_lite.db.queries import actions, consoles, hosts, migrations, operations, quotas, servers
from nova_lite.model import quotas as quota_model
from nova_lite.model import states, times
from nova_lite.model.power import Power
from nova_lite.notifications.port import NOBODY, Notifications
from nova_lite.objects.operation import Operation, OperationReport
from nova_lite.objects.server import Server, of_row
from nova_lite.scheduler.place import Scheduler

#: Seconds between two attempts at most, whatever the back-off says.
LONGEST_LEASE = 240.0
#: Seconds until another service that did not answer is asked again, before the pauses are those of leases.
BUSY = (2.0, 10.0)
#: The parameter that lists (last attempt, whether it was done) of each step that is over.
PASSED = 'passed'


#: In place of a host: the conductor itself does the step, as `here.STEPS` says.
HERE = ''


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
    images: ImageClient
    volumes: VolumeClient = field(default_factory=no_volumes, kw_only=True)
    networks: NetworkClient = field(default_factory=NoNetworks, kw_only=True)
    notifications: Notifications = field(default=NOBODY, kw_only=True)

    def lease(self, now: datetime.datetime, attempt: int = 1) -> datetime.datetime:
        """When an attempt that begins now may be taken over: later with each attempt."""
        first = float(self.conf.conductor.operation_lease)
        return now + datetime.timedelta(seconds=min(first * 2 ** min(attempt - 1, 10), max(first, LONGEST_LEASE)))

    def soon(self, now: datetime.datetime, tries: int) -> datetime.datetime:
        """When to ask another service again that has not answered so often: at first it may only be busy."""
        if tries <= len(BUSY):
            return now + datetime.timedelta(seconds=BUSY[tries - 1])
        return self.lease(now, tries - len(BUSY))

    def alive_since(self, now: datetime.datetime) -> datetime.datetime:
        """A host not heard since then is down."""
        return now - datetime.timedelta(seconds=self.conf.service_down_time)


@dataclass
class Work:
    """One operation in the transaction that changes it.

    ``server`` holds the columns of its row as they are in this transaction.  ``params`` begin as the
    operation's and are stored when it goes on.  ``again`` asks the runner to go on with the operation
    as soon as the transaction is committed; ``follow_up`` is the operation that goes on in its place.
    ``step`` is what the host is asked for, where a kind of operation has more steps than one.  ``ended``: the
    operation is over, or put back, in this transaction.
    """

    deps: Deps
    conn: Any
    operation: Any
    server: SimpleNamespace
    now: datetime.datetime
    params: dict[str, Any]
    events: list[dict[str, Any]] = field(default_factory=list)
    again: bool = False
    follow_up: str | None = None
    step: str = ''
    ended: bool = False

    @property
    def tries(self) -> int:
        """How often the present step was begun."""
        return int(self.operation.attempt) - attempts_before(self.params)

    def pass_on(self, taken: bool, last: int | None = None) -> None:
        """All attempts up to ``last``, or up to now, were of a step that is over; ``taken`` if it counts as done."""
        if taken:
            self.deps.notifications.passed(self)
        last = self.operation.attempt if last is None else last
        if last > attempts_before(self.params):
            self.params[PASSED] = [*self.params.get(PASSED, ()), [last, taken]]

    def go_on(self, taken: bool = True) -> None:
        """Go on with another step of the operation as soon as this one's end is committed."""
        self.pass_on(taken)
        self.put_back(self.now)
        self.again = True

    def change(self, **values: Any) -> None:
        """Change the server; who was let to its consoles on a host that it leaves is so no more."""
        if self.server.host not in (None, values.get('host', self.server.host)):
            consoles.forget(self.conn, self.server.uuid)
        self.deps.notifications.changing(self, values)
        servers.update(self.conn, self.server.uuid, updated_at=self.now, **values)
        vars(self.server).update(values)

    def done(self) -> None:
        """End the operation well."""
        self.deps.notifications.over(self)
        operations.finish(self.conn, self.operation, self.now)
        self.ended = True
        self._close(None)

    def fail(self, error: Mapping[str, Any]) -> None:
        """End the operation badly; the server is the caller's business."""
        self.deps.notifications.over(self, error)
        operations.finish(self.conn, self.operation, self.now, error)
        self.ended = True
        self._close('Error')

    def then(self, kind: str, params: Mapping[str, Any]) -> None:
        """End the operation well, and let one of another kind bring its action to an end."""
        self.deps.notifications.over(self)
        operations.finish(self.conn, self.operation, self.now)
        row = operations.successor(self.operation, kind, params, self.now, self.now)
        operations.insert(self.conn, [{**row, 'action_id': self.operation.action_id}])
        self._store_events()
        self.follow_up = row['id']

    def schedule(self, kind: str, params: Mapping[str, Any], due: datetime.datetime) -> None:
        """Put an operation on the list that nobody waits for; the sweepers find it at its time."""
        operations.insert(self.conn, [operations.successor(self.operation, kind, params, self.now, due)])

    def put_back(self, until: datetime.datetime) -> None:
        """Leave the operation to a later attempt, not before ``until`` unless ``again``."""
        operations.put_back(self.conn, self.operation, self.params, until, self.now)
        self.ended = True
        self._store_events()

    def note(self, event: str, result: str, details: str | None = None, traceback: str | None = None) -> None:
        """Add an event that the owner of the server can read; the traceback is for the administrator."""
        self.events.append({
            'event': event, 'host': self.deps.conf.host, 'start_time': self.now, 'finish_time': times.utcnow(),
            'result': result, 'details': details, 'traceback': traceback})

    def _store_events(self) -> None:
        if self.operation.action_id is not None and self.events:
            actions.insert_events(self.conn, [
                {**event, 'action_id': self.operation.action_id} for event in self.events])

    def _close(self, message: str | None) -> None:
        if self.operation.action_id is not None:
            actions.close(self.conn, self.operation.action_id, self.events, message)


Chore = Callable[[Deps, RequestContext, Mapping[str, Any]], None]


class Kind(Protocol):
    """One kind of operation. All methods run in a transaction and may run again."""

    @property
    def step(self) -> str:
        """What the work list shows while a host is at it."""

    def assign(self, work: Work) -> str | None:
        """The host that has to do it, or ``HERE``; None if the operation was ended or put back instead."""

    def succeeded(self, work: Work, report: OperationReport) -> None:
        """Write down what the host did, and end the operation."""

    def failed(self, work: Work, report: OperationReport) -> None:
        """Write down what the host could not do; end the operation or put it back."""

    def give_up(self, work: Work, error: Mapping[str, Any]) -> None:
        """Leave the server in a state that is true, and end the operation."""


def attempts_before(params: Mapping[str, Any]) -> int:
    """The attempts that steps before the present one took."""
    passed = params.get(PASSED)
    return int(passed[-1][0]) if passed else 0


def was_taken(params: Mapping[str, Any], attempt: int) -> bool | None:
    """Whether an attempt of an earlier step was taken for its success; None for one of the present step."""
    for last, taken in params.get(PASSED, ()):
        if attempt <= last:
            return bool(taken)
    return None


def fault(error: Mapping[str, Any], now: datetime.datetime) -> dict[str, Any]:
    """What ``servers.fault`` holds."""
    return {'code': error.get('code') or 500, 'message': error.get('message') or 'Unknown error.',
            'details': error.get('details') or '', 'created': times.isoformat(now)}


def too_many_attempts(work: Work, error: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The error of an operation that nobody could bring to an end; ``error`` is what failed last, if it is not stored.

    An error of a step that is over explains nothing.
    """
    operation = work.operation
    last = error or operation.error or {}
    number = work.tries - 1
    if last.get('abandoned'):
        return {'code': 500, 'message': f'The {operation.kind} was given up: {last["message"]}.',
                'details': f'Operation {operation.id}: {last["message"]}.', 'abandoned': True}
    if last.get('attempt', 0) > attempts_before(work.params):
        return {
            'code': 500, 'details': f'Operation {operation.id}: {last.get("details") or last.get("message")}',
            'message': f'The {operation.kind} was given up: {number} attempts failed, the last one with '
                       f'{last.get("message")}.'}
    where = f' by host {work.server.host}' if work.server.host else ''
    return {
        'code': 500,
        'message': f'The {operation.kind} was given up: {number} attempts were not answered.',
        'details': f'Operation {operation.id} was not reported{where} in {number} attempts.'}


def remove(work: Work) -> None:
    """The server is gone: end its row and its moves, and give back what they used."""
    server = work.server
    held = migrations.abandon(work.conn, server.uuid, server.flavor)
    counted = int(states.is_counted(server))
    used = {resource: amount * counted + held.get(resource, 0)
            for resource, amount in quota_model.use_of(server.flavor).items()}
    shelved_image = (server.system_metadata or {}).get('shelved_image')
    if shelved_image:
        work.schedule('delete_image', {'image_id': shelved_image}, work.now)
    work.change(vm_state=states.DELETED, task_state=None, power_state=int(Power.NOSTATE), deleted=True,
                deleted_at=work.now, terminated_at=work.now)
    hosts.release(work.conn, server.uuid)
    consoles.forget(work.conn, server.uuid)
    quotas.give_back(work.conn, server.project_id, used)


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
