# SPDX-License-Identifier: Apache-2.0
"""Reboot: a server starts anew, softly or at once."""

from nova_lite.compute.procedure import Job, Procedure, Step

EVENT = 'compute_reboot_instance'


def soft(job: Job) -> None:
    """Ask the guest to boot again."""
    job.driver.reboot(job.server.uuid, hard=False)


def hard(job: Job) -> None:
    """Boot the guest again, whatever it is doing."""
    job.driver.reboot(job.server.uuid, hard=True)


SOFT = Procedure(EVENT, (Step(soft),))
HARD = Procedure(EVENT, (Step(hard),))
