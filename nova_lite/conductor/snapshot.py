# SPDX-License-Identifier: Apache-2.0
"""Snapshots and backups: the host copies the server's disk into an image that the API has made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nova_lite.conductor import work as base
from nova_lite.conductor.work import Work
from nova_lite.model.power import Power
from nova_lite.model.states import IMAGE_BACKUP, IMAGE_SNAPSHOT
from nova_lite.objects.operation import OperationReport


@dataclass(frozen=True)
class Snapshot:
    """The server shows ``task`` meanwhile, and is afterwards what it was."""

    step: str
    task: str

    def assign(self, work: Work) -> str | None:
        """The host that has the server."""
        if work.server.host is None:
            self.give_up(work, {'code': 500, 'message': 'The server is on no host.', 'details': ''})
            return None
        work.change(task_state=self.task)
        return str(work.server.host)

    def succeeded(self, work: Work, report: OperationReport) -> None:
        """The image has its data."""
        work.change(task_state=None, power_state=base.reported_power(report, Power(work.server.power_state)))
        work.done()

    def failed(self, work: Work, report: OperationReport) -> None:
        """There is no image."""
        work.change(power_state=base.reported_power(report, Power(work.server.power_state)))
        self.give_up(work, report.error or {})

    def give_up(self, work: Work, error: Mapping[str, Any]) -> None:
        """Whatever the host has made of the image, nobody is to find it."""
        drop_image(work, work.params.get('image_id'))
        work.change(task_state=None)
        work.fail(error)


def drop_image(work: Work, image_id: str | None) -> None:
    """Have an image deleted after this transaction; it does not matter if it is gone already."""
    if image_id:
        work.schedule('delete_image', {'image_id': image_id}, work.now)


KINDS = {
    'backup': Snapshot('backup', IMAGE_BACKUP),
    'snapshot': Snapshot('snapshot', IMAGE_SNAPSHOT),
}
