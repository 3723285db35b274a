# SPDX-License-Identifier: Apache-2.0
"""Moves: what the host that a server leaves does, and the one to which it goes.

The conductor asks for these one by one, so each is the procedure of one step and not of a kind of
operation.  The parameters: ``power`` is what the guest is to be in the end, ``disk`` what the source
said of it, ``flavor`` what it becomes; ``power_there`` is what the guest of a resize is before its revert; ``move`` is
what was wished of a live migration, with what its destination said.
"""

from typing import Any

from nova_lite import errors
from nova_lite.compute.procedure import Job, Procedure, Step
from nova_lite.model import block_devices
from nova_lite.model.power import Power
from nova_lite.virt import base as virt


def prepare(job: Job) -> None:
    """Find out whether the guest could come here."""
    _mover(job).prepare_move(virt.GuestSpec(job.server))


def receive(job: Job) -> None:
    """Get ready for a guest that runs."""
    job.changes['there'] = _mover(job, True).receive(virt.GuestSpec(job.server), job.operation.params['move'])


def _mover(job: Job, live: bool = False) -> Any:
    return job.port('live_migration' if live else 'move')


def check_disk(job: Job) -> None:
    """A disk that would have to shrink is not touched: nobody knows what lies at its end."""
    old, new = job.server.flavor, job.operation.params['flavor']
    for name in ('ephemeral',) if old.get(block_devices.ON_VOLUME) else ('disk', 'ephemeral'):
        if new.get(name, 0) < old.get(name, 0):
            raise errors.HypervisorError(
                reason=f'The {name} of the server has {old[name]} GiB and cannot be made smaller; '
                       f'flavor {new["name"]} has {new[name]} GiB.')


def leave(job: Job) -> None:
    """Shut the guest down and set it aside."""
    job.changes['disk'] = _mover(job).leave(job.server.uuid)


def live_leave(job: Job) -> None:
    """Bring the guest to the destination while it runs."""
    job.changes['disk'] = _mover(job, True).live_migrate(
        virt.GuestSpec(job.server), job.operation.params['move'], lambda progress: job.tell(vars(progress)))


def arrive(job: Job) -> None:
    """Make the guest of what the source told."""
    _mover(job).arrive(virt.GuestSpec(job.server), job.operation.params['disk'], _power(job))


def live_arrive(job: Job) -> None:
    """The guest is here; nobody may know whether it has left its source."""
    _mover(job, True).arrive(virt.GuestSpec(job.server), job.operation.params.get('disk') or {}, _power(job))


def turn_away(job: Job) -> None:
    """The guest does not come."""
    _mover(job, True).turn_away(job.server.uuid)


def confirm(job: Job) -> None:
    """A guest that died on arrival has not moved."""
    state = job.driver.power_state(job.server.uuid)
    if state != _power(job):
        raise errors.HypervisorError(reason=f'The guest arrived, but its power state then was {state.name}.')


def come_back(job: Job) -> None:
    """The guest is again what it was here."""
    _mover(job).come_back(job.server.uuid, _power(job))


def come_back_there(job: Job) -> None:
    """The guest is again what it was on the host that it was to leave for its old one."""
    _mover(job).come_back(job.server.uuid, _power(job, 'power_there'))


def withdraw(job: Job) -> None:
    """The guest has not arrived."""
    _mover(job).withdraw(job.server.uuid)


def forget(job: Job) -> None:
    """Nothing of the guest stays where it was."""
    _mover(job).forget(job.server.uuid)


def spawn(job: Job) -> None:
    """Make the guest anew, of its image, as its host with its disk is gone."""
    job.driver.spawn(virt.GuestSpec(job.server))
    if _power(job) == Power.SHUTDOWN:
        job.driver.power_off(job.server.uuid)


def destroy(job: Job) -> None:
    """Leave nothing of the guest on the host."""
    job.driver.destroy(job.server.uuid)


def _power(job: Job, name: str = 'power') -> Power:
    return Power(job.operation.params[name])


PROCEDURES = {
    'move_prepare': Procedure('compute_prep_resize', (Step(prepare),)),
    'move_leave': Procedure('compute_resize_instance', (Step(check_disk), Step(leave, undo=come_back))),
    'move_arrive': Procedure('compute_finish_resize', (Step(arrive, undo=withdraw), Step(confirm))),
    'move_come_back': Procedure('compute_finish_revert_resize', (Step(come_back),)),
    'move_set_aside': Procedure('compute_revert_resize', (Step(leave),)),
    'move_return': Procedure('compute_revert_resize', (Step(come_back_there),)),
    'move_withdraw': Procedure('compute_revert_resize', (Step(withdraw),)),
    'move_forget': Procedure('compute_confirm_resize', (Step(forget),)),
    'live_prepare': Procedure('compute_pre_live_migration', (Step(receive, undo=turn_away),)),
    'live_unprepare': Procedure('compute_rollback_live_migration_at_destination', (Step(turn_away),)),
    'live_leave': Procedure('compute_live_migration', (Step(live_leave, undo=come_back),)),
    'live_arrive': Procedure('compute_post_live_migration_at_destination', (
        Step(live_arrive, undo=turn_away), Step(confirm))),
    'live_withdraw': Procedure('compute_rollback_live_migration_at_destination', (Step(turn_away),)),
    'live_come_back': Procedure('compute__rollback_live_migration', (Step(come_back),)),
    'live_forget': Procedure('compute__post_live_migration', (Step(forget),)),
    'evacuate_spawn': Procedure('compute_rebuild_instance', (Step(spawn, undo=destroy), Step(confirm))),
    'evacuate_destroy': Procedure('compute_terminate_instance', (Step(destroy),)),
}
