# SPDX-License-Identifier: Apache-2.0
"""Unshelve: a shelved server is started, or gets a guest made from the image that it was kept as."""

from nova_lite.compute.operations import build
from nova_lite.compute.procedure import Job, Procedure, Step
from nova_lite.virt import base as virt


def come_back(job: Job) -> None:
    """Start the guest that is still there, or make one, if the image still is."""
    image = job.operation.params.get('image')
    if image is None:
        job.driver.power_on(job.server.uuid)
        return
    job.image_service.show(job.context, image)
    job.driver.spawn(virt.GuestSpec(job.server, image))


def go_away(job: Job) -> None:
    """What was made is destroyed, what was started is stopped."""
    if job.operation.params.get('image') is None:
        job.driver.power_off(job.server.uuid)
    else:
        build.destroy(job)


PROCEDURE = Procedure('compute_unshelve_instance', (
    Step(come_back, undo=go_away),
    Step(build.confirm),
))
