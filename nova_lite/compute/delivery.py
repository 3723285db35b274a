# SPDX-License-Identifier: Apache-2.0
"""Getting the report of an operation to a conductor, however long none answers.

A report that is lost would leave its server in the middle of something until the operation's lease runs out
and all is done again.  So it is sent until a conductor took it, or the service ends.
"""

import logging
import threading
from typing import Protocol

from nova_lite.auth.context import RequestContext
from nova_lite.objects.host import HostReport
from nova_lite.objects.operation import OperationReport

LOG = logging.getLogger(__name__)

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0


class Conductor(Protocol):
    """What a compute host says to a conductor."""

    def report_operation(self, context: RequestContext, report: OperationReport) -> bool:
        """Tell how an operation went; False if it is no longer this host's."""

    def report_progress(self, context: RequestContext, operation_id: str, attempt: int, host: str,
                        progress: dict) -> str | None:
        """Tell how far an operation is; what somebody wants of it meanwhile."""

    def report_host(self, context: RequestContext, report: HostReport) -> dict | None:
        """Tell what the host has and runs; the answer may hold things to do."""


class Delivery:
    """Sends reports until they arrive."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor
        self._stopping = threading.Event()

    def start(self) -> None:
        """Send again, after a stop."""
        self._stopping.clear()

    def stop(self) -> None:
        """From now on each report is tried once more, and no longer."""
        self._stopping.set()

    def deliver(self, context: RequestContext, report: OperationReport) -> bool | None:
        """True if the report was taken, False if it was refused, None if the service ended before either."""
        known = (report.operation_id, report.server_uuid, report.outcome)
        pause = FIRST_PAUSE
        while True:
            last = self._stopping.is_set()
            try:
                return self._conductor.report_operation(context, report)
            except Exception as error:
                LOG.warning('No conductor took the report of operation %s (server %s, %s): %s: %s', *known,
                            type(error).__name__, error)
            if last:
                LOG.error('The report of operation %s (server %s, %s) is given up: the service stops. '
                          'The operation is run again when its lease is over.', *known)
                return None
            self._stopping.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
