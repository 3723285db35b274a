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
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from nova_lite.model.power import Power
from nova_lite.objects.server import Server

#: A console log may grow for years; this much of its end is all that a driver hands out.
CONSOLE_LIMIT = 100 * 1024


@dataclasses.dataclass(frozen=True)
class GuestSpec:
    """What a guest is made from; ``image`` is booted in place of the server's own.

    ``files`` came with the request, for the guest to find: path, and contents in base64.
    """

    server: Server
    image: str | None = None
    files: tuple[Mapping[str, str], ...] = ()

    @property
    def boot_image(self) -> str | None:
        """The image that the guest's disk begins as."""
        return self.image or self.server.image_ref


@dataclasses.dataclass(frozen=True)
class ImageRecord:
    """What the image service says of an image; None is not known."""

    id: str
    disk_format: str | None
    size: int | None = None
    checksum: str | None = None
    hash_algo: str | None = None
    hash_value: str | None = None


class ImageSource(Protocol):
    """What a driver asks of the image service."""

    def describe(self, image_id: str) -> ImageRecord:
        """What its record says."""

    def download(self, image_id: str, path: str) -> None:
        """Write its data to ``path``."""


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


@dataclasses.dataclass(frozen=True)
class ConsoleAddress:
    """Where a console of a guest is reached from the proxies."""

    host: str
    port: int
    tls_port: int | None = None
    internal_access_path: str | None = None


@dataclasses.dataclass(frozen=True)
class Diagnostics:
    """What the hypervisor counts of a guest; None where it does not know. Times in ns, memory in MiB.

    ``counters`` is the same in the hypervisor's own words, for clients from before there were common ones.
    """

    state: str
    driver: str
    hypervisor: str | None = None
    hypervisor_os: str | None = None
    uptime: int | None = None
    memory_maximum: int | None = None
    memory_used: int | None = None
    cpus: tuple[dict[str, Any], ...] = ()         # id, time, utilisation
    disks: tuple[dict[str, Any], ...] = ()        # read_bytes, read_requests, write_bytes, write_requests, errors_count
    nics: tuple[dict[str, Any], ...] = ()         # mac_address, rx_* and tx_* octets, packets, drop, errors, rate
    counters: dict[str, Any] = dataclasses.field(default_factory=dict)


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


class EventPort(abc.ABC):
    """A driver that notices when a guest starts or stops by itself. Nobody asks for it, so it has no name."""

    @abc.abstractmethod
    def wait_for_change(self, timeout: float) -> bool:
        """Wait until a guest has changed since the last call; False after ``timeout`` seconds."""


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


class RescuePort(abc.ABC):
    """A driver that can boot a guest from a disk other than its own, to mend that."""

    @abc.abstractmethod
    def rescue(self, spec: GuestSpec) -> None:
        """The guest runs from the image of ``spec``, with its own disk beside it."""

    @abc.abstractmethod
    def unrescue(self, server_uuid: str) -> None:
        """The guest runs from its own disk, and nothing else is left of the rescue."""


class EphemeralPort(abc.ABC):
    """A driver that can make the root disk of a guest anew and leave its other disks alone."""

    @abc.abstractmethod
    def replace_root(self, spec: GuestSpec) -> None:
        """The guest runs from a root disk that began as the image of ``spec``."""


class PasswordPort(abc.ABC):
    """A driver that can change a password inside of a guest that runs."""

    @abc.abstractmethod
    def set_password(self, server_uuid: str, password: str) -> None:
        """The guest's administrator has this password, which is kept nowhere else."""


class CrashDumpPort(abc.ABC):
    """A driver that can interrupt a guest so that it dumps its kernel."""

    @abc.abstractmethod
    def crash_dump(self, server_uuid: str) -> None:
        """The guest was interrupted; what it does then is its own business."""


class InterfacePort(abc.ABC):
    """A driver that can give a guest an interface, or take one away, without making it anew.

    An interface is what ``model.networks.interface`` made of a port; ``mac`` names it to the hypervisor.
    """

    @abc.abstractmethod
    def attach_interface(self, server_uuid: str, interface: dict[str, Any]) -> None:
        """The guest has the interface, whether it runs or not."""

    @abc.abstractmethod
    def detach_interface(self, server_uuid: str, interface: dict[str, Any]) -> None:
        """The guest has no such interface."""


class DiagnosticsPort(abc.ABC):
    """A driver that counts what a guest does."""

    @abc.abstractmethod
    def diagnostics(self, server_uuid: str) -> Diagnostics:
        """The counters as they are now."""


class ConsolePort(abc.ABC):
    """A driver whose guests have consoles that proxies can reach."""

    @abc.abstractmethod
    def console(self, server_uuid: str, kind: str) -> ConsoleAddress:
        """Where the console of a kind (``novnc``, ``spice-html5``, ``spice-direct``, ``serial``, ``webmks``) is.

        ``errors.Invalid`` if the guest has none of that kind.
        """


