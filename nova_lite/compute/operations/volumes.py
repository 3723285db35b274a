# SPDX-License-Identifier: Apache-2.0
"""Volumes of a guest that is there already: one comes, one goes, one takes the place of another.

A server that is off keeps its guest, so all of them are the same whether it runs or not.
"""

from typing import Any

from nova_lite.compute.operations import build, rebuild
from nova_lite.compute.procedure import Job, Procedure, Step


def attach(job: Job) -> None:
    """The guest has the volume."""
    job.port('volume').attach_volume(job.server.uuid, _device(job))


def detach(job: Job) -> None:
    """The guest has it not."""
    job.port('volume').detach_volume(job.server.uuid, _device(job))


def swap(job: Job) -> None:
    """The guest has the other one, with what was on the first."""
    job.port('volume').swap_volume(job.server.uuid, _device(job), _other(job))


def swap_back(job: Job) -> None:
    """The guest has the first one."""
    job.port('volume').swap_volume(job.server.uuid, _other(job), _device(job))


def extend(job: Job) -> None:
    """The guest sees how big the volume is now."""
    job.port('volume_extend').extend_volume(job.server.uuid, _device(job))


def _device(job: Job) -> dict[str, Any]:
    params = job.operation.params
    return next((dict(one) for one in job.server.block_devices if one['id'] == params['device']), params['known'])


def _other(job: Job) -> dict[str, Any]:
    return {**_device(job), **job.operation.params['other']}


PROCEDURES = {
    'volume_attach': Procedure('compute_attach_volume', (Step(attach, undo=detach),)),
    'volume_detach': Procedure('compute_detach_volume', (Step(detach, undo=attach),)),
    'volume_extend': Procedure('compute_extend_volume', (Step(extend),)),
    'volume_swap': Procedure('compute_swap_volume', (Step(swap, undo=swap_back),)),
    'volume_swap_back': Procedure('compute_swap_volume', (Step(swap_back),)),
    # The disk of a guest that is off is written over by the volume service between these two.
    'rebuild_halt': Procedure('compute_rebuild_instance', (Step(rebuild.power_off),)),
    'rebuild_renew': Procedure('compute_rebuild_instance', (
        Step(rebuild.renew), Step(build.confirm), Step(rebuild.stop_again))),
}
