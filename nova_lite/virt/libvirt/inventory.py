# SPDX-License-Identifier: Apache-2.0
"""What a host has, as libvirt and its own kernel tell it."""

import os
from pathlib import Path
from typing import Any

from nova_lite.virt.base import HostInventory
from nova_lite.virt.libvirt import xml
from nova_lite.virt.libvirt.connection import Connection

GIB = 1 << 30
_KIB_IN_MIB = 1024
#: What libvirt calls a feature of a processor that the standard traits call otherwise.
_TRAITS = {'sse4.1': 'SSE41', 'sse4.2': 'SSE42', 'sha-ni': 'SHA', 'pclmuldq': 'CLMUL', 'fma': 'FMA3', 'bmi1': 'BMI'}
_KNOWN = frozenset((
    'aes', 'avx', 'avx2', 'avx512bw', 'avx512cd', 'avx512dq', 'avx512er', 'avx512f', 'avx512pf', 'avx512vl',
    'avx512vnni', 'avx512vbmi', 'avx512ifma', 'avx512vbmi2', 'avx512bitalg', 'vaes', 'vpclmulqdq', 'gfni', 'bmi1',
    'bmi2', 'f16c', 'fma', 'fma4', 'mmx', 'mpx', 'pclmuldq', 'sse', 'sse2', 'sse3', 'ssse3', 'sse4.1', 'sse4.2',
    'sse4a', 'svm', 'vmx', 'tbm', 'xop', 'sha-ni', 'tsx', '3dnow', 'abm'))


class Inventory:
    """Answers the heartbeat; what does not change is asked once."""

    def __init__(self, connection: Connection, directory: Path, kind: str) -> None:
        self._connection = connection
        self._kind = kind
        self._directory = directory
        self._known: dict[str, Any] | None = None

    def read(self, promised_bytes: int) -> HostInventory:
        """The totals; ``promised_bytes`` is what the disks of guests may still grow by."""
        known = self._known or self._ask()
        self._known = known
        space = os.statvfs(self._directory)
        free = space.f_bavail * space.f_frsize - promised_bytes
        return HostInventory(
            hypervisor_hostname=known['hostname'], hypervisor_type=known['type'],
            hypervisor_version=known['version'], vcpus=known['vcpus'], memory_mb=known['memory_mb'],
            local_gb=space.f_blocks * space.f_frsize // GIB, disk_available_least=free // GIB,
            cpu_info=known['cpu_info'], traits=known['traits'], uptime=uptime())

    def _ask(self) -> dict[str, Any]:
        def work(conn: Any) -> tuple[Any, ...]:
            return conn.getHostname(), conn.getType(), conn.getVersion(), conn.getInfo(), conn.getCapabilities()

        hostname, kind, version, info, text = self._connection.run(work)
        capabilities = xml.parse(text)
        cpu_info = describe(capabilities, self._kind)
        return {'hostname': hostname, 'type': kind, 'version': version, 'vcpus': info[2], 'memory_mb': info[1],
                'cpu_info': cpu_info, 'traits': traits(cpu_info['features'])}


def describe(capabilities: xml.Element, kind: str) -> dict[str, Any]:
    """``cpu_info``: the processor, its cells, and what can run on it.

    libvirt's list of what can run names kvm wherever there is a device of that name, so ``kind`` decides.
    """
    cpu = capabilities.find('host/cpu')
    topology = cpu.find('topology') if cpu is not None else None
    return {
        'arch': capabilities.findtext('host/cpu/arch', ''), 'model': capabilities.findtext('host/cpu/model', ''),
        'vendor': capabilities.findtext('host/cpu/vendor', ''),
        'features': sorted(one.get('name', '') for one in capabilities.iterfind('host/cpu/feature')),
        'topology': {name: int(topology.get(name, 1)) for name in ('sockets', 'cores', 'threads')}
        if topology is not None else {},
        'numa': {'cells': [_cell(one) for one in capabilities.iterfind('host/topology/cells/cell')]},
        'supported_instances': sorted([arch.get('name', ''), each, guest.findtext('os_type', 'hvm')]
                                      for guest in capabilities.iterfind('guest') for arch in guest.iterfind('arch')
                                      for each in sorted({kind, 'qemu'}))}


def _cell(cell: xml.Element) -> dict[str, int]:
    cpus = cell.find('cpus')
    return {'vcpus': int(cpus.get('num', 0)) if cpus is not None else 0,
            'memory_mb': int(cell.findtext('memory', '0')) // _KIB_IN_MIB}


def traits(features: list[str]) -> tuple[str, ...]:
    """The standard traits of a processor with these features."""
    return tuple(sorted('HW_CPU_X86_' + _TRAITS.get(name, name.upper()) for name in features if name in _KNOWN))


def uptime(proc: Path = Path('/proc')) -> str | None:
    """What the command of this name would say."""
    try:
        seconds = int(float((proc / 'uptime').read_text().split()[0]))
        load = ', '.join((proc / 'loadavg').read_text().split()[:3])
    except (OSError, ValueError, IndexError):
        return None
    days, rest = divmod(seconds, 24 * 3600)
    hours, minutes = divmod(rest // 60, 60)
    return f'up {days} days, {hours:2}:{minutes:02},  0 users,  load average: {load}'
