# SPDX-License-Identifier: Apache-2.0
"""Which hypervisor ``nova-lite up`` uses, and how it says so: pretended guests, or real ones where they can be had."""

import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nova_lite import errors
from nova_lite.cmd import apart
from nova_lite.virt.libvirt import connection, usable

AUTO, FAKE, LIBVIRT = 'auto', 'fake', 'libvirt'
CHOICES = (AUTO, LIBVIRT, FAKE)
#: A part of the addresses that mean "on this link", so that guests without any privilege reach their metadata.
CIDR = '169.254.0.0/17'
#: Outside of it, so that no server has it, and on the same link: QEMU answers for it.
NAME_SERVER = '169.254.169.253'
#: Seconds in which libvirt should have looked at QEMU.
PATIENCE = 60


@dataclass(frozen=True)
class Choice:
    """The driver, and the lines that tell of it."""

    name: str
    said: tuple[str, ...]

    def options(self, secret: str, computes: int) -> dict[str, dict[str, Any]]:
        """What stands in nova.conf for it, by group; ``secret`` is one that nobody else knows."""
        if self.name == FAKE:
            return {'fake': {'hosts': computes}}
        shared = hmac.new(secret.encode(), b'metadata', hashlib.sha256).hexdigest()
        # Guests that somebody tries things out with are idle most of the time. The API does not wait for libvirt, so
        # the first server may have to. The guest of the image that is brought has no system that lets go of a device.
        return {'scheduler': {'wait_for_hosts': PATIENCE},
                'libvirt': {'device_detach_attempts': 3, 'device_detach_timeout': 6},
                'DEFAULT': {'enabled_apis': 'osapi_compute,metadata', 'cpu_allocation_ratio': 16.0},
                'embedded': {'network_cidr': CIDR, 'network_dns': NAME_SERVER},
                'neutron': {'service_metadata_proxy': True, 'metadata_proxy_shared_secret': shared}}

    def awaited(self, computes: int) -> int:
        """The hosts without which nobody is told that the service serves: those that take no time to start."""
        return computes if self.name == FAKE else 0

    @property
    def compute_driver(self) -> str:
        """The driver as nova.conf names it."""
        return {FAKE: 'fake.FakeDriver', LIBVIRT: 'libvirt.LibvirtDriver'}[self.name]


def choose(wanted: str, computes: int, state: Path) -> Choice:
    """What ``--driver`` says; ``StartError`` if it insists on what cannot be had."""
    if wanted == FAKE:
        return Choice(FAKE, ('Servers are pretended only; --driver libvirt makes real guests of them.',))
    if computes > 1:
        if wanted == LIBVIRT:
            raise errors.StartError(reason='--computes is for pretended hosts; --driver libvirt has one, this machine.')
        return Choice(FAKE, (f'Servers are pretended only, because there are to be {computes} hosts.',))
    if wanted == AUTO and any(state.glob('fake/*/*.json')):
        return Choice(FAKE, ('Servers are pretended only, because there are such in this state directory. '
                             'For real guests take another --state-dir.',))
    why_not = usable.why_not(state) or _why_not_loaded()
    if why_not is None:
        return _real()
    if wanted == LIBVIRT:
        raise errors.StartError(reason=f'There can be no real guests: {why_not}')
    if any(state.glob('instances/*-*-*-*-*')):
        raise errors.StartError(reason=f'There are real guests in {state}, and there can be none now: {why_not}')
    return Choice(FAKE, ('Servers are pretended only. For real guests:', f'  {why_not}'))


def _why_not_loaded() -> str | None:
    """Load the library in another process, as only nova-compute is to have it in its memory."""
    try:
        apart.run(connection.library)
    except errors.StartError as error:
        return str(error)
    return None


def _real() -> Choice:
    how = 'KVM' if connection.has_kvm() else 'QEMU without KVM, so they are slow'
    return Choice(LIBVIRT, (f'Servers are real guests ({how}).',))
