# SPDX-License-Identifier: Apache-2.0
"""Ports of the embedded network service in the transaction that changes them: made, freed, read with all they lean on.

Nothing here commits.  What two requests want at the same time (an address, a MAC address, the slot of a
server) is decided by a key of the database; ``retried`` runs the one that came second again.
"""

import dataclasses
import functools
import random
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from nova_lite import errors
from nova_lite.db.engine import Conn, Database, Duplicate
from nova_lite.db.queries import floating_ips, networks, ports, security_groups, servers
from nova_lite.embedded import addresses
from nova_lite.model.networks import FixedIp, Network, Port, Subnet, columns, merged

ACTIVE, DOWN = 'ACTIVE', 'DOWN'
MAC_PREFIX = 'fa:16:3e'
ATTEMPTS = 50

#: What a port is when nobody has it.
FREE: dict[str, Any] = {'device_id': '', 'device_owner': '', 'slot': None, 'host': None, 'status': DOWN, 'tag': None}

#: (subnet, address) that a port is to have; None is whichever there is.
Fixed = tuple[str | None, str | None]


@dataclasses.dataclass(frozen=True)
class NewPort:
    """A port to be made. ``fixed`` None gives it an address of each IP version that the network has."""

    network_id: str
    project_id: str
    name: str = ''
    description: str = ''
    device_id: str = ''
    device_owner: str = ''
    slot: str | None = None
    host: str | None = None
    admin_state_up: bool = True
    security_groups: tuple[str, ...] = ()
    tag: str | None = None
    ours: bool = False
    mac_address: str | None = None
    fixed: tuple[Fixed, ...] | None = None


def retried(db: Database, function: Callable[..., Any], *args: Any) -> Any:
    """Run a transaction, again if another one took what it had chosen."""
    for _ in range(ATTEMPTS):
        try:
            return db.transaction(function, *args)
        except Duplicate:
            continue
    raise errors.Unavailable(reason='Too many requests want addresses at the same time, try again.')


def make(conn: Any, new: NewPort) -> str:
    """Store a port with its addresses; its id."""
    network = networks.hold(conn, new.network_id)
    if network is None:
        raise errors.NetworkNotFound(network=new.network_id)
    if new.mac_address and ports.page(conn, {'mac_address': new.mac_address}):
        raise errors.Conflict(reason=f'Another port has the MAC address {new.mac_address}.')
    given = choose(conn, new.network_id, new.fixed)
    values = {name: value for name, value in vars(new).items() if name != 'fixed'}
    port_id = ports.insert(conn, {
        **values, 'mac_address': new.mac_address or random_mac(), 'security_groups': list(new.security_groups),
        'status': ACTIVE if new.host else DOWN})
    ports.give(conn, port_id, given)
    return port_id


def random_mac() -> str:
    """An address that nobody has, in all likelihood; a key of the database makes sure."""
    return ':'.join((MAC_PREFIX, *(f'{random.randrange(256):02x}' for _ in range(3))))


def choose(conn: Conn, network_id: str, fixed: Sequence[Fixed] | None) -> list[tuple[str, str]]:
    """(subnet, address) pairs that are free."""
    known = networks.subnets(conn, {'network_id': network_id})
    if fixed is None:
        versions = sorted({subnet.ip_version for subnet in known})
        return [_any_of(conn, network_id, [subnet for subnet in known if subnet.ip_version == version])
                for version in versions]
    found: list[tuple[str, str]] = []
    for subnet_id, address in fixed:
        among = [subnet for subnet in known if subnet_id in (None, subnet.id)]
        if not among:
            raise errors.Invalid(reason=f'Network {network_id} has no subnet {subnet_id or ""}'.rstrip() + '.')
        found.append(_any_of(conn, network_id, among) if address is None
                     else _exactly(conn, network_id, among, address))
    return found


def _any_of(conn: Conn, network_id: str, among: Iterable[Any]) -> tuple[str, str]:
    for subnet in among:
        address = addresses.pick(subnet.pools, functools.partial(ports.taken, conn, subnet.id))
        if address is not None:
            return subnet.id, address
    raise errors.NoMoreAddresses(network=network_id)


