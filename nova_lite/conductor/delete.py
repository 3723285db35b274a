# SPDX-License-Identifier: Apache-2.0
"""Delete: have the host remove the guest, then end the server and return what it used.

A server whose host is down is deleted at once, as nobody knows when the host will be back; the host
is told to remove the guest with its next heartbeat.
"""

from collections.abc import Mapping
from typing import Any

from nova_lite.conductor import work as base
from nova_lite.conductor.work import Work
from nova_lite.db.queries import hosts
from nova_lite.model import states
from nova_lite.objects.operation import OperationReport


class Delete:
    """The end of a server."""

    step = 'destroy'

    def assign(self, work: Work) -> str | None:
        """The host that has the guest, if there is one and it is up."""
        host = work.server.host
        if host is not None and hosts.is_alive(work.conn, host, work.deps.alive_since(work.now)):
            return str(host)
        base.remove(work)
        if host is not None:
            work.note('conductor_delete', 'Success', f'Host {host} is down; it removes the guest when it is back.')
        work.done()
        return None

    def succeeded(self, work: Work, report: OperationReport) -> None:
        """Nothing is left of it."""
        base.remove(work)
        work.done()

    def failed(self, work: Work, report: OperationReport) -> None:
        """Try again later; a delete that was accepted is not forgotten because a disk was busy."""
        if work.operation.attempt >= work.deps.conf.conductor.operation_attempts:
            self.give_up(work, report.error or {})
            return
        work.put_back(work.deps.lease(work.now, work.operation.attempt))

    def give_up(self, work: Work, error: Mapping[str, Any]) -> None:
        """The server stays, and says why; it can be deleted again."""
        work.change(vm_state=states.ERROR, task_state=None, fault=base.fault(error, work.now))
        work.fail(error)
