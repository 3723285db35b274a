# SPDX-License-Identifier: Apache-2.0
"""Live migration: the guest runs on while it goes from one host to another.

Its source moves it and tells how far it is; what somebody wants of it meanwhile (to abort it, to bring it
to an end) waits in the row of ``migrations`` and goes out with the answers.
"""

from collections.abc import Mapping
from typing import Any

from nova_lite import errors
from nova_lite.conductor import moving
from nova_lite.conductor import work as base
from nova_lite.conductor.steps import DEST, SOURCE, Step, Stepwise
from nova_lite.conductor.work import Deps, Work
from nova_lite.db.queries import migrations, operations
from nova_lite.model import moves, times
from nova_lite.model.power import Power
from nova_lite.objects.operation import OperationReport

EVENT = 'conductor_live_migrate_instance'
MOVE = 'move'

_PREPARE, _LEAVE, _ARRIVE = 'live_prepare', 'live_leave', 'live_arrive'
_ABORTED = {'code': 500, 'message': 'The live migration was aborted.', 'details': ''}


class LiveMigrate(Stepwise):
    """Of a server that is active or paused."""

    def steps_of(self, work: Work) -> tuple[Step, ...]:
        """What the server has from other services is there before its guest, which does not stop for it.

        A guest that runs on the destination cannot come back, so from then on there is no way but forward.
        """
        return (
            Step(_PREPARE, DEST, undo='live_unprepare'),
            *moving.following(work),
            Step(_LEAVE, SOURCE, undo='live_come_back', vital=True),
            Step(_ARRIVE, DEST, undo='live_withdraw', sure=_has_arrived(work)),
            Step('live_forget', SOURCE, sure=True),
        )

    def begin(self, work: Work) -> None:
        """Claim a host."""
        if moving.row(work).wish == moves.ABORT:
            self.undone(work, _ABORTED)
            return
        try:
            moving.place(work)
        except errors.NoValidHost as error:
            known = moving.explained(error)
            moving.refuse(work, EVENT, known)
            self.undone(work, known)

    def enter(self, work: Work, step: Step) -> None:
        """Show how far it is."""
        if step.name == _PREPARE:
            moving.show(work, status=moves.PREPARING)
        if step.name == _LEAVE:
            address = moving.row(work).dest_host
            work.params[MOVE] = {**work.params[MOVE], 'dest': work.params[DEST], 'address': address}
            moving.show(work, status=moves.RUNNING)

    def stopped(self, work: Work, step: Step) -> Mapping[str, Any] | None:
        """Somebody wants it to end, and it has not begun."""
        early = step.name in (_PREPARE, _LEAVE)
        return _ABORTED if early and moving.row(work).wish == moves.ABORT else None

    def passed(self, work: Work, step: Step, report: OperationReport) -> None:
        """Keep what the source says; from its arrival on the server is on the other host."""
        params = work.params
        if step.name == _PREPARE:
            params[MOVE] = {**params[MOVE], 'there': report.changes.get('there')}
        if step.name == _LEAVE:
            params[moving.DISK] = report.changes.get('disk')
            moving.show(work, status=moves.POST_MIGRATING)
            if _has_arrived(work):
                _is_there(work)
        if step.name == _ARRIVE:
            _is_there(work)
            work.change(power_state=base.reported_power(report, Power(params[moving.POWER])))

    def uncertain(self, work: Work, step: Step) -> bool:
        """A hypervisor may go on without the one who asked it to; its destination knows."""
        return step.name == _LEAVE

    def again(self, work: Work, step: Step, error: Mapping[str, Any]) -> bool:
        """Another host, as long as the guest is not on its way."""
        return step.name == _PREPARE and moving.next_host(work, error)

    def finish(self, work: Work) -> None:
        """The server is there, and nothing of it is where it was."""
        moving.over(work, moves.COMPLETED)
        moving.fits(work)
        work.change(task_state=None, progress=0)
        work.done()

    def undone(self, work: Work, error: Mapping[str, Any]) -> None:
        """The server runs where it was."""
        moving.over(work, moves.CANCELLED if moving.row(work).wish == moves.ABORT else moves.ERROR)
        moving.fits(work)
        work.change(task_state=None, progress=0)
        work.fail(error)

    def stuck(self, work: Work, error: Mapping[str, Any]) -> None:
        """The guest did not come back."""
        moving.lost(work, error)


def _has_arrived(work: Work) -> bool:
    return bool((work.params.get(moving.DISK) or {}).get('arrived'))


def _is_there(work: Work) -> None:
    params = work.params
    work.change(host=params[DEST], node=params['dest_node'], availability_zone=params['dest_zone'])


def progress(deps: Deps, operation_id: str, attempt: int, host: str, told: Mapping[str, Any]) -> str | None:
    """Write down how far a live migration is; what somebody wants of it."""
    wish: str | None = deps.db.transaction(_progress, deps, (operation_id, attempt, host), told)
    return wish


def _progress(conn: Any, deps: Deps, said_by: tuple[str, int, str], told: Mapping[str, Any]) -> str | None:
    operation_id, attempt, host = said_by
    operation = operations.lock(conn, operation_id)
    if operation is None or (operation.state, operation.owner) != (operations.RUNNING, host):
        # Somebody else has the server now.
        return moves.ABORT
    found = migrations.get(conn, operation.params.get(moving.MIGRATION, 0))
    if found is None or operation.attempt < attempt:
        return None
    operations.renew(conn, [operation_id], host, deps.lease(times.utcnow()))
    migrations.update(conn, found.id, **{name: told[name] for name in moves.PROGRESS if name in told})
    return str(found.wish) if found.wish else None
