# SPDX-License-Identifier: Apache-2.0
"""Which hosts are out of question.

What SQL can say is said there, for all hosts at once (``Filter.rules``, ``db/queries/candidates.py``), so that only
hosts with a chance are looked at one by one (``Filter.judge``).
"""

import importlib.metadata
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nova_lite import errors
from nova_lite.scheduler.filters import aggregates, basic, hints, limits, machines, specs
from nova_lite.scheduler.filters.base import FACTS, Filter, Found, Rejection, View
from nova_lite.scheduler.request import HostState, Request

__all__ = ('AFFINITY', 'ALWAYS', 'ANTI_AFFINITY', 'FILTERS', 'ZONE', 'Filter', 'Rejection', 'View', 'chosen', 'counted',
           'passing')

LOG = logging.getLogger(__name__)

AFFINITY, ANTI_AFFINITY, ZONE = basic.AFFINITY, basic.ANTI_AFFINITY, basic.ZONE
#: The names that operators know, for ``[filter_scheduler] enabled_filters``.
FILTERS: dict[str, Filter] = {
    **basic.FILTERS, **specs.FILTERS, **machines.FILTERS, **hints.FILTERS, **limits.FILTERS, **aggregates.FILTERS}
#: Asked whatever is enabled: a claim would not go against them.
ALWAYS: dict[str, Filter] = {'Capacity': Filter(basic.capacity)}
#: Where installed packages name their filters.
ENTRY_POINTS = 'nova_lite.scheduler.filters'
#: What stands in ``available_filters`` for all that there are.
ALL = 'nova.scheduler.filters.all_filters'


def chosen(names: Iterable[str], available: Iterable[str] = (ALL,)) -> dict[str, Filter]:
    """The filters with these names, as far as they are available; an unknown one ends the start."""
    names = list(names)
    allowed = {name.rpartition('.')[2] for name in available if name != ALL}
    everything = ALL in available
    known: dict[str, Any] = dict(FILTERS)
    # To look for packages takes longer than to start, so it is done only if there is a name to find.
    if not known.keys() >= {*names, *allowed}:
        known.update(_installed())
    if not everything:
        known = {name: known[name] for name in known if name in allowed}
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise errors.StartError(
            reason=f'[filter_scheduler] enabled_filters names {", ".join(unknown)}; there are '
                   f'{", ".join(sorted({*known, *(_installed() if everything else ())}))}.')
    return {name: _loaded(name, known[name]) for name in names} | ALWAYS


def _installed() -> dict[str, Any]:
    return {point.name: point for point in importlib.metadata.entry_points(group=ENTRY_POINTS)}


def _loaded(name: str, found: Any) -> Filter:
    """A filter of ours as it is; that of a package may be a function, and may fail without harm to others."""
    if isinstance(found, Filter):
        return found
    try:
        loaded = found.load()
    except Exception as error:
        raise errors.StartError(reason=f'Filter {name} cannot be loaded: {type(error).__name__}: {error}') from error
    made = loaded if isinstance(loaded, Filter) else Filter(loaded, needs=frozenset((FACTS,)))
    return Filter(_guarded(name, made), made.rules, made.applies, made.needs)


def _guarded(name: str, found: Filter) -> Any:
    judge = found.judge
    if judge is None:
        return None

    def guarded(host: HostState, request: Request, view: View) -> Found:
        try:
            return judge(host, request, view)
        except Exception as error:
            LOG.exception('Filter %s failed on host %s.', name, host.host)
            return 'an answer of the filter', type(error).__name__

    return guarded


def passing(hosts: Iterable[HostState], request: Request, view: View,
            filters: Mapping[str, Filter]) -> tuple[list[HostState], list[Rejection]]:
    """The hosts that no filter rejects, and why the others are out."""
    judges = [(name, one.judge) for name, one in filters.items() if one.judge and one.applies(request, view)]
    good, bad = [], []
    for host in hosts:
        for name, judge in judges:
            found = judge(host, request, view)
            if found is not None:
                bad.append(Rejection(host.host, name, *found))
                break
        else:
            good.append(host)
    return good, bad


def counted(rejections: Sequence[Rejection]) -> dict[tuple[str, object], tuple[int, object]]:
    """How many hosts each filter rejected for each wish, and what they had if all had the same."""
    numbers = Counter((one.filter, one.wanted) for one in rejections)
    had: dict[tuple[str, object], set[object]] = {key: set() for key in numbers}
    for one in rejections:
        had[one.filter, one.wanted].add(_hashable(one.had))
    return {key: (number, next(iter(had[key])) if len(had[key]) == 1 else None) for key, number in numbers.items()}


def _hashable(value: object) -> object:
    return value if isinstance(value, str | int | float | None) else str(value)
