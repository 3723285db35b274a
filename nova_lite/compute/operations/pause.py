# SPDX-License-Identifier: Apache-2.0
"""Pause: the processors of a server's guest stop, its memory stays."""

from nova_lite.compute.procedure import Job, Procedure, Step
from nova_lite.model.power import Power


def pause(job: Job) -> None:
    """Stop the processors."""
    job.port('pause').pause(job.server.uuid)


def unpause(job: Job) -> None:
    """Let a guest that was paused for nothing go on."""
    if job.driver.power_state(job.server.uuid) is Power.PAUSED:
        job.port('pause').unpause(job.server.uuid)


PROCEDURE = Procedure('compute_pause_instance', (Step(pause, undo=unpause),))
