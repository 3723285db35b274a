# SPDX-License-Identifier: Apache-2.0
"""Unpause: the processors of a paused guest go on."""

from nova_lite.compute.procedure import Job, Procedure, Step


def unpause(job: Job) -> None:
    """Let the processors go on."""
    job.port('pause').unpause(job.server.uuid)


PROCEDURE = Procedure('compute_unpause_instance', (Step(unpause),))
