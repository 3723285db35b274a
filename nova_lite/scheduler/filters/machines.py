# SPDX-License-Identifier: Apache-2.0
"""What kind of machine an image or a flavor is made for.

Source: "Compute schedulers" and "CPU topologies" in the administrator's guide, "Useful image properties" of the
image service.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from oslo_utils import versionutils

from nova_lite.db.queries.host_rules import Nowhere, Tells, Test
from nova_lite.scheduler.filters.base import FACTS, Filter, Found, View
from nova_lite.scheduler.request import HostState, Request

# Property of an image → its former name.
ARCHITECTURE, HYPERVISOR, MODE, VERSION = (
    'hw_architecture', 'img_hv_type', 'hw_vm_mode', 'img_hv_requested_version')
_FORMER = {ARCHITECTURE: 'architecture', HYPERVISOR: 'hypervisor_type', MODE: 'vm_mode',
           VERSION: 'hypervisor_version_requires'}
_SAME = {'amd64': 'x86_64', 'x86-64': 'x86_64', 'x64': 'x86_64', 'i386': 'i686', 'i486': 'i686', 'i586': 'i686',
         'x86': 'i686', 'arm64': 'aarch64', 'xapi': 'xen', 'pv': 'xen', 'hv': 'hvm'}
#: Entry of ``cpu_info`` that lists [architecture, hypervisor, mode] of what a host can run.
SUPPORTED = 'supported_instances'
#: Entry of ``cpu_info`` that tells of NUMA cells.
NUMA = 'numa'


def _property(request: Request, name: str) -> str | None:
    properties = request.image_properties
    value = properties.get(name) or properties.get(_FORMER[name])
    return str(value).lower() if value else None


def _plain(word: str | None) -> str | None:
    return None if word is None else _SAME.get(word, word)


def _kind(request: Request) -> tuple[str | None, ...]:
    return tuple(_plain(_property(request, name)) for name in (ARCHITECTURE, HYPERVISOR, MODE))


def supported(facts: Mapping[str, Any]) -> list[tuple[str | None, ...]]:
    """(architecture, hypervisor, mode) of all that a host can run."""
    info = facts['cpu_info'] or {}
    kinds = info.get(SUPPORTED) or [(info.get('arch'), facts['hypervisor_type'], 'hvm')]
    return [tuple(_plain(str(word).lower()) for word in kind) for kind in kinds]


def image_properties(host: HostState, request: Request, view: View) -> Found:
    """The host can run what the image was made for."""
    wanted, kinds = _kind(request), supported(host.facts)
    if not any(all(want in (None, had) for want, had in zip(wanted, kind, strict=True)) for kind in kinds):
        return ('a host for ' + '/'.join(word or 'any' for word in wanted),
                ', '.join('/'.join(map(str, kind)) for kind in kinds))
    return _version(_property(request, VERSION), host.facts['hypervisor_version'])


def _version(wanted: str | None, number: int) -> Found:
    if wanted is None:
        return None
    had = versionutils.convert_version_to_str(number)
    try:
        fits = versionutils.VersionPredicate(wanted).satisfied_by(had)
    except ValueError:
        return 'a version that can be understood', wanted
    return None if fits else (f'hypervisor version {wanted}', had)


def _architectures(request: Request, view: View) -> Iterable[tuple[object, Test]]:
    """Hosts that tell another architecture need not be read."""
    wanted = _plain(_property(request, ARCHITECTURE))
    if wanted is not None:
        words = [wanted, *(word for word, same in _SAME.items() if same == wanted)]
        yield f'a host for {wanted}', Tells('cpu_info', (f'"{SUPPORTED}":', *(f'"arch":"{word}"' for word in words)))


def _is_particular(request: Request, view: View) -> bool:
    return any(_property(request, name) for name in _FORMER)


# ---------------------------------------------------------------- NUMA

def _wish(request: Request, name: str) -> str | None:
    value = request.extra_specs.get('hw:' + name) or request.image_properties.get('hw_' + name)
    return None if value is None else str(value)


def _wants_cells(request: Request, view: View) -> bool:
    return any(_wish(request, name) for name in ('numa_nodes', 'mem_page_size')) or (
        _wish(request, 'cpu_policy') in ('dedicated', 'mixed'))


def numa_topology(host: HostState, request: Request, view: View) -> Found:
    """Each NUMA node of the guest has a cell of the host that is large enough, and pages and processors to match.

    It looks at what cells have, not at what other servers use of them: no driver keeps them apart yet.
    """
    numa = (host.facts['cpu_info'] or {}).get(NUMA) or {}
    if _wish(request, 'cpu_policy') in ('dedicated', 'mixed') and not numa.get('dedicated'):
        return 'dedicated processors', 'none'
    pages = _wish(request, 'mem_page_size')
    if pages and pages not in ('small', 'any') and pages not in numa.get('page_sizes', ()):
        return f'memory pages of size {pages}', 'none'
    try:
        nodes = _nodes(request)
    except ValueError:
        return 'a NUMA topology that can be understood', 'another'
    cells = [(cell['vcpus'], cell['memory_mb']) for cell in numa.get('cells', ())]
    if len(cells) < len(nodes):
        return f'{len(nodes)} NUMA cells', len(cells)
    for vcpus, memory in sorted(nodes, reverse=True):
        fitting = [cell for cell in cells if cell[0] >= vcpus and cell[1] >= memory]
        if not fitting:
            return f'a NUMA cell of {vcpus} vCPUs and {memory} MiB', ', '.join('%d and %d' % cell for cell in cells)
        cells.remove(min(fitting))
    return None


def _nodes(request: Request) -> list[tuple[int, int]]:
    """vCPUs and memory of each NUMA node of the guest."""
    count = max(1, int(_wish(request, 'numa_nodes') or 1))
    return [(_cpus(_wish(request, f'numa_cpus.{node}')) or -(-request.vcpus // count),
             int(_wish(request, f'numa_mem.{node}') or -(-request.memory_mb // count))) for node in range(count)]


def _cpus(text: str | None) -> int:
    """How many processors a list such as ``0-3,^2,5`` names."""
    named: dict[bool, set[int]] = {True: set(), False: set()}
    for part in (text or '').split(','):
        word = part.strip()
        if word:
            first, dash, last = word.lstrip('^').partition('-')
            named[not word.startswith('^')].update(range(int(first), int(last if dash else first) + 1))
    return len(named[True] - named[False])


# ---------------------------------------------------------------- PCI

PCI = 'pci_passthrough:alias'


def _wants_devices(request: Request, view: View) -> bool:
    return bool(request.extra_specs.get(PCI))


def pci_devices(request: Request, view: View) -> Iterable[tuple[object, Test]]:
    """The host has the devices to give; no driver reports any yet."""
    yield f'PCI devices {request.extra_specs[PCI]}', Nowhere()


FILTERS: dict[str, Filter] = {
    'ImagePropertiesFilter': Filter(image_properties, _architectures, _is_particular, frozenset((FACTS,))),
    'NUMATopologyFilter': Filter(numa_topology, applies=_wants_cells, needs=frozenset((FACTS,))),
    'PciPassthroughFilter': Filter(rules=pci_devices, applies=_wants_devices),
}
