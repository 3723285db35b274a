# SPDX-License-Identifier: Apache-2.0
"""A guest as libvirt's XML, made of typed parts and never of strings.

Every part knows its own element.  Which parts a guest has is decided in ``design``; here nothing is decided, and
nothing of libvirt or of this host is asked.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from xml.etree import ElementTree as ET

#: Marks the domains that are guests of ours, and says of which host.
GUEST_NS = 'urn:nova-lite:guest:1'
#: What tools that read Nova's domains look for.
NOVA_NS = 'http://openstack.org/xmlns/libvirt/nova/1.1'
QEMU_NS = 'http://libvirt.org/schemas/domain/qemu/1.0'

ET.register_namespace('guest', GUEST_NS)
ET.register_namespace('nova', NOVA_NS)
ET.register_namespace('qemu', QEMU_NS)

AGENT = 'org.qemu.guest_agent.0'

# XML has no way to say these, escaped or not.
_NOT_XML = re.compile('[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]')

Element = ET.Element


class Part(Protocol):
    """Whatever stands among the devices of a guest."""

    def element(self) -> Element:
        """Its XML."""


def clean(text: str) -> str:
    """The text without what XML cannot say."""
    return _NOT_XML.sub('\ufffd', text)


def make(tag: str, text: object = None, attributes: Mapping[str, object] | None = None,
         children: Iterable[Element | None] = ()) -> Element:
    """An element; attributes that are None and children that are None are left out."""
    element = Element(tag, {name: clean(str(value)) for name, value in (attributes or {}).items() if value is not None})
    if text is not None:
        element.text = clean(str(text))
    element.extend(child for child in children if child is not None)
    return element


def on_off(value: bool | None) -> str | None:
    """libvirt's word for it."""
    return None if value is None else 'on' if value else 'off'


def render(element: Element) -> str:
    """The text that libvirt takes."""
    return ET.tostring(element, encoding='unicode')


def parse(text: str) -> Element:
    """An element from what libvirt says."""
    return ET.fromstring(text)


# ----------------------------------------------------------------------- machine

@dataclass(frozen=True)
class Boot:
    """What the machine is, and by what it starts."""

    arch: str
    machine: str | None = None
    firmware: str | None = None            # efi
    secure: bool = False
    menu: bool = False
    mode: str = 'hvm'

    def element(self) -> Element:
        """The element ``os``."""
        secure = [make('feature', attributes={'enabled': 'yes' if self.secure else 'no', 'name': name})
                  for name in ('secure-boot', 'enrolled-keys')]
        return make('os', attributes={'firmware': self.firmware}, children=(
            make('type', self.mode, {'arch': self.arch, 'machine': self.machine}),
            make('firmware', children=secure) if self.firmware and self.secure else None,
            make('loader', attributes={'secure': 'yes'}) if self.firmware and self.secure else None,
            make('bootmenu', attributes={'enable': 'yes'}) if self.menu else None,
        ))


@dataclass(frozen=True)
class Topology:
    """How the processors of a guest are arranged."""

    sockets: int
    cores: int = 1
    threads: int = 1


@dataclass(frozen=True)
class Cpu:
    """The processor that a guest sees; without a mode it is the hypervisor's plainest."""

    mode: str | None = None
    model: str | None = None
    features: Sequence[tuple[str, str]] = ()         # (require or disable, name)
    topology: Topology | None = None

    def element(self) -> Element | None:
        """The element ``cpu``, None if nothing is said."""
        if self.mode is None and self.topology is None:
            return None
        topology = self.topology
        migratable = 'off' if self.mode == 'host-passthrough' else None
        return make('cpu', attributes={'mode': self.mode, 'match': 'exact' if self.mode == 'custom' else None,
                                       'check': 'none' if self.mode in ('host-passthrough', 'maximum') else None,
                                       'migratable': migratable}, children=(
            make('model', self.model) if self.model else None,
            make('topology', attributes={'sockets': topology.sockets, 'dies': 1, 'cores': topology.cores,
                                         'threads': topology.threads}) if topology else None,
            *(make('feature', attributes={'policy': policy, 'name': name}) for policy, name in self.features)))


