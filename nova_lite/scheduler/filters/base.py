# SPDX-License-Identifier: Apache-2.0
"""What a filter is, and what it is given to judge by."""

import datetime
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from nova_lite.db.queries.host_rules import Test
from nova_lite.scheduler.request import HostState, Request


@dataclass(frozen=True)
class Rejection:
    """Why one host is out: what was wanted of it, and what it had."""

    host: str
    filter: str
    wanted: object
    had: object


@dataclass(frozen=True)
class Aggregate:
    """A host aggregate, with every value of each metadata key."""

    id: int
    values: Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class View:
    """What filters need to know besides the host and the request.

    ``options`` are those of ``[filter_scheduler]``; ``aggregates`` and ``places`` (which host each server of a
    hint is on) are there for filters that say so in ``needs``.
    """

    alive_since: datetime.datetime
    options: Any = field(default_factory=SimpleNamespace)
    aggregates: tuple[Aggregate, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)


#: (wanted, had) if the host is out; the owner of the server may read both.
Found = tuple[object, object] | None
Judge = Callable[[HostState, Request, View], Found]
#: (wanted, test) of each thing that a host has to be.
Rules = Callable[[Request, View], Iterable[tuple[object, Test]]]

FACTS, AGGREGATES, PLACES = 'facts', 'aggregates', 'places'


def always(request: Request, view: View) -> bool:
    """Of a filter that every request is something to."""
    return True


@dataclass(frozen=True)
class Filter:
    """Says which hosts are out of question for a request.

    ``rules`` say it in SQL, for all hosts at once; ``judge`` says it of one host that SQL left, and is needed
    only for what SQL cannot say.  ``applies``: whether the filter has anything to say of the request.
    ``needs``: which of ``HostState.facts``, ``View.aggregates`` and ``View.places`` it reads.
    """

    judge: Judge | None = None
    rules: Rules | None = None
    applies: Callable[[Request, View], bool] = always
    needs: frozenset[str] = frozenset()


def texts(hint: Any) -> tuple[str, ...]:
    """The values of a hint that may be one text or a list of texts."""
    if hint is None or hint == '':
        return ()
    return (hint,) if isinstance(hint, str) else tuple(map(str, hint))
