# SPDX-License-Identifier: Apache-2.0
"""The decision: narrow in SQL, filter, weigh and claim, in the transaction that places the server."""

import dataclasses
import datetime
from collections.abc import Iterator, Sequence
from typing import Any

from oslo_config import cfg

from nova_lite.db.queries import hosts
from nova_lite.model.groups import SOFT_AFFINITY, SOFT_ANTI_AFFINITY
from nova_lite.scheduler import explain, filters, groups, weighers
from nova_lite.scheduler.request import HostState, Request, state_of

#: Hosts that are weighed against each other; enough for a good choice, few enough for thousands of hosts.
PAGE = 40
#: After so many lost races the books are too busy to go on.
ROUNDS = 3


class Scheduler:
    """Finds hosts by the options of ``[filter_scheduler]``."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self.reload()

    def reload(self) -> None:
        """Take up changed options."""
        self._filters = filters.chosen(self._conf.filter_scheduler.enabled_filters)

    def place(self, conn: Any, request: Request, now: datetime.datetime,
              last_failure: str | None = None) -> HostState:
        """Claim the best host for the server in this transaction, or raise ``NoValidHost``."""
        request = dataclasses.replace(request, group=groups.lock(conn, request.server_uuid, request.hints))
        wanted = self._wanted(request, now)
        rejected: list[filters.Rejection] = []
        for _ in range(ROUNDS):
            rejected.clear()
            lost = False
            for good in self._pages(conn, request, wanted, rejected):
                for host in good:
                    if hosts.claim(conn, host.id, request.server_uuid, wanted, now):
                        return host
                    lost = True
            if not lost:
                break
        raise explain.no_valid_host(wanted, hosts.rejections(conn, wanted), rejected, last_failure)

    def _pages(self, conn: Any, request: Request, wanted: hosts.Wanted,
               rejected: list[filters.Rejection]) -> Iterator[list[HostState]]:
        """Hosts that pass, the best first, as long as anybody wants more."""
        group = self._conf.filter_scheduler
        size = max(PAGE, group.host_subset_size)
        view = filters.View(wanted.alive_since)
        asked = filters.ALWAYS if request.forced else self._filters
        multipliers = {name: group[name] for name in weighers.WEIGHERS}
        after = None
        preferred = self._preferred(conn, request, wanted, size)
        while True:
            rows = hosts.candidates(conn, wanted, size, after=after,
                                    most_free=group.ram_weight_multiplier >= 0)
            page = {row.id: row for row in (*rows, *preferred)}
            preferred = ()
            states = [state_of(row, wanted.default_zone) for row in page.values()]
            good, bad = filters.passing(states, request, view, asked)
            rejected.extend(bad)
            if good:
                yield weighers.ranked(good, multipliers, group.host_subset_size, request.group)
            if len(rows) < size:
                return
            after = (rows[-1].memory_mb_free, rows[-1].id)

    @staticmethod
    def _preferred(conn: Any, request: Request, wanted: hosts.Wanted, size: int) -> Sequence[Any]:
        """Hosts that a soft policy likes better, which may not be among those with the most memory."""
        group = request.group
        if group is None or not group.members:
            return ()
        names = tuple(sorted(group.members))
        if group.policy == SOFT_AFFINITY:
            return hosts.candidates(conn, dataclasses.replace(wanted, together=names), size)
        if group.policy == SOFT_ANTI_AFFINITY:
            return hosts.candidates(conn, dataclasses.replace(wanted, apart=names), size)
        return ()

    def _wanted(self, request: Request, now: datetime.datetime) -> hosts.Wanted:
        zoned = not request.forced and 'AvailabilityZoneFilter' in self._filters
        group = request.group
        return hosts.Wanted(
            vcpus=request.vcpus, memory_mb=request.memory_mb, local_gb=request.local_gb,
            alive_since=now - datetime.timedelta(seconds=self._conf.service_down_time),
            zone=request.zone if zoned else None, default_zone=self._conf.default_availability_zone,
            host=request.host, node=request.node, tried=request.tried, disabled_too=request.forced,
            leaving=request.leaving,
            group=group.uuid if group else '',
            together=group.together if group and filters.AFFINITY in self._filters else (),
            apart=group.apart if group and filters.ANTI_AFFINITY in self._filters else ())
