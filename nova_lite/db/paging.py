# SPDX-License-Identifier: Apache-2.0
"""Pages of a list, by the keys of the last row seen and never by counting rows.

A page costs the same wherever it lies in the table.  NULL is the smallest value on every database,
and the row's id decides between rows that are otherwise equal.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from nova_lite import errors
from nova_lite.db.engine import Conn


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """What a client asks of a list: how many, after which one, in which order."""

    limit: int | None = None
    marker: str | None = None
    sort: Sequence[tuple[str, str]] = ()       # (key, 'asc' or 'desc'), the most important first


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Order:
    """How one table may be sorted, and what a marker of it is."""

    marker: sa.ColumnElement[Any]
    tie: sa.ColumnElement[Any]
    default: Sequence[tuple[str, str]]
    keys: Mapping[str, sa.ColumnElement[Any]]
    # Keys that come before the tie: of a large table where many rows have the same value of the first key.
    then: Sequence[str] = ()


Way = Sequence[sa.ColumnElement[bool]]


def select_page(conn: Conn, statement: sa.Select[Any], order: Order, page: Page,
                *scope: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """The statement for one page; a marker outside of ``scope`` is not found."""
    return _ordered(conn, statement.where(*_only(ways_behind(conn, order, page, *scope))), order, page)


def select_page_of(conn: Conn, statement: sa.Select[Any], order: Order, page: Page, ways: Sequence[Way],
                   index: str | None = None) -> sa.Select[Any]:
    """The statement for one page of the rows that meet all conditions of any of ``ways``, none of which overlap.

    Each way is a stretch of an index and is read no farther than the page needs, which no database does for OR.
    ``index`` is the one for MariaDB, which often prefers to sort all rows.
    """
    table = order.tie.table
    hinted = statement if index is None else statement.with_hint(table, f'FORCE INDEX ({index})', conn.dialect.name)
    if len(ways) == 1 or page.limit is None:
        return _ordered(conn, hinted.where(*_only(ways)), order, page)
    parts = [_ordered(conn, hinted.with_only_columns(order.tie).where(*way), order, page).subquery(f'part_{number}')
             for number, way in enumerate(ways)]
    found = sa.union_all(*(sa.select(part.c[order.tie.name]) for part in parts)).subquery('found')
    return _ordered(conn, statement.join(found, order.tie == found.c[order.tie.name]), order, page)


def ways_behind(conn: Conn, order: Order, page: Page, *scope: sa.ColumnElement[bool]) -> list[Way]:
    """The rows behind the marker; one way without conditions if there is no marker."""
    if page.marker is None:
        return [()]
    keys = _sort_keys(order, tuple(map(tuple, page.sort)))
    values = _marker_values(conn, order, page.marker, keys, scope)
    if not order.then or len(keys) < 3:
        return [_after(order, keys, values)]
    # A single condition would have the database walk through all rows with the marker's first value.
    (first, down), value = keys[0], values[0]
    ways: list[Way] = [(first.is_(None) if value is None else first == value, *_after(order, keys[1:], values[1:]))]
    if value is None:
        return ways if down else [*ways, (first.is_not(None),)]
    ways.append((first < value if down else first > value,))
    return [*ways, (first.is_(None),)] if down and first.nullable else ways


def _only(ways: Sequence[Way]) -> Way:
    """One way that stands for all."""
    return ways[0] if len(ways) == 1 else (sa.or_(*(sa.and_(sa.true(), *way) for way in ways)),)


def _ordered(conn: Conn, statement: sa.Select[Any], order: Order, page: Page) -> sa.Select[Any]:
    statement = statement.order_by(*ordering(conn.dialect.name, order, page))
    return statement if page.limit is None else statement.limit(page.limit)


def ordering(dialect: str, order: Order, page: Page) -> tuple[Any, ...]:
    """What stands behind ORDER BY."""
    return _ordering(dialect, order, tuple(map(tuple, page.sort)))


@functools.lru_cache(512)
def _ordering(dialect: str, order: Order, sort: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(_order_by(column, down, dialect == 'postgresql') for column, down in _sort_keys(order, sort))


@functools.lru_cache(512)
def _sort_keys(order: Order, sort: tuple[Any, ...]) -> tuple[tuple[Any, bool], ...]:
    keys: dict[Any, bool] = {}
    for name, direction in sort or order.default:
        if name not in order.keys:
            raise errors.Invalid(f'A list cannot be sorted by {name}.')
        keys.setdefault(order.keys[name], direction == 'desc')
    # What breaks ties goes the way of the last key, so that one index serves both.
    down = next(reversed(keys.values())) if keys else False
    for column in (*(order.keys[name] for name in order.then), order.tie):
        if not any(key.unique or key.primary_key for key in keys):
            keys.setdefault(column, down)
    return tuple(keys.items())


def _order_by(column: Any, down: bool, postgresql: bool) -> Any:
    ordered = column.desc() if down else column.asc()
    if postgresql and column.nullable:
        # PostgreSQL alone takes NULL for the largest value.
        return ordered.nulls_last() if down else ordered.nulls_first()
    return ordered


def _marker_values(conn: Conn, order: Order, marker: str, keys: Sequence[tuple[Any, bool]],
                   scope: Sequence[sa.ColumnElement[bool]]) -> list[Any]:
    statement = sa.select(*(column for column, _ in keys)).where(order.marker == marker, *scope)
    row = conn.execute(statement).first()
    if row is None:
        raise errors.MarkerNotFound(marker=marker)
    # A bare True cannot be compared with ``<``.
    return [None if value is None else sa.literal(value, column.type)
            for value, (column, _) in zip(row, keys, strict=True)]


def _after(order: Order, keys: Sequence[tuple[Any, bool]], values: Sequence[Any]) -> list[Any]:
    """The rows behind the marker: ``a > 1 or (a = 1 and (b > 2 or (b = 2 and c > 3)))``."""
    behind: Any = None
    for (column, down), value in reversed(list(zip(keys, values, strict=True))):
        here = _beyond(column, down, value)
        if behind is None and column is order.tie and len(keys) > 1:
            # MariaDB would otherwise think of the primary key, and then read the whole table.
            here = column + 0 < value if down else column + 0 > value
        same = column.is_(None) if value is None else column == value
        behind = here if behind is None else sa.or_(here, sa.and_(same, behind))
    (first, down), value = keys[0], values[0]
    if first.nullable:
        return [behind]
    # True of every row behind the marker, and a range of an index, which the disjunction is not.
    return [first <= value if down else first >= value, behind]


def _beyond(column: Any, down: bool, value: Any) -> sa.ColumnElement[bool]:
    if value is None:
        return sa.false() if down else column.is_not(None)
    if not down:
        return column > value
    return sa.or_(column < value, column.is_(None)) if column.nullable else column < value


@functools.lru_cache(512)
def columns_of(table: sa.Table, names: frozenset[str] | None) -> sa.Select[Any]:
    """``SELECT`` of the named columns; None is all of them."""
    if names is None:
        return sa.select(table)
    return sa.select(*(column for column in table.c if column.name in names))
