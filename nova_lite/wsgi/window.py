# SPDX-License-Identifier: Apache-2.0
"""Windows of microversions: when a thing of the wire exists.

A minor version is the x of 2.x.  Zero stands for the old ``/v2`` endpoint, which lies below 2.1 in
every table, so that it needs no special case.
"""

from collections.abc import Iterable
from dataclasses import dataclass

LEGACY = 0
BASE = 1
OPEN = 1_000_000


@dataclass(frozen=True)
class Window:
    """Closed spans of minor versions, ascending and apart from each other."""

    spans: tuple[tuple[int, int], ...] = ((LEGACY, OPEN),)

    def __contains__(self, minor: int) -> bool:
        return any(first <= minor <= last for first, last in self.spans)

    def __or__(self, other: 'Window') -> 'Window':
        return Window(tuple(sorted(self.spans + other.spans)))

    def ended(self, minor: int) -> 'Window':
        """The same up to and with 2.minor, and nothing after."""
        return Window(tuple((first, min(last, minor)) for first, last in self.spans if first <= minor))

    def overlaps(self, other: 'Window') -> bool:
        """Whether some version lies in both."""
        return any(a <= d and c <= b for a, b in self.spans for c, d in other.spans)

    def edges(self) -> frozenset[int]:
        """The versions at which something begins, or is no longer there."""
        firsts = {first for first, _ in self.spans if first > BASE}
        return frozenset(firsts | {last + 1 for _, last in self.spans if BASE <= last < OPEN})

    def describe(self) -> str:
        """For messages: ``2.26 or later``, ``2.1 to 2.35``."""
        return ' or '.join(_describe(first, last) for first, last in self.spans)


def _describe(first: int, last: int) -> str:
    first = max(first, BASE)
    if last >= OPEN:
        return f'2.{first} or later'
    return f'2.{first}' if first == last else f'2.{first} to 2.{last}'


ALWAYS = Window()
V21 = Window(((BASE, OPEN),))
V2 = Window(((LEGACY, LEGACY),))


def since(minor: int) -> Window:
    """From 2.minor on."""
    return Window(((minor, OPEN),))


def until(minor: int) -> Window:
    """Up to and with 2.minor, ``/v2`` included."""
    return Window(((LEGACY, minor),))


def only(first: int, last: int) -> Window:
    """From 2.first to 2.last, both included."""
    return Window(((first, last),))


class Cuts:
    """Maps a minor version to the first version of the stretch in which a table is the same.

    Tables are compiled once for each stretch, not once for each of a hundred versions.
    """

    def __init__(self, windows: Iterable[Window]) -> None:
        edges = {edge for window in windows for edge in window.edges()}
        self._starts = sorted(edges | {LEGACY, BASE}, reverse=True)
        self._known: dict[int, int] = {}

    def bucket(self, minor: int) -> int:
        """The start of the stretch that holds ``minor``."""
        start = self._known.get(minor)
        if start is None:
            start = self._known[minor] = next(s for s in self._starts if s <= minor)
        return start

    def starts(self) -> list[int]:
        """All starts, ascending: where tests have to look."""
        return sorted(self._starts)
