# SPDX-License-Identifier: Apache-2.0
"""Security groups: what a rule may say, and what every project has from the start."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nova_lite import errors

#: Of each project.
MOST_GROUPS, MOST_RULES = 10, 100
#: The name of the group that every project has, and that no other one of it may have.
DEFAULT = 'default'

INGRESS, EGRESS = 'ingress', 'egress'
IPV4, IPV6 = 'IPv4', 'IPv6'
EVERYWHERE = {IPV4: '0.0.0.0/0', IPV6: '::/0'}

_WITH_PORTS = {'tcp': 6, 'udp': 17, 'dccp': 33, 'sctp': 132, 'udplite': 136}
_ICMP, _ICMP_V6 = {'icmp': 1}, {'ipv6-icmp': 58, 'icmpv6': 58}
_ONLY_V6 = {**_ICMP_V6, 'ipv6-encap': 41, 'ipv6-frag': 44, 'ipv6-nonxt': 59, 'ipv6-opts': 60, 'ipv6-route': 43}
_OTHERS = {'ah': 51, 'egp': 8, 'esp': 50, 'gre': 47, 'igmp': 2, 'ip': 0, 'ipip': 4, 'ospf': 89, 'pgm': 113, 'rsvp': 46,
           'vrrp': 112}
NUMBERS = {**_WITH_PORTS, **_ICMP, **_ONLY_V6, **_OTHERS}


@dataclass(frozen=True)
class Rule:
    """What is let through: packets of one direction that match all that is given."""

    direction: str
    ethertype: str = IPV4
    protocol: str | None = None
    port_range_min: int | None = None     # of ICMP the type
    port_range_max: int | None = None     # of ICMP the code
    remote_ip_prefix: str | None = None
    remote_group_id: str | None = None
    description: str = ''

    @property
    def sameness(self) -> str:
        """Equal for two rules that let the same through, however they are written."""
        number = NUMBERS.get(self.protocol or '', self.protocol)
        network = network_of(self.remote_ip_prefix)
        prefix = None if network in EVERYWHERE.values() else network
        parts = (self.direction, self.ethertype, number, self.port_range_min, self.port_range_max, prefix,
                 self.remote_group_id)
        return ' '.join('-' if part is None else str(part) for part in parts)


@dataclass(frozen=True)
class StoredRule:
    """A rule of a group; ``remote_group_name`` is told where a group is what it lets through."""

    id: str
    group_id: str
    project_id: str
    rule: Rule
    remote_group_name: str | None = None


@dataclass(frozen=True)
class Group:
    """A group with its rules."""

    id: str
    name: str
    description: str
    project_id: str
    rules: tuple[StoredRule, ...] = ()


def network_of(prefix: str | None) -> str | None:
    """The network that a prefix means: its owner may have written the address of a machine in it."""
    return None if prefix is None else str(ipaddress.ip_network(prefix, strict=False))


def first_rules(default_id: str | None = None) -> list[Rule]:
    """What a new group lets through: all that its servers send; the default group also what its members send."""
    rules = [Rule(EGRESS, ethertype) for ethertype in (IPV4, IPV6)]
    if default_id is not None:
        rules += [Rule(INGRESS, ethertype, remote_group_id=default_id) for ethertype in (IPV4, IPV6)]
    return rules


def checked(values: Mapping[str, Any]) -> Rule:
    """The rule of a request; ``Invalid`` says what contradicts what."""
    if values.get('direction') not in (INGRESS, EGRESS):
        raise errors.Invalid(f'Invalid direction: {values.get("direction")!r} is not {INGRESS} or {EGRESS}.')
    ethertype = _ethertype(values.get('ethertype') or IPV4)
    prefix, group = values.get('remote_ip_prefix'), values.get('remote_group_id')
    if prefix is not None and group is not None:
        raise errors.Invalid('A rule has a remote_ip_prefix or a remote_group_id, not both.')
    protocol = _protocol(values.get('protocol'), ethertype)
    low, high = _ports(protocol, values.get('port_range_min'), values.get('port_range_max'))
    return Rule(values['direction'], ethertype, protocol, low, high, _prefix(prefix, ethertype), group,
                values.get('description') or '')


def _ethertype(text: Any) -> str:
    found = {IPV4.lower(): IPV4, IPV6.lower(): IPV6}.get(str(text).lower())
    if found is None:
        raise errors.Invalid(f'Invalid ethertype: {text!r} is not {IPV4} or {IPV6}.')
    return found


def _protocol(value: Any, ethertype: str) -> str | None:
    text = '' if value is None else str(value).lower()
    if text in ('', 'any'):
        return None
    if text.isascii() and text.isdigit():
        if int(text) > 255:
            raise errors.Invalid(f'Invalid protocol: {text} is not a number from 0 to 255.')
        text = str(int(text))
    elif text not in NUMBERS:
        raise errors.Invalid(f'Invalid protocol: {text[:64]!r} is not a number from 0 to 255, any, or one of '
                             f'{", ".join(sorted(NUMBERS))}.')
    if ethertype == IPV4 and text in _ONLY_V6:
        raise errors.Invalid(f'Protocol {text} is one of IPv6, and the ethertype of the rule is {IPV4}.')
    return text


def _ports(protocol: str | None, low: Any, high: Any) -> tuple[int | None, int | None]:
    low, high = _number('port_range_min', low), _number('port_range_max', high)
    if low is None and high is None:
        return None, None
    if protocol is None:
        raise errors.Invalid('A rule with ports needs a protocol.')
    number = NUMBERS.get(protocol, protocol)
    if str(number) in _as_text(_WITH_PORTS):
        if low is None or high is None or low > high or high > 65535:
            raise errors.Invalid(f'Invalid ports: port_range_min {low} and port_range_max {high} must both be given, '
                                 'the first one not larger than the second, from 0 to 65535.')
    elif str(number) in _as_text(_ICMP | _ICMP_V6):
        if low is None or max(low, high or 0) > 255:
            raise errors.Invalid(f'Invalid ICMP type {low} or code {high}: both are from 0 to 255, and there is no '
                                 'code without a type.')
    else:
        raise errors.Invalid(f'Protocol {protocol} has no ports.')
    return low, high


def _as_text(numbers: Mapping[str, int]) -> set[str]:
    return {str(number) for number in numbers.values()}


def _number(name: str, value: Any) -> int | None:
    if value is None:
        return None
    try:
        found = int(str(value))
    except ValueError:
        found = -1
    if not 0 <= found <= 65535:
        raise errors.Invalid(f'Invalid {name}: {str(value)[:64]!r} is not a whole number from 0 to 65535.')
    return found


def _prefix(text: Any, ethertype: str) -> str | None:
    if text is None:
        return None
    try:
        prefix = ipaddress.ip_interface(str(text))
    except ValueError:
        raise errors.Invalid(f'Invalid remote_ip_prefix: {str(text)[:64]!r} is not in CIDR notation.') from None
    if f'IPv{prefix.version}' != ethertype:
        raise errors.Invalid(f'Invalid remote_ip_prefix: {prefix} is not of the ethertype of the rule, {ethertype}.')
    return str(prefix)
