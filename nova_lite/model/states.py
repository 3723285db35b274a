# SPDX-License-Identifier: Apache-2.0
"""The one table of what may be done to a server in which state, and what it is then.

A server has a ``vm_state`` (what it is), a ``task_state`` (what is being done to it) and a
``power_state`` (what its guest does).  ``TRANSITIONS`` has a row for every operation; the words are
those of the API, which shows them as they are.
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from nova_lite import errors
from nova_lite.model.power import Power

# What a server is.
ACTIVE = 'active'
BUILDING = 'building'
STOPPED = 'stopped'
ERROR = 'error'
PAUSED = 'paused'
SUSPENDED = 'suspended'
RESCUED = 'rescued'
RESIZED = 'resized'
SOFT_DELETED = 'soft-delete'
DELETED = 'deleted'
SHELVED = 'shelved'
SHELVED_OFFLOADED = 'shelved_offloaded'

# What is being done to it.
SCHEDULING = 'scheduling'
BLOCK_DEVICE_MAPPING = 'block_device_mapping'
NETWORKING = 'networking'
SPAWNING = 'spawning'
POWERING_ON = 'powering-on'
POWERING_OFF = 'powering-off'
REBOOTING = 'rebooting'
REBOOT_PENDING = 'reboot_pending'
REBOOT_STARTED = 'reboot_started'
REBOOTING_HARD = 'rebooting_hard'
REBOOT_PENDING_HARD = 'reboot_pending_hard'
REBOOT_STARTED_HARD = 'reboot_started_hard'
DELETING = 'deleting'
SOFT_DELETING = 'soft-deleting'
RESTORING = 'restoring'
PAUSING = 'pausing'
UNPAUSING = 'unpausing'
SUSPENDING = 'suspending'
RESUMING = 'resuming'
RESCUING = 'rescuing'
UNRESCUING = 'unrescuing'
RESIZE_PREP = 'resize_prep'
RESIZE_MIGRATING = 'resize_migrating'
RESIZE_MIGRATED = 'resize_migrated'
RESIZE_FINISH = 'resize_finish'
RESIZE_REVERTING = 'resize_reverting'
RESIZE_CONFIRMING = 'resize_confirming'
REBUILDING = 'rebuilding'
REBUILD_BLOCK_DEVICE_MAPPING = 'rebuild_block_device_mapping'
REBUILD_SPAWNING = 'rebuild_spawning'
MIGRATING = 'migrating'
SHELVING = 'shelving'
SHELVING_OFFLOADING = 'shelving_offloading'
UNSHELVING = 'unshelving'
IMAGE_SNAPSHOT_PENDING = 'image_snapshot_pending'
IMAGE_SNAPSHOT = 'image_snapshot'
IMAGE_BACKUP = 'image_backup'
UPDATING_PASSWORD = 'updating_password'

ANY = None
IDLE: frozenset[str | None] = frozenset((None,))


@dataclass(frozen=True)
class Transition:
    """One operation: where it may begin, what shows while it runs, and where it ends.

    ``vm_states`` or ``task_states`` of None allow all.  ``task`` None leaves the task state alone;
    ``vm_state`` or ``power`` None leave those alone at the end.  ``lockable``: a lock on the server
    forbids it.  ``launched``: only for a server that ran once.
    """

    vm_states: frozenset[str] | None
    task: str | None = None
    vm_state: str | None = None
    power: Power | None = None
    task_states: frozenset[str | None] | None = IDLE
    lockable: bool = True
    launched: bool = True


class Server(Protocol):
    """What the rules look at; a row of ``servers`` has it."""

    uuid: str
    vm_state: str
    task_state: str | None
    launched_at: datetime.datetime | None
    locked: bool


def _in(*states: str) -> frozenset[str]:
    return frozenset(states)


def _tasks(*states: str | None) -> frozenset[str | None]:
    return frozenset(states)


_MEND = _in(ACTIVE, STOPPED, ERROR)
_ON_HOST = _in(ACTIVE, STOPPED, PAUSED, SUSPENDED)
_WITH_VOLUMES = _in(ACTIVE, PAUSED, STOPPED, RESIZED, SOFT_DELETED, SHELVED, SHELVED_OFFLOADED)

TRANSITIONS: dict[str, Transition] = {
    'build': Transition(_in(BUILDING), SCHEDULING, ACTIVE, Power.RUNNING, launched=False),
    'start': Transition(_in(STOPPED), POWERING_ON, ACTIVE, Power.RUNNING),
    'stop': Transition(_in(ACTIVE, ERROR), POWERING_OFF, STOPPED, Power.SHUTDOWN),
    'reboot_soft': Transition(_in(ACTIVE), REBOOTING, ACTIVE, Power.RUNNING),
    'reboot_hard': Transition(
        _in(ACTIVE, STOPPED, PAUSED, SUSPENDED, ERROR), REBOOTING_HARD, ACTIVE, Power.RUNNING,
        task_states=_tasks(None, REBOOTING, REBOOT_PENDING, REBOOT_STARTED, REBOOTING_HARD, RESUMING, UNPAUSING,
                           PAUSING, SUSPENDING)),
    'delete': Transition(ANY, DELETING, DELETED, Power.NOSTATE, task_states=ANY, launched=False),
    'force_delete': Transition(ANY, DELETING, DELETED, Power.NOSTATE, task_states=ANY, launched=False),
    'soft_delete': Transition(ANY, SOFT_DELETING, SOFT_DELETED, Power.SHUTDOWN, task_states=ANY),
    'restore': Transition(_in(SOFT_DELETED), RESTORING, ACTIVE, Power.RUNNING, lockable=False),
    'pause': Transition(_in(ACTIVE), PAUSING, PAUSED, Power.PAUSED),
    'unpause': Transition(_in(PAUSED), UNPAUSING, ACTIVE, Power.RUNNING),
    'suspend': Transition(_in(ACTIVE), SUSPENDING, SUSPENDED, Power.SUSPENDED),
    'resume': Transition(_in(SUSPENDED), RESUMING, ACTIVE, Power.RUNNING),
    'rescue': Transition(_MEND, RESCUING, RESCUED, Power.RUNNING),
    'unrescue': Transition(_in(RESCUED), UNRESCUING, ACTIVE, Power.RUNNING),
    'resize': Transition(_in(ACTIVE, STOPPED), RESIZE_PREP, RESIZED),
    'migrate': Transition(_in(ACTIVE, STOPPED), RESIZE_PREP, RESIZED),
    'confirm_resize': Transition(_in(RESIZED), RESIZE_CONFIRMING),
    'revert_resize': Transition(_in(RESIZED), RESIZE_REVERTING),
    'live_migrate': Transition(_in(ACTIVE, PAUSED), MIGRATING),
    'evacuate': Transition(_MEND, REBUILDING, task_states=ANY),
    'rebuild': Transition(_MEND, REBUILDING, ACTIVE),
    'shelve': Transition(_ON_HOST, SHELVING, SHELVED, Power.SHUTDOWN),
    'shelve_offload': Transition(_in(SHELVED), SHELVING_OFFLOADING, SHELVED_OFFLOADED, Power.NOSTATE),
    'unshelve': Transition(_in(SHELVED, SHELVED_OFFLOADED), UNSHELVING, ACTIVE, Power.RUNNING),
    'snapshot': Transition(_ON_HOST, IMAGE_SNAPSHOT_PENDING, lockable=False),
    'backup': Transition(_ON_HOST, IMAGE_BACKUP, lockable=False),
    'set_password': Transition(_in(ACTIVE), UPDATING_PASSWORD),
    'crash_dump': Transition(_in(ACTIVE, PAUSED, RESCUED, RESIZED, ERROR)),
    'attach_interface': Transition(_in(ACTIVE, PAUSED, STOPPED)),
    'detach_interface': Transition(_in(ACTIVE, PAUSED, STOPPED)),
    'attach_share': Transition(_in(STOPPED)),
    'attach_volume': Transition(_WITH_VOLUMES),
    'detach_volume': Transition(_WITH_VOLUMES | {SUSPENDED}),
    'swap_volume': Transition(_in(ACTIVE, PAUSED, RESIZED)),
    'metadata': Transition(_ON_HOST, task_states=ANY, launched=False),
    'tags': Transition(_ON_HOST, task_states=ANY, launched=False, lockable=False),
    'inject_network_info': Transition(ANY, task_states=ANY, launched=False),
}

_REBUILD = dict.fromkeys((REBUILDING, REBUILD_BLOCK_DEVICE_MAPPING, REBUILD_SPAWNING), 'REBUILD')
_RESIZE = dict.fromkeys((RESIZE_PREP, RESIZE_MIGRATING, RESIZE_MIGRATED, RESIZE_FINISH), 'RESIZE')
_DEFAULT = 'default'

#: vm_state → task_state → the word that the API shows as ``status``.
STATUSES: dict[str, dict[str, str]] = {
    ACTIVE: {
        _DEFAULT: 'ACTIVE', **_REBUILD, **_RESIZE, MIGRATING: 'MIGRATING', UPDATING_PASSWORD: 'PASSWORD',
        **dict.fromkeys((REBOOTING, REBOOT_PENDING, REBOOT_STARTED), 'REBOOT'),
        **dict.fromkeys((REBOOTING_HARD, REBOOT_PENDING_HARD, REBOOT_STARTED_HARD), 'HARD_REBOOT')},
    BUILDING: {_DEFAULT: 'BUILD'},
    STOPPED: {_DEFAULT: 'SHUTOFF', **_RESIZE, **_REBUILD},
    RESIZED: {_DEFAULT: 'VERIFY_RESIZE', RESIZE_REVERTING: 'REVERT_RESIZE'},
    PAUSED: {_DEFAULT: 'PAUSED', MIGRATING: 'MIGRATING'},
    SUSPENDED: {_DEFAULT: 'SUSPENDED'},
    RESCUED: {_DEFAULT: 'RESCUE'},
    ERROR: {_DEFAULT: 'ERROR', **_REBUILD},
    DELETED: {_DEFAULT: 'DELETED'},
    SOFT_DELETED: {_DEFAULT: 'SOFT_DELETED'},
    SHELVED: {_DEFAULT: 'SHELVED'},
    SHELVED_OFFLOADED: {_DEFAULT: 'SHELVED_OFFLOADED'},
}
UNKNOWN = 'UNKNOWN'

# Words of the wire for ``os-resetState``.
RESET_STATES = {'active': ACTIVE, 'error': ERROR}


def status(vm_state: str, task_state: str | None) -> str:
    """The word that the API shows for this pair."""
    words = STATUSES.get(vm_state)
    if words is None:
        return UNKNOWN
    return words.get(task_state, words[_DEFAULT]) if task_state else words[_DEFAULT]


def states_of_status(*wanted: str) -> list[tuple[str, frozenset[str] | None]]:
    """What a list filtered by these statuses is searched for: vm_states, each with its task_states.

    Task states of None are any: the status is what the vm_state shows by default, and who asks for
    it gets the servers with something going on, too.  An empty list: no server has such a status.
    """
    upper = {word.upper() for word in wanted}
    pairs = []
    for vm_state, words in STATUSES.items():
        tasks = frozenset(task for task, word in words.items() if word in upper)
        if tasks:
            pairs.append((vm_state, None if _DEFAULT in tasks else tasks))
    return pairs


def is_counted(server: Server) -> bool:
    """Whether a server that is not deleted uses quota: one that was put aside does not, unless it is coming back."""
    return server.vm_state != SOFT_DELETED or server.task_state == RESTORING


def check(operation: str, server: Server) -> Transition:
    """The row of ``operation``, or ``WrongState`` because ``server`` is in none of its states."""
    row = TRANSITIONS[operation]
    if row.vm_states is not None and server.vm_state not in row.vm_states:
        raise _wrong(operation, server, 'vm_state', row.vm_states)
    if row.task_states is not None and server.task_state not in row.task_states:
        raise _wrong(operation, server, 'task_state', row.task_states)
    if row.launched and server.launched_at is None:
        raise errors.NotLaunched(operation=operation, server=server.uuid)
    return row


def check_lock(operation: str, server: Server, override: bool = False) -> None:
    """``ServerLocked`` if a lock forbids the operation."""
    if server.locked and not override and TRANSITIONS[operation].lockable:
        raise errors.ServerLocked(server=server.uuid)


def _wrong(operation: str, server: Server, attribute: str,
           wanted: Iterable[str | None]) -> errors.WrongState:
    words = sorted(str(word).lower() for word in wanted)
    return errors.WrongState(
        operation=operation, server=server.uuid, attribute=attribute, wanted=' or '.join(words),
        found=str(getattr(server, attribute)).lower())
