# SPDX-License-Identifier: Apache-2.0
"""A hypervisor that only pretends: the default of a laptop, and the bench for scale and fault tests.

It keeps what it is told across restarts, costs next to nothing per host (one process can stand for
thousands) and per guest, and is slow or fails when ``[fake]`` says so.
"""

import dataclasses
import datetime
import logging
import pathlib
import threading
import time
import urllib.parse
from typing import Any

from oslo_config import cfg

from nova_lite import errors
from nova_lite.model import moves
from nova_lite.model.power import Power
from nova_lite.virt import base, fake_extras, fake_interfaces, fake_moves, fake_volumes
from nova_lite.virt.fake_faults import Faults
from nova_lite.virt.fake_store import FakeGuest, GuestStore

LOG = logging.getLogger(__name__)

#: Lines of console kept for each guest.
CONSOLE_LINES = 200

OPERATIONS = frozenset((
    'spawn', 'destroy', 'power_on', 'power_off', 'reboot', 'snapshot',
    'pause', 'unpause', 'suspend', 'resume', *fake_extras.OPERATIONS, *fake_interfaces.OPERATIONS,
    *fake_moves.OPERATIONS, *fake_volumes.OPERATIONS))


class FakeDriver(fake_extras.FakeExtras, fake_interfaces.FakeInterfaces, fake_moves.FakeMoves,
                 fake_volumes.FakeVolumes, base.Driver, base.SnapshotPort, base.PausePort, base.SuspendPort):
    """One fake host."""

    def __init__(self, conf: cfg.ConfigOpts, host: str, images: base.ImageSource | None = None) -> None:
        fake_extras.FakeExtras.__init__(self, conf)
        fake_moves.FakeMoves.__init__(self)
        self._host = host
        self._size = conf.fake
        self._faults = Faults(conf.fake.delay, conf.fake.fail_at, OPERATIONS)
        self._store = GuestStore(
            pathlib.Path(conf.state_path, 'fake', urllib.parse.quote(host, safe='')))
        self._guests: dict[str, FakeGuest] = {}
        self._started = time.monotonic()
        # Held while a guest is read, changed and written; never while an operation takes its time.
        self._lock = threading.Lock()

    def start(self) -> None:
        """Read the guests that an earlier process left."""
        with self._lock:
            self._guests = self._store.load()
            self._aside = self._store.load_aside()
        if self._guests:
            LOG.info('Fake host %s has %d guests from before.', self._host, len(self._guests))

    def close(self) -> None:
        """Nothing but consoles is open."""
        self._consoles.close()

    def inventory(self) -> base.HostInventory:
        """The size that ``[fake]`` gives to each host."""
        with self._lock:
            disk_used = sum(guest.disk_gb for guest in (*self._guests.values(), *self._aside.values()))
        return base.HostInventory(
            hypervisor_hostname=self._host,
            hypervisor_type='fake',
            hypervisor_version=1000,
            vcpus=self._size.vcpus,
            memory_mb=self._size.memory_mb,
            local_gb=self._size.disk_gb,
            disk_available_least=self._size.disk_gb - disk_used,
            cpu_info={
                'arch': 'x86_64', 'model': 'fake', 'vendor': 'nova-lite', 'features': [],
                'topology': {'sockets': 1, 'cores': self._size.vcpus, 'threads': 1}, **self._numa()},
            traits=tuple(self._size.traits),
            uptime=_uptime(time.monotonic() - self._started))

    def _numa(self) -> dict[str, Any]:
        cells = self._size.numa_cells
        cell = {'vcpus': self._size.vcpus // max(1, cells), 'memory_mb': self._size.memory_mb // max(1, cells)}
        return {'numa': {'cells': [cell] * cells}} if cells else {}

    def guests(self) -> dict[str, Power]:
        """All guests, from memory."""
        with self._lock:
            return {guest.uuid: Power(guest.power_state) for guest in self._guests.values()}

    def power_state(self, server_uuid: str) -> Power:
        """What the guest was last told to be."""
        guest = self._guests.get(server_uuid)
        return Power(guest.power_state) if guest else Power.NOSTATE

    def spawn(self, spec: base.GuestSpec) -> None:
        """Note the guest down, with a first boot in its console."""
        server, flavor = spec.server, spec.server.flavor
        self._faults.meet('spawn', server.uuid)
        with self._lock:
            guest = self._guests.get(server.uuid) or FakeGuest(
                uuid=server.uuid, name=server.name, power_state=Power.SHUTDOWN,
                vcpus=flavor['vcpus'], memory_mb=flavor['ram'],
                disk_gb=moves.host_disk(flavor), image=spec.boot_image,
                disks=fake_volumes.disks(server.block_devices), interfaces=fake_interfaces.macs_of(server))
            self._keep(_running(guest))

    def destroy(self, server_uuid: str) -> None:
        """Forget the guest."""
        self._faults.meet('destroy', server_uuid)
        with self._lock:
            self._store.drop(server_uuid)
            self._guests.pop(server_uuid, None)
            self._drop_aside(server_uuid)
        self._consoles.close(server_uuid)

    def power_on(self, server_uuid: str) -> None:
        """Boot the guest, unless it runs."""
        self._faults.meet('power_on', server_uuid)
        with self._lock:
            self._keep(_running(self._get(server_uuid)))

    def power_off(self, server_uuid: str, grace: float = 0) -> None:
        """Shut the guest down; a fake one does not need its grace."""
        self._set_state('power_off', server_uuid, Power.SHUTDOWN, 'System halted.')

    def reboot(self, server_uuid: str, hard: bool = True) -> None:
        """Boot the guest again."""
        self._faults.meet('reboot', server_uuid)
        with self._lock:
            guest = self._get(server_uuid)
            console = (*guest.console, 'Reset.' if hard else 'Restarting system.')
            halted = dataclasses.replace(guest, power_state=Power.SHUTDOWN, console=console)
            self._keep(_running(halted))

    def console_output(self, server_uuid: str) -> bytes:
        """The lines that the guest's boots and stops left."""
        with self._lock:
            lines = self._get(server_uuid).console
        text = ''.join(line + '\n' for line in lines)
        return text.encode()[-base.CONSOLE_LIMIT:]

    def snapshot(self, server_uuid: str, path: pathlib.Path) -> base.Snapshot:
        """Write a few bytes that name the guest and the moment."""
        self._faults.meet('snapshot', server_uuid)
        with self._lock:
            guest = self._get(server_uuid)
        content = f'nova-lite fake disk of {guest.name} ({guest.uuid}) at {_now()}\n'.encode()
        path.write_bytes(content)
        return base.Snapshot(path, 'raw', len(content))

    def pause(self, server_uuid: str) -> None:
        """Mark the guest paused."""
        self._set_state('pause', server_uuid, Power.PAUSED, 'Paused.')

    def unpause(self, server_uuid: str) -> None:
        """Mark the guest running."""
        self._set_state('unpause', server_uuid, Power.RUNNING, 'Unpaused.')

    def suspend(self, server_uuid: str) -> None:
        """Mark the guest suspended."""
        self._set_state('suspend', server_uuid, Power.SUSPENDED, 'Suspended.')

    def resume(self, server_uuid: str) -> None:
        """Mark the guest running."""
        self._set_state('resume', server_uuid, Power.RUNNING, 'Resumed.')

    def _set_state(self, operation: str, server_uuid: str, state: Power, line: str) -> None:
        self._faults.meet(operation, server_uuid)
        with self._lock:
            guest = self._get(server_uuid)
            if guest.power_state != state:
                self._keep(dataclasses.replace(
                    guest, power_state=state, console=(*guest.console, f'[{_now()}] {line}')))

    def _get(self, server_uuid: str) -> FakeGuest:
        guest = self._guests.get(server_uuid)
        if guest is None:
            raise errors.GuestNotFound(server=server_uuid, host=self._host)
        return guest

    def _boot(self, guest: FakeGuest) -> FakeGuest:
        return _running(guest)

    def _keep(self, guest: FakeGuest) -> None:
        guest = dataclasses.replace(guest, console=guest.console[-CONSOLE_LINES:])
        if guest != self._guests.get(guest.uuid):
            self._store.put(guest)
            self._guests[guest.uuid] = guest


def _running(guest: FakeGuest) -> FakeGuest:
    if guest.power_state == Power.RUNNING:
        return guest
    boot = (
        f'[{_now()}] nova-lite fake hypervisor: booting {guest.name} ({guest.uuid})',
        f'[    0.000000] {guest.vcpus} CPU, {guest.memory_mb} MiB of memory, {guest.disk_gb} GiB of disk',
        f'[    0.100000] Hostname is {guest.name}',
        '[    0.200000] Nothing runs in here; everything answers.',
        f'{guest.name} login:')
    return dataclasses.replace(guest, power_state=Power.RUNNING, console=(*guest.console, *boot))


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds')


def _uptime(seconds: float) -> str:
    days, rest = divmod(int(seconds), 24 * 3600)
    hours, minutes = divmod(rest // 60, 60)
    return f'up {days} days, {hours:2}:{minutes:02}'
