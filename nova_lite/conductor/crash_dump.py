# SPDX-License-Identifier: Apache-2.0
"""Crash dump: a signal to the guest, which changes nothing of the server."""

from collections.abc import Mapping
from typing import Any

from nova_lite.conductor.work import Work
from nova_lite.objects.operation import OperationReport


class CrashDump:
    """The server may be in the middle of something else; its states are left alone."""

    step = 'crash_dump'

    def assign(self, work: Work) -> str | None:
        """The host that has the server."""
        if work.server.host is not None:
            return str(work.server.host)
        self.give_up(work, {'code': 500, 'message': 'The server is on no host.', 'details': ''})
        return None

    def succeeded(self, work: Work, report: OperationReport) -> None:
        """The guest was interrupted."""
        work.done()

    def failed(self, work: Work, report: OperationReport) -> None:
        """The guest was not interrupted."""
        work.fail(report.error or {})

    def give_up(self, work: Work, error: Mapping[str, Any]) -> None:
        """Nobody knows whether it was."""
        work.fail(error)
