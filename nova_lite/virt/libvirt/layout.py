# SPDX-License-Identifier: Apache-2.0
"""Which disks a guest has, where their files are, and what the guest calls them. Nothing is made here."""

import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from oslo_config import cfg
from oslo_utils import units

from nova_lite import errors
from nova_lite.model import block_devices
from nova_lite.objects.server import Server
from nova_lite.virt.libvirt import xml
from nova_lite.virt.libvirt.wishes import Wishes, one_of

ROOT, EPHEMERAL, SWAP, RESCUE, CONFIG = 'disk', 'ephemeral', 'swap', 'rescue', 'config'
CONFIG_FILE = 'config.iso'

BUSES = frozenset(('virtio', 'scsi', 'sata', 'ide', 'usb', 'fdc'))
DEVICES = frozenset(('disk', 'cdrom', 'lun'))
_PREFIX = {'virtio': 'vd', 'ide': 'hd', 'fdc': 'fd'}
#: Kinds of connections that need nothing on the host but what is there.
LOCAL = 'local'

_LIMITS = tuple(f'{way}_{what}_sec' for way in ('read', 'write', 'total') for what in ('bytes', 'iops'))


@dataclass(frozen=True)
class File:
    """A disk in a file of the guest's own; ``size`` is bytes, None is as big as the image."""

    role: str
    disk: xml.Disk
    size: int | None = None
    guest_format: str | None = None

    @property
    def path(self) -> Path:
        """Where it is."""
        return Path(self.disk.path)


@dataclass(frozen=True)
class Layout:
    """All disks of a guest; ``volumes`` are those that somebody else keeps."""

    files: tuple[File, ...] = ()
    volumes: tuple[xml.Disk, ...] = ()
    config: xml.Disk | None = None

    @property
    def disks(self) -> tuple[xml.Disk, ...]:
        """All of them, in the order in which the guest should find them."""
        own = [one.disk for one in self.files]
        found = sorted((*own, *self.volumes), key=lambda disk: (disk.boot_order or 99, len(disk.target), disk.target))
        return (*found, *((self.config,) if self.config else ()))

    def file(self, role: str) -> File | None:
        """The first file of a role."""
        return next((one for one in self.files if one.role == role), None)


@dataclass(frozen=True)
class Defaults:
    """What holds for each disk that says nothing else."""

    bus: str
    cdrom_bus: str
    disk_format: str
    prefix: str | None = None
    discard: str | None = None
    caches: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)


def defaults(conf: cfg.ConfigOpts, wishes: Wishes, machine: str | None) -> Defaults:
    """What configuration, flavor and image say of disks."""
    options = conf.libvirt
    old_pc = machine is None or machine == 'pc' or machine.startswith(('pc-i440fx', 'pc-0', 'pc-1'))
    cdrom = 'ide' if old_pc else 'scsi' if (machine or '').startswith('virt') else 'sata'
    limits = {name: wishes.spec(f'quota:disk_{name}') for name in _LIMITS}
    return Defaults(
        bus=wishes.choice('disk_bus', BUSES) or 'virtio',
        cdrom_bus=wishes.choice('cdrom_bus', BUSES) or cdrom,
        disk_format='raw' if options.images_type == 'raw' else 'qcow2',
        prefix=options.disk_prefix, discard=options.hw_disk_discard,
        caches=dict(word.partition('=')[::2] for word in options.disk_cachemodes),
        limits={name: int(value) for name, value in limits.items() if value and value != '0'})


