# SPDX-License-Identifier: Apache-2.0
"""Stop: a server is shut down and keeps its disks."""

from nova_lite.compute.procedure import Job, Procedure, Step


def power_off(job: Job) -> None:
    """Ask the guest to shut down, and cut its power when its time is over."""
    job.driver.power_off(job.server.uuid, grace=job.conf.shutdown_timeout)


PROCEDURE = Procedure('compute_stop_instance', (Step(power_off),))
