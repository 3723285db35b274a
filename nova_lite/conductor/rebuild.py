# SPDX-License-Identifier: Apache-2.0
"""Rebuild: the host makes the server's disk anew. What was on the old one is gone, so there is no way back."""

from collections.abc import Mapping
from typing import Any

from nova_lite.conductor import work as base
from nova_lite.conductor.work import Work
from nova_lite.model import states
from nova_lite.model.power import Power
from nova_lite.objects.operation import OperationReport


class Rebuild:
    """A server that begins anew on its host."""

    step = 'rebuild'

    def assign(self, work: Work) -> str | None:
        """The host that has the server."""
        if work.server.host is None:
            self.give_up(work, {'code': 500, 'message': 'The server is on no host; delete it and create another.',
                                'details': ''})
            return None
        work.change(task_state=states.REBUILD_SPAWNING)
        return str(work.server.host)

    def succeeded(self, work: Work, report: OperationReport) -> None:
        """It runs from its new disk, or is off if it was before."""
        stopped = work.params.get('was_stopped')
        work.change(vm_state=states.STOPPED if stopped else states.ACTIVE, task_state=None, launched_at=work.now,
                    fault=None, power_state=base.reported_power(report, Power.SHUTDOWN if stopped else Power.RUNNING))
        work.done()

    def failed(self, work: Work, report: OperationReport) -> None:
        """Nobody can say how much of the old disk is left; another rebuild mends it."""
        work.change(power_state=base.reported_power(report, Power(work.server.power_state)))
        self.give_up(work, report.error or {})

    def give_up(self, work: Work, error: Mapping[str, Any]) -> None:
        """The server says what happened."""
        work.change(vm_state=states.ERROR, task_state=None, fault=base.fault(error, work.now))
        work.fail(error)