@dataclass(frozen=True)
class Features:
    """What the machine has beside its devices."""

    acpi: bool = True
    apic: bool = False
    pae: bool = False
    hyperv: bool = False
    hide_kvm: bool = False
    pmu: bool | None = None
    smm: bool = False
    tb_cache_mib: int | None = None

    def element(self) -> Element:
        """The element ``features``."""
        hyperv: tuple[tuple[str, dict[str, object]], ...] = (
            ('relaxed', {}), ('vapic', {}), ('spinlocks', {'retries': 8191}), ('vpindex', {}),
            ('runtime', {}), ('synic', {}), ('reset', {}), ('frequencies', {}))
        return make('features', children=(
            make('acpi') if self.acpi else None,
            make('apic') if self.apic else None,
            make('pae') if self.pae else None,
            make('hyperv', children=[make(name, attributes={'state': 'on', **more}) for name, more in hyperv])
            if self.hyperv else None,
            make('kvm', children=[make('hidden', attributes={'state': 'on'})]) if self.hide_kvm else None,
            make('pmu', attributes={'state': on_off(self.pmu)}) if self.pmu is not None else None,
            make('smm', attributes={'state': 'on'}) if self.smm else None,
            make('tcg', children=[make('tb-cache', self.tb_cache_mib, {'unit': 'MiB'})])
            if self.tb_cache_mib else None))


@dataclass(frozen=True)
class Clock:
    """What time a guest finds, and its timers: (name, further attributes)."""

    offset: str = 'utc'
    timers: Sequence[tuple[str, Mapping[str, str]]] = ()

    def element(self) -> Element:
        """The element ``clock``."""
        return make('clock', attributes={'offset': self.offset}, children=[
            make('timer', attributes={'name': name, **more}) for name, more in self.timers])


# ------------------------------------------------------------------------- disks

@dataclass(frozen=True)
class Disk:
    """A disk in a file or on a block device; ``limits`` are those of ``iotune``, by their names there."""

    path: str
    target: str
    bus: str = 'virtio'
    disk_format: str = 'raw'
    device: str = 'disk'
    block: bool = False
    boot_order: int | None = None
    serial: str | None = None
    cache: str | None = None
    discard: str | None = None
    readonly: bool = False
    shareable: bool = False
    alias: str | None = None
    limits: Mapping[str, int] = field(default_factory=dict)

    def element(self) -> Element:
        """The element ``disk``."""
        alias = f'ua-{self.alias}' if self.alias else None
        return make('disk', attributes={'type': 'block' if self.block else 'file', 'device': self.device}, children=(
            make('driver', attributes={'name': 'qemu', 'type': self.disk_format, 'cache': self.cache,
                                       'discard': self.discard}),
            make('source', attributes={'dev' if self.block else 'file': self.path}),
            make('target', attributes={'dev': self.target, 'bus': self.bus}),
            make('iotune', children=[make(name, value) for name, value in self.limits.items()])
            if self.limits else None,
            make('serial', self.serial) if self.serial else None,
            make('boot', attributes={'order': self.boot_order}) if self.boot_order else None,
            make('readonly') if self.readonly or self.device == 'cdrom' else None,
            make('shareable') if self.shareable else None,
            make('alias', attributes={'name': alias}) if alias else None))


# -------------------------------------------------------------------- interfaces

