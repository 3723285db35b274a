# SPDX-License-Identifier: Apache-2.0
"""A command of ours with a trap in it: it kills itself with SIGKILL at the one point that a file names.

``python -m tests.chaos.trapped nova_lite.cmd.conductor …`` is the command itself, with a hook where a transaction
is committed, a message is sent and a step on a host ends.  At each such point of the work on a server a line is
written down, and if the trap asks for it, the process is gone before anything else happens.  The program knows
nothing of this; killing from outside could not hit the moment between a commit and the message that follows it.

``CHAOS_DIRECTORY`` holds ``points`` (what was passed: role, point, server, operation), ``trap`` (which of them, how
often it is passed before, and the operations that are no concern of it) and ``faults`` (names of steps that fail once).
"""

import contextlib
import dataclasses
import fcntl
import functools
import importlib
import json
import os
import pathlib
import signal
import sys
from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

DIRECTORY = 'CHAOS_DIRECTORY'


class Passed(NamedTuple):
    """That a process was at a point of the work on a server."""

    role: str
    point: str
    server: str
    operation: str

    def concerns(self, server: str, others: Collection[str]) -> bool:
        """Whether it is about this server (any, if it is not known yet), and not one of the other operations."""
        return (not server or self.server in ('', server)) and self.operation not in others


def read_points(path: pathlib.Path) -> list[Passed]:
    """All points that were passed, in their order."""
    return [Passed(*line.split('\t')) for line in path.read_text().splitlines()]


class Book:
    """The points that all processes of a cloud have passed, and the trap that is set for one of them."""

    def __init__(self, directory: pathlib.Path) -> None:
        self._points = directory / 'points'
        self._trap = directory / 'trap'
        self._faults = directory / 'faults'
        self._lock = directory / 'lock'
        self.role = ''

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        # The lock of a process that is killed is given back.
        with self._lock.open('w') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def passes(self, point: str, server: str = '', operation: str = '') -> None:
        """Write the point down; the end of this process if the trap is set for it."""
        if not self.role:
            return
        with self._alone():
            passed = Passed(self.role, point, server, operation)
            with self._points.open('a') as points:
                points.write('\t'.join(passed) + '\n')
            if self._trap.exists() and self._is_trapped(passed):
                self._trap.rename(self._trap.with_name('sprung'))
                os.kill(os.getpid(), signal.SIGKILL)

    def _is_trapped(self, passed: 'Passed') -> bool:
        trap = json.loads(self._trap.read_text())
        if [passed.role, passed.point] != trap['at'] or not passed.concerns(trap['server'], trap['others']):
            return False
        known = [one for one in read_points(self._points) if one.concerns(trap['server'], trap['others'])]
        return [one[:2] for one in known].count(passed[:2]) == trap['times']

    def fails(self, name: str) -> bool:
        """Whether the step of this name is to fail, this once."""
        with self._alone():
            names = self._faults.read_text().split() if self._faults.exists() else []
            if name not in names:
                return False
            names.remove(name)
            self._faults.write_text(' '.join(names))
            return True


def install(book: Book) -> None:
    """Set the hooks; the modules of the program are imported by now."""
    _name_roles(book)
    _watch_database(book)
    _watch_messages(book)
    _watch_hosts(book)


def _before(owner: Any, name: str, act: Callable[..., None]) -> None:
    original = getattr(owner, name)

    @functools.wraps(original)
    def replaced(*args: Any, **kwargs: Any) -> Any:
        act(*args)
        return original(*args, **kwargs)

    setattr(owner, name, replaced)


