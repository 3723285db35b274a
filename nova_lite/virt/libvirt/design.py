# SPDX-License-Identifier: Apache-2.0
"""Which machine a server gets: from flavor, image and configuration to the parts of a domain.

Nothing of the host is asked here, so that everything in it can be tested without one.
"""

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from oslo_config import cfg

from nova_lite import errors
from nova_lite.model import networks
from nova_lite.objects.server import Server
from nova_lite.virt.libvirt import xml
from nova_lite.virt.libvirt.layout import Layout
from nova_lite.virt.libvirt.wishes import Wishes, number, one_of, truth

KVM, QEMU, TEST = 'kvm', 'qemu', 'test'

VIF_MODELS = frozenset(('virtio', 'e1000', 'e1000e', 'igb', 'ne2k_pci', 'pcnet', 'rtl8139', 'vmxnet3', 'lan9118',
                        'spapr-vlan'))
VIDEO_MODELS = frozenset(('vga', 'cirrus', 'vmvga', 'qxl', 'virtio', 'gop', 'none', 'bochs'))
SCSI_MODELS = frozenset(('virtio-scsi', 'lsilogic', 'buslogic', 'lsisas1068', 'lsisas1078', 'vmpvscsi', 'ibmvscsi'))
WATCHDOGS = frozenset(('none', 'pause', 'poweroff', 'reset', 'disabled'))
_SAME_ARCH = {'amd64': 'x86_64', 'i386': 'i686', 'arm64': 'aarch64'}
_X86 = ('x86_64', 'i686')
_PCIE = ('q35', 'pc-q35', 'virt')
_PCIE_PORTS = 16
_TB_CACHE_MIB = 32
_TIMERS_KVM = (('pit', {'tickpolicy': 'delay'}), ('rtc', {'tickpolicy': 'catchup'}))


@dataclass(frozen=True)
class Machine:
    """What is decided before the disks are: the architecture and the kind of machine."""

    arch: str
    machine: str | None

    @property
    def is_pcie(self) -> bool:
        """Whether what is attached later needs a slot that was there at the start."""
        return bool(self.machine and self.machine.startswith(_PCIE))

    @property
    def is_x86(self) -> bool:
        """Whether it is a PC."""
        return self.arch in _X86


@dataclass(frozen=True)
class Ground:
    """What the host brings: who runs the processors, and whether control groups are there to limit guests."""

    kind: str
    limits_cpu: bool = False


@dataclass(frozen=True)
class Extras:
    """What of a guest is neither its server's nor its disks': where its console goes, and arguments for QEMU.

    ``wired``: its interfaces are among the arguments.  ``agent_socket`` leads to an agent, where libvirt's own path for
    it may be too long.
    """

    console_log: str | None = None
    serial_listen: Sequence[tuple[str, int]] = ()
    arguments: Sequence[str] = ()
    wired: bool = False
    agent_socket: str | None = None


def wishes_of(server: Server) -> Wishes:
    """What a server's flavor and image wish."""
    return Wishes(server.image_properties, server.flavor.get('extra_specs') or {})


def machine_of(conf: cfg.ConfigOpts, server: Server, ground: Ground) -> Machine:
    """The machine of a server."""
    wishes = wishes_of(server)
    arch = wishes.image('hw_architecture') or wishes.image('architecture') or platform.machine()
    arch = _SAME_ARCH.get(arch, arch)
    if ground.kind == TEST:
        return Machine('i686', None)
    said = dict(word.partition('=')[::2] for word in conf.libvirt.hw_machine_type)
    return Machine(arch, wishes.text('machine_type') or said.get(arch) or ('pc' if arch in _X86 else 'virt'))


