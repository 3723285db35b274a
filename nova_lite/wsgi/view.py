# SPDX-License-Identifier: Apache-2.0
"""Views: the fields of an answer, each with its window of versions.

A view is compiled to a plan for (version stretch, operation, rules that pass); the plan knows the
database columns and the batch loaders that it needs, so a query reads no more than is shown.
"""

import collections
import functools
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nova_lite.wsgi import kinds, window

Getter = Callable[[Any, 'Rendering'], Any]
Loader = Callable[['Rendering', Sequence[Any]], Any]


class _Omit:
    """Type of OMIT."""

    def __repr__(self) -> str:
        return 'OMIT'


OMIT = _Omit()  # what a getter gives when this one row does not show the field


@dataclass(frozen=True)
class Field:
    """One key of an answer.

    ``get(row, rendering)`` gives its JSON value; ``columns`` are the database columns it reads,
    ``needs`` the batch loaders; ``rule`` must pass for the caller to see it; ``ops`` limits it to
    some operations (empty: all); ``sometimes`` marks a field whose getter may answer OMIT;
    ``plain`` names the attribute that is shown as it is, which spares the call of a getter;
    ``kind`` describes the value.
    """

    name: str
    get: Getter
    when: window.Window = window.ALWAYS
    ops: frozenset[str] = frozenset()
    rule: str = ''
    needs: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    sometimes: bool = False
    plain: str = ''
    kind: kinds.Kind = field(default_factory=dict)


def column(name: str, source: str | None = None, when: window.Window = window.ALWAYS, **more: Any) -> Field:
    """A field that shows one column as it is; ``source`` is the column's name where it differs."""
    attribute = source or name
    return Field(name, lambda row, _: getattr(row, attribute), when, columns=(attribute,), plain=attribute, **more)


@functools.lru_cache(512)
def _record(names: tuple[str, ...]) -> Any:
    return collections.namedtuple('_record', names)


def _quick(rows: Sequence[Any]) -> Sequence[Any]:
    """Rows of a database as named tuples: reading one of their attributes costs a tenth."""
    names = getattr(rows[0], '_fields', None) if rows else None
    return rows if names is None else list(map(_record(names)._make, rows))


@dataclass(frozen=True)
class Plan:
    """A view compiled for one kind of answer."""

    plain: tuple[str, ...]
    read_plain: Callable[[Any], tuple[Any, ...]]
    always: tuple[tuple[str, Getter], ...]
    sometimes: tuple[tuple[str, Getter], ...]
    columns: frozenset[str]
    needs: tuple[str, ...]

    @property
    def certain(self) -> frozenset[str]:
        """Names that every row shows."""
        return frozenset(self.plain).union(name for name, _ in self.always)

    @property
    def names(self) -> frozenset[str]:
        """Names that a row can show."""
        return self.certain.union(name for name, _ in self.sometimes)

    def render(self, rows: Sequence[Any], rendering: 'Rendering') -> list[dict[str, Any]]:
        """The rows as JSON objects; each loader runs once for all of them."""
        rows = _quick(rows)
        for name in self.needs:
            rendering.load(name, rows)
        return [self._render(row, rendering) for row in rows]

    def _render(self, row: Any, rendering: 'Rendering') -> dict[str, Any]:
        entry = dict(zip(self.plain, self.read_plain(row), strict=True))
        for name, get in self.always:
            entry[name] = get(row, rendering)
        for name, get in self.sometimes:
            value = get(row, rendering)
            if value is not OMIT:
                entry[name] = value
        return entry


