# SPDX-License-Identifier: Apache-2.0
"""What is said to the conductors; any of them will do."""

from typing import Any

from nova_lite.auth.context import RequestContext
from nova_lite.objects.host import HostReport
from nova_lite.objects.operation import OperationReport
from nova_lite.rpc.client import Client

#: Seconds. A broker drops what is sent before the first conductor has made its queue, as happens when all
#: services start together; then the next heartbeat must not be far away.
HEARTBEAT_TIMEOUT = 3.0


class ConductorClient(Client):
    """Messages of ``nova_lite.conductor.service``.

    ==== ==========================================================
    1.0  run_operation, report_host, report_operation, report_progress
    ==== ==========================================================
    """

    TOPIC = 'conductor'

    def run_operation(self, context: RequestContext, operation_id: str) -> None:
        """Wake a conductor up for an operation that lies in the database."""
        self.cast(context, '1.0', 'run_operation', operation_id=operation_id)

    def report_host(self, context: RequestContext, report: HostReport) -> Any:
        """Tell what a host has and runs; the answer may hold things for it to do."""
        return self.call(context, '1.0', 'report_host', timeout=HEARTBEAT_TIMEOUT, report=report)

    def report_operation(self, context: RequestContext, report: OperationReport) -> bool:
        """Tell how an operation went on a host; False if it is not that host's any more."""
        return bool(self.call(context, '1.0', 'report_operation', report=report))

    def report_progress(self, context: RequestContext, operation_id: str, attempt: int, host: str,
                        progress: dict[str, Any]) -> str | None:
        """Tell how far an operation is; what somebody wants of it meanwhile (``abort``, ``complete``)."""
        wish: str | None = self.call(context, '1.0', 'report_progress', timeout=HEARTBEAT_TIMEOUT,
                                     operation_id=operation_id, attempt=attempt, host=host, progress=progress)
        return wish
