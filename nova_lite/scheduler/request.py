# SPDX-License-Identifier: Apache-2.0
"""What is looked for, and the hosts among which it is looked for, as plain values."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nova_lite.db.queries import hosts
from nova_lite.model.moves import disk_of
from nova_lite.scheduler.groups import Group


@dataclass(frozen=True)
class Request:
    """What a server needs of a host.

    ``forced``: an administrator named the host and takes responsibility, so it may be disabled and no
    filter is asked; it still must be up, have room and be what the server's group allows.  ``tried``:
    hosts that failed to build it.  ``group`` is read and locked when the server is placed.
    ``leaving`` is the host on which a server that moves cannot stay.
    """

    server_uuid: str
    vcpus: int
    memory_mb: int
    local_gb: int
    zone: str | None = None
    host: str | None = None
    node: str | None = None
    forced: bool = False
    tried: tuple[str, ...] = ()
    leaving: str | None = None
    hints: Mapping[str, Any] = field(default_factory=dict)
    image_properties: Mapping[str, Any] = field(default_factory=dict)
    extra_specs: Mapping[str, Any] = field(default_factory=dict)
    group: Group | None = None


@dataclass(frozen=True, slots=True)
class HostState:
    """One host at one moment."""

    id: int
    host: str
    node: str
    zone: str
    disabled: bool
    forced_down: bool
    last_seen_at: datetime.datetime | None
    free_vcpus: int
    free_memory_mb: int
    free_local_gb: int
    servers: int


def of_server(server: Any, placing: Mapping[str, Any]) -> Request:
    """The request for a row of ``servers``; ``placing`` holds host, node, forced and tried of its operation."""
    flavor = server.flavor
    return Request(
        server_uuid=server.uuid, vcpus=flavor['vcpus'], memory_mb=flavor['ram'], local_gb=disk_of(flavor),
        zone=server.pinned_availability_zone, host=placing.get('host'), node=placing.get('node'),
        forced=bool(placing.get('forced')), tried=tuple(placing.get('tried', ())),
        hints=server.scheduler_hints, image_properties=server.image_properties,
        extra_specs=flavor.get('extra_specs') or {})


def state_of(row: Any, default_zone: str) -> HostState:
    """The snapshot of a row of ``hosts.candidates``."""
    return HostState(
        id=row.id, host=row.host, node=row.hypervisor_hostname, zone=hosts.zone_of(row, default_zone),
        disabled=row.disabled, forced_down=row.forced_down, last_seen_at=row.last_seen_at,
        free_vcpus=row.vcpus_limit - row.vcpus_used, free_memory_mb=row.memory_mb_limit - row.memory_mb_used,
        free_local_gb=row.local_gb_limit - row.local_gb_used, servers=row.servers)
