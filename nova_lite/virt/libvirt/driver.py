# SPDX-License-Identifier: Apache-2.0
"""Real guests: the port of ``virt.base`` on libvirt.

This module has what every guest needs; the optional ports are in modules of their own beside it.  A guest is its
directory with disks and its domain: the directory is complete before the domain is defined, and outlives it, so what a
crash leaves is either taken up where it was or removed by name.
"""

import logging
import threading
from pathlib import Path

from oslo_config import cfg

from nova_lite import concurrency, errors
from nova_lite.model.power import Power
from nova_lite.objects.server import Server
from nova_lite.virt import base, config_drive
from nova_lite.virt.libvirt import connection, design, disks, inspection, layout, ports, user_network, xml
from nova_lite.virt.libvirt.connection import EMBED, TEST, Connection
from nova_lite.virt.libvirt.disks import CONSOLE_LOG, Disks
from nova_lite.virt.libvirt.domains import Domains
from nova_lite.virt.libvirt.extras import LibvirtExtras
from nova_lite.virt.libvirt.interfaces import LibvirtInterfaces
from nova_lite.virt.libvirt.inventory import Inventory
from nova_lite.virt.libvirt.layout import Layout
from nova_lite.virt.libvirt.live_migration import LibvirtLiveMigration
from nova_lite.virt.libvirt.rescues import LibvirtRescues
from nova_lite.virt.libvirt.volumes import LibvirtVolumes

LOG = logging.getLogger(__name__)

#: A console log that has grown so big is cut down to what is shown of it; looked at every so many seconds.
CONSOLE_MOST, CONSOLE_LOOK = 2 * 1024 * 1024, 10
CONSOLE_BEFORE = f'{CONSOLE_LOG}.0'
#: libvirt's mock keeps power states and no more.
TEST_CAPABILITIES = frozenset(('pause', 'suspend'))


