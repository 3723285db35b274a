# SPDX-License-Identifier: Apache-2.0
"""Moves of servers: the words for how far one is, and what a resize holds of the quota."""

from collections.abc import Mapping
from typing import Any

from nova_lite.model import quotas, states
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


def disk_of(flavor: Mapping[str, Any]) -> int:
    """GiB that a server of this flavor takes on its host; a part of a GiB of swap counts as a whole one."""
    return int(flavor['disk']) + int(flavor['ephemeral']) - (-int(flavor['swap']) // 1024)


def amounts(flavor: Mapping[str, Any]) -> dict[str, int]:
    """What a server of the flavor has on its host."""
    return {'vcpus': int(flavor['vcpus']), 'memory_mb': int(flavor['ram']), 'local_gb': disk_of(flavor)}


def power_of(vm_state: str) -> Power:
    """What the guest of a server in this state does."""
    return {states.STOPPED: Power.SHUTDOWN, states.PAUSED: Power.PAUSED}.get(vm_state, Power.RUNNING)
