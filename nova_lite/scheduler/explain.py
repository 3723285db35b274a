# SPDX-License-Identifier: Apache-2.0
"""Says why no host will do: counts by reason for the owner, hosts by name for the administrator."""

from collections.abc import Iterable

from nova_lite import errors
from nova_lite.db.queries.hosts import Rejections, Wanted
from nova_lite.scheduler.filters import Rejection, counted


def _plain(one: str, many: str) -> dict[bool, str]:
    return {True: one, False: many}


_WORDS = {
    'tried': _plain('failed to build it', 'failed to build it'),
    'leaving': _plain('has the server now', 'have the server now'),
    'down': _plain('is down', 'are down'),
    'disabled': _plain('is disabled', 'are disabled'),
    'zone': _plain('is not in availability zone {zone}', 'are not in availability zone {zone}'),
    'affinity': _plain('has no other server of group {group}', 'have no other server of group {group}'),
    'anti-affinity': _plain('has as many servers of group {group} as it may',
                            'have as many servers of group {group} as they may'),
    'memory': _plain('lacks memory', 'lack memory'),
    'vcpus': _plain('lacks vCPUs', 'lack vCPUs'),
    'disk': _plain('lacks disk', 'lack disk'),
}
_UNITS = {'memory': ('memory_mb', ' MiB'), 'vcpus': ('vcpus', ''), 'disk': ('local_gb', ' GiB')}


def no_valid_host(wanted: Wanted, found: Rejections, filtered: Iterable[Rejection] = (),
                  last_failure: str | None = None) -> errors.NoValidHost:
    """The error; ``details['hosts']`` holds (host, filter, wanted, had) of some of the hosts."""
    judged = list(filtered)
    parts = [_count(wanted, *count) for count in found.counts]
    parts += [(number, f'rejected by {name}') for name, number in sorted(counted(judged).items())]
    named: list[tuple[str, str, object, object]] = [
        (host, reason, _wanted(wanted, reason), had) for host, reason, had in found.examples]
    named += [(one.host, one.filter, one.wanted, one.had) for one in judged]
    reason = _sentence(parts, found.hosts) if parts else _nobody(wanted, found)
    if last_failure:
        reason += f' The last failure: {last_failure}'
    return errors.NoValidHost(reason=reason, hosts=named)


def listing(error: errors.NoValidHost) -> str:
    """The hosts of the error, one a line."""
    lines = []
    for host, reason, wanted, had in error.details.get('hosts', ()):
        numbers = '' if wanted is None else f', wanted {wanted}, had {had}'
        lines.append(f'{host}: {reason}{numbers}')
    return '\n'.join(lines)


def _count(wanted: Wanted, reason: str, number: int, most: int | None) -> tuple[int, str]:
    words = _WORDS[reason][number == 1].format(zone=wanted.zone, group=wanted.group)
    if reason in _UNITS:
        unit = _UNITS[reason][1]
        words += f': wanted {_wanted(wanted, reason)}{unit}, most free is {max(0, most or 0)}{unit}'
    return number, words


def _wanted(wanted: Wanted, reason: str) -> object:
    if reason == 'zone':
        return wanted.zone
    return getattr(wanted, _UNITS[reason][0]) if reason in _UNITS else None


def _sentence(parts: list[tuple[int, str]], hosts: int) -> str:
    (number, words), *rest = parts
    noun = 'host' if hosts == 1 else 'hosts'
    return '; '.join([f'{number} of {hosts} {noun} {words}', *(f'{count} {text}' for count, text in rest)]) + '.'


def _nobody(wanted: Wanted, found: Rejections) -> str:
    if found.hosts:
        return 'Other servers took the room in the meantime.'
    if wanted.host is not None or wanted.node is not None:
        return f'There is no compute host {wanted.host or wanted.node}.'
    return 'No compute host has reported yet.'
