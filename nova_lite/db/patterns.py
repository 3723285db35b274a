# SPDX-License-Identifier: Apache-2.0
"""Regular expressions that a client sends as a filter, on every database.

The three databases have three dialects of regular expressions and SQLite has none, so a pattern is
checked here first; what is refused here never reaches a database.
"""

import functools
import re

import sqlalchemy as sa

from nova_lite import errors

MAX_LENGTH = 255
# A repeated group whose body repeats already takes exponential time in a backtracking matcher.
_NESTED_REPEAT = re.compile(r'\((?:[^()\\]|\\.)*[*+}](?:[^()\\]|\\.)*\)(?:[*+]|\{\d*,)')


@functools.lru_cache(256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def check(name: str, pattern: str) -> str:
    """The pattern, if it is one that every database can match in reasonable time."""
    if len(pattern) > MAX_LENGTH:
        raise errors.Invalid(f'The regular expression in {name} is longer than {MAX_LENGTH} characters.')
    try:
        _compiled(pattern)
    except (re.error, RecursionError, OverflowError):
        raise errors.Invalid(f'{name} {pattern!r} is not a regular expression.') from None
    if _NESTED_REPEAT.search(pattern):
        raise errors.Invalid(f'{name} {pattern!r} repeats a group that repeats already.')
    return pattern


def matches(pattern: str, value: str | None) -> bool | None:
    """What SQLite calls for ``value REGEXP pattern``."""
    return None if value is None else _compiled(pattern).search(str(value)) is not None


def condition(column: sa.ColumnElement[str], name: str, pattern: str) -> sa.ColumnElement[bool]:
    """``column`` contains a match of ``pattern``."""
    return column.regexp_match(check(name, pattern))
