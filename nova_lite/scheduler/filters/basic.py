# SPDX-License-Identifier: Apache-2.0
"""What nearly every request is about: the host is there, where it was wanted, has room, and suits the group."""

from nova_lite.scheduler.filters.base import Filter, Found, View
from nova_lite.scheduler.request import HostState, Request


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
ZONE = 'AvailabilityZoneFilter'
FILTERS: dict[str, Filter] = {
    'AllHostsFilter': Filter(),
    ZONE: Filter(availability_zone),
    'ComputeFilter': Filter(compute),
    AFFINITY: Filter(affinity),
    ANTI_AFFINITY: Filter(anti_affinity),
}
