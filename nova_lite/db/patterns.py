# SPDX-License-Identifier: Apache-2.0
"""Regular expressions that a client sends as a filter, on every database.

The three databases have three dialects of regular expressions and SQLite borrows Python's, so a
pattern must be of the part that all of them read alike.  It must not be one that a backtracking
matcher needs ages for, either: what is refused here never reaches a database.
"""

import functools
import itertools
import re

import sqlalchemy as sa

from nova_lite import errors

MAX_LENGTH = 255
# Each more multiplies the worst time of a backtracking matcher by the length of the text.
MAX_REPEATS = 6
MAX_BROAD_REPEATS = 3
_TOKEN = re.compile(r'\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?:|(?:[*+?]|\{[0-9,]*\})\??|.', re.DOTALL)
_ESCAPE = re.compile(r'\\[dDsSwW]|\\[^0-9A-Za-z]')
_BROAD = re.compile(r'\.|\[\^.*|\\[DSW]', re.DOTALL)


def check(name: str, pattern: str) -> list[str]:
    """The tokens of the pattern, if it is one that every database matches, alike and in time."""
    if len(pattern) > MAX_LENGTH:
        raise errors.Invalid(f'The regular expression in {name} is longer than {MAX_LENGTH} characters.')
    try:
        _compiled(pattern)
        return list(_tokens(pattern))
    except (re.error, RecursionError, OverflowError):
        raise errors.Invalid(f'{name} {pattern!r} is not a regular expression.') from None
    except ValueError as error:
        raise errors.Invalid(f'{name} {pattern!r} {error}.') from None


@functools.lru_cache(256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


@functools.lru_cache(256)
def _tokens(pattern: str) -> tuple[str, ...]:
    tokens = tuple(_TOKEN.findall(pattern))
    # For each open group, whether something in it repeats or may be one of several things.
    open_groups = [False]
    closed = False
    repeats = broad = 0
    for before, token in zip(('', *tokens), tokens, strict=False):
        if token.startswith('\\') and not _ESCAPE.fullmatch(token):
            raise ValueError(f'uses {token}, which does not mean the same on every database')
        if token in ('(', '(?:'):
            open_groups.append(False)
        elif token == ')':
            closed = open_groups.pop()
            open_groups[-1] = open_groups[-1] or closed
        elif token == '|':
            open_groups[-1] = True
        elif _repeats(before, token):
            if before == ')' and closed:
                raise ValueError('repeats a group that repeats or has alternatives')
            open_groups[-1] = True
            repeats += 1
            broad += bool(_BROAD.fullmatch(before))
    if repeats > MAX_REPEATS or broad > MAX_BROAD_REPEATS:
        raise ValueError(f'repeats more than {MAX_REPEATS} things, or unlike things more than '
                         f'{MAX_BROAD_REPEATS} times')
    return tokens


def _repeats(before: str, token: str) -> bool:
    if token[0] not in '*+?{' or token == '{':
        return False
    if before[:1] in ('*', '+', '?') or (before[:1] == '{' and len(before) > 1) or before == '(':
        raise ValueError('has a repeat or an extension that not every database knows')
    return token[0] != '?'


def matches(pattern: str, value: str | None) -> bool | None:
    """What SQLite calls for ``value REGEXP pattern``."""
    return None if value is None else _compiled(pattern).search(str(value)) is not None


def condition(column: sa.ColumnElement[str], name: str, pattern: str) -> sa.ColumnElement[bool]:
    """``column`` contains a match of ``pattern``; what a pattern fixes of the beginning is a stretch of an index."""
    start = _fixed_start(check(name, pattern))
    matching = column.regexp_match(str(pattern))
    if not start:
        return matching
    after = start[:-1] + chr(ord(start[-1]) + 1)
    return sa.and_(column >= start, column < after, matching)


def _fixed_start(tokens: list[str]) -> str:
    """What every match begins with, at the beginning of the value; empty if there is no such text."""
    if tokens[:1] != ['^'] or '|' in tokens:
        return ''
    found = ''
    for token, following in itertools.pairwise([*tokens[1:], '']):
        literal = token[1] if re.fullmatch(r'\\[^0-9A-Za-z]', token) else token
        if len(literal) > 1 or (literal == token and token in '.^$()[]{}*+?|') or following[:1] in tuple('*+?{'):
            break
        found += literal
    # What comes after these in the order of characters is no character.
    return '' if found[-1:] in ('\ud7ff', '\U0010ffff') else found
