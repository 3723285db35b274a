# SPDX-License-Identifier: Apache-2.0
"""Networks that need no privilege: QEMU's own, one for each interface, which reaches outwards only.

libvirt knows this kind of network, but not how to give a guest the address that its port has, nor how to let it reach
its metadata. So these interfaces are arguments for QEMU, made here.

A guest gets its port's address from QEMU's DHCP server, with the gateway and the first name server of the subnet; QEMU
answers for both.  At 169.254.169.254 is the metadata API, if that address is in the network, which QEMU needs it to be:
so the subnets of a cloud that lives on user-mode networks are best parts of 169.254.0.0/16, and guests of other
subnets have to have a config drive.
"""

import hashlib
import hmac
import ipaddress
import json
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from oslo_config import cfg

from nova_lite import errors
from nova_lite.model import networks
from nova_lite.objects.server import Server

LINK_LOCAL = IPv4Network('169.254.0.0/16')
METADATA = IPv4Address('169.254.169.254')
SETTINGS = 'metadata.json'
FORWARDER = Path(__file__).with_name('metadata_forward.py')

#: The slots of the first PCI bus, from which libvirt does not take any for as long as there are others.
SLOTS = range(0x18, 0x08, -1)
#: What QEMU calls a model, where it has a name of its own for it.
DEVICES = {'virtio': 'virtio-net-pci'}

# Whoever takes over QEMU through a device must not become somebody else or start programs. A guest that reaches its
# metadata has QEMU start one, in a session of its own, which is among the calls that would let QEMU become somebody
# else. No filter of QEMU's lets a program that it starts become more than QEMU is.
_SANDBOX = 'on,obsolete=deny,resourcecontrol=deny,'
_ALONE = _SANDBOX + 'elevateprivileges=deny,spawn=deny'
_WITH_FORWARDER = _SANDBOX + 'elevateprivileges=allow,spawn=allow'


def arguments(conf: cfg.ConfigOpts, server: Server, directory: Path, bus: str, model: str = 'virtio') -> list[str]:
    """What QEMU is told of the interfaces of a server; ``bus`` is that of its first slots (``pci.0``, ``pcie.0``)."""
    found: list[str] = []
    reaches = False
    for slot, one in zip(SLOTS, networks.plugged(server.interfaces), strict=False):
        backend = _backend(conf, one, directory)
        reaches = reaches or 'guestfwd' in backend
        found += ['-netdev', ','.join(['user', *(f'{name}={_escaped(value)}' for name, value in backend.items())]),
                  '-device', f'{DEVICES.get(model, model)},id={device_id(one)},netdev={backend["id"]},mac={one["mac"]},'
                             f'bus={bus},addr={slot:#x}']
    return [*found, '-sandbox', _WITH_FORWARDER if reaches else _ALONE]


def device_id(interface: Mapping[str, Any]) -> str:
    """How QEMU calls the network card of an interface; its other half has ``-net`` at the end."""
    return 'nic-' + (interface.get('port_id') or interface['mac'].replace(':', ''))


def _backend(conf: cfg.ConfigOpts, interface: Mapping[str, Any], directory: Path) -> dict[str, str]:
    values = {'id': device_id(interface) + '-net'}
    for one in interface['addresses']:
        if one['version'] == 4:
            return {**values, 'ipv6': 'off', **dict(_ipv4(conf, one, directory))}
    return values


def _ipv4(conf: cfg.ConfigOpts, one: Mapping[str, Any], directory: Path) -> Iterator[tuple[str, str]]:
    address = IPv4Address(one['addr'])
    subnet = IPv4Network(f'{one["addr"]}/{one["prefix"]}', strict=False)
    inside = LINK_LOCAL if subnet.subnet_of(LINK_LOCAL) else subnet
    if inside.prefixlen > 29:
        # There has to be room for a gateway and a name server that nobody else is.
        inside = inside.supernet(new_prefix=29)
    taken = {address, METADATA}
    host = _own(inside, one['gateway'], taken)
    server = next((_own(inside, name, {*taken, host}) for name in one['dns'] if _is_in(name, inside)), None)
    yield 'net', str(inside)
    yield 'host', str(host)
    yield 'dns', str(server or _own(inside, None, {*taken, host}))
    yield 'dhcpstart', str(address)
    if is_reached(conf, one):
        command = shlex.join([sys.executable, '-I', '-S', str(FORWARDER), str(directory.absolute() / SETTINGS)])
        yield 'guestfwd', f'tcp:{METADATA}:80-cmd:{command}'


def _own(network: IPv4Network, wanted: str | None, taken: set[IPv4Address]) -> IPv4Address:
    """An address that QEMU answers for: the one that is wanted, or the last one that is free."""
    if wanted is not None and _is_in(wanted, network) and IPv4Address(wanted) not in taken:
        return IPv4Address(wanted)
    last = int(network.broadcast_address) - 1
    return next(found for number in range(last, int(network.network_address), -1)
                if (found := IPv4Address(number)) not in taken)


def _is_in(text: str, network: IPv4Network) -> bool:
    address = ipaddress.ip_address(text)
    return address.version == 4 and address in network


def _escaped(value: str) -> str:
    return value.replace(',', ',,')


# ------------------------------------------------------------------- metadata

def is_reached(conf: cfg.ConfigOpts, address: Mapping[str, Any]) -> bool:
    """Whether a guest with this address reaches its metadata over the network."""
    return bool(conf.neutron.metadata_proxy_shared_secret) and address['version'] == 4 and \
        IPv4Address(address['addr']) in LINK_LOCAL


def needs_config_drive(conf: cfg.ConfigOpts, server: Server) -> bool:
    """Whether a guest on user-mode networks can be told nothing in another way."""
    return not any(is_reached(conf, one) for interface in networks.plugged(server.interfaces)
                   for one in interface['addresses'])


def write_settings(conf: cfg.ConfigOpts, server: Server, directory: Path) -> None:
    """What the forwarder of a guest needs to know. It holds no secret but the proof of whose guest it is."""
    secret = conf.neutron.metadata_proxy_shared_secret
    if not secret:
        return
    host, port = _place(conf)
    signature = hmac.new(secret.encode(), server.uuid.encode(), hashlib.sha256).hexdigest()
    text = json.dumps({'host': host, 'port': port, 'headers': {
        'Host': str(METADATA), 'X-Instance-ID': server.uuid, 'X-Tenant-ID': server.project_id,
        'X-Instance-ID-Signature': signature}})
    part = directory / f'.{SETTINGS}.part'
    with open(part, 'w', encoding='utf-8', opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
    os.replace(part, directory / SETTINGS)


def _place(conf: cfg.ConfigOpts) -> tuple[str, int]:
    """Where the metadata API is: where the option says, or on this machine."""
    said = conf.libvirt.metadata_address
    if not said:
        here = conf.metadata_listen
        return ('127.0.0.1' if here in ('0.0.0.0', '::') else here), conf.metadata_listen_port
    host, _, port = said.rpartition(':')
    if not host or not port.isdigit():
        raise errors.HypervisorError(reason=f'[libvirt] metadata_address has to be HOST:PORT, not {said!r}.')
    return host.strip('[]'), int(port)