class LibvirtDriver(LibvirtRescues, LibvirtExtras, LibvirtInterfaces, LibvirtLiveMigration, LibvirtVolumes,
                    base.PausePort, base.SuspendPort, base.EventPort, base.Driver):
    """One host."""

    def __init__(self, conf: cfg.ConfigOpts, host: str, images: base.ImageSource | None = None) -> None:
        self._conf = conf
        self._host = host
        self._connection = Connection(conf, host)
        self._domains = Domains(self._connection, host, lambda domain: ports.renew(conf, self._domains, domain))
        self._disks = Disks(conf, images)
        self._ground = design.Ground(_kind(conf, self._connection), self._connection.kind not in (EMBED, TEST))
        self._inventory = Inventory(self._connection, self._disks.root, self._ground.kind)
        self._is_wired = self._connection.kind == EMBED and not conf.libvirt.bridge
        self._closed = threading.Event()
        self._defining = threading.Lock()

    @property
    def capabilities(self) -> frozenset[str]:
        """All that is there, as far as the libvirt that is connected to can do it."""
        if self._connection.kind == TEST:
            return TEST_CAPABILITIES
        # A libvirt inside of this process has no way in for another one.
        return super().capabilities - ({'live_migration'} if self._connection.kind == EMBED else set())

    def start(self) -> None:
        """Connect, and look after what was left."""
        self._disks.start()
        self._connection.open()
        self._keep_arrived()
        self._closed.clear()
        concurrency.spawn(self._watch_consoles)
        LOG.info('Host %s runs guests with %s at %s.', self._host, self._ground.kind, self._connection.uri)

    def close(self) -> None:
        """Disconnect. The guests go on."""
        self._closed.set()
        self._disks.cache.stop()
        self._connection.close()

    def wait_for_change(self, timeout: float) -> bool:
        """libvirt says when a guest starts or stops."""
        return self._connection.changed.wait(timeout)

    # ------------------------------------------------------------------------ asking

    def inventory(self) -> base.HostInventory:
        """The machine, less what the disks of guests may still grow by."""
        return self._inventory.read(sum(_may_grow(path) for path in self._disks.root.glob('*/*.qcow2')))

    def guests(self) -> dict[str, Power]:
        """All domains that are ours."""
        return self._domains.states()

    def power_state(self, server_uuid: str) -> Power:
        """What its domain does."""
        return self._domains.state(server_uuid)

    def console_output(self, server_uuid: str) -> bytes:
        """The end of the log of serial port 0, over the cut if it was cut lately."""
        if not self._domains.exists(server_uuid):
            raise errors.GuestNotFound(server=server_uuid, host=self._host)
        directory = self._disks.directory(server_uuid)
        now = disks.tail(directory / CONSOLE_LOG, base.CONSOLE_LIMIT)
        if len(now) < base.CONSOLE_LIMIT:
            now = disks.tail(directory / CONSOLE_BEFORE, base.CONSOLE_LIMIT - len(now)) + now
        return now

    # -------------------------------------------------------------------- coming, going

    def spawn(self, spec: base.GuestSpec) -> None:
        """Make what is missing of the guest's files and its domain, and start it."""
        server = spec.server
        if not self._domains.exists(server.uuid):
            disks_ = self._layout(server)
            self._disks.make(spec, disks_)
            self._define(server, disks_)
        self._domains.start(server.uuid)

    def destroy(self, server_uuid: str) -> None:
        """Remove the domain, and then the files."""
        self._domains.undefine(server_uuid)
        self._domains.drop_incoming(server_uuid)
        self._disks.remove(self._disks.directory(server_uuid))
        self._disks.remove(self._disks.aside(server_uuid))

    # ------------------------------------------------------------------------- power

    def power_on(self, server_uuid: str) -> None:
        """Start it, from its memory on disk if it was suspended."""
        self._domains.start(server_uuid)

    def power_off(self, server_uuid: str, grace: float = 0) -> None:
        """Ask for as long as it has grace, then cut the power."""
        if grace > 0 and self._domains.ask_to_stop(server_uuid, grace):
            return
        self._domains.stop(server_uuid)

    def reboot(self, server_uuid: str, hard: bool = True) -> None:
        """A soft one is a shutdown and a start, so that changes to the domain take effect with either."""
        if hard or not self._domains.ask_to_stop(server_uuid, self._conf.libvirt.wait_soft_reboot_seconds):
            self._domains.stop(server_uuid)
        self._domains.start(server_uuid)

    def pause(self, server_uuid: str) -> None:
        """Stop its processors."""
        if self._domains.state(server_uuid) is not Power.PAUSED:
            self._domains.run(server_uuid, lambda domain: domain.suspend() and None)

    def unpause(self, server_uuid: str) -> None:
        """Let them go on."""
        if self._domains.state(server_uuid) is not Power.RUNNING:
            self._domains.run(server_uuid, lambda domain: domain.resume() and None)

    def suspend(self, server_uuid: str) -> None:
        """Write its memory to disk; it will run when it wakes, even if it is paused now."""
        flags = self._connection.lib.VIR_DOMAIN_SAVE_RUNNING
        if self._connection.kind == TEST:
            flags = 0
        if self._domains.state(server_uuid) is not Power.SUSPENDED:
            self._domains.run(server_uuid, lambda domain: domain.managedSave(flags) and None)

    def resume(self, server_uuid: str) -> None:
        """Start it from there."""
        self._domains.start(server_uuid)

    # --------------------------------------------------------------- what the ports share

    def _layout(self, server: Server) -> Layout:
        """The disks that the server has, or is to have."""
        wishes = design.wishes_of(server)
        said = layout.defaults(self._conf, wishes, design.machine_of(self._conf, server, self._ground).machine)
        drive = config_drive.wanted(self._conf, server) or (
            self._is_wired and user_network.needs_config_drive(self._conf, server))
        return layout.layout(server, self._disks.directory(server.uuid), said, drive)

    def _define(self, server: Server, disks_: Layout, before: xml.Element | None = None) -> None:
        """The guest's domain has these disks; devices that ``before`` had stay in their places."""
        # Nobody else chooses ports until those of this guest can be seen.
        with self._defining:
            element = self._describe(server, disks_).element()
            self._domains.define(element if before is None else xml.keep_addresses(element, before))

    def _describe(self, server: Server, disks_: Layout) -> xml.Domain:
        directory = self._disks.directory(server.uuid)
        log = None
        if self._connection.kind != TEST:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            log = str(directory / CONSOLE_LOG)
        wanted = ports.listeners(self._conf, self._domains, server) if self._conf.serial_console.enabled else ()
        return design.domain(self._conf, self._host, server, disks_, self._ground, design.Extras(
            console_log=log, serial_listen=wanted, arguments=self._wires(server, directory), wired=self._is_wired,
            agent_socket=self._connection.agent_socket(server.guest_name)))

    def _wires(self, server: Server, directory: Path) -> list[str]:
        """QEMU's own networks, where they are what connects guests."""
        if not self._is_wired:
            return []
        user_network.write_settings(self._conf, server, directory)
        machine = design.machine_of(self._conf, server, self._ground)
        return user_network.arguments(self._conf, server, directory, 'pcie.0' if machine.is_pcie else 'pci.0',
                                      design.vif_model(design.wishes_of(server)))

    def _watch_consoles(self) -> None:
        """Nobody else keeps a log from filling the disk: a guest may write as fast as it likes."""
        while not self._closed.wait(CONSOLE_LOOK):
            for path in self._disks.root.glob(f'*/{CONSOLE_LOG}'):
                try:
                    cut(path)
                except OSError as error:
                    LOG.warning('The console log %s could not be cut: %s', path, error)


def cut(path: Path, most: int = CONSOLE_MOST) -> None:
    """Empty a log that is too big, and keep its end in another file."""
    if path.stat().st_size <= most:
        return
    with disks.complete(path.with_name(CONSOLE_BEFORE)) as part:
        part.write_bytes(disks.tail(path, base.CONSOLE_LIMIT))
    # QEMU appends, so what it writes next is at the beginning.
    with path.open('r+b') as log:
        log.truncate(0)


def _kind(conf: cfg.ConfigOpts, link: Connection) -> str:
    if link.kind == TEST:
        return design.TEST
    wanted = conf.libvirt.virt_type
    if wanted == 'auto':
        return design.KVM if connection.has_kvm() else design.QEMU
    return str(wanted)


def _may_grow(path: Path) -> int:
    try:
        return max(0, inspection.size_of(path, 'qcow2') - path.stat().st_blocks * 512)
    except (OSError, errors.HypervisorError):
        return 0
