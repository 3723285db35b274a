# SPDX-License-Identifier: Apache-2.0
"""Which addresses a subnet has, and which one is given away next.

An address is picked at random among those that are free: two requests at the same time then seldom want
the same one, and an address that was given back rests for a while, as other machines may remember it.
"""

import ipaddress
import random
from collections.abc import Callable, Collection, Sequence

from nova_lite import errors

Pools = Sequence[Sequence[str]]
#: Of the addresses that are given away, those among a collection or, for None, all.
Taken = Callable[[Collection[str] | None], set[str]]

#: A pool of up to so many addresses is looked at as a whole.
SMALL = 256
GUESSES = 16
ROUNDS = 3


def network_of(cidr: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """The network that ``cidr`` names; bits of a host in it are ignored."""
    try:
        return ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        raise errors.Invalid(reason=f'{cidr[:64]!r} is not a CIDR.') from None


def address_of(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address in whatever spelling."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise errors.Invalid(reason=f'{text[:64]!r} is not an IP address.') from None


def first_of(cidr: str) -> str:
    """The address that a gateway has unless somebody says otherwise."""
    network = network_of(cidr)
    return str(network[1] if network.num_addresses > 1 else network[0])


def is_host(cidr: str, address: str) -> bool:
    """Whether a machine may have the address: it is in the network, and neither its name nor its broadcast."""
    network, wanted = network_of(cidr), address_of(address)
    if wanted not in network:
        return False
    if network.num_addresses <= 2:
        return True
    return wanted != network.network_address and (network.version == 6 or wanted != network.broadcast_address)


def pools_of(cidr: str, gateway: str | None) -> list[list[str]]:
    """All addresses that machines may have, without the gateway, as [first, last] pairs."""
    network = network_of(cidr)
    low, high = int(network.network_address), int(network.broadcast_address)
    if network.num_addresses > 2:
        low, high = low + 1, high - (network.version == 4)
    kind = type(network.network_address)
    middle = int(ipaddress.ip_address(gateway)) if gateway else low - 1
    spans = [(low, high)] if not low <= middle <= high else [(low, middle - 1), (middle + 1, high)]
    return [[str(kind(first)), str(kind(last))] for first, last in spans if first <= last]


def pick(pools: Pools, taken: Taken) -> str | None:
    """An address that is free, None if there is none."""
    spans = [(int(ipaddress.ip_address(first)), int(ipaddress.ip_address(last))) for first, last in pools]
    total = sum(last - first + 1 for first, last in spans)
    if not total:
        return None
    kind = type(ipaddress.ip_address(pools[0][0]))
    if total > SMALL:
        for _ in range(ROUNDS):
            guesses = [str(kind(_at(spans, random.randrange(total)))) for _ in range(GUESSES)]
            known = taken(guesses)
            free = [guess for guess in guesses if guess not in known]
            if free:
                return free[0]
    return _pick_slowly(spans, kind, taken(None))


def _at(spans: Sequence[tuple[int, int]], index: int) -> int:
    for first, last in spans:
        if index <= last - first:
            return first + index
        index -= last - first + 1
    raise IndexError(index)


def _pick_slowly(spans: Sequence[tuple[int, int]], kind: type, known: set[str]) -> str | None:
    """Look at one address after the other, from a random one on."""
    total = sum(last - first + 1 for first, last in spans)
    start = random.randrange(total)
    # Among one more than are taken one is free.
    for offset in range(min(total, len(known) + 1)):
        address = str(kind(_at(spans, (start + offset) % total)))
        if address not in known:
            return address
    return None
