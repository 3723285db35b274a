# SPDX-License-Identifier: Apache-2.0
"""The decision: narrow in SQL, filter, weigh and claim, in the transaction that places the server.

Hosts are read a page at a time, those with the most of what counts most first, and no more pages than it takes to
find one that every filter agrees with.  So a decision costs about the same among a hundred hosts and among ten
thousand, as long as SQL can say which of them are out.
"""

import dataclasses
import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from oslo_config import cfg

from nova_lite.db.queries import aggregates, candidates, hosts, servers
from nova_lite.db.queries.host_rules import Rule
from nova_lite.model.groups import SOFT_AFFINITY, SOFT_ANTI_AFFINITY
from nova_lite.scheduler import explain, filters, groups, weighers
from nova_lite.scheduler.filters import base, hints, specs
from nova_lite.scheduler.request import HostState, Request, state_of, values_of

#: Hosts that are weighed against each other; enough for a good choice, few enough for thousands of hosts.
PAGE = 40
#: Where none of them passes, more are read at once, up to so many.
LONGEST_PAGE = 2000
#: After so many lost races the books are too busy to go on.
ROUNDS = 3
#: How often hosts that somebody else was quicker to take are weighed anew before one is taken all the same.
MISSES = 8
# The weigher of each order in which hosts can be read.
_ORDERS = {'ram_weight_multiplier': 'memory', 'cpu_weight_multiplier': 'vcpus', 'disk_weight_multiplier': 'disk',
           'num_instances_weight_multiplier': 'servers'}


@dataclasses.dataclass(frozen=True)
class Search:
    """One request, and all that is known of what it needs before any host is looked at."""

    request: Request
    wanted: hosts.Wanted
    view: filters.View
    asked: Mapping[str, filters.Filter]
    pages: candidates.Pages
    rejected: list[filters.Rejection]


@dataclasses.dataclass(frozen=True)
class Outlook:
    """Where a server would go now, the best host first, and why not to the others.

    ``counts`` is a sentence without hosts' names; ``others`` has (host, filter, wanted, had) of some.
    """

    hosts: tuple[HostState, ...]
    counts: str
    others: tuple[tuple[str, str, object, object], ...]


