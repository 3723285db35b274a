# SPDX-License-Identifier: Apache-2.0
"""What guests can do beside running: answer questions, dump themselves, take a password, show a console."""

import contextlib
from collections.abc import Iterator
from typing import Any

from oslo_config import cfg

from nova_lite import errors
from nova_lite.model.power import Power
from nova_lite.virt import base
from nova_lite.virt.libvirt import interfaces, xml
from nova_lite.virt.libvirt.connection import Connection
from nova_lite.virt.libvirt.domains import Domains

_STATES = {Power.RUNNING: 'running', Power.PAUSED: 'paused', Power.SHUTDOWN: 'shutdown', Power.CRASHED: 'crashed',
           Power.SUSPENDED: 'suspended'}
_DISK = ('read_requests', 'read_bytes', 'write_requests', 'write_bytes', 'errors_count')
_NIC = tuple(f'{way}_{what}' for way in ('rx', 'tx') for what in ('octets', 'packets', 'errors', 'drop'))
_SECOND = 10 ** 9


class LibvirtExtras(base.PasswordPort, base.CrashDumpPort, base.DiagnosticsPort, base.ConsolePort):
    """The ports for them."""

    _conf: cfg.ConfigOpts
    _connection: Connection
    _domains: Domains

    def set_password(self, server_uuid: str, password: str) -> None:
        """Have the agent in the guest do it."""
        who = self._domains.description(server_uuid).find(f'metadata/{{{xml.GUEST_NS}}}guest')
        user = (who.get('admin') if who is not None else None) or 'root'
        self._domains.run(server_uuid, lambda domain: domain.setUserPassword(user, password, 0) and None)

    def crash_dump(self, server_uuid: str) -> None:
        """Send an interrupt that cannot be masked; what the guest makes of it is its own business."""
        self._domains.run(server_uuid, lambda domain: domain.injectNMI(0) and None)

    def console(self, server_uuid: str, kind: str) -> base.ConsoleAddress:
        """Where its domain listens."""
        domain = self._domains.description(server_uuid)
        if kind == 'novnc' and self._conf.vnc.enabled:
            graphics = domain.find("devices/graphics[@type='vnc']")
            port = int(graphics.get('port', '-1')) if graphics is not None else -1
            host = self._conf.vnc.server_proxyclient_address
        elif kind == 'serial' and self._conf.serial_console.enabled:
            source = domain.find("devices/serial[@type='tcp']/source")
            port = int(source.get('service', '-1')) if source is not None else -1
            host = self._conf.serial_console.proxyclient_address
        else:
            raise errors.Invalid(reason=f'A guest of this host has no console of type {kind}.')
        if port < 0:
            raise errors.Conflict(reason=f'Server {server_uuid} has no console of type {kind} while it does not run.')
        return base.ConsoleAddress(host, port)

    def diagnostics(self, server_uuid: str) -> base.Diagnostics:
        """The counters of its domain."""
        state = self._domains.state(server_uuid)
        counted: dict[str, Any] = self._domains.run(server_uuid, self._count)
        domain = counted.pop('domain')
        disks, nics = dict(_disks(domain, counted)), list(_nics(domain, counted))
        counters = {**{f'cpu{number}_time': spent for number, spent in enumerate(counted['cpus'])},
                    **{f'memory-{name}' if name != 'actual' else 'memory': value
                       for name, value in counted['memory'].items()},
                    **{f'{target}_{word}': disk[name] for target, disk in disks.items() for name, word in (
                        ('read_bytes', 'read'), ('read_requests', 'read_req'), ('write_bytes', 'write'),
                        ('write_requests', 'write_req'), ('errors_count', 'errors'))}}
        used = counted['memory'].get('available', 0) - counted['memory'].get('unused', 0)
        return base.Diagnostics(
            state=_STATES.get(state, 'pending'), driver='libvirt', hypervisor=domain.get('type'), hypervisor_os='linux',
            uptime=counted['uptime'], memory_maximum=counted['maximum'] // 1024,
            memory_used=used // 1024 if used > 0 else None,
            cpus=tuple({'id': number, 'time': spent, 'utilisation': None}
                       for number, spent in enumerate(counted['cpus'])),
            disks=tuple(disks.values()), nics=tuple(nics), counters=counters)

    def _count(self, domain: Any) -> dict[str, Any]:
        """All that libvirt knows, in a native thread; what a guest that is off cannot say is left out."""
        found: dict[str, Any] = {'cpus': [], 'memory': {}, 'disks': {}, 'nics': {}, 'uptime': None}
        found['domain'] = description = xml.parse(domain.XMLDesc(0))
        # What was an argument of QEMU stays one until the next start, even if the card is out.
        lasting = xml.parse(domain.XMLDesc(self._connection.lib.VIR_DOMAIN_XML_INACTIVE))
        found['wired'] = interfaces.wired(lasting)
        found['maximum'] = domain.maxMemory()
        if not domain.isActive():
            return found
        with self._allowing():
            found['cpus'] = [one[2] for one in domain.vcpus()[0]]
        with self._allowing():
            found['memory'] = domain.memoryStats()
        with self._allowing():
            found['uptime'] = self._uptime(domain)
        for target in xml.disks(description):
            with self._allowing():
                found['disks'][target] = domain.blockStats(target)
        for mac, one in xml.interfaces(description).items():
            device = one.find('target')
            if device is not None:
                with self._allowing():
                    found['nics'][mac] = domain.interfaceStats(device.get('dev'))
        return found

    @staticmethod
    def _uptime(domain: Any) -> int:
        """Processor time is the only clock of a guest that libvirt has, for one without an agent."""
        return int(domain.getCPUStats(True)[0]['cpu_time'] // _SECOND)

    @contextlib.contextmanager
    def _allowing(self) -> Iterator[None]:
        """Not every hypervisor counts everything."""
        with self._connection.ignoring(
                'VIR_ERR_NO_SUPPORT', 'VIR_ERR_OPERATION_UNSUPPORTED', 'VIR_ERR_OPERATION_INVALID',
                'VIR_ERR_INTERNAL_ERROR', 'VIR_ERR_ARGUMENT_UNSUPPORTED', 'VIR_ERR_CONFIG_UNSUPPORTED',
                'VIR_ERR_INVALID_ARG'):
            yield


def _disks(domain: xml.Element, counted: dict[str, Any]) -> Iterator[tuple[str, dict[str, int]]]:
    for target in xml.disks(domain):
        values = counted['disks'].get(target) or (0,) * len(_DISK)
        yield target, {name: max(0, value) for name, value in zip(_DISK, values, strict=True)}


def _nics(domain: xml.Element, counted: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for mac in (*counted['wired'], *xml.interfaces(domain)):
        values = counted['nics'].get(mac) or (0,) * len(_NIC)
        yield {'mac_address': mac, **dict(zip(_NIC, values, strict=True)), 'rx_rate': None, 'tx_rate': None}
