# SPDX-License-Identifier: Apache-2.0
"""Reboot: a server starts anew, softly (SOFT) or at once (HARD)."""

from nova_lite.compute.procedure import Job, Procedure, Step


def reboot(job: Job) -> None:
    """Boot the guest again; without a word about the manner, in the one that always works."""
    job.driver.reboot(job.server.uuid, hard=job.operation.params.get('type', 'HARD') != 'SOFT')


PROCEDURE = Procedure('compute_reboot_instance', (Step(reboot),))
