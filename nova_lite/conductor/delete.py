# SPDX-License-Identifier: Apache-2.0
"""Delete: have each host that has anything of the guest remove it, give back what the server has from other services,
then end the server and return what it used.

In the middle of a move two hosts have something.  What is on a host that is down counts as deleted at once, as
nobody knows when the host will be back; it is told to remove the guest with its next heartbeat.
"""

from collections.abc import Mapping
from typing import Any

from nova_lite.conductor import supplies
from nova_lite.conductor import work as base
from nova_lite.conductor.work import HERE, Work
from nova_lite.db.queries import claims, hosts
from nova_lite.model import states
from nova_lite.objects.operation import OperationReport

#: The parameter that lists the hosts on which nothing is left.
CLEAN = 'clean'


class Delete:
    """The end of a server."""

    step = 'destroy'

    def assign(self, work: Work) -> str | None:
        """The next host that may have something of it and is up; nobody else has anything of it in the end."""
        left = _left(work)
        since = work.deps.alive_since(work.now)
        for host in left:
            if hosts.is_alive(work.conn, host, since):
                return host
        if supplies.giving_back(work):
            return HERE
        work.deps.notifications.begun(work, self.step, HERE)
        base.remove(work)
        for host in left:
            work.note('conductor_delete', 'Success', f'Host {host} is down; it removes the guest when it is back.')
        work.done()
        return None

    def succeeded(self, work: Work, report: OperationReport) -> None:
        """Nothing is left of it, on this host or in another service."""
        if not supplies.took(work, report):
            work.params[CLEAN] = [*work.params.get(CLEAN, ()), report.host]
        if _left(work) or supplies.giving_back(work):
            work.go_on()
            return
        base.remove(work)
        work.done()

    def failed(self, work: Work, report: OperationReport) -> None:
        """Try again later; a delete that was accepted is not forgotten because a disk was busy."""
        if work.tries >= work.deps.conf.conductor.operation_attempts:
            self.give_up(work, report.error or {})
            return
        work.put_back(work.deps.lease(work.now, work.tries))

    def give_up(self, work: Work, error: Mapping[str, Any]) -> None:
        """The server stays, and says why; it can be deleted again."""
        put_aside = work.server.vm_state == states.SOFT_DELETED
        work.change(vm_state=states.SOFT_DELETED if put_aside else states.ERROR, task_state=None,
                    fault=base.fault(error, work.now))
        work.fail(error)


def _left(work: Work) -> list[str]:
    """The hosts that may have something of the server, its own one first."""
    found = [work.server.host] if work.server.host is not None else []
    found += [host for host in claims.places(work.conn, work.server.uuid) if host != work.server.host]
    return [str(host) for host in found if host not in work.params.get(CLEAN, ())]
