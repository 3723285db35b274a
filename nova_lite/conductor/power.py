# SPDX-License-Identifier: Apache-2.0
"""Start, stop, pause, rescue and their like: one step on the server's host, and the state that the table names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nova_lite.conductor import work as base
from nova_lite.conductor.work import Work
from nova_lite.model import states
from nova_lite.model.power import Power
from nova_lite.objects.operation import OperationReport


@dataclass(frozen=True)
class PowerChange:
    """A kind of operation that ends as ``transition`` says, and leaves the server as it was if it fails."""

    step: str
    transition: str

    def assign(self, work: Work) -> str | None:
        """The host that has the server."""
        if work.server.host is not None:
            return str(work.server.host)
        self.give_up(work, {'code': 500, 'message': 'The server is on no host.', 'details': ''})
        return None

    def succeeded(self, work: Work, report: OperationReport) -> None:
        """The server is what it was asked to become."""
        end = states.TRANSITIONS[self.transition]
        work.change(vm_state=end.vm_state or work.server.vm_state, task_state=None,
                    power_state=base.reported_power(report, end.power or Power(work.server.power_state)))
        work.done()

    def failed(self, work: Work, report: OperationReport) -> None:
        """The server is what it was; whether its guest runs is what the host says."""
        work.change(task_state=None, power_state=base.reported_power(report, Power(work.server.power_state)))
        work.fail(report.error or {})

    def give_up(self, work: Work, error: Mapping[str, Any]) -> None:
        """Nobody knows better than that it is what it was; the next heartbeat of the host tells."""
        work.change(task_state=None)
        work.fail(error)


KINDS = {
    'start': PowerChange('power_on', 'start'),
    'stop': PowerChange('power_off', 'stop'),
    # Soft or hard, it ends the same.
    'reboot': PowerChange('reboot', 'reboot_hard'),
    'pause': PowerChange('pause', 'pause'),
    'unpause': PowerChange('unpause', 'unpause'),
    'suspend': PowerChange('suspend', 'suspend'),
    'resume': PowerChange('resume', 'resume'),
    'rescue': PowerChange('rescue', 'rescue'),
    'unrescue': PowerChange('unrescue', 'unrescue'),
    'set_password': PowerChange('set_password', 'set_password'),
}