def domain(conf: cfg.ConfigOpts, host: str, server: Server, disks: Layout, ground: Ground,
           extras: Extras) -> xml.Domain:
    """The whole guest."""
    wishes, machine, flavor = wishes_of(server), machine_of(conf, server, ground), server.flavor
    plain = ground.kind == TEST
    windows = (wishes.image('os_type') or '').lower() == 'windows'
    uefi = one_of('hw_firmware_type', wishes.image('hw_firmware_type'), ('bios', 'uefi')) == 'uefi'
    secure = (wishes.spec('os:secure_boot') or wishes.image('os_secure_boot')) == 'required'
    return xml.Domain(
        kind=ground.kind, name=server.guest_name, uuid=server.uuid, memory_mib=flavor['ram'], vcpus=flavor['vcpus'],
        boot=xml.Boot(machine.arch, machine.machine, firmware='efi' if uefi or secure else None, secure=secure,
                      menu=bool(wishes.truth('boot_menu'))),
        cpu=xml.Cpu() if plain else _cpu(conf, wishes, ground, flavor['vcpus']),
        features=xml.Features() if plain else _features(conf, wishes, machine, ground, windows, secure),
        clock=_clock(wishes, machine, ground, windows),
        tune=_tune(wishes) if ground.limits_cpu else {}, huge_pages_kib=_huge_pages(wishes),
        metadata=(_marker(host, wishes, windows), _for_tools(server)),
        devices=tuple(_devices(conf, server, disks, wishes, machine, extras)) if not plain else tuple(disks.disks),
        arguments=extras.arguments)


# ------------------------------------------------------------------- the processor

def _cpu(conf: cfg.ConfigOpts, wishes: Wishes, ground: Ground, vcpus: int) -> xml.Cpu:
    options = conf.libvirt
    mode = options.cpu_mode or ('host-model' if ground.kind == KVM else 'maximum')
    if mode == 'custom' and not options.cpu_models:
        raise errors.HypervisorError(reason='[libvirt] cpu_mode is custom on this host, and cpu_models names none.')
    flags = [('disable' if flag.startswith('-') else 'require', flag.lstrip('+-').lower())
             for flag in options.cpu_model_extra_flags]
    topology = topology_of(wishes, vcpus)
    return xml.Cpu(mode=None if mode == 'none' else mode, model=options.cpu_models[0] if mode == 'custom' else None,
                   features=() if mode == 'none' else flags, topology=topology)


