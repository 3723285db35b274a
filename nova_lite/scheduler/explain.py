# SPDX-License-Identifier: Apache-2.0
"""Says why no host will do: counts by reason for the owner, hosts by name for the administrator."""

import itertools
from collections.abc import Iterable

from nova_lite import errors
from nova_lite.db.queries import candidates
from nova_lite.db.queries.candidates import Count, Rejections
from nova_lite.db.queries.hosts import Wanted
from nova_lite.scheduler.filters import Rejection, counted


def _plain(one: str, many: str) -> dict[bool, str]:
    return {True: one, False: many}


# All that filters want is said by their names; this is what is wanted of any host.
_WORDS = {
    'tried': _plain('failed to build it', 'failed to build it'),
    'leaving': _plain('has the server now', 'have the server now'),
    'down': _plain('is down', 'are down'),
    'disabled': _plain('is disabled', 'are disabled'),
    'zone': _plain('is not in availability zone {wanted}', 'are not in availability zone {wanted}'),
    'affinity': _plain('has no other server of group {group}', 'have no other server of group {group}'),
    'anti-affinity': _plain('has as many servers of group {group} as it may',
                            'have as many servers of group {group} as they may'),
    'memory': _plain('lacks memory', 'lack memory'),
    'vcpus': _plain('lacks vCPUs', 'lack vCPUs'),
    'disk': _plain('lacks disk', 'lack disk'),
    'trait': _plain('lacks trait {wanted}', 'lack trait {wanted}'),
    'no trait': _plain('has trait {wanted}, which is forbidden', 'have trait {wanted}, which is forbidden'),
    'resource': _plain('has no {wanted} to give', 'have no {wanted} to give'),
}
#: Hosts that are named of those that SQL rejects, and as many of those that filters do.
EXAMPLES = candidates.EXAMPLES
_UNITS = {'memory': ' MiB', 'vcpus': '', 'disk': ' GiB'}


def no_valid_host(wanted: Wanted, found: Rejections, filtered: Iterable[Rejection] = (),
                  last_failure: str | None = None) -> errors.NoValidHost:
    """The error; ``details['hosts']`` holds (host, filter, wanted, had) of some of the hosts."""
    judged = list(filtered)
    reason = counts(wanted, found, judged) or _nobody(wanted, found)
    if last_failure:
        reason += f' The last failure: {last_failure}'
    return errors.NoValidHost(reason=reason, hosts=by_host(found, judged))


def counts(wanted: Wanted, found: Rejections, filtered: Iterable[Rejection] = ()) -> str:
    """How many hosts are out for which reason, as a sentence; empty if none is."""
    parts = [_count(wanted, count) for count in found.counts]
    for (name, wish), (number, had) in sorted(counted(list(filtered)).items(), key=str):
        parts.append((number, _rejected(name, wish, '' if had is None else f', had {had}')))
    return _sentence(parts, found.hosts) if parts else ''


def by_host(found: Rejections, filtered: Iterable[Rejection] = ()) -> list[tuple[str, str, object, object]]:
    """(host, filter, wanted, had) of some of the hosts that are out."""
    some = itertools.islice(filtered, EXAMPLES)
    return [*found.examples, *((one.host, one.filter, one.wanted, one.had) for one in some)]


def listing(error: errors.NoValidHost) -> str:
    """The hosts of the error, one a line."""
    lines = []
    for host, reason, wanted, had in error.details.get('hosts', ()):
        numbers = '' if wanted is None else f', wanted {wanted}'
        lines.append(f'{host}: {reason}{numbers}' + ('' if had is None else f', had {had}'))
    return '\n'.join(lines)


def _count(wanted: Wanted, count: Count) -> tuple[int, str]:
    if count.reason not in _WORDS:
        some = '' if count.least is None else f', had {count.least} and more'
        return count.number, _rejected(count.reason, count.wanted, some)
    words = _WORDS[count.reason][count.number == 1].format(wanted=count.wanted, group=wanted.group)
    if count.reason in _UNITS:
        unit = _UNITS[count.reason]
        words += f': wanted {count.wanted}{unit}, most free is {max(0, count.most or 0)}{unit}'
    return count.number, words


def _rejected(name: str, wanted: object, had: str) -> str:
    return f'rejected by {name}: wanted {wanted}{had}'


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
