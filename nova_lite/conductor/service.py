# SPDX-License-Identifier: Apache-2.0
"""The messages that a conductor answers. Every public method here can be called over the network."""

from typing import Any

from nova_lite.auth.context import RequestContext
from nova_lite.conductor import heartbeat, live_migrate, power_sync
from nova_lite.conductor.runner import Runner
from nova_lite.conductor.work import Deps
from nova_lite.objects.host import HostReport
from nova_lite.objects.operation import OperationReport


class ConductorEndpoint:
    """The RPC surface."""

    def __init__(self, deps: Deps, runner: Runner) -> None:
        self._deps = deps
        self._runner = runner
        self._calendar = power_sync.Calendar()

    def run_operation(self, context: RequestContext, operation_id: str) -> None:
        """Wake up for an operation that is on the work list."""
        self._runner.run(context, operation_id)

    def report_operation(self, context: RequestContext, report: OperationReport) -> bool:
        """How an operation went on a host; False if it is not that host's any more."""
        return self._runner.report(context, report)

    def report_progress(self, context: RequestContext, operation_id: str, attempt: int, host: str,
                        progress: dict[str, Any]) -> str | None:
        """How far a live migration is; the answer is what somebody wants of it meanwhile."""
        return live_migrate.progress(self._deps, operation_id, attempt, host, progress)

    def report_host(self, context: RequestContext, report: HostReport) -> dict[str, Any]:
        """A host's heartbeat; the answer may hold things to do."""
        return heartbeat.report_host(self._deps, report, self._runner.resume, self._calendar)
