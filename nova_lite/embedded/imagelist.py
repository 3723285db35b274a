# SPDX-License-Identifier: Apache-2.0
"""Which images a list shows and in which order: filters, sort keys and pages of ``GET /v2/images``."""

import operator
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode

from nova_lite import errors
from nova_lite.embedded.imagestore import Record, listed, visible

DEFAULT_LIMIT = 25
MOST = 1000
SORT_KEYS = frozenset((
    'name', 'status', 'container_format', 'disk_format', 'size', 'id', 'created_at', 'updated_at'))
SORT_DEFAULT = {'created_at': 'desc', 'id': 'desc'}
PAGING = frozenset(('limit', 'marker', 'sort', 'sort_key', 'sort_dir', 'member_status'))
TEXTS = frozenset(('id', 'name', 'status', 'container_format', 'disk_format'))
PLAIN = frozenset(('owner', 'visibility', 'checksum', 'os_hash_algo', 'os_hash_value'))
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    'gt': operator.gt, 'gte': operator.ge, 'lt': operator.lt, 'lte': operator.le, 'eq': operator.eq,
    'neq': operator.ne}

Check = Callable[[Record], bool]


def page(records: Iterable[Record], query: Any, project_id: str | None,
         is_admin: bool) -> tuple[list[Record], str]:
    """The records of one page and the query string of the next, which is empty at the end."""
    limit = _limit(query)
    checks = [_check(key, value) for key, value in query.items() if key not in PAGING and key != 'os_hidden']
    checks.append(_hidden(query.get('os_hidden', 'false')))
    checks.append(_reach(query, project_id, is_admin))
    found = [one for one in records if all(check(one) for check in checks)]
    order = _order(query)
    for key, direction in reversed(order.items()):
        found.sort(key=lambda one: (one[key] is not None, one[key] if one[key] is not None else '',
                                    one.get('made', 0) if key == 'created_at' else 0), reverse=direction == 'desc')
    if 'marker' in query:
        places = [place for place, one in enumerate(found) if one['id'] == query['marker']]
        if not places:
            raise errors.MarkerNotFound(marker=query['marker'])
        found = found[places[0] + 1:]
    shown = found[:limit]
    more = len(found) > limit and shown
    kept = [(key, value) for key, value in query.items() if key != 'marker']
    return shown, urlencode([*kept, ('marker', shown[-1]['id'])]) if more else ''


def _limit(query: Any) -> int:
    return min(_number('limit', query.get('limit', str(DEFAULT_LIMIT))), MOST)


def _number(key: str, text: str) -> int:
    if not text.isdecimal() or len(text) > 18:
        raise errors.Invalid(reason=f'{key}: {text[:40]!r} is not a number of at most 18 digits.')
    return int(text)


def _reach(query: Any, project_id: str | None, is_admin: bool) -> Check:
    """Community images and unanswered offers show only when they are asked for."""
    if query.get('visibility') == 'community' or ('owner' in query and query['owner'] != project_id):
        return lambda one: visible(one, project_id, is_admin)
    status = query.get('member_status', 'accepted')
    choices = ('accepted', 'pending', 'rejected', 'all')
    if status not in choices:
        raise errors.Invalid(reason=f'member_status: {status!r} is not one of {", ".join(choices)}.')
    if status == 'accepted':
        return lambda one: listed(one, project_id, is_admin)

    def offered(one: Record) -> bool:
        answer = one['members'].get(project_id) if one['visibility'] == 'shared' else None
        return listed(one, project_id, is_admin) or (answer is not None and status in ('all', answer))
    return offered


def _hidden(value: str) -> Check:
    wanted = _boolean('os_hidden', value)
    return lambda one: one['os_hidden'] == wanted


def _check(key: str, value: str) -> Check:
    if key in TEXTS:
        choices = value[3:].split(',') if value.startswith('in:') else [value]
        wanted = {choice.strip('"') for choice in choices} if value.startswith('in:') else {value}
        return lambda one: one[key] in wanted
    if key in PLAIN:
        every = (key, value) == ('visibility', 'all')
        return lambda one: every or one[key] == value
    if key == 'tag':
        return lambda one: value in one['tags']
    if key == 'protected':
        flag = _boolean(key, value)
        return lambda one: one['protected'] == flag
    if key in ('size_min', 'size_max'):
        return _bound(key, value)
    if key in ('min_ram', 'min_disk'):
        return lambda one: str(one[key]) == value
    if key in ('created_at', 'updated_at'):
        name, _, moment = value.partition(':')
        if name not in COMPARE:
            name, moment = 'eq', value
        compare = COMPARE[name]
        return lambda one: compare(one[key], moment if moment.endswith('Z') else moment + 'Z')
    return lambda one: one['properties'].get(key) == value


def _bound(key: str, value: str) -> Check:
    edge, compare = _number(key, value), operator.ge if key == 'size_min' else operator.le
    return lambda one: one['size'] is not None and compare(one['size'], edge)


def _boolean(key: str, value: str) -> bool:
    known = {'true': True, '1': True, 'false': False, '0': False}
    if value.lower() not in known:
        raise errors.Invalid(reason=f'{key}: {value!r} is not true or false.')
    return known[value.lower()]


def _order(query: Any) -> dict[str, str]:
    """Sort key to direction, most important first; the defaults break ties."""
    if 'sort' in query:
        pairs = [one.partition(':')[::2] for one in query['sort'].split(',')]
    else:
        directions = query.getall('sort_dir')
        pairs = [(key, directions[min(place, len(directions) - 1)] if directions else '')
                 for place, key in enumerate(query.getall('sort_key'))]
    order: dict[str, str] = {}
    for key, direction in pairs:
        key, direction = key.strip(), direction.strip() or 'desc'
        if key not in SORT_KEYS or direction not in ('asc', 'desc'):
            known = ', '.join(sorted(SORT_KEYS))
            raise errors.Invalid(reason=f'sort: {key}:{direction} needs one of {known} and asc or desc.')
        order.setdefault(key, direction)
    return {**order, **{key: value for key, value in SORT_DEFAULT.items() if key not in order}}
