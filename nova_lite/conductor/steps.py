# SPDX-License-Identifier: Apache-2.0
"""Operations of several steps on several hosts, each step with what undoes it.

The parameters of the operation say which step it is at and whether it is on its way back; they are
stored with the transaction that ends the step before, so whoever takes the operation over goes on from
there.  A step that fails is undone together with all before it, in reverse order, until the server is
what it was.  Behind the point of no return a step is repeated instead, and in the end left out: what it
would have removed is found by the next heartbeat of its host.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nova_lite.conductor import supplies
from nova_lite.conductor.work import HERE, Work
from nova_lite.db.queries import hosts
from nova_lite.objects.operation import OperationReport

SOURCE, DEST = 'source', 'dest'
#: In place of the parameter that holds the host: the conductor does the step itself.
CONDUCTOR = 'conductor'
# Parameters of the operation.
AT, BACK, ERROR, BEGUN = 'at', 'back', 'error', 'begun'


@dataclass(frozen=True)
class Step:
    """What one host does.

    ``at`` is the parameter that holds the host, or ``CONDUCTOR``.  ``undo`` is what undoes it there; with ``vital`` the
    server needs that done, so it waits for a host that is down.  A ``sure`` step cannot fail the operation.
    An ``optional`` one is left out if the host is down.  A host does what it is asked for by one name once
    in an operation, so names do not recur on one host.
    """

    name: str
    at: str
    undo: str = ''
    vital: bool = False
    sure: bool = False
    optional: bool = False


class Stepwise:
    """A kind of operation made of steps; each kind says what they mean for the server."""

    step = ''
    steps: tuple[Step, ...] = ()

    # ------------------------------------------------------- what a kind adds

    def steps_of(self, work: Work) -> tuple[Step, ...]:
        """The steps of this operation; the same ones as long as it lasts."""
        return self.steps

    def begin(self, work: Work) -> None:
        """Find out which hosts it is about, or end the operation."""

    def enter(self, work: Work, step: Step) -> None:
        """A host is about to be asked for the step."""

    def passed(self, work: Work, step: Step, report: OperationReport) -> None:
        """The step is done."""

    def finish(self, work: Work) -> None:
        """All steps are done: end the operation."""
        work.done()

    def undone(self, work: Work, error: Mapping[str, Any]) -> None:
        """Everything is as it was: end the operation."""
        work.fail(error)

    def stuck(self, work: Work, error: Mapping[str, Any]) -> None:
        """What the server needs could not be undone: say so, and end the operation."""
        work.fail(error)

    def again(self, work: Work, step: Step, error: Mapping[str, Any]) -> bool:
        """Whether a step that failed is made up for by beginning anew, such as with another host."""
        return False

    def uncertain(self, work: Work, step: Step) -> bool:
        """Whether a host that does not answer may have done the step, so that the next step finds out."""
        return False

    def stopped(self, work: Work, step: Step) -> Mapping[str, Any] | None:
        """Why the operation should not go on to this step, if somebody wants it to end."""
        return None

    # ------------------------------------------------- what the runner asks for

    def assign(self, work: Work) -> str | None:
        """The host of the next step."""
        before = _position(work)
        if AT not in work.params:
            self._start(work)
        while not work.ended:
            step = self._present(work)
            if step is None:
                break
            host = self._host(work, step)
            if host is not None:
                if before[0] is not None and _position(work) != before:
                    # Whoever was asked for the step before may report no more.
                    work.pass_on(False, work.operation.attempt - 1)
                return host
        return None

    def succeeded(self, work: Work, report: OperationReport) -> None:
        """Go on, forwards or backwards."""
        supplies.keep(work, report)
        if work.params.get(BACK):
            work.params[AT] -= 1
        else:
            self.passed(work, self.steps_of(work)[work.params[AT]], report)
            work.params[AT] += 1
        self._continue(work, True)

    def failed(self, work: Work, report: OperationReport) -> None:
        """Undo what was done, or try once more what has to be done."""
        error = report.error or {}
        step = self.steps_of(work)[work.params[AT]]
        if not (work.params.get(BACK) or step.sure):
            self._fail(work, step, error)
        elif work.tries < work.deps.conf.conductor.operation_attempts:
            work.put_back(work.deps.lease(work.now, work.tries))
        else:
            self._leave_out(work, step, error)
        self._continue(work, False)

    def give_up(self, work: Work, error: Mapping[str, Any]) -> None:
        """The present step got no answer in all its attempts."""
        step = self.steps_of(work)[work.params[AT]]
        if work.params.get(BACK) or step.sure:
            self._leave_out(work, step, error)
        else:
            self._unanswered(work, step, error)
        self._continue(work, False)

    # ------------------------------------------------------------------- inside

    def _start(self, work: Work) -> None:
        work.params.pop(AT, None)
        work.params.pop(BEGUN, None)
        self.begin(work)
        if not work.ended:
            work.params[AT] = 0

    def _present(self, work: Work) -> Step | None:
        """The step that is next; without one the operation is ended."""
        at, back = work.params[AT], bool(work.params.get(BACK))
        steps = self.steps_of(work)
        while back and at >= 0 and not steps[at].undo:
            at -= 1
        work.params[AT] = at
        if 0 <= at < len(steps):
            return steps[at]
        if back:
            self.undone(work, work.params.get(ERROR) or {})
        else:
            self.finish(work)
        return None

    def _continue(self, work: Work, taken: bool) -> None:
        if not work.ended and self._present(work) is not None:
            work.go_on(taken)

    def _host(self, work: Work, step: Step) -> str | None:
        """The host to ask; None if there is none, and then the operation has ended or is at another step."""
        back = bool(work.params.get(BACK))
        stopped = None if back else self.stopped(work, step)
        if stopped is not None:
            _turn_back(work, stopped)
            return None
        host = HERE if step.at == CONDUCTOR else str(work.params[step.at])
        if host == HERE or hosts.is_alive(work.conn, host, work.deps.alive_since(work.now)):
            work.step = step.undo if back else step.name
            if not back:
                work.params[BEGUN] = work.params[AT]
                self.enter(work, step)
            return host
        self._without(work, step, {'code': 500, 'message': f'Host {host} is down.', 'details': ''})
        return None

    def _without(self, work: Work, step: Step, error: Mapping[str, Any]) -> None:
        """The host is down."""
        if not work.params.get(BACK):
            if step.sure or step.optional:
                self._leave_out(work, step, error)
            else:
                self._unanswered(work, step, error)
        elif step.vital and work.tries < work.deps.conf.conductor.operation_attempts:
            work.put_back(work.deps.lease(work.now, work.tries))
        else:
            self._leave_out(work, step, error)

    def _unanswered(self, work: Work, step: Step, error: Mapping[str, Any]) -> None:
        """Nobody says whether the step was done; one that was not begun was not."""
        if work.params.get(BEGUN) == work.params[AT] and self.uncertain(work, step):
            work.note(f'conductor_{step.name}', 'Error',
                      f'{_who(work, step)} did not say what became of this: {error.get("message")}')
            work.params[AT] += 1
        else:
            self._fail(work, step, error)

    def _fail(self, work: Work, step: Step, error: Mapping[str, Any]) -> None:
        if not error.get('abandoned') and self.again(work, step, error):
            self._start(work)
        else:
            _turn_back(work, error)

    def _leave_out(self, work: Work, step: Step, error: Mapping[str, Any]) -> None:
        """Go past a step that cannot be done."""
        back = bool(work.params.get(BACK))
        work.note('conductor_' + (step.undo if back else step.name), 'Error',
                  f'{_who(work, step)} did not do this: {error.get("message")}')
        if back and step.vital:
            first = work.params.get(ERROR) or {}
            self.stuck(work, {**error, 'message': f'{first.get("message")} Afterwards the server could not be brought '
                                                  f'back: {error.get("message")}'})
            return
        work.params[AT] += -1 if back else 1


def _who(work: Work, step: Step) -> str:
    return 'The conductor' if step.at == CONDUCTOR else f'Host {work.params[step.at]}'


def _position(work: Work) -> tuple[Any, ...]:
    return work.params.get(AT), work.params.get(BACK), work.params.get(DEST)


def _turn_back(work: Work, error: Mapping[str, Any]) -> None:
    """From now on everything is undone; the present step, too, if it was begun: nobody knows how far it is."""
    work.params[BACK] = True
    if work.params.get(BEGUN, -1) < work.params[AT]:
        work.params[AT] -= 1
    work.params[ERROR] = {name: error.get(name) for name in ('code', 'message', 'details')}