@dataclass(frozen=True)
class Interface:
    """A network card; ``kind`` says what is at the other end of the wire."""

    mac: str
    model: str = 'virtio'
    kind: str = 'user'                      # user, bridge, ethernet, network
    source: str | None = None
    target: str | None = None
    mtu: int | None = None
    queues: int | None = None
    limits: Mapping[str, Mapping[str, int]] = field(default_factory=dict)      # inbound, outbound
    alias: str | None = None

    def element(self) -> Element:
        """The element ``interface``."""
        source = {'bridge': 'bridge', 'network': 'network'}.get(self.kind)
        managed = 'no' if self.kind == 'ethernet' else None
        return make('interface', attributes={'type': self.kind}, children=(
            make('mac', attributes={'address': self.mac}),
            make('source', attributes={source: self.source}) if source else None,
            make('target', attributes={'dev': self.target, 'managed': managed}) if self.target else None,
            make('model', attributes={'type': self.model}),
            make('driver', attributes={'queues': self.queues}) if self.queues else None,
            make('bandwidth', children=[make(way, attributes=values) for way, values in self.limits.items()])
            if self.limits else None,
            make('mtu', attributes={'size': self.mtu}) if self.mtu and self.kind != 'user' else None,
            make('alias', attributes={'name': f'ua-{self.alias}'}) if self.alias else None))


# ----------------------------------------------------------------- other devices

@dataclass(frozen=True)
class Serial:
    """A serial port, always with its number; what the guest writes also goes to ``log``."""

    port: int
    log: str | None = None
    listen: tuple[str, int] | None = None

    def element(self) -> Element:
        """The element ``serial``."""
        host, port = self.listen or (None, None)
        return make('serial', attributes={'type': 'tcp' if self.listen else 'pty'}, children=(
            make('source', attributes={'mode': 'bind', 'host': host, 'service': port}) if self.listen else None,
            make('protocol', attributes={'type': 'raw'}) if self.listen else None,
            # Without it the file would be begun anew at each start, and a hole appear where it was cut.
            make('log', attributes={'file': self.log, 'append': 'on'}) if self.log else None,
            make('target', attributes={'port': self.port})))


@dataclass(frozen=True)
class Graphics:
    """A VNC screen on a port that libvirt chooses."""

    listen: str

    def element(self) -> Element:
        """The element ``graphics``."""
        return make('graphics', attributes={'type': 'vnc', 'autoport': 'yes', 'listen': self.listen}, children=[
            make('listen', attributes={'type': 'address', 'address': self.listen})])


@dataclass(frozen=True)
class Video:
    """A graphics card; ``vram`` is KiB."""

    model: str
    vram: int | None = None

    def element(self) -> Element:
        """The element ``video``."""
        return make('video', children=[make('model', attributes={'type': self.model, 'vram': self.vram})])


@dataclass(frozen=True)
class Controller:
    """A controller that is not there by itself."""

    kind: str
    index: int
    model: str

    def element(self) -> Element:
        """The element ``controller``."""
        return make('controller', attributes={'type': self.kind, 'index': self.index, 'model': self.model})


@dataclass(frozen=True)
class Rng:
    """Random numbers for the guest: at most ``rate_bytes`` in ``rate_period`` milliseconds."""

    path: str
    rate_bytes: int | None = None
    rate_period: int | None = None

    def element(self) -> Element:
        """The element ``rng``."""
        return make('rng', attributes={'model': 'virtio'}, children=(
            make('rate', attributes={'bytes': self.rate_bytes, 'period': self.rate_period})
            if self.rate_bytes else None,
            make('backend', self.path, {'model': 'random'})))


@dataclass(frozen=True)
class Balloon:
    """Memory that the guest can be asked to give back; it tells its use every ``period`` seconds."""

    model: str = 'virtio'
    period: int | None = None

    def element(self) -> Element:
        """The element ``memballoon``."""
        return make('memballoon', attributes={'model': self.model}, children=[
            make('stats', attributes={'period': self.period}) if self.period else None])


@dataclass(frozen=True)
class Watchdog:
    """What happens to a guest that does not say often enough that it lives."""

    action: str
    model: str = 'i6300esb'

    def element(self) -> Element:
        """The element ``watchdog``."""
        return make('watchdog', attributes={'model': self.model, 'action': self.action})