class MovePort(abc.ABC):
    """A driver whose guests can be made anew on another host, or in another size on the same one.

    On its way a guest is *set aside* on the host that it leaves: it neither runs nor counts as a guest of
    that host, but can come back until it is forgotten.  ``destroy`` removes what was set aside, too.
    """

    @abc.abstractmethod
    def prepare_move(self, spec: GuestSpec) -> None:
        """This host could take the guest; ``errors.HypervisorError`` says why not."""

    @abc.abstractmethod
    def leave(self, server_uuid: str) -> dict[str, Any]:
        """The guest is off and set aside. What comes back, plain JSON, is all that ``arrive`` needs."""

    @abc.abstractmethod
    def arrive(self, spec: GuestSpec, disk: dict[str, Any], power: Power) -> None:
        """The guest is here, of the flavor of ``spec``, with its disk and in this power state."""

    @abc.abstractmethod
    def come_back(self, server_uuid: str, power: Power) -> None:
        """What was set aside is the guest again, in this power state; what arrived here is gone."""

    @abc.abstractmethod
    def withdraw(self, server_uuid: str) -> None:
        """What arrived here is gone; what is set aside stays."""

    @abc.abstractmethod
    def forget(self, server_uuid: str) -> None:
        """Nothing is set aside; what arrived here stays."""

    @abc.abstractmethod
    def set_aside(self) -> frozenset[str]:
        """The servers of which something is set aside."""


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a live migration is, in bytes."""

    memory_total: int
    memory_processed: int
    memory_remaining: int
    disk_total: int
    disk_processed: int
    disk_remaining: int


class LiveMigrationPort(MovePort):
    """A driver that can move a guest while it runs.

    ``move`` holds block_migration and disk_over_commit as they were wished for, and for the source also dest (the
    host), address, and there (what the destination said).
    """

    @abc.abstractmethod
    def receive(self, spec: GuestSpec, move: Mapping[str, Any]) -> dict[str, Any]:
        """This host is ready to take the guest; ``errors.HypervisorError`` says why not.

        What comes back, plain JSON, is what the source has to know.
        """

    @abc.abstractmethod
    def turn_away(self, server_uuid: str) -> None:
        """Nothing is left of what was made ready for a guest that has not come; one that has come for good stays."""

    @abc.abstractmethod
    def live_migrate(self, spec: GuestSpec, move: Mapping[str, Any],
                     watch: Callable[[Progress], str | None]) -> dict[str, Any]:
        """Like ``leave``, but the guest runs until the moment at which it does so on the destination.

        ``watch`` is told now and then how far it is; if it answers ``abort``, the guest stays as it was and
        ``errors.MigrationAborted`` is raised; if it answers ``complete``, the guest may be paused to bring it to
        an end.

        If ``arrived`` is true in what comes back, the guest runs on the destination already and cannot come back.
        ``arrive`` finds it there then.  ``arrive`` may also be asked with nothing of what should have come back,
        because nobody knows what became of the source; ``errors.GuestNotFound`` says that the guest has not come.
        """


class VolumePort(abc.ABC):
    """A driver whose guests can have volumes.

    A device is an entry of ``Server.block_devices``: ``id`` names it for ever, ``device`` is the name that the guest
    should give it, ``connection`` what the volume service says of the way to it.  ``spawn`` and ``arrive`` make
    a guest with all that its server has.
    """

    @abc.abstractmethod
    def attach_volume(self, server_uuid: str, device: Mapping[str, Any]) -> None:
        """The guest has the device, now and at its next start."""

    @abc.abstractmethod
    def detach_volume(self, server_uuid: str, device: Mapping[str, Any]) -> None:
        """The guest has it not; that is so if there is no guest."""

    @abc.abstractmethod
    def swap_volume(self, server_uuid: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        """The guest has ``new`` in the place of ``old``, with all that was on it."""

    @abc.abstractmethod
    def disks_of(self, server_uuid: str) -> dict[str, str]:
        """The volumes of the guest, by the names of their devices."""


class VolumeExtendPort(VolumePort):
    """A driver that can tell a guest, while that runs, that a volume of it has grown."""

    @abc.abstractmethod
    def extend_volume(self, server_uuid: str, device: Mapping[str, Any]) -> None:
        """The guest sees the ``size`` that the device has now; one that it has not is an error."""


class VolumeRescuePort(RescuePort):
    """A driver that can do it to a guest whose own disk is a volume."""


OPTIONAL_PORTS: dict[str, type] = {
    'console': ConsolePort,
    'crash_dump': CrashDumpPort,
    'diagnostics': DiagnosticsPort,
    'ephemeral': EphemeralPort,
    'interface': InterfacePort,
    'live_migration': LiveMigrationPort,
    'move': MovePort,
    'password': PasswordPort,
    'pause': PausePort,
    'rescue': RescuePort,
    'snapshot': SnapshotPort,
    'suspend': SuspendPort,
    'volume': VolumePort,
    'volume_extend': VolumeExtendPort,
    'volume_rescue': VolumeRescuePort,
}
