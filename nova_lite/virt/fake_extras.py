# SPDX-License-Identifier: Apache-2.0
"""What the fake hypervisor can do beside running guests: rescues, passwords, crash dumps, counters, consoles.

VNC and serial consoles are real ones. At the address of any other kind nobody listens; a proxy that is sent there finds
nobody.
"""

import abc
import dataclasses
import threading
import time
import zlib
from typing import Any

from oslo_config import cfg

from nova_lite import errors
from nova_lite.model.power import Power
from nova_lite.virt import base, fake_consoles
from nova_lite.virt.fake_consoles import FakeConsoles
from nova_lite.virt.fake_faults import Faults
from nova_lite.virt.fake_store import FakeGuest

OPERATIONS = ('rescue', 'unrescue', 'replace_root', 'set_password', 'crash_dump')

#: First port of each kind of console where nobody listens; guests are spread over as many ports above it.
_PORTS = {'spice-html5': 15900, 'spice-direct': 15900, 'webmks': 35000}
_SPREAD = 9000
_TLS_PORT = 10_000
_STATES = {Power.RUNNING: 'running', Power.PAUSED: 'paused', Power.SHUTDOWN: 'shutdown', Power.CRASHED: 'crashed',
           Power.SUSPENDED: 'suspended'}


_IDLE_NIC = {f'{way}_{what}': 0 for way in ('rx', 'tx') for what in ('octets', 'packets', 'drop', 'errors', 'rate')}


class FakeExtras(base.VolumeRescuePort, base.PasswordPort, base.CrashDumpPort, base.DiagnosticsPort, base.ConsolePort,
                 base.EphemeralPort):
    """The optional ports, on what ``FakeDriver`` keeps."""

    _faults: Faults
    _lock: threading.Lock
    _started: float

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._consoles = FakeConsoles(conf, self._screen)

    @abc.abstractmethod
    def _get(self, server_uuid: str) -> FakeGuest:
        """The guest, or ``errors.GuestNotFound``."""

    @abc.abstractmethod
    def _keep(self, guest: FakeGuest) -> None:
        """Remember the guest as it is now."""

    def rescue(self, spec: base.GuestSpec) -> None:
        """Note down which image the guest runs from."""
        self._faults.meet('rescue', spec.server.uuid)
        with self._lock:
            guest = self._get(spec.server.uuid)
            self._keep(dataclasses.replace(
                guest, power_state=Power.RUNNING, rescue_image=spec.boot_image or '',
                console=(*guest.console, f'Booting from rescue image {spec.boot_image}.')))

    def unrescue(self, server_uuid: str) -> None:
        """Boot from the own disk."""
        self._faults.meet('unrescue', server_uuid)
        with self._lock:
            guest = self._get(server_uuid)
            self._keep(dataclasses.replace(guest, power_state=Power.RUNNING, rescue_image=None, console=(
                *guest.console, 'Booting from the own disk.')))

    def replace_root(self, spec: base.GuestSpec) -> None:
        """Note down the new image, and boot."""
        self._faults.meet('replace_root', spec.server.uuid)
        with self._lock:
            guest = self._get(spec.server.uuid)
            self._keep(dataclasses.replace(guest, power_state=Power.RUNNING, image=spec.boot_image, console=(
                *guest.console, f'Booting from a root disk made of image {spec.boot_image}.')))

    def set_password(self, server_uuid: str, password: str) -> None:
        """Say so on the console; the password itself is kept nowhere."""
        self._faults.meet('set_password', server_uuid)
        self._write(server_uuid, 'The password of the administrator was changed.')

    def crash_dump(self, server_uuid: str) -> None:
        """Say so on the console; the guest lives on."""
        self._faults.meet('crash_dump', server_uuid)
        self._write(server_uuid, 'Uhhuh. NMI received. The kernel dumps itself and goes on.')

    def diagnostics(self, server_uuid: str) -> base.Diagnostics:
        """Counters of a guest that does nothing; only its processor time grows, with the life of this process."""
        with self._lock:
            guest = self._get(server_uuid)
        uptime = int(time.monotonic() - self._started)
        nanoseconds = uptime * 10_000_000
        disk = {'read_bytes': 262144, 'read_requests': 112, 'write_bytes': 0, 'write_requests': 0, 'errors_count': 0}
        counters: dict[str, Any] = {f'cpu{number}_time': nanoseconds for number in range(guest.vcpus)}
        counters |= {'memory': guest.memory_mb * 1024, 'vda_errors': 0, 'vda_read': disk['read_bytes'],
                     'vda_read_req': disk['read_requests'], 'vda_write': 0, 'vda_write_req': 0}
        # Clients know the names of a few drivers; these counters look like those of libvirt.
        return base.Diagnostics(
            state=_STATES.get(Power(guest.power_state), 'pending'), driver='libvirt', hypervisor='fake',
            hypervisor_os='linux', uptime=uptime, memory_maximum=guest.memory_mb, memory_used=0,
            cpus=tuple({'id': number, 'time': nanoseconds, 'utilisation': 1} for number in range(guest.vcpus)),
            disks=(disk,), nics=tuple({'mac_address': mac, **_IDLE_NIC} for mac in guest.interfaces), counters=counters)

    def console(self, server_uuid: str, kind: str) -> base.ConsoleAddress:
        """An address of its own for each guest, the same at each call."""
        with self._lock:
            self._get(server_uuid)
        if kind in fake_consoles.KINDS:
            return self._consoles.address(server_uuid, kind)
        if kind not in _PORTS:
            raise errors.Invalid(reason=f'A fake guest has no console of type {kind}.')
        port = _PORTS[kind] + zlib.crc32(server_uuid.encode()) % _SPREAD
        return base.ConsoleAddress(
            str(self._conf.my_ip), port, port + _TLS_PORT if kind == 'spice-direct' else None)

    def _screen(self, server_uuid: str) -> tuple[str, ...] | None:
        with self._lock:
            try:
                guest = self._get(server_uuid)
            except errors.GuestNotFound:
                return None
        return guest.console if guest.power_state in (Power.RUNNING, Power.PAUSED) else None

    def _write(self, server_uuid: str, line: str) -> None:
        with self._lock:
            guest = self._get(server_uuid)
            self._keep(dataclasses.replace(guest, console=(*guest.console, line)))
