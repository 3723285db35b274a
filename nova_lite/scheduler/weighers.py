# SPDX-License-Identifier: Apache-2.0
"""Which of the hosts that would do is the best.

Each weigher sees the hosts between the one of which it says least (0) and most (1); its multiplier says how much
that counts, and below zero it prefers the least.  An aggregate may set a multiplier for its hosts.
"""

import importlib.metadata
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nova_lite import errors
from nova_lite.scheduler.request import HostState, Request

Weigher = Callable[[HostState, Request], float]
ENTRY_POINTS = 'nova_lite.scheduler.weighers'
_OPTION = '_weight_multiplier'

#: By the name of the option that holds its multiplier.
WEIGHERS: dict[str, Weigher] = {
    'ram_weight_multiplier': lambda host, _: host.free_memory_mb,
    'cpu_weight_multiplier': lambda host, _: host.free_vcpus,
    'disk_weight_multiplier': lambda host, _: host.free_local_gb,
    'io_ops_weight_multiplier': lambda host, _: host.io_ops,
    'num_instances_weight_multiplier': lambda host, _: host.servers,
    'build_failure_weight_multiplier': lambda host, _: -host.failed_builds,
    'soft_affinity_weight_multiplier':
        lambda host, request: request.group.attraction(host.host) if request.group else 0,
    'soft_anti_affinity_weight_multiplier':
        lambda host, request: -request.group.repulsion(host.host) if request.group else 0,
}


@dataclass(frozen=True)
class Weighing:
    """How hosts are compared. ``weighers`` has (weigher, multiplier) by the option's name."""

    weighers: Mapping[str, tuple[Weigher, float]]
    subset: int = 1
    shuffle: bool = True


def chosen(options: Any) -> Weighing:
    """As the options of ``[filter_scheduler]`` say; an unknown weigher ends the start."""
    weighers = {name: (weigher, float(options[name])) for name, weigher in WEIGHERS.items()}
    for name, multiplier in options.weight_multipliers.items():
        try:
            weighers[name + _OPTION] = _installed(name), float(multiplier)
        except ValueError:
            raise errors.StartError(reason=f'[filter_scheduler] weight_multipliers has {multiplier!r} for {name}, '
                                           'which is no number.') from None
    return Weighing(weighers, options.host_subset_size, options.shuffle_best_same_weighed_hosts)


def _installed(name: str) -> Weigher:
    points = {point.name: point for point in importlib.metadata.entry_points(group=ENTRY_POINTS)}
    if name not in points:
        raise errors.StartError(reason=f'[filter_scheduler] weight_multipliers names {name}; packages provide '
                                       f'{", ".join(sorted(points)) or "no weigher"}.')
    try:
        weigher: Weigher = points[name].load()
    except Exception as error:
        raise errors.StartError(reason=f'Weigher {name} cannot be loaded: {type(error).__name__}: {error}') from error
    return weigher


def ranked(hosts: Sequence[HostState], weighing: Weighing, request: Request) -> list[HostState]:
    """The hosts, the best first; one of the ``subset`` best is drawn to be the very first.

    Hosts of one weight come in random order, so that equal hosts fill equally and several conductors
    do not run after the same one.
    """
    weights = [0.0] * len(hosts)
    in_aggregates = any(host.aggregates for host in hosts)
    for name, (weigher, multiplier) in weighing.weighers.items():
        if not multiplier and not in_aggregates:
            continue
        values = [float(weigher(host, request)) for host in hosts]
        low, high = min(values, default=0.0), max(values, default=0.0)
        if high == low:
            continue
        for number, host in enumerate(hosts):
            counts = _multiplier(host, name, multiplier) if in_aggregates else multiplier
            weights[number] += (values[number] - low) / (high - low) * counts
    order = sorted(range(len(hosts)), key=lambda number: (
        -weights[number], random.random() if weighing.shuffle else hosts[number].id))
    if weighing.subset > 1 and len(order) > 1:
        order.insert(0, order.pop(random.randrange(min(weighing.subset, len(order)))))
    return [hosts[number] for number in order]


def _multiplier(host: HostState, name: str, default: float) -> float:
    """The smallest number that an aggregate of the host gives, or that of the option."""
    found = []
    for value in host.aggregates.get(name, ()):
        try:
            found.append(float(value))
        except ValueError:
            continue
    return min(found, default=default)