@dataclass(frozen=True)
class Channel:
    """The wire to an agent in the guest; its socket is at ``path``, or where libvirt likes it."""

    path: str | None = None
    name: str = AGENT

    def element(self) -> Element:
        """The element ``channel``."""
        return make('channel', attributes={'type': 'unix'}, children=[
            make('source', attributes={'mode': 'bind', 'path': self.path}),
            make('target', attributes={'type': 'virtio', 'name': self.name})])


@dataclass(frozen=True)
class Simple:
    """A device that is told by its attributes alone: an input, a sound card, a TPM's model."""

    tag: str
    attributes: Mapping[str, str]

    def element(self) -> Element:
        """The element."""
        return make(self.tag, attributes=self.attributes)


@dataclass(frozen=True)
class Tpm:
    """A TPM that a program plays."""

    model: str
    version: str

    def element(self) -> Element:
        """The element ``tpm``."""
        return make('tpm', attributes={'model': self.model}, children=[
            make('backend', attributes={'type': 'emulator', 'version': self.version})])


# ------------------------------------------------------------------------ domain

@dataclass(frozen=True)
class Domain:
    """A whole guest. Memory in MiB; ``tune`` are the children of ``cputune``, ``arguments`` are QEMU's own."""

    kind: str                               # kvm, qemu, test
    name: str
    uuid: str
    memory_mib: int
    vcpus: int
    boot: Boot
    cpu: Cpu = Cpu()
    features: Features = Features()
    clock: Clock = Clock()
    tune: Mapping[str, int] = field(default_factory=dict)
    huge_pages_kib: int | None = None
    metadata: Sequence[Element] = ()
    devices: Sequence[Part] = ()
    arguments: Sequence[str] = ()

    def element(self) -> Element:
        """The element ``domain``."""
        pages = self.huge_pages_kib
        return make('domain', attributes={'type': self.kind}, children=(
            make('name', self.name),
            make('uuid', self.uuid),
            make('metadata', children=self.metadata) if self.metadata else None,
            make('memory', self.memory_mib, {'unit': 'MiB'}),
            make('memoryBacking', children=[make('hugepages', children=[
                make('page', attributes={'size': pages, 'unit': 'KiB'})])]) if pages else None,
            make('vcpu', self.vcpus, {'placement': 'static'}),
            make('cputune', children=[make(name, value) for name, value in self.tune.items()]) if self.tune else None,
            self.boot.element(),
            self.features.element(),
            self.cpu.element(),
            self.clock.element(),
            make('on_poweroff', 'destroy'), make('on_reboot', 'restart'), make('on_crash', 'destroy'),
            make('devices', children=[device.element() for device in self.devices]),
            make(f'{{{QEMU_NS}}}commandline', children=[
                make(f'{{{QEMU_NS}}}arg', attributes={'value': argument}) for argument in self.arguments])
            if self.arguments else None))

    def text(self) -> str:
        """The text that libvirt takes."""
        return render(self.element())


# ----------------------------------------------------------- what libvirt has said

def disks(domain: Element) -> dict[str, Element]:
    """The disks of a domain by their targets."""
    return {target.get('dev', ''): disk for disk in domain.iterfind('devices/disk')
            if (target := disk.find('target')) is not None}


def interfaces(domain: Element) -> dict[str, Element]:
    """The interfaces of a domain by their MAC addresses."""
    return {mac.get('address', '').lower(): one for one in domain.iterfind('devices/interface')
            if (mac := one.find('mac')) is not None}


def keep_addresses(new: Element, old: Element) -> Element:
    """``new`` with its disks and interfaces where the same ones are in ``old``, so that the guest finds them again."""
    for find in (disks, interfaces):
        known = find(old)
        for name, device in find(new).items():
            before = known.get(name)
            address = before.find('address') if before is not None else None
            if before is None or address is None or device.find('address') is not None:
                continue
            if _way(device) == _way(before):
                device.append(address)
    return new


def _way(device: Element) -> tuple[str | None, ...]:
    """What decides which kind of address a device has."""
    target, model = device.find('target'), device.find('model')
    return (device.get('device'), None if target is None else target.get('bus'),
            None if model is None else model.get('type'))
