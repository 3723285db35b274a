# SPDX-License-Identifier: Apache-2.0
"""Evacuation: a server whose host is down is made anew on another one.

What is left on the dead host is removed by that host when it is back: its heartbeat names a guest that
is somewhere else by then.
"""

from collections.abc import Mapping
from typing import Any

from nova_lite import errors
from nova_lite.conductor import moving
from nova_lite.conductor import work as base
from nova_lite.conductor.steps import DEST, Step, Stepwise
from nova_lite.conductor.work import Work
from nova_lite.db.queries import claims, hosts
from nova_lite.model import moves, states
from nova_lite.model.power import Power
from nova_lite.objects.operation import OperationReport

EVENT = 'conductor_rebuild_server'
_SPAWN = 'evacuate_spawn'


class Evacuate(Stepwise):
    """Of a server that is active, stopped or in error."""

    def steps_of(self, work: Work) -> tuple[Step, ...]:
        """What the server has from other services is there first."""
        return (*moving.following(work), Step(_SPAWN, DEST, undo='evacuate_destroy'))

    def begin(self, work: Work) -> None:
        """Claim a host; what a move that came to nothing left on others is given back first."""
        claims.keep_only(work.conn, work.server.uuid, work.server.host)
        if hosts.is_alive(work.conn, work.server.host, work.deps.alive_since(work.now)):
            self._as_before(work)
            work.change(task_state=None)
            work.fail({'code': 500, 'details': '',
                       'message': f'Host {work.server.host} is up again; the server was left there.'})
            return
        try:
            moving.place(work)
        except errors.NoValidHost as error:
            known = moving.explained(error)
            moving.refuse(work, EVENT, known)
            self.undone(work, known)

    def enter(self, work: Work, step: Step) -> None:
        """Show it."""
        work.change(task_state=states.REBUILD_SPAWNING)
        moving.show(work, status=moves.PRE_MIGRATING)

    def passed(self, work: Work, step: Step, report: OperationReport) -> None:
        """The server is on the new host."""
        if step.name != _SPAWN:
            return
        params = work.params
        work.change(host=params[DEST], node=params['dest_node'], availability_zone=params['dest_zone'],
                    power_state=base.reported_power(report, Power(params[moving.POWER])))

    def again(self, work: Work, step: Step, error: Mapping[str, Any]) -> bool:
        """Another host."""
        return step.name == _SPAWN and moving.next_host(work, error)

    def finish(self, work: Work) -> None:
        """The dead host has nothing for the server any more."""
        off = work.params[moving.POWER] == Power.SHUTDOWN
        moving.over(work, moves.DONE)
        moving.fits(work)
        work.change(vm_state=states.STOPPED if off else states.ACTIVE, task_state=None, launched_at=work.now,
                    fault=None)
        work.done()

    def undone(self, work: Work, error: Mapping[str, Any]) -> None:
        """The server is still on its host, and tells why."""
        self._as_before(work)
        work.change(vm_state=states.ERROR, task_state=None, fault=base.fault(error, work.now))
        work.fail(error)

    @staticmethod
    def _as_before(work: Work) -> None:
        moving.over(work, moves.ERROR)
        moving.fits(work)
