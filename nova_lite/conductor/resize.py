# SPDX-License-Identifier: Apache-2.0
"""Resize and cold migration: the guest leaves one host and arrives at another, perhaps in another size.

It ends as RESIZED, with the old guest set aside, until somebody confirms or reverts.  A resize that fails
leaves the server as it was.
"""

from collections.abc import Mapping
from typing import Any

from nova_lite import errors
from nova_lite.conductor import moving
from nova_lite.conductor import work as base
from nova_lite.conductor.steps import DEST, SOURCE, Step, Stepwise
from nova_lite.conductor.work import Work
from nova_lite.model import moves, states
from nova_lite.model.power import Power
from nova_lite.objects.operation import OperationReport

EVENT = 'cold_migrate'

_PREPARE, _LEAVE, _ARRIVE = 'move_prepare', 'move_leave', 'move_arrive'
#: What is shown while a host is at a step: the server's task_state, and the status of the move.
_SHOWN = {
    _PREPARE: (states.RESIZE_PREP, moves.PRE_MIGRATING),
    _LEAVE: (states.RESIZE_MIGRATING, moves.MIGRATING),
    _ARRIVE: (states.RESIZE_FINISH, moves.POST_MIGRATING),
}


class Resize(Stepwise):
    """Of a server that is active or stopped."""

    def steps_of(self, work: Work) -> tuple[Step, ...]:
        """What the server has from other services follows when its guest has left."""
        return (
            Step(_PREPARE, DEST),
            Step(_LEAVE, SOURCE, undo='move_come_back', vital=True),
            *moving.following(work),
            Step(_ARRIVE, DEST, undo='move_withdraw'),
        )

    def begin(self, work: Work) -> None:
        """Claim a host."""
        may_stay = bool(work.params.get('resize')) and work.deps.conf.allow_resize_to_same_host
        try:
            moving.place(work, may_stay=may_stay and not work.params.get('host'))
        except errors.NoValidHost as error:
            known = moving.explained(error)
            moving.refuse(work, EVENT, known)
            self._as_before(work)
            work.fail(known)

    def enter(self, work: Work, step: Step) -> None:
        """Show it; the destination is told the new flavor."""
        if step.name not in _SHOWN:
            return
        task_state, status = _SHOWN[step.name]
        work.change(task_state=task_state)
        moving.show(work, status=status)
        if step.at == DEST:
            work.server.flavor = work.params[moving.FLAVOR]

    def passed(self, work: Work, step: Step, report: OperationReport) -> None:
        """Keep what the source says of the disk."""
        if step.name == _LEAVE:
            work.params[moving.DISK] = report.changes.get('disk')
            work.change(task_state=states.RESIZE_MIGRATED)
        if step.name == _ARRIVE:
            work.change(power_state=base.reported_power(report, Power(work.params[moving.POWER])))

    def again(self, work: Work, step: Step, error: Mapping[str, Any]) -> bool:
        """Another host, as long as the guest has not left the first one."""
        return step.name == _PREPARE and moving.next_host(work, error)

    def finish(self, work: Work) -> None:
        """The server is there; what it has on its old host stays until it is confirmed."""
        params = work.params
        moving.show(work, status=moves.FINISHED)
        work.change(
            vm_state=states.RESIZED, task_state=None, host=params[DEST], node=params['dest_node'],
            availability_zone=params['dest_zone'], flavor=params[moving.FLAVOR], launched_at=work.now, progress=0)
        work.done()

    def undone(self, work: Work, error: Mapping[str, Any]) -> None:
        """The server is what it was."""
        self._as_before(work)
        work.fail(error)

    def stuck(self, work: Work, error: Mapping[str, Any]) -> None:
        """The guest did not come back."""
        moving.lost(work, error)

    @staticmethod
    def _as_before(work: Work) -> None:
        moving.over(work, moves.ERROR)
        moving.fits(work)
        work.change(task_state=None)
