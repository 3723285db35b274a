# SPDX-License-Identifier: Apache-2.0
"""Attach and detach: a guest gets an interface for a port, or loses it.

The parameter ``interface`` is what the server's row remembers of the port.  Each of the two undoes the other,
where the conductor asks for that.
"""

from nova_lite.compute.procedure import Job, Procedure, Step


def attach(job: Job) -> None:
    """The guest has the interface."""
    job.port('interface').attach_interface(job.server.uuid, job.operation.params['interface'])


def detach(job: Job) -> None:
    """The guest has no such interface; without a port there never was one."""
    interface = job.operation.params.get('interface')
    if interface is not None:
        job.port('interface').detach_interface(job.server.uuid, interface)


PROCEDURES = {
    'attach_port': Procedure('compute_attach_interface', (Step(attach, undo=detach),)),
    'detach_port': Procedure('compute_detach_interface', (Step(detach),)),
}
