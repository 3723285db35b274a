# SPDX-License-Identifier: Apache-2.0
"""Revert a resize or a migration: the guest that was set aside comes back, as it was then.

The new one is only set aside until then: if the old one cannot come back, the server stays RESIZED.
"""

from collections.abc import Mapping
from typing import Any

from nova_lite.conductor import moving
from nova_lite.conductor import work as base
from nova_lite.conductor.steps import DEST, SOURCE, Step, Stepwise
from nova_lite.conductor.work import Work
from nova_lite.model import moves, states
from nova_lite.model.power import Power
from nova_lite.objects.operation import OperationReport

_RETURN = 'move_come_back'


class RevertResize(Stepwise):
    """Of a server that is RESIZED."""

    def steps_of(self, work: Work) -> tuple[Step, ...]:
        """On one host the old guest takes the place of the new one at once."""
        if work.params[SOURCE] == work.params[DEST]:
            return (Step(_RETURN, SOURCE),)
        return (
            Step('move_set_aside', DEST, undo='move_return', vital=True, optional=True),
            *moving.returning(work),
            Step(_RETURN, SOURCE, undo='move_set_aside'),
            Step('move_forget', DEST, sure=True),
        )

    def enter(self, work: Work, step: Step) -> None:
        """The source is told the old flavor."""
        if step.at == SOURCE:
            work.server.flavor = work.params[moving.FLAVOR]

    def passed(self, work: Work, step: Step, report: OperationReport) -> None:
        """From now on the server is on its old host."""
        if step.name != _RETURN:
            return
        params = work.params
        work.change(
            host=params[SOURCE], node=params['source_node'], availability_zone=moving.zone_of(work, params[SOURCE]),
            flavor=params[moving.FLAVOR], launched_at=work.now,
            power_state=base.reported_power(report, Power(params[moving.POWER])))

    def finish(self, work: Work) -> None:
        """Nothing is left of the resize."""
        moving.over(work, moves.REVERTED)
        moving.fits(work)
        work.change(vm_state=work.params['vm_state'], task_state=None)
        work.done()

    def undone(self, work: Work, error: Mapping[str, Any]) -> None:
        """The server can still be confirmed, or reverted once more."""
        moving.show(work, status=moves.FINISHED)
        work.change(task_state=None)
        work.fail(error)

    def stuck(self, work: Work, error: Mapping[str, Any]) -> None:
        """Neither of the two guests runs."""
        moving.show(work, status=moves.FINISHED)
        work.change(vm_state=states.ERROR, task_state=None, fault=base.fault(error, work.now))
        work.fail(error)
