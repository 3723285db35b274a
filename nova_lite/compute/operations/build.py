# SPDX-License-Identifier: Apache-2.0
"""Build: a server gets its guest."""

from nova_lite import errors
from nova_lite.compute.procedure import Job, Procedure, Step
from nova_lite.model.power import Power
from nova_lite.virt import base as virt


def spec(job: Job) -> virt.GuestSpec:
    """The guest that the server should have."""
    return virt.GuestSpec(job.server, files=tuple(job.operation.params.get('personality') or ()))


def spawn(job: Job) -> None:
    """Make the guest and start it."""
    job.driver.spawn(spec(job))


def destroy(job: Job) -> None:
    """Leave nothing of the guest on the host."""
    job.driver.destroy(job.server.uuid)


def confirm(job: Job) -> None:
    """A guest that died at once is not a server that was built."""
    state = job.driver.power_state(job.server.uuid)
    if state in (Power.NOSTATE, Power.CRASHED):
        raise errors.HypervisorError(
            reason=f'The guest was made, but right afterwards its power state was {state.name}.')


PROCEDURE = Procedure('compute__do_build_and_run_instance', (
    Step(spawn, undo=destroy),
    Step(confirm),
))
