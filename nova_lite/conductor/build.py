# SPDX-License-Identifier: Apache-2.0
"""Build: find a host, have it make the guest, try another host if it cannot."""

import datetime
from collections.abc import Mapping
from typing import Any

from nova_lite import errors
from nova_lite.conductor import supplies
from nova_lite.conductor import work as base
from nova_lite.conductor.work import HERE, Work
from nova_lite.db.queries import hosts
from nova_lite.model import states
from nova_lite.model.power import Power
from nova_lite.objects.operation import OperationReport
from nova_lite.scheduler import explain, request

EVENT = 'conductor_schedule'
#: The parameter that says that the guest is there.
SPAWNED = 'spawned'
#: The parameter that says that builds failed on the host before.
UNRELIABLE = 'unreliable'
#: Until a sweeper looks at a server that waits for hosts; the first host that reports is quicker.
LOOK = datetime.timedelta(seconds=1)


class Build:
    """A new server."""

    step = 'spawn'

    def assign(self, work: Work) -> str | None:
        """The host that already has the server, or a new one that is claimed in this transaction."""
        host = work.server.host
        if host is not None:
            if work.params.get(SPAWNED) and supplies.after(work):
                return HERE
            if hosts.is_alive(work.conn, host, work.deps.alive_since(work.now)):
                if supplies.before(work, host):
                    return HERE
                work.change(task_state=states.SPAWNING)
                return str(host)
            self._leave_host(work, f'Host {host} went down before the server was built.')
        try:
            found = work.deps.scheduler.place(
                work.conn, request.of_server(work.server, work.params), work.now, work.params.get('last_failure'))
        except errors.NoValidHost as error:
            if _waits(work):
                work.pass_on(False)
                work.put_back(work.now + LOOK)
            else:
                self._no_host(work, error)
            return None
        work.params.pop(UNRELIABLE, None)
        if found.failed_builds:
            work.params[UNRELIABLE] = True
        work.change(host=found.host, node=found.node, availability_zone=found.zone, task_state=states.SPAWNING)
        return HERE if supplies.before(work, found.host) else found.host

    def succeeded(self, work: Work, report: OperationReport) -> None:
        """What the guest needs is there, or the server runs."""
        if supplies.took(work, report):
            if not work.params.get(SPAWNED) or supplies.after(work):
                work.go_on()
                return
        elif supplies.after(work):
            work.params[SPAWNED] = base.reported_power(report, Power.RUNNING)
            work.go_on()
            return
        if work.params.get(UNRELIABLE):
            hosts.note_build(work.conn, work.server.host, done=True)
        work.change(vm_state=states.ACTIVE, task_state=None, launched_at=work.now, fault=None,
                    power_state=work.params.get(SPAWNED) or base.reported_power(report, Power.RUNNING))
        work.done()

    def failed(self, work: Work, report: OperationReport) -> None:
        """Another host, if there are tries left; what another service refuses, it refuses for all hosts."""
        error = report.error or {}
        if supplies.is_own(work):
            self.give_up(work, error)
            return
        hosts.note_build(work.conn, work.server.host, done=False)
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
        supplies.drop(work)
        work.change(vm_state=states.ERROR, task_state=None, host=None, node=None, availability_zone=None,
                    power_state=int(Power.NOSTATE), fault=base.fault(error, work.now))
        work.fail(error)


def _waits(work: Work) -> bool:
    """Whether it is too early to say that no host will do."""
    until = work.operation.created_at + datetime.timedelta(seconds=work.deps.conf.scheduler.wait_for_hosts)
    return work.now < until and not hosts.any_alive(work.conn, work.deps.alive_since(work.now))
