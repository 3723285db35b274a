# SPDX-License-Identifier: Apache-2.0
"""What a list of servers can be narrowed by: one row per filter, and the condition that it means."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from nova_lite import errors
from nova_lite.db import patterns, tables
from nova_lite.db.conditions import contains, is_one_of
from nova_lite.db.engine import Conn

SERVERS = tables.servers
TAGS = tables.server_tags
SOFT_DELETED = 'soft-delete'


@dataclass(frozen=True)
class Between:
    """A filter value that is a stretch: from ``first`` on, before ``end``."""

    first: Any
    end: Any


class Matches(str):
    """A filter value that is a regular expression and not the value itself."""

    __slots__ = ()


Condition = sa.ColumnElement[bool]
Builder = Callable[[Conn, Any], Condition]

# filter → column: equal to the value, to one of several values, matching a ``Matches``, within a ``Between``.
COLUMNS = {name: name for name in (
    'uuid', 'project_id', 'user_id', 'reservation_id', 'launch_index', 'hostname', 'description', 'vm_state',
    'task_state', 'power_state', 'progress', 'locked', 'locked_by', 'host', 'node', 'availability_zone', 'image_ref',
    'kernel_id', 'ramdisk_id', 'flavor_id', 'key_name', 'config_drive', 'disk_config', 'root_device_name',
    'access_ip_v4', 'access_ip_v6', 'created_at', 'launched_at', 'terminated_at')}


def conditions(conn: Conn, filters: Mapping[str, Any]) -> list[Condition]:
    """The conditions that all hold for the wanted servers.

    Besides the columns: ``name``, ``ip``, ``ip6`` (regular expressions), ``changes_since``,
    ``changes_before``, ``metadata`` (pairs that are all there), ``tags``, ``tags_any``, ``not_tags``,
    ``not_tags_any``, ``statuses``, ``deleted`` (true, false, or None for both; false if absent) and
    ``soft_deleted`` (whether servers that can still be restored are shown; absent, they are shown
    among the deleted ones only).
    """
    return [*existing(filters), *narrowing(conn, filters)]


def narrowing(conn: Conn, filters: Mapping[str, Any]) -> list[Condition]:
    """All of ``conditions`` but what ``deleted`` and ``soft_deleted`` mean."""
    found = []
    for name, value in filters.items():
        if name in COLUMNS:
            found.append(_column(name, value))
        elif name not in ('deleted', 'soft_deleted'):
            found.append(OTHERS[name](conn, value))
    return found


def are_plain(filters: Mapping[str, Any]) -> bool:
    """Whether every filter is one value of one column."""
    return all(name in COLUMNS and type(value) in (str, int, bool) for name, value in filters.items())


def existing(filters: Mapping[str, Any]) -> list[Condition]:
    """What ``deleted`` and ``soft_deleted`` mean."""
    if filters.get('deleted', False) is None:
        return []
    ways = ways_to_exist(filters)
    return ways[0] if len(ways) == 1 else [sa.or_(*(sa.and_(*way) for way in ways))]


def ways_to_exist(filters: Mapping[str, Any]) -> list[list[Condition]]:
    """The same, as alternatives that do not overlap: each is a stretch of an index."""
    deleted = filters.get('deleted', False)
    soft = filters.get('soft_deleted')
    gone, present = [SERVERS.c.deleted == sa.true()], [SERVERS.c.deleted == sa.false()]
    if deleted is None:
        return [present, gone]
    if deleted:
        return [gone] if soft is False else [gone, [*present, SERVERS.c.vm_state == SOFT_DELETED]]
    return [present if soft else [*present, SERVERS.c.vm_state != SOFT_DELETED]]


def _column(name: str, value: Any) -> Condition:
    column = SERVERS.c[COLUMNS[name]]
    if isinstance(value, Matches):
        return patterns.condition(column, name, value)
    if isinstance(value, Between):
        return sa.and_(column >= value.first, column < value.end)
    return is_one_of(column, value)


def _statuses(conn: Conn, pairs: Iterable[tuple[str, Collection[str | None] | None]]) -> Condition:
    """Any of (vm_state, task_states) pairs; None as task_states is any."""
    wanted = [SERVERS.c.vm_state == vm_state if tasks is None else sa.and_(
        SERVERS.c.vm_state == vm_state, is_one_of(SERVERS.c.task_state, tasks)) for vm_state, tasks in pairs]
    return sa.or_(sa.false(), *wanted)


def _metadata(conn: Conn, pairs: Mapping[str, str] | Iterable[Mapping[str, str]]) -> Condition:
    text = sa.type_coerce(SERVERS.c.metadata, sa.Text)
    wanted = []
    for mapping in [pairs] if isinstance(pairs, Mapping) else pairs:
        for key, value in mapping.items():
            # As orjson writes it. What stands before the key rules out the end of a longer key.
            pair = orjson.dumps({key: value}).decode()[1:-1]
            wanted.append(sa.or_(contains(conn, text, '{' + pair), contains(conn, text, ',' + pair)))
    return sa.and_(sa.true(), *wanted)


def _all_tags(conn: Conn, tags: Collection[str]) -> Condition:
    # One condition for each tag: the rarest one finds the servers by its index.
    return sa.and_(sa.true(), *(_any_tag(conn, (tag,)) for tag in dict.fromkeys(tags)))


def _any_tag(conn: Conn, tags: Collection[str]) -> Condition:
    return sa.exists().where(TAGS.c.server_uuid == SERVERS.c.uuid, TAGS.c.tag.in_(tags))


def _address(version: int) -> Builder:
    name = 'ip' if version == 4 else 'ip6'

    def build(conn: Conn, pattern: str) -> Condition:
        text = sa.type_coerce(SERVERS.c.addresses, sa.Text)
        return text.regexp_match(address_pattern(name, pattern, version))

    return build


def address_pattern(name: str, pattern: str, version: int) -> str:
    """A pattern for the text of the column ``addresses`` that matches where one address would.

    The text is ``…"addr":"10.0.0.5","version":4…``: quotes take the place of the ends of the
    address, and nothing in the pattern may match a quote.
    """
    alternatives = []
    for part in _inside_quotes(name, pattern):
        start = '"addr":"' + ('' if part[:1] == ['^'] else '[^"]*')
        end = ('' if part[-1:] == ['$'] else '[^"]*') + f'","version":{version}[,}}]'
        alternatives.append(start + '(' + ''.join(token for token in part if token not in '^$') + ')' + end)
    return '|'.join(alternatives)


_WITHOUT_QUOTE = {r'\D': '[^0-9"]', r'\S': '[^ "]', r'\W': '[^0-9A-Za-z_"]', '.': '[^"]'}


def _inside_quotes(name: str, pattern: str) -> list[list[str]]:
    """The tokens of each top-level alternative of the pattern, none of which can match a quote."""
    parts: list[list[str]] = [[]]
    depth = 0
    tokens = patterns.check(name, pattern)
    for index, token in enumerate(tokens):
        depth += token.startswith('(')
        depth -= token == ')'
        if token == '|' and depth == 0:
            parts.append([])
            continue
        at_end = depth == 0 and (index + 1 == len(tokens) or tokens[index + 1] == '|')
        if (token == '^' and (parts[-1] or depth)) or (token == '$' and not at_end):
            raise errors.Invalid(f'{name} {pattern!r} has ^ or $ elsewhere than at the ends.')
        parts[-1].append('[^"' + token[2:] if token.startswith('[^') else _WITHOUT_QUOTE.get(token, token))
    return parts


OTHERS: dict[str, Builder] = {
    'name': lambda conn, value: patterns.condition(SERVERS.c.name, 'name', value),
    'ip': _address(4),
    'ip6': _address(6),
    'statuses': _statuses,
    'changes_since': lambda conn, value: SERVERS.c.updated_at >= value,
    'changes_before': lambda conn, value: SERVERS.c.updated_at <= value,
    'metadata': _metadata,
    'tags': _all_tags,
    'tags_any': _any_tag,
    'not_tags': lambda conn, value: sa.not_(_all_tags(conn, value)),
    'not_tags_any': lambda conn, value: sa.not_(_any_tag(conn, value)),
}
