# SPDX-License-Identifier: Apache-2.0
"""A guest's domain as another host is to have it: the same machine, with what belongs to a place in its new place.

QEMU carries a guest over only if both ends have the same devices, so nothing but names and addresses is changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nova_lite.virt.libvirt import xml


@dataclass(frozen=True)
class There:
    """What the destination says of itself; plain JSON, as it comes over the wire.

    ``files`` are its disks by their names, each with its size and the base that it leans on.
    """

    host: str
    directory: str
    log: str
    address: str | None = None
    kind: str = ''
    version: int = 0
    cpu: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    vnc: str | None = None
    serial: Sequence[Sequence[Any]] = ()
    bridge: str | None = None


def remade(domain: xml.Element, directory: Path, there: There, volumes: Mapping[str, xml.Disk]) -> xml.Element:
    """The domain of a guest whose files are in ``directory``, over there; ``volumes`` are those there, by alias."""
    for mark in domain.iterfind(f'metadata/{{{xml.GUEST_NS}}}guest'):
        mark.set('host', there.host)
    for disk in domain.iterfind('devices/disk'):
        _disk(disk, directory, there, volumes)
    for tag in ('serial', 'console'):
        for port in domain.iterfind(f'devices/{tag}'):
            _serial(port, there)
    for graphics in domain.iterfind('devices/graphics'):
        _graphics(graphics, there)
    for source in domain.iterfind("devices/interface[@type='bridge']/source"):
        if there.bridge:
            source.set('bridge', there.bridge)
    return domain


def _disk(disk: xml.Element, directory: Path, there: There, volumes: Mapping[str, xml.Disk]) -> None:
    for gone in ('backingStore', 'mirror'):
        # Found out anew over there.
        for element in disk.findall(gone):
            disk.remove(element)
    source, alias = disk.find('source'), disk.find('alias')
    if source is None:
        return
    for element in list(source):
        source.remove(element)
    if (own := own_file(disk, directory)) is not None:
        source.set('file', str(Path(there.directory) / own))
    elif alias is not None and (volume := volumes.get(alias.get('name', ''))) is not None:
        source.attrib.clear()
        disk.set('type', 'block' if volume.block else 'file')
        source.set('dev' if volume.block else 'file', volume.path)


def own_file(disk: xml.Element, directory: Path) -> str | None:
    """The name of the file that a disk is kept in, if it is one of the guest's own."""
    source = disk.find('source')
    path = source.get('file') if source is not None else None
    return Path(path).name if path and Path(path).parent == directory else None


def _serial(port: xml.Element, there: There) -> None:
    log, source, target = port.find('log'), port.find('source'), port.find('target')
    if log is not None:
        log.set('file', there.log)
    number = int(target.get('port', 0)) if target is not None else 0
    if source is None or port.get('type') != 'tcp' or number >= len(there.serial):
        return
    host, service = there.serial[number]
    source.set('host', str(host))
    source.set('service', str(service))


def _graphics(graphics: xml.Element, there: There) -> None:
    for name in ('port', 'tlsPort', 'websocket'):
        graphics.attrib.pop(name, None)
    graphics.set('autoport', 'yes')
    if there.vnc is None:
        return
    graphics.set('listen', there.vnc)
    for listen in graphics.iterfind("listen[@type='address']"):
        listen.set('address', there.vnc)
