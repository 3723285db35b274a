# SPDX-License-Identifier: Apache-2.0
"""Rescue: a guest boots from another image, so that its own disk can be mended."""

from nova_lite.compute.procedure import Job, Procedure, Step
from nova_lite.virt import base as virt


def power_off(job: Job) -> None:
    """Let the guest shut itself down, because its disk is about to be somebody else's second one."""
    job.driver.power_off(job.server.uuid, grace=job.conf.shutdown_timeout)


def power_on(job: Job) -> None:
    """A guest that ran before the rescue runs again; one that was off stays so."""
    if job.operation.params.get('was_running', True):
        job.driver.power_on(job.server.uuid)


def rescue(job: Job) -> None:
    """Boot from the image that the request named, or else the one that the server was made from."""
    job.port('rescue').rescue(virt.GuestSpec(job.server, job.operation.params.get('image')))


def unrescue(job: Job) -> None:
    """Remove what was made for the rescue."""
    job.port('rescue').unrescue(job.server.uuid)
    if not job.operation.params.get('was_running', True):
        job.driver.power_off(job.server.uuid)


PROCEDURE = Procedure('compute_rescue_instance', (
    Step(power_off, undo=power_on),
    Step(rescue, undo=unrescue),
))
