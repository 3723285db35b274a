# SPDX-License-Identifier: Apache-2.0
"""Disks of fake guests: a record of each, which comes and goes as it is told."""

import abc
import dataclasses
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from nova_lite import errors
from nova_lite.virt import base
from nova_lite.virt.fake_faults import Faults
from nova_lite.virt.fake_store import FakeGuest

OPERATIONS = ('attach_volume', 'detach_volume', 'swap_volume', 'extend_volume')

#: What a disk is known by.
_KEPT = ('id', 'destination', 'volume_id', 'device', 'disk_bus', 'size', 'boot_index')


class FakeVolumes(base.VolumeExtendPort):
    """The port for volumes, on what ``FakeDriver`` keeps."""

    _faults: Faults
    _lock: threading.Lock

    @abc.abstractmethod
    def _get(self, server_uuid: str) -> FakeGuest:
        """The guest, or ``errors.GuestNotFound``."""

    @abc.abstractmethod
    def _keep(self, guest: FakeGuest) -> None:
        """Remember the guest as it is now."""

    def attach_volume(self, server_uuid: str, device: Mapping[str, Any]) -> None:
        """Note the disk down."""
        self._faults.meet('attach_volume', server_uuid)
        with self._lock:
            guest = self._get(server_uuid)
            _check(server_uuid, device)
            self._keep(dataclasses.replace(guest, disks=(*_others(guest, device), *disks([device]))))

    def detach_volume(self, server_uuid: str, device: Mapping[str, Any]) -> None:
        """Forget the disk; a guest that is gone has it not."""
        self._faults.meet('detach_volume', server_uuid)
        with self._lock:
            try:
                guest = self._get(server_uuid)
            except errors.GuestNotFound:
                return
            self._keep(dataclasses.replace(guest, disks=_others(guest, device)))

    def swap_volume(self, server_uuid: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        """Note the other disk down in its place."""
        self._faults.meet('swap_volume', server_uuid)
        with self._lock:
            guest = self._get(server_uuid)
            _check(server_uuid, new)
            self._keep(dataclasses.replace(guest, disks=(*_others(guest, old), *disks([new]))))

    def extend_volume(self, server_uuid: str, device: Mapping[str, Any]) -> None:
        """Note its size down."""
        self._faults.meet('extend_volume', server_uuid)
        with self._lock:
            guest = self._get(server_uuid)
            if all(disk['id'] != device['id'] for disk in guest.disks):
                raise errors.HypervisorError(reason=f'The guest has no volume {device.get("volume_id")}.',
                                             server=server_uuid)
            self._keep(dataclasses.replace(guest, disks=tuple(
                {**disk, 'size': device['size']} if disk['id'] == device['id'] else disk for disk in guest.disks)))

    def sizes_of(self, server_uuid: str) -> dict[str, int]:
        """How big the guest takes its volumes for, by their device names."""
        with self._lock:
            return {disk['device']: disk['size'] for disk in self._get(server_uuid).disks if disk['volume_id']}

    def disks_of(self, server_uuid: str) -> dict[str, str]:
        """The volumes of a guest by their device names."""
        with self._lock:
            return {disk['device']: disk['volume_id'] for disk in self._get(server_uuid).disks if disk['volume_id']}


def disks(devices: Iterable[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    """The records of devices."""
    return tuple({name: device.get(name) for name in _KEPT} for device in devices)


def _others(guest: FakeGuest, device: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    return tuple(disk for disk in guest.disks if disk['id'] != device['id'])


def _check(server_uuid: str, device: Mapping[str, Any]) -> None:
    """What no hypervisor can do."""
    if not device.get('connection'):
        raise errors.HypervisorError(reason=f'Volume {device.get("volume_id")} has no connection to this host.',
                                     server=server_uuid)