class Scheduler:
    """Finds hosts by the options of ``[filter_scheduler]``."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self.reload()

    def reload(self) -> None:
        """Take up changed options."""
        group = self._conf.filter_scheduler
        self._filters = filters.chosen(group.enabled_filters, group.available_filters)
        self._weighing = weighers.chosen(group)

    def place(self, conn: Any, request: Request, now: datetime.datetime,
              last_failure: str | None = None) -> HostState:
        """Claim the best host for the server in this transaction, or raise ``NoValidHost``."""
        request = dataclasses.replace(request, group=groups.lock(conn, request.server_uuid, request.hints))
        search = self._search(conn, request, now)
        for _ in range(ROUNDS):
            search.rejected.clear()
            lost = False
            for good in self._pages(conn, search):
                host = self._claim(conn, search, good, now)
                if host is not None:
                    return host
                lost = True
            if not lost:
                break
        raise explain.no_valid_host(search.wanted, candidates.rejections(conn, search.wanted), search.rejected,
                                    last_failure)

    def look(self, conn: Any, request: Request, now: datetime.datetime) -> Outlook:
        """Where the server would go; nothing is claimed, locked or written."""
        if request.group is None:
            request = dataclasses.replace(request, group=groups.look(conn, request.server_uuid, request.hints))
        search = self._search(conn, request, now)
        good = next(self._pages(conn, search), [])
        found = candidates.rejections(conn, search.wanted)
        return Outlook(tuple(self._ranked(search, good)), explain.counts(search.wanted, found, search.rejected),
                       tuple(explain.by_host(found, search.rejected)))

    def _claim(self, conn: Any, search: Search, good: Sequence[HostState], now: datetime.datetime) -> HostState | None:
        """Take the best of the hosts.

        Many decisions at once all see the same best host.  So a host that somebody has taken since it was read is
        weighed anew, as if with one more server like this one, and again if that makes no other host the best.
        Where there is no other host, it is waited for.
        """
        request, wanted = search.request, search.wanted
        known = {host.id: host for host in good}
        ranked, missed = self._ranked(search, good), 0
        while len(ranked) > 1 and missed < MISSES:
            best = ranked[0]
            if hosts.claim(conn, best.id, request.server_uuid, wanted, now, known[best.id].servers):
                return best
            missed += 1
            ranked = self._ranked(search, [best.less(request), *ranked[1:]])
        for host in ranked:
            if hosts.claim(conn, host.id, request.server_uuid, wanted, now):
                return host
        return None

    def _ranked(self, search: Search, good: Sequence[HostState]) -> list[HostState]:
        return weighers.ranked(good, self._weighing, search.request)

    def _pages(self, conn: Any, search: Search) -> Iterator[list[HostState]]:
        """Hosts that pass, page by page, as long as anybody wants more."""
        size = max(PAGE, self._weighing.subset)
        after = None
        preferred = self._preferred(conn, search, size)
        while True:
            rows = candidates.page(conn, search.wanted, size, search.pages, after)
            page = {row.id: row for row in (*rows, *preferred)}
            preferred = ()
            states = [state_of(row, search.wanted.default_zone, search.pages.with_facts) for row in page.values()]
            good, bad = filters.passing(states, search.request, search.view, search.asked)
            search.rejected.extend(bad)
            if good:
                yield good
            if len(rows) < size:
                return
            after = (rows[-1].position, rows[-1].id)
            size = min(LONGEST_PAGE, size * 5)

    @staticmethod
    def _preferred(conn: Any, search: Search, size: int) -> Sequence[Any]:
        """Hosts that a soft policy likes better, which may not be among those that are read first."""
        group, wanted = search.request.group, search.wanted
        if group is None or not group.members:
            return ()
        names = tuple(sorted(group.members))
        if group.policy == SOFT_AFFINITY:
            return candidates.page(conn, dataclasses.replace(wanted, together=names), size, search.pages)
        if group.policy == SOFT_ANTI_AFFINITY:
            return candidates.page(conn, dataclasses.replace(wanted, apart=names), size, search.pages)
        return ()

    def _search(self, conn: Any, request: Request, now: datetime.datetime) -> Search:
        view = base.View(now - datetime.timedelta(seconds=self._conf.service_down_time), self._conf.filter_scheduler)
        asked = {name: one for name, one in (filters.ALWAYS if request.forced else self._filters).items()
                 if one.applies(request, view)}
        needs = frozenset().union(*(one.needs for one in asked.values()))
        view = dataclasses.replace(view, **_known(conn, request, needs))
        rules = [Rule(name, *wish) for name, one in asked.items() if one.rules for wish in one.rules(request, view)]
        wanted = self._wanted(request, view, (*specs.demands(request), *rules))
        return Search(request, wanted, view, asked, self._order(base.FACTS in needs), [])

    def _order(self, with_facts: bool) -> candidates.Pages:
        """By the weigher that counts most, and memory of several that count the same."""
        weights = {name: self._weighing.weighers[name][1] for name in _ORDERS}
        name = max(weights, key=lambda one: abs(weights[one]))
        return candidates.Pages(_ORDERS[name], weights[name] >= 0, with_facts)

    def _wanted(self, request: Request, view: filters.View, rules: tuple[Rule, ...]) -> hosts.Wanted:
        zoned = not request.forced and filters.ZONE in self._filters
        group = request.group
        return hosts.Wanted(
            vcpus=request.vcpus, memory_mb=request.memory_mb, local_gb=request.local_gb,
            alive_since=view.alive_since,
            zone=request.zone if zoned else None, default_zone=self._conf.default_availability_zone,
            host=request.host, node=request.node, tried=request.tried, disabled_too=request.forced,
            leaving=request.leaving,
            group=group.uuid if group else '',
            together=group.together if group and filters.AFFINITY in self._filters else (),
            apart=group.apart if group and filters.ANTI_AFFINITY in self._filters else (), rules=rules)


def _known(conn: Any, request: Request, needs: frozenset[str]) -> dict[str, Any]:
    """What filters need to know besides hosts."""
    known: dict[str, Any] = {}
    if base.AGGREGATES in needs:
        known['aggregates'] = tuple(
            base.Aggregate(row.id, values_of([row.metadata])) for row in aggregates.page(conn))
    if base.PLACES in needs:
        uuids = {uuid for hint in hints.SERVER_HINTS for uuid in base.texts(request.hints.get(hint))}
        rows = servers.get_many(conn, uuids, frozenset(('uuid', 'host', 'deleted')))
        known['places'] = {uuid: row.host for uuid, row in rows.items() if row.host and not row.deleted}
    return known
