# SPDX-License-Identifier: Apache-2.0
"""Soft delete: a server is off and out of the books for a while, until it is restored or reclaimed.

Every soft delete leaves its reclaim on the work list, where the sweepers find it at its time.
"""

import datetime
from collections.abc import Mapping
from typing import Any

from nova_lite.conductor import shelve
from nova_lite.conductor import work as base
from nova_lite.conductor.delete import Delete
from nova_lite.conductor.snapshot import drop_image
from nova_lite.conductor.work import Kind, Work
from nova_lite.db.queries import consoles, quotas
from nova_lite.model import quotas as quota_model
from nova_lite.model import states
from nova_lite.model.power import Power
from nova_lite.objects.operation import OperationReport

#: Until something is looked at again that cannot be decided now.
LATER = datetime.timedelta(hours=1)
SOON = datetime.timedelta(minutes=1)
_WAS = 'was'


class SoftDelete:
    """A server is put aside."""

    step = 'soft_delete'

    def assign(self, work: Work) -> str | None:
        """The host that has the server."""
        if work.server.host is not None:
            return str(work.server.host)
        self.give_up(work, {'code': 500, 'message': 'The server is on no host.', 'details': ''})
        return None

    def succeeded(self, work: Work, report: OperationReport) -> None:
        """It is off, and what it used can be used by others."""
        memory = dict(work.server.system_metadata or {})
        if work.server.vm_state == states.RESIZED:
            memory[_WAS] = states.RESIZED
        work.change(vm_state=states.SOFT_DELETED, task_state=None, system_metadata=memory or None,
                    power_state=base.reported_power(report, Power.SHUTDOWN))
        quotas.give_back(work.conn, work.server.project_id, quota_model.use_of(work.server.flavor))
        consoles.forget(work.conn, work.server.uuid)
        work.schedule('reclaim', {}, reclaim_time(work))
        work.done()

    def failed(self, work: Work, report: OperationReport) -> None:
        """It is what it was."""
        work.change(power_state=base.reported_power(report, Power(work.server.power_state)))
        self.give_up(work, report.error or {})

    def give_up(self, work: Work, error: Mapping[str, Any]) -> None:
        """It is what it was, as far as anybody knows."""
        work.change(task_state=None, deleted_at=None)
        work.fail(error)


class Restore:
    """A server that was put aside comes back; the API has booked its quota again."""

    step = 'restore'

    def assign(self, work: Work) -> str | None:
        """The host that has the server; one that was on none is what it was."""
        if work.server.host is not None:
            return str(work.server.host)
        work.change(vm_state=states.SHELVED_OFFLOADED, task_state=None, deleted_at=None)
        work.done()
        return None

    def succeeded(self, work: Work, report: OperationReport) -> None:
        """It runs. One that waits to be confirmed waits again; one from the shelf needs its image no more."""
        memory = shelve.remembering(work) or {}
        drop_image(work, (work.server.system_metadata or {}).get('shelved_image'))
        vm_state = memory.pop(_WAS, states.ACTIVE)
        work.change(vm_state=vm_state, task_state=None, deleted_at=None, system_metadata=memory or None,
                    power_state=base.reported_power(report, Power.RUNNING))
        work.done()

    def failed(self, work: Work, report: OperationReport) -> None:
        """It is still put aside."""
        self.give_up(work, report.error or {})

    def give_up(self, work: Work, error: Mapping[str, Any]) -> None:
        """It is still put aside, and out of the books."""
        if work.server.vm_state == states.SOFT_DELETED:
            quotas.give_back(work.conn, work.server.project_id, quota_model.use_of(work.server.flavor))
        work.change(task_state=None)
        work.fail(error)


class Reclaim(Delete):
    """The end of a server that nobody wanted back."""

    def assign(self, work: Work) -> str | None:
        """The host that removes the guest, when the time has come; nobody if the server was restored."""
        server = work.server
        if server.vm_state != states.SOFT_DELETED or server.deleted_at is None:
            work.done()
            return None
        later = self._not_before(work)
        if later is not None:
            work.pass_on(True)
            work.put_back(later)
            return None
        work.change(task_state=states.DELETING)
        return super().assign(work)

    @staticmethod
    def _not_before(work: Work) -> datetime.datetime | None:
        if work.server.task_state not in (None, states.DELETING):
            return work.now + SOON
        if work.deps.conf.reclaim_instance_interval <= 0:
            # The operator wants what is put aside to stay.
            return work.now + LATER
        due = reclaim_time(work)
        return due if work.now < due else None

    def give_up(self, work: Work, error: Mapping[str, Any]) -> None:
        """It stays, and is tried again later."""
        work.change(task_state=None)
        work.schedule('reclaim', {}, work.now + LATER)
        work.fail(error)


def reclaim_time(work: Work) -> datetime.datetime:
    """When the server's time is over."""
    began: datetime.datetime = work.server.deleted_at or work.now
    return began + datetime.timedelta(seconds=work.deps.conf.reclaim_instance_interval)


KINDS: dict[str, Kind] = {
    'reclaim': Reclaim(),
    'restore': Restore(),
    'soft_delete': SoftDelete(),
}
