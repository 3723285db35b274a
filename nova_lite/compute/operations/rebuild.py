# SPDX-License-Identifier: Apache-2.0
"""Rebuild: a server's guest begins anew from an image. Its old disk is gone with the second step."""

from nova_lite.compute.operations import build
from nova_lite.compute.procedure import Job, Procedure, Step


def power_off(job: Job) -> None:
    """Let the guest shut itself down, if there is one."""
    if job.server.uuid in job.driver.guests():
        job.driver.power_off(job.server.uuid, grace=job.conf.shutdown_timeout)


def renew(job: Job) -> None:
    """Replace the guest, or only its root disk where the others are to be kept."""
    if job.operation.params.get('keep_disks'):
        job.port('ephemeral').replace_root(build.spec(job))
        return
    job.driver.destroy(job.server.uuid)
    build.spawn(job)


def stop_again(job: Job) -> None:
    """A server that was off is off."""
    if job.operation.params.get('was_stopped'):
        job.driver.power_off(job.server.uuid)


PROCEDURE = Procedure('compute_rebuild_instance', (
    Step(power_off),
    Step(renew),
    Step(build.confirm),
    Step(stop_again),
))
