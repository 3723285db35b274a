# SPDX-License-Identifier: Apache-2.0
"""Set password: the administrator of a guest gets another one."""

from nova_lite.compute.procedure import Job, Procedure, Step


def set_password(job: Job) -> None:
    """Have it changed inside of the guest."""
    job.port('password').set_password(job.server.uuid, job.server.admin_password or '')


PROCEDURE = Procedure('compute_set_admin_password', (Step(set_password),))
