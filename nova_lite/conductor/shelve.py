# SPDX-License-Identifier: Apache-2.0
"""Shelve: a server is stopped and kept as an image, later leaves its host, and comes back to any host.

A server that is shelved stays on its host for ``[DEFAULT] shelved_offload_time`` seconds; the operation
that takes it off then lies on the work list from the beginning.
"""

import datetime
from collections.abc import Mapping
from typing import Any

from nova_lite import errors
from nova_lite.conductor import supplies
from nova_lite.conductor import work as base
from nova_lite.conductor.snapshot import drop_image
from nova_lite.conductor.work import HERE, Kind, Work
from nova_lite.db.queries import hosts
from nova_lite.model import states, times
from nova_lite.model.power import Power
from nova_lite.objects.operation import OperationReport
from nova_lite.scheduler import explain, request

# Parameters of an unshelve: whether the server has to be made anew, and the power state of what was made.
OFFLOADED, SPAWNED = 'offloaded', 'spawned'
#: Parameter of an unshelve that has failed: why, while what was made ready for a host is taken back.
ENDING = 'ending'
#: Parameter of an offload: the guest is gone.
LEFT = 'left'
_MEMORY = ('shelved_at', 'shelved_image')
_NOWHERE = {'code': 500, 'message': 'The server is on no host.', 'details': ''}


def remembering(work: Work, **more: Any) -> dict[str, Any] | None:
    """What the service remembers of the server, without an earlier shelf, and with ``more``."""
    known = work.server.system_metadata or {}
    return {**{key: value for key, value in known.items() if key not in _MEMORY}, **more} or None


class Shelve:
    """A server goes onto the shelf."""

    step = 'shelve'

    def assign(self, work: Work) -> str | None:
        """The host that has the server."""
        if work.server.host is None:
            self.give_up(work, _NOWHERE)
            return None
        return str(work.server.host)

    def succeeded(self, work: Work, report: OperationReport) -> None:
        """The image has its data; whether the host is left at once is up to the operator."""
        after = work.deps.conf.shelved_offload_time
        at = times.isoformat(work.now)
        work.change(vm_state=states.SHELVED, task_state=states.SHELVING_OFFLOADING if after == 0 else None,
                    power_state=base.reported_power(report, Power.SHUTDOWN),
                    system_metadata=remembering(work, shelved_at=at, shelved_image=work.params.get('image_id')))
        if after == 0:
            work.then('shelve_offload', {})
            return
        if after > 0:
            work.schedule('shelve_offload', {'shelved_at': at}, work.now + datetime.timedelta(seconds=after))
        work.done()

    def failed(self, work: Work, report: OperationReport) -> None:
        """There is no image. What was only paused or suspended may have been stopped on the way."""
        power = Power(base.reported_power(report, Power(work.server.power_state)))
        stopped = power is Power.SHUTDOWN and work.server.vm_state in (states.PAUSED, states.SUSPENDED)
        work.change(power_state=int(power), vm_state=states.STOPPED if stopped else work.server.vm_state)
        self.give_up(work, report.error or {})

    def give_up(self, work: Work, error: Mapping[str, Any]) -> None:
        """The server is not shelved."""
        drop_image(work, work.params.get('image_id'))
        work.change(task_state=None)
        work.fail(error)


def _leave(work: Work) -> str:
    """Who is next: the host that has the guest, then the conductor."""
    return HERE if work.params.get(LEFT) and supplies.leaving(work) else str(work.server.host)


class ShelveOffload:
    """A shelved server leaves its host."""

    step = 'shelve_offload'

    def assign(self, work: Work) -> str | None:
        """The host that has the guest; nobody's, if the server left the shelf before its time there was over."""
        server = work.server
        at = work.params.get('shelved_at')
        known = (server.system_metadata or {}).get('shelved_at')
        waits = server.vm_state == states.SHELVED and server.task_state in (None, states.SHELVING_OFFLOADING)
        if server.host is None or not waits or at not in (None, known):
            work.done()
            return None
        work.change(task_state=states.SHELVING_OFFLOADING)
        return _leave(work)

    def succeeded(self, work: Work, report: OperationReport) -> None:
        """The host has its room back, once nothing from other services is bound to it."""
        if not supplies.took(work, report):
            work.params[LEFT] = True
        if supplies.leaving(work):
            work.go_on()
        else:
            self._off(work)

    def failed(self, work: Work, report: OperationReport) -> None:
        """The server is shelved where it is; what is left to be done after its guest went is tried again."""
        if work.params.get(LEFT) and work.tries < work.deps.conf.conductor.operation_attempts:
            work.put_back(work.deps.lease(work.now, work.tries))
            return
        self.give_up(work, report.error or {})

    def give_up(self, work: Work, error: Mapping[str, Any]) -> None:
        """The server is shelved where it is, as far as anybody knows; if its guest is gone, it is off its host."""
        if work.params.get(LEFT):
            work.note('conductor_shelve_offload', 'Error', error.get('message'), error.get('details'))
            self._off(work)
            return
        work.change(task_state=None)
        work.fail(error)

    @staticmethod
    def _off(work: Work) -> None:
        hosts.release(work.conn, work.server.uuid)
        work.change(vm_state=states.SHELVED_OFFLOADED, task_state=None, power_state=int(Power.NOSTATE), host=None,
                    node=None, availability_zone=None)
        work.done()