def _reader(attributes: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """The values of some attributes as a tuple; attrgetter alone gives no tuple for fewer than two."""
    if len(attributes) > 1:
        return operator.attrgetter(*attributes)
    return lambda row: tuple(getattr(row, attribute) for attribute in attributes)


@dataclass
class Rendering:
    """What getters and loaders may ask beside the row: the caller, the links, what was loaded."""

    call: Any
    base: str                       # http://host/v2.1[/project]
    bookmark: str                   # the same without the version
    loaders: Mapping[str, Loader]
    loaded: dict[str, Any] = field(default_factory=dict)

    def load(self, name: str, rows: Sequence[Any]) -> None:
        """Run one batch loader."""
        self.loaded[name] = self.loaders[name](self, rows)

    def links(self, path: str) -> list[dict[str, str]]:
        """The self and bookmark links of ``path``, such as ``servers/UUID``."""
        return [{'rel': 'self', 'href': f'{self.base}/{path}'},
                {'rel': 'bookmark', 'href': f'{self.bookmark}/{path}'}]

    def bookmark_link(self, path: str) -> list[dict[str, str]]:
        """Only the bookmark link, as embedded flavors and images have it."""
        return [{'rel': 'bookmark', 'href': f'{self.bookmark}/{path}'}]


class View:
    """A table of fields.

    Two fields of one name must not meet in any version and operation, unless their rules differ:
    then the later one whose rule passes is shown.
    """

    def __init__(self, *fields: Field, loaders: Mapping[str, Loader] | None = None,
                 columns: Iterable[str] = ()) -> None:
        self.fields = fields
        self.loaders = loaders or {}
        self.base_columns = frozenset(columns)
        self._cuts = window.Cuts(f.when for f in fields)
        self._rules: dict[tuple[int, str], tuple[str, ...]] = {}
        self._plans: dict[tuple[int, str, frozenset[str]], Plan] = {}

    def rules(self, minor: int, op: str) -> tuple[str, ...]:
        """The policy rules that decide about fields of this version and operation."""
        key = (self._cuts.bucket(minor), op)
        known = self._rules.get(key)
        if known is None:
            known = tuple(sorted({f.rule for f in self._shown(*key) if f.rule}))
            self._rules[key] = known
        return known

    def plan(self, minor: int, op: str, allowed: frozenset[str]) -> Plan:
        """The compiled view; cached."""
        key = (self._cuts.bucket(minor), op, allowed)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._compile(*key)
        return plan

    def described(self, minor: int, op: str) -> dict[str, kinds.Kind]:
        """What each field holds at a version; one whose rule decides what is shown may hold either."""
        found: dict[str, list[kinds.Kind]] = {}
        for one in self._shown(self._cuts.bucket(minor), op):
            alternatives = found.setdefault(one.name, [])
            if one.kind not in alternatives:
                alternatives.append(one.kind)
        return {name: several[0] if len(several) == 1 else {'anyOf': several} for name, several in found.items()}

    def _shown(self, minor: int, op: str) -> list[Field]:
        return [f for f in self.fields if minor in f.when and (not f.ops or op in f.ops)]

    def _compile(self, minor: int, op: str, allowed: frozenset[str]) -> Plan:
        # A field with a rule stands in for the one of the same name that everybody sees.
        fields = list({f.name: f for f in self._shown(minor, op) if not f.rule or f.rule in allowed}.values())
        plain = [f for f in fields if f.plain and not f.sometimes]
        return Plan(
            plain=tuple(f.name for f in plain), read_plain=_reader([f.plain for f in plain]),
            always=tuple((f.name, f.get) for f in fields if not f.sometimes and not f.plain),
            sometimes=tuple((f.name, f.get) for f in fields if f.sometimes),
            columns=self.base_columns.union(*(f.columns for f in fields)),
            needs=tuple(sorted({need for f in fields for need in f.needs})))

    def windows(self) -> list[window.Window]:
        """All windows of the table."""
        return [f.when for f in self.fields]

    def faults(self) -> list[str]:
        """What start-up refuses: two fields of one name that meet."""
        found = []
        for index, one in enumerate(self.fields):
            for other in self.fields[index + 1:]:
                if one.name == other.name and one.when.overlaps(other.when) and _same_ops(one, other) \
                        and one.rule == other.rule:
                    found.append(f'field {one.name} is there twice at {one.when.describe()}')
        return found


def _same_ops(one: Field, other: Field) -> bool:
    return not one.ops or not other.ops or bool(one.ops & other.ops)
