# SPDX-License-Identifier: Apache-2.0
"""Which of the hosts that would do is the best.

Each weigher sees the hosts between its worst (0) and its best (1); its multiplier says how much it
counts, and below zero it prefers full hosts to empty ones.
"""

import random
from collections.abc import Callable, Mapping, Sequence

from nova_lite.scheduler.groups import Group
from nova_lite.scheduler.request import HostState

Weigher = Callable[[HostState, Group | None], float]

#: By the name of the option that holds its multiplier.
WEIGHERS: dict[str, Weigher] = {
    'ram_weight_multiplier': lambda host, _: host.free_memory_mb,
    'cpu_weight_multiplier': lambda host, _: host.free_vcpus,
    'disk_weight_multiplier': lambda host, _: host.free_local_gb,
    'soft_affinity_weight_multiplier': lambda host, group: group.attraction(host.host) if group else 0,
    'soft_anti_affinity_weight_multiplier': lambda host, group: -group.repulsion(host.host) if group else 0,
}


def ranked(hosts: Sequence[HostState], multipliers: Mapping[str, float], subset: int = 1,
           group: Group | None = None) -> list[HostState]:
    """The hosts, the best first; one of the ``subset`` best is drawn to be the very first.

    Hosts of one weight come in random order, so that equal hosts fill equally and several conductors
    do not run after the same one.
    """
    weights = [0.0] * len(hosts)
    for name, weigher in WEIGHERS.items():
        multiplier = multipliers[name]
        if not multiplier:
            continue
        values = [weigher(host, group) for host in hosts]
        low, high = min(values, default=0), max(values, default=0)
        if high == low:
            continue
        factor = multiplier / (high - low)
        weights = [weight + (value - low) * factor for weight, value in zip(weights, values, strict=True)]
    order = sorted(range(len(hosts)), key=lambda number: (-weights[number], random.random()))
    if subset > 1 and len(order) > 1:
        order.insert(0, order.pop(random.randrange(min(subset, len(order)))))
    return [hosts[number] for number in order]
