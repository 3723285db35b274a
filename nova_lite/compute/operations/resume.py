# SPDX-License-Identifier: Apache-2.0
"""Resume: a suspended guest goes on where it was."""

from nova_lite.compute.procedure import Job, Procedure, Step


def resume(job: Job) -> None:
    """Read the memory back."""
    job.port('suspend').resume(job.server.uuid)


PROCEDURE = Procedure('compute_resume_instance', (Step(resume),))
