# SPDX-License-Identifier: Apache-2.0
"""Which hosts are out of question, judged on a snapshot.

What SQL can say is said there first (``db/queries/hosts.py``), so that only hosts with a chance are
looked at here; a filter stays the last word on the hosts that it sees.
"""

import datetime
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from nova_lite import errors
from nova_lite.scheduler.request import HostState, Request


@dataclass(frozen=True)
class Rejection:
    """Why one host is out: what was wanted of it, and what it had."""

    host: str
    filter: str
    wanted: object
    had: object


@dataclass(frozen=True)
class View:
    """What filters need to know besides the host and the request."""

    alive_since: datetime.datetime


Found = tuple[object, object] | None
Filter = Callable[[HostState, Request, View], Found]


def compute(host: HostState, request: Request, view: View) -> Found:
    """The service is enabled and was heard from."""
    if host.forced_down or host.last_seen_at is None or host.last_seen_at < view.alive_since:
        return 'up', 'down'
    return ('enabled', 'disabled') if host.disabled and not request.forced else None


def availability_zone(host: HostState, request: Request, view: View) -> Found:
    """The host is in the zone that was asked for, if one was."""
    return (request.zone, host.zone) if request.zone is not None and request.zone != host.zone else None


def capacity(host: HostState, request: Request, view: View) -> Found:
    """There is room."""
    for wanted, had in ((request.memory_mb, host.free_memory_mb), (request.vcpus, host.free_vcpus),
                        (request.local_gb, host.free_local_gb)):
        if had < wanted:
            return wanted, had
    return None


def affinity(host: HostState, request: Request, view: View) -> Found:
    """The host has members of the server's group, if it wants to be together and is anywhere."""
    together = request.group.together if request.group else ()
    return (', '.join(together), host.host) if together and host.host not in together else None


def anti_affinity(host: HostState, request: Request, view: View) -> Found:
    """The host has fewer members of the server's group than it may."""
    group = request.group
    if group is None or host.host not in group.apart:
        return None
    return f'fewer than {group.most_per_host} of the group', group.members[host.host]


AFFINITY, ANTI_AFFINITY = 'ServerGroupAffinityFilter', 'ServerGroupAntiAffinityFilter'
#: The names that operators know, for ``[filter_scheduler] enabled_filters``.
FILTERS: dict[str, Filter] = {
    'AvailabilityZoneFilter': availability_zone,
    'ComputeFilter': compute,
    AFFINITY: affinity,
    ANTI_AFFINITY: anti_affinity,
}
#: Asked whatever is enabled: a claim would not go against them.
ALWAYS: dict[str, Filter] = {'Capacity': capacity}


def chosen(names: Iterable[str]) -> dict[str, Filter]:
    """The filters with these names; an unknown one ends the start."""
    unknown = sorted(set(names) - set(FILTERS))
    if unknown:
        raise errors.StartError(
            reason=f'[filter_scheduler] enabled_filters names {", ".join(unknown)}; there are '
                   f'{", ".join(sorted(FILTERS))}.')
    return {name: FILTERS[name] for name in names} | ALWAYS


def passing(hosts: Iterable[HostState], request: Request, view: View,
            filters: dict[str, Filter]) -> tuple[list[HostState], list[Rejection]]:
    """The hosts that no filter rejects, and why the others are out."""
    good, bad = [], []
    for host in hosts:
        for name, judge in filters.items():
            found = judge(host, request, view)
            if found is not None:
                bad.append(Rejection(host.host, name, *found))
                break
        else:
            good.append(host)
    return good, bad


def counted(rejections: Sequence[Rejection]) -> Counter[str]:
    """How many hosts each filter rejected."""
    return Counter(rejection.filter for rejection in rejections)
