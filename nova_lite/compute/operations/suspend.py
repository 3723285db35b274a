# SPDX-License-Identifier: Apache-2.0
"""Suspend: a guest is put to sleep on its disk."""

from nova_lite.compute.procedure import Job, Procedure, Step
from nova_lite.model.power import Power


def suspend(job: Job) -> None:
    """Write the memory to disk."""
    job.port('suspend').suspend(job.server.uuid)


def resume(job: Job) -> None:
    """Wake a guest that was suspended for nothing."""
    if job.driver.power_state(job.server.uuid) is Power.SUSPENDED:
        job.port('suspend').resume(job.server.uuid)


PROCEDURE = Procedure('compute_suspend_instance', (Step(suspend, undo=resume),))
