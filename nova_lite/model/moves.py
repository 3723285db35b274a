# SPDX-License-Identifier: Apache-2.0
"""Moves of servers: the words for how far one is, and what a resize holds of the quota."""

from collections.abc import Mapping
from typing import Any

from nova_lite.model import block_devices, quotas, states
from nova_lite.model.power import Power

# Kinds of moves, in the wire's words.
MIGRATION, RESIZE, LIVE, EVACUATION = 'migration', 'resize', 'live-migration', 'evacuation'
COLD = frozenset((MIGRATION, RESIZE))

# How far a move is, in the wire's words.
ACCEPTED = 'accepted'
QUEUED = 'queued'
PREPARING = 'preparing'
RUNNING = 'running'
PRE_MIGRATING = 'pre-migrating'
MIGRATING = 'migrating'
POST_MIGRATING = 'post-migrating'
FINISHED = 'finished'
CONFIRMING = 'confirming'
CONFIRMED = 'confirmed'
REVERTING = 'reverting'
REVERTED = 'reverted'
COMPLETED = 'completed'
CANCELLED = 'cancelled'
DONE = 'done'
ERROR = 'error'

#: Nothing more comes of it.
OVER = frozenset((CONFIRMED, REVERTED, COMPLETED, CANCELLED, DONE, ERROR))
#: A live migration that its owner can watch.
IN_PROGRESS = frozenset((QUEUED, PREPARING, RUNNING, POST_MIGRATING))

# What the source of a live migration is told to do at once.
ABORT, COMPLETE = 'abort', 'complete'

#: What is known of the way that a live migration has gone, in bytes.
PROGRESS = ('memory_total', 'memory_processed', 'memory_remaining',
            'disk_total', 'disk_processed', 'disk_remaining')


def surplus(present: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, int]:
    """What a server of flavor ``present`` that may become one of ``other`` holds beyond its own use.

    From a resize's beginning to its end the larger of both is booked of each resource, so neither a
    confirm nor a revert can come to nothing because of the quota.
    """
    used, held = quotas.use_of(present), quotas.use_of(other)
    return {resource: max(0, held[resource] - used[resource]) for resource in quotas.RESOURCES}


def root_disk(flavor: Mapping[str, Any]) -> int:
    """GiB of the root disk that a server of this flavor has on its host; one that is a volume is not there."""
    return 0 if flavor.get(block_devices.ON_VOLUME) else int(flavor['disk'])


def host_disk(flavor: Mapping[str, Any]) -> int:
    """GiB of all disks that such a server has there."""
    return root_disk(flavor) + int(flavor.get('ephemeral') or 0)


def disk_of(flavor: Mapping[str, Any]) -> int:
    """GiB that such a server takes there with its swap, of which a part of a GiB counts as a whole one."""
    return host_disk(flavor) - (-int(flavor['swap']) // 1024)


# Extra specs that say what a server takes of its host, whatever its size.
_OVERRIDES = {'vcpus': 'resources:VCPU', 'memory_mb': 'resources:MEMORY_MB', 'local_gb': 'resources:DISK_GB'}


def amounts(flavor: Mapping[str, Any]) -> dict[str, int]:
    """What a server of the flavor has on its host."""
    found = {'vcpus': int(flavor['vcpus']), 'memory_mb': int(flavor['ram']), 'local_gb': disk_of(flavor)}
    specs = flavor.get('extra_specs') or {}
    return {name: int(specs[_OVERRIDES[name]]) if str(specs.get(_OVERRIDES[name], '')).isdecimal() else amount
            for name, amount in found.items()}


def power_of(vm_state: str) -> Power:
    """What the guest of a server in this state does."""
    return {states.STOPPED: Power.SHUTDOWN, states.PAUSED: Power.PAUSED}.get(vm_state, Power.RUNNING)
