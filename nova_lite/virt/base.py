# SPDX-License-Identifier: Apache-2.0
"""The port between a compute host and its hypervisor.

It is small on purpose: what every hypervisor must do is in ``Driver``, and each thing that only some can do
is a port of its own with one or two methods, so that no driver carries methods that only refuse.

Rules that hold for every method of every port:

* A guest is named by the uuid of its server, and by nothing else.
* A method says what is true when it returns, so it may be called again after a crash: making what exists and
  removing what is gone are successes.
* A guest that must be there and is not raises ``errors.GuestNotFound``; whatever else the hypervisor could
  not do raises ``errors.HypervisorError`` with the reason, fit for the owner of the server.
* Calls for different servers may come at the same time; calls that change one server never do.
* Methods may block their caller.  A driver whose library would stall the whole process moves the work to a
  native thread itself, through ``concurrency.run_in_thread``.
"""

import abc
import dataclasses
import pathlib
from typing import Any

from nova_lite.model.power import Power
from nova_lite.objects.server import Server

#: A console log may grow for years; this much of its end is all that a driver hands out.
CONSOLE_LIMIT = 100 * 1024


@dataclasses.dataclass(frozen=True)
class GuestSpec:
    """What a guest is made from."""

    server: Server


@dataclasses.dataclass(frozen=True)
class HostInventory:
    """What a host has in total. Memory in MiB, disk in GiB, ``disk_available_least`` may be unknown."""

    hypervisor_hostname: str
    hypervisor_type: str
    hypervisor_version: int
    vcpus: int
    memory_mb: int
    local_gb: int
    disk_available_least: int | None = None
    cpu_info: dict[str, Any] = dataclasses.field(default_factory=dict)
    traits: tuple[str, ...] = ()
    uptime: str | None = None


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """A file that a snapshot was written to."""

    path: pathlib.Path
    disk_format: str
    size: int


class Driver(abc.ABC):
    """What every hypervisor does for one host."""

    @property
    def capabilities(self) -> frozenset[str]:
        """Names of the optional ports that work on this host.

        A driver narrows this down where a port depends on how the host is set up.
        """
        return frozenset(name for name, port in OPTIONAL_PORTS.items() if isinstance(self, port))

    @abc.abstractmethod
    def start(self) -> None:
        """Connect, and find the guests that outlived the last process. Called once, before all else."""

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of the hypervisor. The guests go on."""

    @abc.abstractmethod
    def inventory(self) -> HostInventory:
        """The totals of the host."""

    @abc.abstractmethod
    def guests(self) -> dict[str, Power]:
        """The power state of every guest, by server uuid."""

    @abc.abstractmethod
    def power_state(self, server_uuid: str) -> Power:
        """The power state of one guest, ``NOSTATE`` if there is none."""

    @abc.abstractmethod
    def spawn(self, spec: GuestSpec) -> None:
        """The guest exists and runs. One that exists already keeps its disks."""

    @abc.abstractmethod
    def destroy(self, server_uuid: str) -> None:
        """There is no such guest, and nothing of it is left on the host."""

    @abc.abstractmethod
    def power_on(self, server_uuid: str) -> None:
        """The guest runs."""

    @abc.abstractmethod
    def power_off(self, server_uuid: str, grace: float = 0) -> None:
        """The guest does not run. It gets ``grace`` seconds to shut itself down first."""

    @abc.abstractmethod
    def reboot(self, server_uuid: str, hard: bool = True) -> None:
        """The guest has started anew. Not ``hard``: it was asked to, and forced only if it did not listen."""

    @abc.abstractmethod
    def console_output(self, server_uuid: str) -> bytes:
        """The end of what the guest wrote to its serial console, ``CONSOLE_LIMIT`` bytes at most."""


class SnapshotPort(abc.ABC):
    """A driver that can copy the disk of a guest."""

    @abc.abstractmethod
    def snapshot(self, server_uuid: str, path: pathlib.Path) -> Snapshot:
        """``path`` holds the guest's disk as it is now. The guest is in the state that it was in."""


class PausePort(abc.ABC):
    """A driver that can stop the processors of a guest and keep its memory where it is."""

    @abc.abstractmethod
    def pause(self, server_uuid: str) -> None:
        """The guest is paused."""

    @abc.abstractmethod
    def unpause(self, server_uuid: str) -> None:
        """The guest runs."""


class SuspendPort(abc.ABC):
    """A driver that can put the memory of a guest on disk."""

    @abc.abstractmethod
    def suspend(self, server_uuid: str) -> None:
        """The guest is suspended."""

    @abc.abstractmethod
    def resume(self, server_uuid: str) -> None:
        """The guest runs, from where it was suspended."""


OPTIONAL_PORTS: dict[str, type] = {
    'pause': PausePort,
    'snapshot': SnapshotPort,
    'suspend': SuspendPort,
}
