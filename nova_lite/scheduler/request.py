# SPDX-License-Identifier: Apache-2.0
"""What is looked for, and the hosts among which it is looked for, as plain values."""

import dataclasses
import datetime
import functools
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nova_lite.db.queries import candidates
from nova_lite.model import moves
from nova_lite.scheduler.groups import Group

ZONE = 'availability_zone'


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
    project_id: str = ''
    image_id: str | None = None
    flavor_name: str = ''


@dataclass(frozen=True, slots=True)
class HostState:
    """One host at one moment.

    ``io_ops`` are servers that keep its disks busy, ``failed_builds`` those that failed since one did not.
    ``aggregates`` has every value that its aggregates give to a metadata key.  ``facts`` are what
    ``capabilities:`` extra specs and JSON queries can ask for, by the names that Nova gives them; empty where
    nobody asks.
    """

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
    io_ops: int = 0
    failed_builds: int = 0
    aggregates: Mapping[str, frozenset[str]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def less(self, request: Request) -> 'HostState':
        """The host as it is with one more server of this size."""
        return dataclasses.replace(
            self, free_vcpus=self.free_vcpus - request.vcpus, free_memory_mb=self.free_memory_mb - request.memory_mb,
            free_local_gb=self.free_local_gb - request.local_gb, servers=self.servers + 1, io_ops=self.io_ops + 1)


def of_server(server: Any, placing: Mapping[str, Any]) -> Request:
    """The request for a row of ``servers``; ``placing`` holds host, node, forced and tried of its operation."""
    flavor = server.flavor
    amounts: dict[str, Any] = {**moves.amounts(flavor)}
    return Request(
        server_uuid=server.uuid, **amounts,
        zone=server.pinned_availability_zone, host=placing.get('host'), node=placing.get('node'),
        forced=bool(placing.get('forced')), tried=tuple(placing.get('tried', ())),
        hints=server.scheduler_hints, image_properties=server.image_properties,
        extra_specs=flavor.get('extra_specs') or {}, project_id=server.project_id, image_id=server.image_ref,
        flavor_name=flavor.get('name', ''))


def values_of(metadata: Sequence[Mapping[str, str]]) -> dict[str, frozenset[str]]:
    """Every value of each key; one text may hold several, separated by commas."""
    found: dict[str, set[str]] = {}
    for one in metadata:
        for key, text in one.items():
            found.setdefault(key, set()).update(value.strip() for value in text.split(','))
    return {key: frozenset(values) for key, values in found.items()}


@functools.lru_cache(1024)
def _aggregates_of(text: str | None) -> tuple[str | None, Mapping[str, frozenset[str]]]:
    """The zone and the values that the aggregates of a host give it; thousands of hosts share a few such texts."""
    metadata = candidates.metadata_of(text)
    return min((one[ZONE] for one in metadata if one.get(ZONE)), default=None), values_of(metadata)


def state_of(row: Any, default_zone: str, with_facts: bool = False) -> HostState:
    """The snapshot of a row of ``candidates.page``."""
    zone, values = _aggregates_of(row.aggregates)
    return HostState(
        id=row.id, host=row.host, node=row.hypervisor_hostname, zone=zone or default_zone,
        disabled=row.disabled, forced_down=row.forced_down, last_seen_at=row.last_seen_at,
        free_vcpus=row.vcpus_limit - row.vcpus_used, free_memory_mb=row.memory_mb_limit - row.memory_mb_used,
        free_local_gb=row.local_gb_limit - row.local_gb_used, servers=row.servers, io_ops=row.io_ops,
        failed_builds=row.failed_builds, aggregates=values, facts=Facts(row) if with_facts else {})


_FACTS: dict[str, Callable[[Any], Any]] = {
    **{name: operator.attrgetter(name) for name in (
        'id', 'uuid', 'service_id', 'host', 'host_ip', 'hypervisor_hostname', 'hypervisor_type', 'hypervisor_version',
        'cpu_info', 'traits', 'vcpus', 'vcpus_used', 'memory_mb', 'memory_mb_used', 'local_gb', 'local_gb_used',
        'disk_available_least', 'failed_builds')},
    'nodename': lambda row: row.hypervisor_hostname,
    'vcpus_total': lambda row: row.vcpus,
    'total_usable_ram_mb': lambda row: row.memory_mb,
    'free_ram_mb': lambda row: row.memory_mb_limit - row.memory_mb_used,
    'total_usable_disk_gb': lambda row: row.local_gb,
    'disk_mb_used': lambda row: row.local_gb_used * 1024,
    'free_disk_gb': lambda row: row.local_gb_limit - row.local_gb_used,
    'free_disk_mb': lambda row: (row.local_gb_limit - row.local_gb_used) * 1024,
    'num_instances': lambda row: row.servers,
    'running_vms': lambda row: row.servers,
    'num_io_ops': lambda row: row.io_ops,
    'current_workload': lambda row: row.io_ops,
}


class Facts(Mapping[str, Any]):
    """What is known of a host by Nova's names, worked out when somebody asks."""

    __slots__ = ('_row',)

    def __init__(self, row: Any) -> None:
        self._row = row

    def __getitem__(self, name: str) -> Any:
        return _FACTS[name](self._row)

    def __iter__(self) -> Iterator[str]:
        return iter(_FACTS)

    def __len__(self) -> int:
        return len(_FACTS)
