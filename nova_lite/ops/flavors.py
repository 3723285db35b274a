# SPDX-License-Identifier: Apache-2.0
"""Writes to flavors, their extra specs and their access lists."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from nova_lite import errors
from nova_lite.db.queries import flavors


@dataclass(frozen=True)
class CreateFlavor:
    """Memory and swap in MiB, disks in GiB; without a ``flavorid`` one is made."""

    name: str
    ram: int
    vcpus: int
    disk: int
    flavorid: str | None = None
    ephemeral: int = 0
    swap: int = 0
    rxtx_factor: float = 1.0
    is_public: bool = True
    description: str | None = None


def create(deps: Any, command: CreateFlavor) -> Any:
    """The new flavor's row; errors.FlavorExists when its name or id is taken."""
    values = asdict(command)
    values['flavorid'] = command.flavorid or str(uuid.uuid4())
    _told(deps, 'create', values['flavorid'], flavors.create, values)
    with deps.db.read() as conn:
        return flavors.get(conn, values['flavorid'], is_admin=True)


def describe(deps: Any, flavorid: str, description: str | None) -> Any:
    """Change the description; the flavor's row."""
    _told(deps, 'update', flavorid, flavors.set_description, flavorid, description)
    with deps.db.read() as conn:
        return flavors.get(conn, flavorid, is_admin=True)


def delete(deps: Any, flavorid: str) -> None:
    """Servers of the flavor keep their own copy of it."""
    def remove(conn: Any) -> None:
        deps.notifications.thing(conn, 'flavor.delete', flavorid)
        flavors.delete(conn, flavorid)

    deps.db.transaction(remove)


def set_extra_specs(deps: Any, flavorid: str, specs: Mapping[str, str]) -> dict[str, str]:
    """Add or change extra specs; all of them afterwards."""
    return _told(deps, 'update', flavorid, flavors.update_extra_specs, flavorid, specs)


def delete_extra_spec(deps: Any, flavorid: str, key: str) -> None:
    """Remove one extra spec; errors.ExtraSpecNotFound when it is not there."""
    _told(deps, 'update', flavorid, flavors.delete_extra_spec, flavorid, key)


def add_access(deps: Any, flavor: Any, project_id: str, refuse_public: bool) -> None:
    """Let a project use a flavor; with ``refuse_public`` only a private one (2.7)."""
    if refuse_public and flavor.is_public:
        raise errors.Conflict(reason=f'Flavor {flavor.flavorid} is public: every project has access.')
    _told(deps, 'update', flavor.flavorid, flavors.add_access, flavor, project_id)


def remove_access(deps: Any, flavor: Any, project_id: str) -> None:
    """Withdraw a project's access; errors.FlavorAccessNotFound when it had none."""
    _told(deps, 'update', flavor.flavorid, flavors.remove_access, flavor, project_id)


def _told(deps: Any, event: str, flavorid: str, change: Callable[..., Any], *arguments: Any) -> Any:
    """Do it and have others told, in one transaction."""
    def store(conn: Any) -> Any:
        result = change(conn, *arguments)
        deps.notifications.thing(conn, f'flavor.{event}', flavorid)
        return result

    return deps.db.transaction(store)
