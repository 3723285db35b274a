# SPDX-License-Identifier: Apache-2.0
"""Sort order and page markers, as every list of the API reads them."""

from collections.abc import Sequence
from typing import Any

from nova_lite import errors
from nova_lite.wsgi.body import Values


def sort_of(query: Values, default: Sequence[tuple[str, str]] = ()) -> list[tuple[str, str]]:
    """(key, direction) pairs of ``sort_key`` and ``sort_dir``, followed by the default ones.

    A key without a direction takes the first direction given.
    """
    keys, directions = query.all('sort_key'), query.all('sort_dir')
    if len(directions) > max(len(keys), 1):
        raise errors.Invalid(f'Invalid query: {len(directions)} sort_dir for {len(keys)} sort_key.')
    spare = directions[0] if directions else (default[0][1] if default else 'asc')
    pairs = [(key, directions[index] if index < len(directions) else spare) for index, key in enumerate(keys)]
    known = {key for key, _ in pairs}
    return pairs + [(key, spare if directions or keys else direction) for key, direction in default
                    if key not in known]


def cut(rows: Sequence[Any], limit: int, marker: str) -> tuple[Sequence[Any], str | None]:
    """The rows of a page and the marker of the next one, named by an attribute of the last row.

    A full page has a next link, also when the next page turns out to be empty: looking further would
    cost a row on each page.
    """
    if limit and len(rows) >= limit:
        return rows, str(getattr(rows[-1], marker))
    return rows, None
