# SPDX-License-Identifier: Apache-2.0
"""Which notifications there are: each operation and each of its steps that others know by a name.

The names are Nova's, as its documentation of versioned notifications lists them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

START, END, ERROR = 'start', 'end', 'error'

# The payloads of servers.
ACTION = 'InstanceActionPayload'
CREATE = 'InstanceCreatePayload'
REBUILD = 'InstanceActionRebuildPayload'
RESCUE = 'InstanceActionRescuePayload'
RESIZE_PREP = 'InstanceActionResizePrepPayload'
SNAPSHOT = 'InstanceActionSnapshotPayload'
SWAP = 'InstanceActionVolumeSwapPayload'
UPDATE = 'InstanceUpdatePayload'
VOLUME = 'InstanceActionVolumePayload'


@dataclass(frozen=True)
class Family:
    """A stretch of an operation: ``instance.NAME.start``, ``.end`` and, with ``fails``, ``.error``.

    It lasts as long as the operation, or with ``steps`` as long as one of these. ``back``: it leads back, so it ends
    although the operation fails.  ``flat`` is its name among the unversioned ones where that is another, empty if it
    has none there; ``once`` if those tell only its end.
    """

    name: str
    kinds: tuple[str, ...]
    steps: tuple[str, ...] = ()
    payload: str = ACTION
    fails: bool = False
    back: bool = False
    flat: str | None = None
    once: bool = False

    def event(self, phase: str) -> str:
        """The type of the versioned one."""
        return f'instance.{self.name}.{phase}'

    def flat_event(self, phase: str) -> str | None:
        """The type of the unversioned one; None if there is none."""
        if self.flat == '' or self.once and phase != END:
            return None
        name = self.name if self.flat is None else self.flat
        return f'compute.instance.{name}' if self.once else f'compute.instance.{name}.{phase}'

    @property
    def phases(self) -> tuple[str, ...]:
        """What is told of it."""
        return (START, END, ERROR) if self.fails else (START, END)


_MOVE, _LIVE = ('resize',), ('live_migrate',)

FAMILIES = (
    Family('create', ('build',), payload=CREATE, fails=True),
    Family('delete', ('delete', 'reclaim')),
    Family('soft_delete', ('soft_delete',)),
    Family('restore', ('restore',)),
    Family('power_on', ('start',)),
    Family('power_off', ('stop',)),
    Family('reboot', ('reboot',), fails=True),
    Family('pause', ('pause',)),
    Family('unpause', ('unpause',)),
    Family('suspend', ('suspend',)),
    Family('resume', ('resume',)),
    Family('rescue', ('rescue',), payload=RESCUE),
    Family('unrescue', ('unrescue',)),
    Family('rebuild', ('rebuild', 'rebuild_volume', 'evacuate'), payload=REBUILD, fails=True),
    Family('snapshot', ('snapshot', 'snapshot_volumes', 'backup'), payload=SNAPSHOT),
    Family('shelve', ('shelve',)),
    Family('shelve_offload', ('shelve_offload', 'shelve_on_volume')),
    Family('unshelve', ('unshelve',)),
    Family('resize_prep', _MOVE, steps=('move_prepare',), payload=RESIZE_PREP, flat='resize.prep'),
    Family('resize', _MOVE, steps=('move_leave',), fails=True),
    Family('resize_finish', _MOVE, steps=('move_arrive',), flat='finish_resize'),
    Family('resize_confirm', ('confirm_resize',), flat='resize.confirm'),
    Family('resize_revert', ('revert_resize',), flat='resize.revert'),
    Family('live_migration_pre', _LIVE, steps=('live_prepare',), flat='live_migration.pre'),
    Family('live_migration_post_dest', _LIVE, steps=('live_arrive',), flat='live_migration.post.dest'),
    Family('live_migration_post', _LIVE, steps=('live_forget',), flat='live_migration._post'),
    Family('live_migration_rollback', _LIVE, steps=('live_come_back',), back=True, flat='live_migration._rollback'),
    Family('live_migration_rollback_dest', _LIVE, steps=('live_unprepare', 'live_withdraw'), back=True,
           flat='live_migration.rollback.dest'),
    Family('trigger_crash_dump', ('crash_dump',)),
    Family('volume_attach', ('attach_volume',), payload=VOLUME, fails=True, flat='volume.attach', once=True),
    Family('volume_detach', ('detach_volume',), payload=VOLUME, flat='volume.detach', once=True),
    Family('volume_swap', ('swap_volume',), payload=SWAP, fails=True, flat=''),
    Family('interface_attach', ('attach_interface',), fails=True, flat=''),
    Family('interface_detach', ('detach_interface',), flat=''),
)

_OF_KIND: dict[str, tuple[Family, ...]] = {
    kind: tuple(family for family in FAMILIES if kind in family.kinds)
    for kind in {kind for family in FAMILIES for kind in family.kinds}}

#: Kinds of operations whose acceptance is told.
ACCEPTED = {'evacuate': 'instance.evacuate'}

#: What the API does to a server by itself, and the unversioned name where there is one.
BY_API = {
    'instance.lock': None,
    'instance.unlock': None,
    'instance.live_migration_abort.start': 'compute.instance.live.migration.abort.start',
    'instance.live_migration_abort.end': 'compute.instance.live.migration.abort.end',
    'instance.live_migration_force_complete.start': 'compute.instance.live.migration.force.complete.start',
    'instance.live_migration_force_complete.end': 'compute.instance.live.migration.force.complete.end',
    'instance.delete.start': 'compute.instance.delete.start',
    'instance.delete.end': 'compute.instance.delete.end',
    'instance.soft_delete.start': 'compute.instance.soft_delete.start',
    'instance.soft_delete.end': 'compute.instance.soft_delete.end',
}

INSTANCE_UPDATE, FLAT_UPDATE = 'instance.update', 'compute.instance.update'
EXCEPTION = 'compute.exception'

#: What no host could be found for.
UNPLACED = {
    'build': 'compute_task.build_instances.error',
    'resize': 'compute_task.migrate_server.error',
    'live_migrate': 'compute_task.migrate_server.error',
    'evacuate': 'compute_task.rebuild_server.error',
}

#: All that is not about a server, by what it is about.
THINGS = {
    'aggregate': ('create.start', 'create.end', 'delete.start', 'delete.end', 'add_host.start', 'add_host.end',
                  'remove_host.start', 'remove_host.end', 'update_prop.start', 'update_prop.end',
                  'update_metadata.start', 'update_metadata.end'),
    'flavor': ('create', 'update', 'delete'),
    'keypair': ('create.start', 'create.end', 'import.start', 'import.end', 'delete.start', 'delete.end'),
    'server_group': ('create', 'delete', 'add_member'),
    'service': ('create', 'update', 'delete'),
}


def of_kind(kind: str) -> tuple[Family, ...]:
    """The families of a kind of operations."""
    return _OF_KIND.get(kind, ())


def versioned_events() -> Iterable[tuple[str, str]]:
    """All types of versioned notifications, each with the name of its payload."""
    for family in FAMILIES:
        yield from ((family.event(phase), family.payload) for phase in family.phases)
    yield from ((event, ACTION) for event in (*ACCEPTED.values(), *BY_API))
    yield INSTANCE_UPDATE, UPDATE
    yield EXCEPTION, 'ExceptionPayload'
    yield from ((event, 'ComputeTaskPayload') for event in UNPLACED.values())
    names = {'aggregate': 'AggregatePayload', 'flavor': 'FlavorPayload', 'keypair': 'KeypairPayload',
             'server_group': 'ServerGroupPayload', 'service': 'ServiceStatusPayload'}
    yield from ((f'{thing}.{event}', names[thing]) for thing, events in THINGS.items() for event in events)


def flat_events() -> Iterable[str]:
    """All types of unversioned notifications."""
    for family in FAMILIES:
        yield from (event for event in map(family.flat_event, family.phases) if event)
    yield from (event for event in BY_API.values() if event)
    yield FLAT_UPDATE