class _Names:
    """Hands out targets, each once."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)

    def take(self, wanted: str | None, bus: str, prefix: str | None = None) -> str:
        """The name that is wanted if it is free, else the next one of its bus."""
        if wanted and wanted not in self._taken:
            self._taken.add(wanted)
            return wanted
        stem = prefix if prefix and bus not in ('ide', 'fdc') else _PREFIX.get(bus, 'sd')
        name = next(name for name in _names(stem) if name not in self._taken)
        self._taken.add(name)
        return name


def _names(stem: str) -> Iterator[str]:
    letters = string.ascii_lowercase
    yield from (stem + letter for letter in letters)
    yield from (stem + first + second for first in letters for second in letters)


def _short(name: str | None) -> str | None:
    return name.removeprefix('/dev/') if name else None


def layout(server: Server, directory: Path, said: Defaults, config_drive: bool = False) -> Layout:
    """The disks of a server whose files are in ``directory``."""
    devices = sorted(server.block_devices, key=lambda one: (one['boot_index'] < 0, one['boot_index']))
    names = _Names(())
    volumes: list[xml.Disk] = []
    files: list[File] = []
    root = next((one for one in devices if one['boot_index'] == 0), None)
    if root is None or root['destination'] != block_devices.VOLUME:
        files.append(_root(server, root, directory, said, names))
    for one in devices:
        if one['destination'] == block_devices.VOLUME and one.get('connection') is not None:
            target = names.take(_short(one['device']), bus_of(one, said), said.prefix)
            volumes.append(volume(one, said, target))
    files += _blank(server, devices, directory, said, names)
    config = _config(directory, said, names) if config_drive else None
    return Layout(tuple(files), tuple(volumes), config)


def _root(server: Server, device: Mapping[str, Any] | None, directory: Path, said: Defaults, names: _Names) -> File:
    bus = bus_of(device, said) if device else said.bus
    target = names.take(_short(device['device']) if device else None, bus, said.prefix)
    gigabytes = int(server.flavor['disk'])
    return File(ROOT, local(directory, ROOT, said, target, bus, 1), gigabytes * units.Gi if gigabytes else None)


def _blank(server: Server, devices: Sequence[Mapping[str, Any]], directory: Path, said: Defaults,
           names: _Names) -> Iterator[File]:
    """Ephemeral disks and swap: those that were asked for, or else what the flavor has."""
    blank = [one for one in devices
             if (one['source'], one['destination']) == (block_devices.BLANK, block_devices.LOCAL)]
    swaps = [one for one in blank if one.get('guest_format') == block_devices.SWAP]
    others = [one for one in blank if one.get('guest_format') != block_devices.SWAP]
    flavor = server.flavor
    if not others and flavor.get('ephemeral'):
        others = [{'size': flavor['ephemeral']}]
    for number, one in enumerate(others):
        size = int(one.get('size') or flavor.get('ephemeral') or 0) * units.Gi
        if size:
            yield File(EPHEMERAL, _local_of(one, f'{EPHEMERAL}{number}', directory, said, names), size,
                       one.get('guest_format'))
    if not swaps and flavor.get('swap'):
        swaps = [{'size': flavor['swap']}]
    for one in swaps[:1]:
        size = int(one.get('size') or flavor.get('swap') or 0) * units.Mi
        if size:
            yield File(SWAP, _local_of(one, SWAP, directory, said, names), size, block_devices.SWAP)


def _local_of(one: Mapping[str, Any], name: str, directory: Path, said: Defaults, names: _Names) -> xml.Disk:
    bus = bus_of(one, said)
    order = one['boot_index'] + 1 if one.get('boot_index', -1) > 0 else None
    return local(directory, name, said, names.take(_short(one.get('device')), bus, said.prefix), bus, order)


def local(directory: Path, name: str, said: Defaults, target: str, bus: str, order: int | None = None) -> xml.Disk:
    """A disk in a file of the guest's own, in the format in which it is there already."""
    disk_format = next((known for known in ('qcow2', 'raw') if (directory / f'{name}.{known}').exists()),
                       said.disk_format)
    return xml.Disk(
        path=str(directory / f'{name}.{disk_format}'), target=target, bus=bus, disk_format=disk_format,
        boot_order=order, cache=said.caches.get('file'), discard=said.discard, limits=said.limits)


def _config(directory: Path, said: Defaults, names: _Names) -> xml.Disk:
    return xml.Disk(path=str(directory / CONFIG_FILE), target=names.take(None, said.cdrom_bus), bus=said.cdrom_bus,
                    device='cdrom', readonly=True)


def bus_of(device: Mapping[str, Any], said: Defaults) -> str:
    """The bus of a device; ``virtio`` is also what stands there if nobody said anything."""
    bus = device.get('disk_bus')
    return said.bus if bus in (None, 'virtio') else one_of('disk_bus', bus, BUSES) or said.bus


def volume(device: Mapping[str, Any], said: Defaults, target: str | None = None) -> xml.Disk:
    """A volume as a disk; ``HypervisorError`` if there is no way to it from here."""
    connection = device.get('connection') or {}
    kind, data = connection.get('driver_volume_type'), connection.get('data') or {}
    path = data.get('device_path')
    if kind != LOCAL or not path:
        raise errors.HypervisorError(reason=f'Volume {device.get("volume_id")} has no connection to this host that can '
                                            f'be used here (its kind is {kind}).')
    bus = bus_of(device, said)
    disk = xml.Disk(
        path=path, target=target or _short(device.get('device')) or _PREFIX.get(bus, 'sd') + 'z', bus=bus,
        disk_format=data.get('format') or 'raw', block=Path(path).is_block_device(),
        device=one_of('device_type', device.get('device_type') or 'disk', DEVICES) or 'disk',
        boot_order=device['boot_index'] + 1 if device.get('boot_index', -1) >= 0 else None,
        serial=device.get('volume_id'), readonly=data.get('access_mode') == 'ro',
        discard=said.discard or ('unmap' if data.get('discard') else None),
        shareable=bool(data.get('multiattach')), alias=device.get('id'), limits=_volume_limits(data, said))
    cache = said.caches.get('block' if disk.block else 'file')
    return replace(disk, cache='none' if disk.shareable else cache)


def _volume_limits(data: Mapping[str, Any], said: Defaults) -> Mapping[str, int]:
    """Those that the volume service wants, or else the flavor's."""
    wanted = data.get('qos_specs') or {}
    limits = {name: int(wanted[name]) for name in _LIMITS if str(wanted.get(name, '')).isdigit()}
    return limits or said.limits


def rescued(normal: Layout, rescue: xml.Disk, own_target: str) -> Layout:
    """The disks of a guest that runs from ``rescue``, with its own root disk as ``own_target`` beside it."""
    files = tuple(replace(one, disk=_aside(one.disk, rescue.target, own_target)) for one in normal.files)
    volumes = tuple(_aside(one, rescue.target, own_target) for one in normal.volumes)
    return Layout((File(RESCUE, rescue), *files), volumes, normal.config)


def _aside(disk: xml.Disk, taken: str, target: str) -> xml.Disk:
    return replace(disk, boot_order=None, target=target if disk.target == taken else disk.target)


def free_target(taken: Iterable[str], device: Mapping[str, Any]) -> str:
    """The name that a device is to have if it is free, else the next one of its bus."""
    return _Names(taken).take(_short(device.get('device')), device.get('disk_bus') or 'virtio')