class ShelveOnVolume(ShelveOffload):
    """A server whose root disk is a volume needs no image, and leaves its host at once."""

    step = 'shelve_on_volume'

    def assign(self, work: Work) -> str | None:
        """The host that has the guest."""
        if work.server.host is None:
            self.give_up(work, _NOWHERE)
            return None
        work.change(task_state=states.SHELVING_OFFLOADING)
        return _leave(work)

    def succeeded(self, work: Work, report: OperationReport) -> None:
        """The server is on the shelf."""
        work.change(system_metadata=remembering(work, shelved_at=times.isoformat(work.now)))
        super().succeeded(work, report)


class Unshelve:
    """A server comes back: started where it is, or built from its image on a host that has room."""

    step = 'unshelve'

    def assign(self, work: Work) -> str | None:
        """The host that has it, or one that is claimed in this transaction."""
        server = work.server
        if ENDING in work.params:
            supplies.leaving(work)
            return HERE
        if server.vm_state == states.SHELVED and server.host is not None:
            work.change(task_state=states.POWERING_ON)
            return str(server.host)
        work.params.update({OFFLOADED: True, 'image': (server.system_metadata or {}).get('shelved_image')})
        if server.host is not None:
            if work.params.get(SPAWNED) and supplies.after(work):
                return HERE
            if hosts.is_alive(work.conn, server.host, work.deps.alive_since(work.now)):
                return HERE if supplies.before(work, server.host) else str(server.host)
            self._leave_host(work, f'Host {server.host} went down before the server was back.')
        try:
            found = work.deps.scheduler.place(
                work.conn, request.of_server(server, work.params), work.now, work.params.get('last_failure'))
        except errors.NoValidHost as error:
            details = explain.listing(error)
            work.note('schedule_instances', 'Error', str(error), details)
            self._end(work, {'code': 500, 'message': str(error), 'details': details})
            return None
        work.change(host=found.host, node=found.node, availability_zone=found.zone, task_state=states.SPAWNING)
        return HERE if supplies.before(work, found.host) else found.host

    def succeeded(self, work: Work, report: OperationReport) -> None:
        """The server runs; the image that kept it meanwhile has done its duty."""
        if supplies.took(work, report):
            if ENDING in work.params:
                self._go_back(work)
                return
            if not work.params.get(SPAWNED) or supplies.after(work):
                work.go_on()
                return
        elif work.params.get(OFFLOADED) and supplies.after(work):
            work.params[SPAWNED] = base.reported_power(report, Power.RUNNING)
            work.go_on()
            return
        drop_image(work, (work.server.system_metadata or {}).get('shelved_image'))
        work.change(vm_state=states.ACTIVE, task_state=None, fault=None, launched_at=work.now,
                    power_state=work.params.get(SPAWNED) or base.reported_power(report, Power.RUNNING),
                    system_metadata=remembering(work))
        work.done()

    def failed(self, work: Work, report: OperationReport) -> None:
        """Another host, if the server was on none and there are tries left."""
        error = report.error or {}
        if ENDING in work.params and work.tries < work.deps.conf.conductor.operation_attempts:
            work.put_back(work.deps.lease(work.now, work.tries))
            return
        if work.server.vm_state == states.SHELVED or ENDING in work.params:
            self._over(work, error)
            return
        if supplies.is_own(work):
            self.give_up(work, error)
            return
        self._leave_host(work, error.get('message') or 'unknown')
        if len(work.params['tried']) < work.deps.conf.scheduler.max_attempts:
            work.change(host=None, node=None, availability_zone=None, task_state=states.UNSHELVING)
            work.put_back(work.now)
            work.again = True
            return
        self._end(work, error)

    def give_up(self, work: Work, error: Mapping[str, Any]) -> None:
        """No host answered; what it may have made is removed when it reports."""
        if work.server.vm_state == states.SHELVED or ENDING in work.params:
            self._over(work, error)
            return
        hosts.release(work.conn, work.server.uuid)
        self._end(work, error)

    def _leave_host(self, work: Work, reason: str) -> None:
        hosts.release(work.conn, work.server.uuid)
        work.params['tried'] = [*work.params.get('tried', ()), work.server.host]
        work.params['last_failure'] = reason

    def _end(self, work: Work, error: Mapping[str, Any]) -> None:
        """The server is on no host, and what was made ready for one is taken back."""
        work.change(host=None, node=None, availability_zone=None, power_state=int(Power.NOSTATE))
        if work.params.get(supplies.READY):
            work.params[ENDING] = dict(error)
            self._go_back(work)
        else:
            self._over(work, error)

    def _go_back(self, work: Work) -> None:
        if supplies.leaving(work):
            work.go_on(False)
        else:
            self._over(work, work.params[ENDING])

    @staticmethod
    def _over(work: Work, error: Mapping[str, Any]) -> None:
        """The server lies on the shelf as before."""
        work.change(task_state=None)
        work.fail(work.params.get(ENDING, error))


KINDS: dict[str, Kind] = {
    'shelve': Shelve(),
    'shelve_offload': ShelveOffload(),
    'shelve_on_volume': ShelveOnVolume(),
    'unshelve': Unshelve(),
}
