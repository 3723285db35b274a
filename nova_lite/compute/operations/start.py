# SPDX-License-Identifier: Apache-2.0
"""Start: a stopped server runs again."""

from nova_lite.compute.procedure import Job, Procedure, Step


def power_on(job: Job) -> None:
    """Boot the guest."""
    job.driver.power_on(job.server.uuid)


PROCEDURE = Procedure('compute_start_instance', (Step(power_on),))
