# SPDX-License-Identifier: Apache-2.0
"""Delete: a server's guest and all that belongs to it leave the host."""

from nova_lite.compute.procedure import Job, Procedure, Step


def destroy(job: Job) -> None:
    """Leave nothing of the guest on the host."""
    job.driver.destroy(job.server.uuid)


PROCEDURE = Procedure('compute_terminate_instance', (Step(destroy),))
