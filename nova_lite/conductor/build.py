# SPDX-License-Identifier: Apache-2.0
"""Build: find a host, have it make the guest, try another host if it cannot."""

from collections.abc import Mapping
from typing import Any

from nova_lite import errors
from nova_lite.conductor import work as base
from nova_lite.conductor.work import Work
from nova_lite.db.queries import hosts
from nova_lite.model import states
from nova_lite.model.power import Power
from nova_lite.objects.operation import OperationReport
from nova_lite.scheduler import explain, request

EVENT = 'conductor_schedule'


class Build:
    """A new server."""

    step = 'spawn'

    def assign(self, work: Work) -> str | None:
        """The host that already has the server, or a new one that is claimed in this transaction."""
        host = work.server.host
        if host is not None:
            if hosts.is_alive(work.conn, host, work.deps.alive_since(work.now)):
                return str(host)
            self._leave_host(work, f'Host {host} went down before the server was built.')
        try:
            found = work.deps.scheduler.place(
                work.conn, request.of_server(work.server, work.params), work.now, work.params.get('last_failure'))
        except errors.NoValidHost as error:
            self._no_host(work, error)
            return None
        work.change(host=found.host, node=found.node, availability_zone=found.zone, task_state=states.SPAWNING)
        return found.host

    def succeeded(self, work: Work, report: OperationReport) -> None:
        """The server runs."""
        work.change(vm_state=states.ACTIVE, task_state=None, launched_at=work.now, fault=None,
                    power_state=base.reported_power(report, Power.RUNNING))
        work.done()

    def failed(self, work: Work, report: OperationReport) -> None:
        """Another host, if there are tries left."""
        error = report.error or {}
        self._leave_host(work, error.get('message') or 'unknown')
        if len(work.params['tried']) < work.deps.conf.scheduler.max_attempts:
            work.change(host=None, node=None, availability_zone=None, task_state=states.SCHEDULING)
            work.put_back(work.now)
            work.again = True
            return
        tried = work.params['tried']
        if len(tried) > 1:
            error = {
                'code': 500, 'message': f'The build failed on {len(tried)} hosts. The last failure: '
                                        f'{error.get("message")}',
                'details': f'Tried {", ".join(tried)}.\n{error.get("details") or ""}'}
        self._end(work, error)

    def give_up(self, work: Work, error: Mapping[str, Any]) -> None:
        """No host answered; what it may have made is removed when it reports."""
        hosts.release(work.conn, work.server.uuid)
        self._end(work, error)

    def _leave_host(self, work: Work, reason: str) -> None:
        hosts.release(work.conn, work.server.uuid)
        work.params['tried'] = [*work.params.get('tried', ()), work.server.host]
        work.params['last_failure'] = reason

    def _no_host(self, work: Work, error: errors.NoValidHost) -> None:
        details = explain.listing(error)
        work.note(EVENT, 'Error', str(error), details)
        self._end(work, {'code': 500, 'message': str(error), 'details': details})

    def _end(self, work: Work, error: Mapping[str, Any]) -> None:
        work.change(vm_state=states.ERROR, task_state=None, host=None, node=None, availability_zone=None,
                    power_state=int(Power.NOSTATE), fault=base.fault(error, work.now))
        work.fail(error)
