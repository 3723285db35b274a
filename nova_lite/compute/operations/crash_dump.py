# SPDX-License-Identifier: Apache-2.0
"""Crash dump: a guest is interrupted so that its kernel dumps itself."""

from nova_lite.compute.procedure import Job, Procedure, Step


def interrupt(job: Job) -> None:
    """Send the interrupt."""
    job.port('crash_dump').crash_dump(job.server.uuid)


PROCEDURE = Procedure('compute_trigger_crash_dump', (Step(interrupt),))
