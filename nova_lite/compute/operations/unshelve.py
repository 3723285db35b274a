# SPDX-License-Identifier: Apache-2.0
"""Unshelve: a shelved server is started, or gets a guest made from the image that it was kept as or on its volume."""

from nova_lite.compute.operations import build
from nova_lite.compute.procedure import Job, Procedure, Step
from nova_lite.virt import base as virt


def come_back(job: Job) -> None:
    """Start the guest that is still there, or make one, if the image still is."""
    image = job.operation.params.get('image')
    if not _is_offloaded(job):
        job.driver.power_on(job.server.uuid)
        return
    if image is not None:
        job.image_service.show(job.context, image)
    job.driver.spawn(virt.GuestSpec(job.server, image))


def go_away(job: Job) -> None:
    """What was made is destroyed, what was started is stopped."""
    if _is_offloaded(job):
        build.destroy(job)
    else:
        job.driver.power_off(job.server.uuid)


def _is_offloaded(job: Job) -> bool:
    params = job.operation.params
    return bool(params.get('offloaded')) or params.get('image') is not None


PROCEDURE = Procedure('compute_unshelve_instance', (
    Step(come_back, undo=go_away),
    Step(build.confirm),
))