def topology_of(wishes: Wishes, vcpus: int) -> xml.Topology | None:
    """Sockets, cores and threads as they are wished for; what is not said follows from the others."""
    sockets, cores, threads = (wishes.number(f'cpu_{what}') for what in ('sockets', 'cores', 'threads'))
    if sockets is None and cores is None and threads is None:
        return None
    threads = threads or 1
    if cores is None:
        cores = max(1, vcpus // ((sockets or vcpus // threads or 1) * threads))
    if sockets is None:
        sockets = max(1, vcpus // (cores * threads))
    if sockets * cores * threads != vcpus:
        raise errors.HypervisorError(reason=f'{sockets} sockets of {cores} cores of {threads} threads are not the '
                                            f'{vcpus} processors of the flavor.')
    return xml.Topology(sockets, cores, threads)


def _features(conf: cfg.ConfigOpts, wishes: Wishes, machine: Machine, ground: Ground, windows: bool,
              secure: bool) -> xml.Features:
    cache = conf.libvirt.tb_cache_size
    hidden = truth('hide_hypervisor_id', wishes.spec('hide_hypervisor_id') or wishes.spec('hw:hide_hypervisor_id')
                   or wishes.image('img_hide_hypervisor_id'))
    return xml.Features(
        acpi=True, apic=machine.is_x86, pae=machine.arch == 'i686', hyperv=windows and machine.is_x86,
        hide_kvm=bool(hidden) and ground.kind == KVM, pmu=wishes.truth('pmu'), smm=secure and machine.is_x86,
        tb_cache_mib=(_TB_CACHE_MIB if cache is None else cache) if ground.kind == QEMU else None)


def _clock(wishes: Wishes, machine: Machine, ground: Ground, windows: bool) -> xml.Clock:
    timers: list[tuple[str, Mapping[str, str]]] = []
    if ground.kind != TEST and machine.is_x86:
        timers += _TIMERS_KVM if ground.kind == KVM else ()
        timers.append(('hpet', {'present': 'yes' if wishes.truth('time_hpet') else 'no'}))
        if windows:
            timers.append(('hypervclock', {'present': 'yes'}))
    return xml.Clock('localtime' if windows else 'utc', timers)


def _tune(wishes: Wishes) -> dict[str, int]:
    known = {name: number(f'quota:cpu_{name}', wishes.spec(f'quota:cpu_{name}'))
             for name in ('shares', 'period', 'quota')}
    return {name: value for name, value in known.items() if value is not None}


def _huge_pages(wishes: Wishes) -> int | None:
    """KiB of a page that is not the usual one."""
    said = wishes.text('mem_page_size')
    if said in (None, 'small', 'any'):
        return None
    sizes = {'large': 2048, '2MB': 2048, '2MiB': 2048, '1GB': 1 << 20, '1GiB': 1 << 20}
    return sizes.get(said or '') or number('hw_mem_page_size', said)


# -------------------------------------------------------------------- the devices

def _devices(conf: cfg.ConfigOpts, server: Server, disks: Layout, wishes: Wishes, machine: Machine,
             extras: Extras) -> Iterator[xml.Part]:
    yield from _controllers(conf, disks, wishes, machine)
    yield from disks.disks
    for one in () if extras.wired else networks.plugged(server.interfaces):
        yield interface_of(conf, wishes, int(server.flavor['vcpus']), one)
    yield from _serials(wishes, extras)
    if truth('hw_qemu_guest_agent', wishes.image('hw_qemu_guest_agent')):
        yield xml.Channel(extras.agent_socket)
    if conf.vnc.enabled:
        yield xml.Graphics(conf.vnc.server_listen)
        yield _video(wishes, machine)
    pointer = wishes.text('pointer_model') or conf.pointer_model
    if conf.vnc.enabled and pointer == 'usbtablet':
        yield xml.Simple('input', {'type': 'tablet', 'bus': 'usb'})
    if conf.vnc.enabled and not machine.is_x86:
        yield xml.Simple('input', {'type': 'keyboard', 'bus': 'usb'})
    yield from _odds(conf, wishes)


def _controllers(conf: cfg.ConfigOpts, disks: Layout, wishes: Wishes, machine: Machine) -> Iterator[xml.Part]:
    scsi = wishes.choice('scsi_model', SCSI_MODELS)
    if scsi or any(disk.bus == 'scsi' for disk in disks.disks):
        yield xml.Controller('scsi', 0, scsi or 'virtio-scsi')
    if machine.is_pcie:
        yield xml.Controller('pci', 0, 'pcie-root')
        for number_ in range(1, (conf.libvirt.num_pcie_ports or _PCIE_PORTS) + 1):
            yield xml.Controller('pci', number_, 'pcie-root-port')
        yield xml.Controller('usb', 0, 'qemu-xhci')


def vif_model(wishes: Wishes) -> str:
    """The model of a guest's network cards."""
    return wishes.choice('vif_model', VIF_MODELS) or 'virtio'


def interface_of(conf: cfg.ConfigOpts, wishes: Wishes, vcpus: int, one: Mapping[str, Any]) -> xml.Interface:
    """A network card of a server."""
    model = vif_model(wishes)
    many = vcpus > 1 and model == 'virtio' and bool(wishes.truth('vif_multiqueue_enabled'))
    if not conf.libvirt.bridge:
        return xml.Interface(one['mac'], model)
    port = (one.get('port_id') or '')[:11]
    return xml.Interface(one['mac'], model, kind='bridge', source=conf.libvirt.bridge, mtu=one.get('mtu'),
                         target=f'tap{port}' if port else None, queues=min(vcpus, 8) if many else None,
                         limits=_vif_limits(wishes))


def _vif_limits(wishes: Wishes) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for way in ('inbound', 'outbound'):
        values = {what: number(f'quota:vif_{way}_{what}', wishes.spec(f'quota:vif_{way}_{what}'))
                  for what in ('average', 'peak', 'burst')}
        said = {what: value for what, value in values.items() if value is not None}
        if 'average' in said:
            found[way] = said
    return found


def _serials(wishes: Wishes, extras: Extras) -> Iterator[xml.Serial]:
    """Port 0 has the console's log; the others, if there are to be more, have none."""
    listens = list(extras.serial_listen)
    count = max(1, min(4, wishes.number('serial_port_count') or 1))
    for port in range(count):
        yield xml.Serial(port, log=extras.console_log if port == 0 else None,
                         listen=listens[port] if port < len(listens) else None)


def _video(wishes: Wishes, machine: Machine) -> xml.Video:
    model = wishes.choice('video_model', VIDEO_MODELS) or ('vga' if machine.is_x86 else 'virtio')
    wanted = number('hw_video_ram', wishes.image('hw_video_ram'))
    most = number('hw_video:ram_max_mb', wishes.spec('hw_video:ram_max_mb')) or 0
    if wanted and wanted > most:
        raise errors.HypervisorError(reason=f'hw_video_ram is {wanted}; the flavor allows {most} MiB '
                                            '(hw_video:ram_max_mb).')
    return xml.Video(model, wanted * 1024 if wanted else None)


def _odds(conf: cfg.ConfigOpts, wishes: Wishes) -> Iterator[xml.Part]:
    if truth('hw_rng:allowed', wishes.spec('hw_rng:allowed')) is not False:
        yield xml.Rng(conf.libvirt.rng_dev_path, number('hw_rng:rate_bytes', wishes.spec('hw_rng:rate_bytes')),
                      number('hw_rng:rate_period', wishes.spec('hw_rng:rate_period')))
    period = conf.libvirt.mem_stats_period_seconds
    yield xml.Balloon(period=period if period > 0 else None)
    action = wishes.choice('watchdog_action', WATCHDOGS)
    if action and action != 'disabled':
        yield xml.Watchdog(action)
    sound = wishes.text('sound_model')
    if sound:
        yield xml.Simple('sound', {'model': sound})
    version = wishes.text('tpm_version')
    if version:
        yield xml.Tpm(wishes.choice('tpm_model', ('tpm-tis', 'tpm-crb')) or 'tpm-tis', version)


# ------------------------------------------------------------------- the metadata

def _marker(host: str, wishes: Wishes, windows: bool) -> xml.Element:
    admin = wishes.image('os_admin_user') or ('Administrator' if windows else 'root')
    return xml.make(f'{{{xml.GUEST_NS}}}guest', attributes={'host': host, 'admin': admin})


def _for_tools(server: Server) -> xml.Element:
    """What Nova says of a guest, for tools on the host that read it."""
    def own(tag: str, text: object = None, attributes: Mapping[str, object] | None = None,
            children: Sequence[xml.Element] = ()) -> xml.Element:
        return xml.make(f'{{{xml.NOVA_NS}}}{tag}', text, attributes, children)

    flavor = server.flavor
    sizes = [own(tag, flavor.get(key) or 0) for tag, key in (
        ('memory', 'ram'), ('disk', 'disk'), ('swap', 'swap'), ('ephemeral', 'ephemeral'), ('vcpus', 'vcpus'))]
    return own('instance', children=[
        own('name', server.name),
        own('flavor', attributes={'name': flavor.get('name')}, children=sizes),
        own('owner', children=[own('user', attributes={'uuid': server.user_id}),
                               own('project', attributes={'uuid': server.project_id})]),
        *([own('root', attributes={'type': 'image', 'uuid': server.image_ref})] if server.image_ref else [])])
