# SPDX-License-Identifier: Apache-2.0
"""Networks as the rest of the program sees them, and what a server remembers of its interfaces.

A server's row keeps two forms of the same: ``interfaces``, one entry for each port in the order of
attachment, has all that a host and a guest need; ``addresses`` is what the API shows, by network.  The
second is always made of the first.  An interface that was accepted and has no port yet is an entry, too,
with its wish.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

#: What owns a port of a server; a zone follows.
OWNER = 'compute:'
FIXED, FLOATING = 'fixed', 'floating'

Interface = dict[str, Any]


@dataclass(frozen=True)
class Network:
    """A network; ``shared`` ones may be used by every project, ``external`` ones give floating addresses."""

    id: str
    name: str
    project_id: str
    mtu: int = 1500
    shared: bool = False
    external: bool = False
    admin_state_up: bool = True
    subnet_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Subnet:
    """The addresses of a network; one network may have several."""

    id: str
    network_id: str
    cidr: str
    ip_version: int
    gateway_ip: str | None = None
    dns_nameservers: tuple[str, ...] = ()


@dataclass(frozen=True)
class FixedIp:
    """An address of a port; ``floating`` are the addresses outside that lead to it."""

    address: str
    subnet: Subnet
    floating: tuple[str, ...] = ()


@dataclass(frozen=True)
class Port:
    """A port and all that its server has to know of the network that it is on."""

    id: str
    network: Network
    project_id: str
    mac_address: str
    name: str = ''
    device_id: str = ''
    device_owner: str = ''
    host: str | None = None
    status: str = 'DOWN'
    admin_state_up: bool = True
    fixed_ips: tuple[FixedIp, ...] = ()
    security_groups: tuple[str, ...] = ()
    group_names: tuple[str, ...] = ()
    tag: str | None = None
    ours: bool = False
    slot: str | None = None


@dataclass(frozen=True)
class Wish:
    """One interface that somebody wants: on a network, perhaps with an address, or by a port that exists.

    ``slot`` tells the wishes of a server apart: asking again for the same slot gives the same port.
    """

    slot: str
    network_id: str | None = None
    port_id: str | None = None
    fixed_ip: str | None = None
    tag: str | None = None


def wished(wish: Wish, group_ids: Sequence[str] = ()) -> Interface:
    """What the row of a server has in place of an interface until there is a port; new ports get these groups."""
    said = {name: value for name, value in vars(wish).items() if value is not None and name != 'slot'}
    return {'slot': wish.slot, 'wish': said, 'group_ids': list(group_ids)}


def wishes(known: Iterable[Interface] | None) -> list[Wish]:
    """The wishes among the interfaces of a server."""
    return [Wish(one['slot'], **one['wish']) for one in known or () if 'wish' in one]


def plugged(known: Iterable[Interface] | None) -> list[Interface]:
    """The interfaces that have a port."""
    return [one for one in known or () if 'wish' not in one]


def fulfilled(known: Iterable[Interface], ports: Iterable[Port]) -> list[Interface]:
    """The interfaces with ports in the place of wishes."""
    made = {port.slot: interface(port) for port in ports}
    return [made.get(one['slot'], one) for one in known]


def interface(port: Port) -> Interface:
    """What the row of a server remembers of a port."""
    return {
        'slot': port.slot, 'port_id': port.id, 'network_id': port.network.id, 'network': port.network.name,
        'mac': port.mac_address, 'mtu': port.network.mtu, 'tag': port.tag, 'groups': list(port.group_names),
        'addresses': [
            {'addr': one.address, 'version': one.subnet.ip_version, 'subnet_id': one.subnet.id,
             'prefix': ipaddress.ip_network(one.subnet.cidr).prefixlen, 'gateway': one.subnet.gateway_ip,
             'dns': list(one.subnet.dns_nameservers), 'floating': list(one.floating)} for one in port.fixed_ips]}


def addresses(known: Iterable[Interface]) -> dict[str, list[dict[str, Any]]]:
    """The addresses by network, as the column ``addresses`` has them."""
    found: dict[str, list[dict[str, Any]]] = {}
    for one in plugged(known):
        entries = found.setdefault(one['network'], [])
        entries += [{'addr': fixed['addr'], 'version': fixed['version'], 'type': FIXED, 'mac': one['mac']}
                    for fixed in one['addresses']]
        entries += [{'addr': outside, 'version': ipaddress.ip_address(outside).version, 'type': FLOATING,
                     'mac': one['mac']} for fixed in one['addresses'] for outside in fixed.get('floating', ())]
    # A port without an address is on no list of addresses.
    return {network: entries for network, entries in found.items() if entries}


def columns(known: Sequence[Interface]) -> dict[str, Any]:
    """The columns of a server that has these interfaces.

    A security group is named once for each port that has it, as Nova does.
    """
    groups = [name for one in plugged(known) for name in one['groups']]
    return {'interfaces': list(known), 'addresses': addresses(known), 'security_groups': groups or None}


def merged(known: Sequence[Interface] | None, ports: Iterable[Port]) -> list[Interface]:
    """The interfaces as their ports are now; ports that the server does not know of are left out."""
    fresh = {port.id: interface(port) for port in ports}
    return [fresh.get(one.get('port_id', ''), one) for one in known or ()]
