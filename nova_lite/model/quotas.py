# SPDX-License-Identifier: Apache-2.0
"""What a server uses of its project's quota, and how many servers fit into what is left."""

from collections.abc import Mapping
from typing import Any

RESOURCES = ('instances', 'cores', 'ram')
UNLIMITED = -1


def use_of(flavor: Mapping[str, Any], count: int = 1) -> dict[str, int]:
    """What ``count`` servers of this flavor use."""
    return {'instances': count, 'cores': count * flavor['vcpus'], 'ram': count * flavor['ram']}


def limits(group: Mapping[str, Any]) -> dict[str, int]:
    """The limits that option group ``[quota]`` sets for each project."""
    return {resource: group[resource] for resource in RESOURCES}


def most(flavor: Mapping[str, Any], used: Mapping[str, int], limit: Mapping[str, int]) -> int | None:
    """How many more servers of this flavor fit; None if nothing limits them."""
    each = use_of(flavor)
    counts = [max(0, limit[resource] - used.get(resource, 0)) // each[resource]
              for resource in RESOURCES if limit[resource] != UNLIMITED and each[resource]]
    return min(counts) if counts else None


def exceeded(wanted: Mapping[str, int], used: Mapping[str, int],
             limit: Mapping[str, int]) -> list[str]:
    """The resources of which ``wanted`` is more than what is left."""
    return [resource for resource in wanted
            if limit[resource] != UNLIMITED and used.get(resource, 0) + wanted[resource] > limit[resource]]