def _exactly(conn: Conn, network_id: str, among: Iterable[Any], address: str) -> tuple[str, str]:
    subnet, wanted = subnet_with(network_id, among, address)
    if ports.taken(conn, subnet.id, (wanted,)) or wanted == subnet.gateway_ip:
        raise errors.AddressInUse(address=wanted, network=network_id)
    return subnet.id, wanted


def subnet_with(network_id: str, among: Iterable[Any], address: str) -> tuple[Any, str]:
    """The subnet that has an address, and the address in its usual spelling; ``Invalid`` if none has it."""
    wanted = str(addresses.address_of(address))
    for subnet in among:
        if addresses.is_host(subnet.cidr, wanted):
            return subnet, wanted
    raise errors.Invalid(reason=f'No subnet of network {network_id} has the address {wanted}.')


def let_go(conn: Any, rows: Collection[Any]) -> None:
    """Remove those of the ports that were made for their server, and free the others."""
    made = [row.id for row in rows if row.ours]
    if made:
        ports.delete(conn, made)
    for row in rows:
        if not row.ours:
            ports.update(conn, row.id, **FREE)


def models(conn: Conn, rows: Sequence[Any]) -> list[Port]:
    """The ports of some rows with their networks, addresses and subnets: six statements for any number."""
    if not rows:
        return []
    on = {row.id: row for row in networks.page(conn, {'id': {row.network_id for row in rows}})}
    subnets = networks.subnets_of(conn, on)
    known = {row.id: network_model(row, subnets[row.id]) for row in on.values()}
    fixed = _fixed_ips(conn, [row.id for row in rows], [subnet for found in subnets.values() for subnet in found])
    called = security_groups.names(conn, [group for row in rows for group in row.security_groups])
    return [Port(
        id=row.id, network=known[row.network_id], project_id=row.project_id, mac_address=row.mac_address,
        name=row.name, device_id=row.device_id, device_owner=row.device_owner, host=row.host,
        status=row.status if row.admin_state_up else DOWN, admin_state_up=row.admin_state_up,
        fixed_ips=fixed[row.id], security_groups=tuple(row.security_groups),
        group_names=tuple(called.get(group) or group for group in row.security_groups),
        tag=row.tag, ours=row.ours, slot=row.slot) for row in rows]


def _fixed_ips(conn: Conn, port_ids: Collection[str], subnets: Iterable[Any]) -> dict[str, tuple[FixedIp, ...]]:
    """The addresses of each port, with those outside that lead to them."""
    known = {subnet.id: subnet_model(subnet) for subnet in subnets}
    outside = floating_ips.of_ports(conn, port_ids)
    return {port_id: tuple(
        FixedIp(one.address, known[one.subnet_id], tuple(outside.get(port_id, {}).get(one.address, ())))
        for one in given) for port_id, given in ports.addresses(conn, port_ids).items()}


def network_model(row: Any, subnets: Iterable[Any]) -> Network:
    """A network as the rest of the program sees it."""
    return Network(row.id, row.name, row.project_id, row.mtu, row.shared, row.external, row.admin_state_up,
                   tuple(subnet.id for subnet in subnets))


def subnet_model(row: Any) -> Subnet:
    """A subnet as the rest of the program sees it."""
    return Subnet(row.id, row.network_id, row.cidr, row.ip_version, row.gateway_ip, tuple(row.dns_nameservers))


_REMEMBERED = frozenset(('uuid', 'interfaces'))


def refresh(conn: Any, port_ids: Collection[str]) -> None:
    """Let the servers of ports that have changed remember them as they are now."""
    rows = ports.page(conn, {'id': list(port_ids)})
    for server_uuid in sorted({row.device_id for row in rows if row.device_id}):
        try:
            known = servers.lock(conn, server_uuid, _REMEMBERED).interfaces or []
        except errors.ServerNotFound:
            continue
        present = {one.get('port_id') for one in known}
        changed = models(conn, [row for row in rows if row.device_id == server_uuid and row.id in present])
        if changed:
            servers.update(conn, server_uuid, **columns(merged(known, changed)))
