# SPDX-License-Identifier: Apache-2.0
"""What a server uses of its project's quota, how many servers fit into what is left, and which limit counts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

#: What the servers of a project use, kept in the books.
RESOURCES = ('instances', 'cores', 'ram')
UNLIMITED = -1

_OPTIONS = {'injected_file_path_bytes': 'injected_file_path_length'}
#: Everything that has a limit, under the names of the wire.
LIMITED = (*RESOURCES, 'metadata_items', 'key_pairs', 'server_groups', 'server_group_members', 'injected_files',
           'injected_file_content_bytes', 'injected_file_path_bytes')
#: What the network service limits; here it is only remembered what somebody set.
OF_NETWORK = ('fixed_ips', 'floating_ips', 'security_groups', 'security_group_rules')
#: GiB that servers take on their hosts. No option sets a limit of it, and the books have no column for it.
DISK = 'disk'
#: How Keystone calls each limit.
UNIFIED = {
    'instances': 'servers', 'cores': 'class:VCPU', 'ram': 'class:MEMORY_MB', DISK: 'class:DISK_GB',
    'metadata_items': 'server_metadata_items', 'key_pairs': 'server_key_pairs', 'server_groups': 'server_groups',
    'server_group_members': 'server_group_members', 'injected_files': 'server_injected_files',
    'injected_file_content_bytes': 'server_injected_file_content_bytes',
    'injected_file_path_bytes': 'server_injected_file_path_bytes'}
#: What servers use, all of it.
OF_SERVERS = frozenset((*RESOURCES, DISK))
#: The class whose limits stand in for the options of group [quota].
DEFAULT_CLASS = 'default'


def default(group: Any, resource: str) -> int:
    """The limit that option group ``[quota]`` sets."""
    return int(getattr(group, _OPTIONS.get(resource, resource)))


def defaults(group: Any) -> dict[str, int]:
    """All limits that option group ``[quota]`` sets."""
    return {resource: default(group, resource) for resource in LIMITED}


class Unregistered(int):
    """The limit of what Keystone has no limit of: 0, and it says why."""

    def __new__(cls, name: str) -> Self:
        made = super().__new__(cls, 0)
        made._name = name
        return made

    _name: str

    def __str__(self) -> str:
        return f'0 (Keystone has no registered limit {self._name})'


@dataclass(frozen=True)
class Limits:
    """What counts for a project, and for one of its users; ``own`` are the limits that he alone has.

    A user without limits of his own is held by those of the project, together with everybody in it.
    """

    project: Mapping[str, int]
    own: Mapping[str, int] = field(default_factory=dict)
    disk: int = UNLIMITED

    @property
    def user(self) -> dict[str, int]:
        """What counts for the user."""
        return {**self.project, **self.own}

    def own_of_servers(self) -> dict[str, int]:
        """The user's own limits of what servers use; empty if there are none."""
        return {resource: self.own[resource] for resource in RESOURCES if resource in self.own}


def use_of(flavor: Mapping[str, Any], count: int = 1) -> dict[str, int]:
    """What ``count`` servers of this flavor use."""
    return {'instances': count, 'cores': count * flavor['vcpus'], 'ram': count * flavor['ram']}


def most(flavor: Mapping[str, Any], used: Mapping[str, int], limit: Mapping[str, int]) -> int | None:
    """How many more servers of this flavor fit; None if nothing limits them."""
    each = use_of(flavor)
    counts = [max(0, limit[resource] - used.get(resource, 0)) // each[resource]
              for resource in RESOURCES if limit.get(resource, UNLIMITED) != UNLIMITED and each[resource]]
    return min(counts) if counts else None


def exceeded(wanted: Mapping[str, int], used: Mapping[str, int],
             limit: Mapping[str, int]) -> list[str]:
    """The resources of which ``wanted`` is more than what is left."""
    limited = [resource for resource in wanted if limit.get(resource, UNLIMITED) != UNLIMITED]
    return [resource for resource in limited if used.get(resource, 0) + wanted[resource] > limit[resource]]
