# SPDX-License-Identifier: Apache-2.0
"""Unrescue: a guest boots from its own disk again."""

from nova_lite.compute.procedure import Job, Procedure, Step


def unrescue(job: Job) -> None:
    """Leave the rescue."""
    job.port('rescue').unrescue(job.server.uuid)


PROCEDURE = Procedure('compute_unrescue_instance', (Step(unrescue),))
