# SPDX-License-Identifier: Apache-2.0
"""Slowness and failures on order, so that what a cluster does when hosts misbehave can be tried at a desk."""

import collections
import threading
from collections.abc import Collection, Iterable

from nova_lite import concurrency, errors

EVERY_CALL = '*'


class Faults:
    """Delays each named operation and lets chosen calls of it fail, before they did anything."""

    def __init__(self, delay: float, fail_at: Iterable[str], known: Collection[str]) -> None:
        self._delay = delay
        self._rules = _parse(fail_at, known)
        self._calls: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()

    def meet(self, operation: str, server_uuid: str) -> None:
        """Take the time that an operation takes; raise if this call of it is to fail."""
        with self._lock:
            self._calls[operation] += 1
            number = self._calls[operation]
        if self._delay:
            concurrency.sleep(self._delay)
        if not self._rules[operation].isdisjoint((EVERY_CALL, str(number))):
            raise errors.HypervisorError(
                reason=f'The fake hypervisor fails call {number} of {operation}, as [fake] fail_at says.',
                server=server_uuid)


def _parse(fail_at: Iterable[str], known: Collection[str]) -> dict[str, set[str]]:
    rules: dict[str, set[str]] = collections.defaultdict(set)
    for entry in fail_at:
        operation, _, call = entry.strip().partition(':')
        if operation not in known or not (call == EVERY_CALL or (call.isdecimal() and int(call) > 0)):
            raise errors.StartError(
                reason=f'[fake] fail_at {entry!r} must be OPERATION:N or OPERATION:*, with N from 1 and '
                       f'OPERATION one of {", ".join(sorted(known))}.')
        rules[operation].add(call if call == EVERY_CALL else str(int(call)))
    return rules
