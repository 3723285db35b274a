# SPDX-License-Identifier: Apache-2.0
"""Volumes of a guest: those that are there as files or devices of the host."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oslo_config import cfg
from oslo_utils import units

from nova_lite import errors
from nova_lite.model.power import Power
from nova_lite.virt import base
from nova_lite.virt.libvirt import blockjobs, hotplug, layout, qemu_img, xml
from nova_lite.virt.libvirt.connection import Connection
from nova_lite.virt.libvirt.domains import Domains
from nova_lite.virt.libvirt.wishes import Wishes


class LibvirtVolumes(base.VolumeExtendPort):
    """The port for them."""

    _conf: cfg.ConfigOpts
    _connection: Connection
    _domains: Domains

    def attach_volume(self, server_uuid: str, device: Mapping[str, Any]) -> None:
        """Plug it in, by the name that it is to have if that is free."""
        domain = self._domains.description(server_uuid, lasting=True)
        disk = layout.volume(device, self._said(domain), _target(domain, device))
        hotplug.attach(self._connection, self._domains, server_uuid, disk.element(), _finder(device))

    def detach_volume(self, server_uuid: str, device: Mapping[str, Any]) -> None:
        """Pull it out; there may be no guest any more."""
        try:
            hotplug.detach(self._conf, self._connection, self._domains, server_uuid, _finder(device))
        except errors.GuestNotFound:
            return

    def swap_volume(self, server_uuid: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        """Copy while the guest goes on, and let it go on with the copy."""
        domain = self._domains.description(server_uuid, lasting=True)
        present = _finder(old)(domain)
        if present is None:
            raise errors.HypervisorError(reason=f'Server {server_uuid} does not have volume {old.get("volume_id")}.')
        target = _dev(present)
        disk = layout.volume(new, self._said(domain), target)
        if _path(present) != disk.path:
            if self._domains.state(server_uuid) in (Power.RUNNING, Power.PAUSED):
                if _path(xml.disks(self._domains.description(server_uuid))[target]) != disk.path:
                    self._copy_and_go_on(server_uuid, target, disk)
            else:
                _copy(present, disk)
        self._domains.define(_with(domain, target, disk))

    def _copy_and_go_on(self, server_uuid: str, target: str, disk: xml.Disk) -> None:
        blockjobs.copy(self._connection, self._domains, server_uuid, target, disk, pivot=True)

    def extend_volume(self, server_uuid: str, device: Mapping[str, Any]) -> None:
        """Tell QEMU, which tells the guest; one that is off sees it when it starts."""
        disk = _finder(device)(self._domains.description(server_uuid))
        if disk is None:
            raise errors.HypervisorError(reason=f'Server {server_uuid} does not have volume {device.get("volume_id")}.')
        size, target = int(device['size']) * units.Gi, _dev(disk)
        flags = self._connection.lib.VIR_DOMAIN_BLOCK_RESIZE_BYTES
        if self._domains.state(server_uuid) in (Power.RUNNING, Power.PAUSED):
            self._domains.run(server_uuid, lambda domain: domain.blockResize(target, size, flags) and None)

    def sizes_of(self, server_uuid: str) -> dict[str, int]:
        """GiB of the volumes of a guest as it sees them, by the names of their devices."""
        names = [name.removeprefix('/dev/') for name in self.disks_of(server_uuid)]
        found: dict[str, int] = self._domains.run(server_uuid, lambda domain: {
            f'/dev/{name}': domain.blockInfo(name)[0] // units.Gi for name in names})
        return found

    def disks_of(self, server_uuid: str) -> dict[str, str]:
        """Those with a serial number, which is the volume's id."""
        domain = self._domains.description(server_uuid, lasting=True)
        return {f'/dev/{target}': serial for target, disk in xml.disks(domain).items()
                if (serial := disk.findtext('serial'))}

    def _said(self, domain: xml.Element) -> layout.Defaults:
        """A volume that says nothing of its bus has the one of the guest's first disk."""
        first = next(iter(domain.iterfind("devices/disk[@device='disk']/target")), None)
        machine = domain.find('os/type')
        wishes = Wishes({'hw_disk_bus': first.get('bus')} if first is not None else {}, {})
        return layout.defaults(self._conf, wishes, machine.get('machine') if machine is not None else None)


def _finder(device: Mapping[str, Any]) -> hotplug.Finder:
    alias = f'ua-{device["id"]}'

    def find(domain: xml.Element) -> xml.Element | None:
        return next((disk for disk in domain.iterfind('devices/disk')
                     if (named := disk.find('alias')) is not None and named.get('name') == alias), None)

    return find


def _target(domain: xml.Element, device: Mapping[str, Any]) -> str:
    """The name of the device in the guest, or one that nobody has."""
    present = _finder(device)(domain)
    if present is not None:
        return _dev(present)
    return layout.free_target(xml.disks(domain), device)


def _dev(disk: xml.Element) -> str:
    target = disk.find('target')
    return target.get('dev', '') if target is not None else ''


def _path(disk: xml.Element) -> str | None:
    source = disk.find('source')
    return (source.get('file') or source.get('dev')) if source is not None else None


def _with(domain: xml.Element, target: str, disk: xml.Disk) -> xml.Element:
    """The domain with another disk in the place of ``target``."""
    before = xml.disks(domain)[target]
    element, address = disk.element(), before.find('address')
    if address is not None:
        element.append(address)
    before[:] = list(element)
    before.attrib.update(element.attrib)
    return domain


def _copy(present: xml.Element, disk: xml.Disk) -> None:
    """Of a guest that is off."""
    driver, source = present.find('driver'), _path(present)
    known = driver.get('type', 'raw') if driver is not None else 'raw'
    size = qemu_img.info(Path(disk.path), disk.disk_format).virtual_size
    qemu_img.convert(Path(source or ''), known, Path(disk.path), disk.disk_format)
    qemu_img.resize(Path(disk.path), disk.disk_format, size)