def _after(owner: Any, name: str, act: Callable[..., None]) -> None:
    original = getattr(owner, name)

    @functools.wraps(original)
    def replaced(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        act(*args)
        return result

    setattr(owner, name, replaced)


def _name_roles(book: Book) -> None:
    """A worker learns after its fork what it is."""
    from nova_lite.compute.manager import ComputeManager
    from nova_lite.conductor.manager import ConductorManager
    from nova_lite.wsgi.server import HttpService
    for owner, role in ((HttpService, 'api'), (ConductorManager, 'conductor'), (ComputeManager, 'compute')):
        _before(owner, 'start', lambda *args, role=role: setattr(book, 'role', role))


def _watch_database(book: Book) -> None:
    """Just before and just after each commit that accepts work, hands it out, or takes a report of it.

    What an API commits beside the work that it accepts is *noted*.
    """
    # Only now, because a backend may have patched it.
    import threading

    from nova_lite.conductor.runner import Runner
    from nova_lite.db.engine import Database
    from nova_lite.db.queries import operations
    here = threading.local()

    def noting(word: str, id_of: Callable[[Any], str]) -> Callable[[Any], Any]:
        def wrap(original: Any) -> Any:
            def replaced(self: Any, conn: Any, what: Any, *more: Any) -> Any:
                before = operations.get(conn, id_of(what))
                result = original(self, conn, what, *more)
                after = operations.get(conn, id_of(what))
                if before is not None and after is not None and before != after:
                    step = (after.step if word == 'handed out' else before.step) or after.state
                    here.mark = (f'{step} {word}', after.server_uuid, after.id)
                return result
            return replaced
        return wrap

    insert = operations.insert

    def traced_insert(conn: Any, rows: Any) -> None:
        insert(conn, rows)
        if book.role == 'api' and any(row['action_id'] is not None for row in rows):
            here.mark = ('accepted', '', '')

    operations.insert = traced_insert
    Runner._begin = noting('handed out', str)(Runner._begin)
    Runner._end = noting('reported', lambda report: report.operation_id)(Runner._end)
    commit, transaction = Database._commit, Database.transaction

    def traced_commit(connection: Any) -> None:
        mark = getattr(here, 'mark', None)
        if mark:
            book.passes(f'{mark[0]}: before the commit', *mark[1:])
        commit(connection)

    def traced_transaction(self: Any, function: Any, *args: Any, **kwargs: Any) -> Any:
        here.mark = ('noted', '', '') if book.role == 'api' else None
        result = transaction(self, function, *args, **kwargs)
        mark, here.mark = here.mark, None
        if mark:
            book.passes(f'{mark[0]}: after the commit', *mark[1:])
        return result

    Database._commit = staticmethod(traced_commit)
    Database.transaction = traced_transaction


def _watch_messages(book: Book) -> None:
    """What was sent."""
    from nova_lite.rpc.compute import ComputeClient
    from nova_lite.rpc.conductor import ConductorClient
    _after(ComputeClient, 'run_operation', lambda self, context, host, operation, server: book.passes(
        f'{operation.step} sent', server.uuid, operation.id))
    _after(ConductorClient, 'run_operation', lambda self, context, operation_id: book.passes('conductor told'))


def _watch_hosts(book: Book) -> None:
    """What a host was asked for, each of its steps, and its report."""
    from nova_lite import errors
    from nova_lite.compute import procedure
    from nova_lite.compute.delivery import Delivery
    from nova_lite.compute.worker import Worker
    run, deliver = procedure.run, Delivery.deliver
    _before(Worker, '_run', lambda self, context, job: passes(job, f'{job.operation.step} received'))

    def passes(job: Any, point: str) -> None:
        book.passes(point, job.server.uuid, job.operation.id)

    def traced(step: Any, asked: str) -> Any:
        def do(job: Any) -> None:
            name = step.do.__name__
            if book.fails(name):
                raise errors.HypervisorError(reason=f'The step {name} is to fail.')
            step.do(job)
            passes(job, f'{asked}: {name} done')

        def undo(job: Any) -> None:
            step.undo(job)
            passes(job, f'{asked}: {step.undo.__name__} done, as undo')

        return dataclasses.replace(step, do=do, undo=undo if step.undo else None)

    def traced_run(known: Any, job: Any) -> Any:
        steps = tuple(traced(step, job.operation.step) for step in known.steps)
        return run(dataclasses.replace(known, steps=steps), job)

    def traced_deliver(self: Any, context: Any, report: Any) -> Any:
        taken = deliver(self, context, report)
        book.passes('report delivered', report.server_uuid, report.operation_id)
        return taken

    procedure.run = traced_run
    Delivery.deliver = traced_deliver


def main() -> int:
    """Run the command that the first argument names."""
    command = importlib.import_module(sys.argv[1])
    install(Book(pathlib.Path(os.environ[DIRECTORY])))
    sys.argv[:2] = [str(command.__file__)]
    return int(command.main() or 0)


if __name__ == '__main__':
    sys.exit(main())
