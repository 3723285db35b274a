# SPDX-License-Identifier: Apache-2.0
"""The interfaces of fake guests: their MAC addresses in the guest's record."""

import abc
import dataclasses
import threading
from typing import Any

from nova_lite.model import networks
from nova_lite.objects.server import Server
from nova_lite.virt import base
from nova_lite.virt.fake_faults import Faults
from nova_lite.virt.fake_store import FakeGuest

OPERATIONS = ('attach_interface', 'detach_interface')


def macs_of(server: Server) -> tuple[str, ...]:
    """The addresses of a server's interfaces, as a new guest of it has them."""
    return tuple(one['mac'] for one in networks.plugged(server.interfaces))


class FakeInterfaces(base.InterfacePort):
    """The port, on what ``FakeDriver`` keeps."""

    _faults: Faults
    _lock: threading.Lock

    @abc.abstractmethod
    def _get(self, server_uuid: str) -> FakeGuest:
        """The guest, or ``errors.GuestNotFound``."""

    @abc.abstractmethod
    def _keep(self, guest: FakeGuest) -> None:
        """Remember the guest as it is now."""

    def attach_interface(self, server_uuid: str, interface: dict[str, Any]) -> None:
        """Note the address down."""
        self._faults.meet('attach_interface', server_uuid)
        self._replace(server_uuid, interface['mac'], (interface['mac'],))

    def detach_interface(self, server_uuid: str, interface: dict[str, Any]) -> None:
        """Strike the address out."""
        self._faults.meet('detach_interface', server_uuid)
        self._replace(server_uuid, interface['mac'], ())

    def interfaces_of(self, server_uuid: str) -> tuple[str, ...]:
        """The addresses that the guest has."""
        with self._lock:
            return self._get(server_uuid).interfaces

    def _replace(self, server_uuid: str, mac: str, by: tuple[str, ...]) -> None:
        with self._lock:
            guest = self._get(server_uuid)
            others = tuple(one for one in guest.interfaces if one != mac)
            self._keep(dataclasses.replace(guest, interfaces=others + by))
