# SPDX-License-Identifier: Apache-2.0
"""A guest on its way to another libvirt: begun, watched, and brought to an end.

The two daemons do it between themselves, so it goes on when the process that began it is gone; whoever comes after that
one joins it. A domain that has left stays defined, and libvirt knows why it is off.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from oslo_config import cfg

from nova_lite import concurrency, errors
from nova_lite.model import moves
from nova_lite.virt.base import Progress
from nova_lite.virt.libvirt.connection import Connection
from nova_lite.virt.libvirt.domains import Domains

LOG = logging.getLogger(__name__)

#: Seconds between two looks at how far it is.
TICK = 0.5
GIB = 1 << 30
#: What a small guest is counted as when it takes too long.
LEAST_GIB = 2
_NOTHING = Progress(0, 0, 0, 0, 0, 0)

Watch = Callable[[Progress], str | None]


@dataclass(frozen=True)
class Order:
    """What libvirt is told: the URI of the other one, its parameters, and flags by their names in the library."""

    uri: str
    parameters: Mapping[str, Any]
    flags: tuple[str, ...]


class MigrationJob:
    """The one of a guest."""

    def __init__(self, conf: cfg.ConfigOpts, connection: Connection, domains: Domains, server_uuid: str) -> None:
        self._options = conf.libvirt
        self._connection = connection
        self._domains = domains
        self._uuid = server_uuid
        self._is_hurried = False
        self._aborted = False
        self._last = _NOTHING

    def run(self, order: Order, watch: Watch) -> None:
        """Return when the guest has left; whatever else happened is an error."""
        lib = self._connection.lib
        flags = sum(getattr(lib, name) for name in order.flags)

        def work(domain: Any) -> None:
            domain.migrateToURI3(order.uri, dict(order.parameters), flags)

        done = concurrency.spawn(self._domains.run, self._uuid, work)
        self._follow(lambda: not done.done(), watch)
        try:
            done.result()
        except errors.HypervisorError as error:
            # What was lost may be no more than the answer.
            if not self.has_left():
                if self._aborted:
                    raise errors.MigrationAborted(server=self._uuid) from error
                raise

    def join(self, watch: Watch) -> None:
        """Watch what another process has begun until it ends, somehow."""
        self._follow(self.is_running, watch)

    def is_running(self) -> bool:
        """Whether the guest is on its way."""
        return self._statistics() is not None

    def has_left(self) -> bool:
        """Whether it runs on the destination by now."""
        lib = self._connection.lib
        state: list[int] = self._domains.run(self._uuid, lambda domain: domain.state())
        return state == [lib.VIR_DOMAIN_SHUTOFF, lib.VIR_DOMAIN_SHUTOFF_MIGRATED]

    # ------------------------------------------------------------------- on its way

    def _follow(self, goes_on: Callable[[], bool], watch: Watch) -> None:
        began, is_told = time.monotonic(), False
        while goes_on():
            found = self._statistics()
            if found is not None:
                if not is_told:
                    is_told = True
                    self._try(lambda domain: domain.migrateSetMaxDowntime(self._options.live_migration_downtime, 0))
                self._last = progress(found)
            wish = watch(self._last) or self._impatience(time.monotonic() - began)
            # Before libvirt is at it there is nothing to be ended.
            if found is not None:
                self._heed(wish)
            concurrency.sleep(TICK)

    def _impatience(self, seconds: float) -> str | None:
        gib = max((self._last.memory_total + self._last.disk_total) / GIB, LEAST_GIB)
        limit = self._options.live_migration_completion_timeout * gib
        if not limit or seconds < limit:
            return None
        return moves.ABORT if self._options.live_migration_timeout_action == 'abort' else moves.COMPLETE

    def _heed(self, wish: str | None) -> None:
        if wish == moves.ABORT:
            self._aborted = True
            self._try(lambda domain: domain.abortJob())
        elif wish == moves.COMPLETE and not self._is_hurried:
            self._is_hurried = True
            permitted = self._options.live_migration_permit_post_copy
            if not (permitted and self._try(lambda domain: domain.migrateStartPostCopy(0))):
                self._try(lambda domain: domain.suspend())

    def _try(self, work: Callable[[Any], Any]) -> bool:
        """It may just have come to its end."""
        try:
            self._domains.run(self._uuid, lambda domain: work(domain) and None)
        except errors.Error as error:
            LOG.info('The live migration of server %s: %s', self._uuid, error)
            return False
        return True

    def _statistics(self) -> Mapping[str, Any] | None:
        """What libvirt counts, None if there is no such job."""
        lib = self._connection.lib

        def work(domain: Any) -> Mapping[str, Any] | None:
            with self._connection.ignoring('VIR_ERR_OPERATION_INVALID'):
                found: Mapping[str, Any] = domain.jobStats()
                if found.get('operation') == lib.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT and found.get('type'):
                    return found
            return None

        found: Mapping[str, Any] | None = self._domains.run(self._uuid, work)
        return found


def progress(found: Mapping[str, Any]) -> Progress:
    """libvirt's counters in our words."""
    return Progress(*(int(found.get(f'{what}_{which}', 0)) for what in ('memory', 'disk')
                      for which in ('total', 'processed', 'remaining')))
