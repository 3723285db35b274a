# SPDX-License-Identifier: Apache-2.0
"""Lists of servers: which query parameters there are, who may use them, and what they mean.

A filter that the caller may not use, or that is not there yet at his version, is ignored and not
refused, because clients have always sent them along.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from nova_lite import errors
from nova_lite.api import shared
from nova_lite.api.servers import rules
from nova_lite.db import paging
from nova_lite.db.queries import servers as rows
from nova_lite.db.queries.server_filters import Between, Matches
from nova_lite.model import states, times
from nova_lite.wsgi import formats, window
from nova_lite.wsgi import paging as wire_paging
from nova_lite.wsgi.body import Param, Query
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import Page
from nova_lite.wsgi.window import since

NOTHING: tuple[Any, ...] = ()       # no server has a value out of none


def _exact(value: str, name: str) -> Any:
    return value


def _pattern(value: str, name: str) -> Any:
    return Matches(value)


def _reservation(value: str, name: str) -> Any:
    # The beginning of every reservation id and of no other part of one: said so, it is a stretch of the index.
    return Matches(f'^{value}' if value.startswith('r-') else value)


def _number(value: str, name: str) -> Any:
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else NOTHING


def _flag(value: str, name: str) -> Any:
    if not value:
        return False
    try:
        return shared.parse_bool(value, name)
    except errors.Invalid:
        return NOTHING


def _strict_flag(value: str, name: str) -> Any:
    return shared.parse_bool(value, name)


def _disk_config(value: str, name: str) -> Any:
    automatic = _flag(value, name)
    return automatic if automatic is NOTHING else 'AUTO' if automatic else 'MANUAL'


def _time(value: str, name: str) -> Any:
    """The second, the microsecond or the day that the text names."""
    long = timedelta(seconds=1)
    if len(value) <= len('2026-01-31'):
        long = timedelta(days=1)
    elif '.' in value:
        long = timedelta(microseconds=1)
    try:
        begin = formats.parse_time(value)
        return Between(begin, begin + long)
    except (ValueError, OverflowError):
        return NOTHING


def _moment(value: str, name: str) -> datetime:
    return formats.parse_time(value)


def _last_moment(value: str, name: str) -> datetime:
    return times.through(formats.parse_time(value))


def _words(value: str, name: str) -> Any:
    return value.split(',')


def _pairs(value: str, name: str) -> Any:
    with contextlib.suppress(orjson.JSONDecodeError):
        pairs = orjson.loads(value)
        if isinstance(pairs, dict) and all(isinstance(text, str) for text in pairs.values()):
            return pairs
    raise errors.Invalid(f'Invalid input for query parameter {name}: {value[:64]!r} is not a JSON object of texts.')


@dataclass(frozen=True)
class Filter:
    """A query parameter that narrows a list.

    ``target`` is the filter of the database; ``members`` says at which versions everybody may use
    it, otherwise it takes the policy rule; ``when`` is where the parameter is known at all.
    """

    name: str
    target: str
    parse: Callable[[str, str], Any]
    schema: dict[str, Any]
    members: window.Window | None = None
    when: window.Window = window.ALWAYS

    @property
    def flag(self) -> str:
        """The named behaviour that says whether everybody may use the filter."""
        return f'everybody filters by {self.name}'


def _text(name: str, target: str = '', members: window.Window | None = None) -> Filter:
    return Filter(name, target or name, _exact, formats.TEXT, members)


def _regex(name: str, target: str = '', members: window.Window | None = None) -> Filter:
    return Filter(name, target or name, _pattern, formats.REGEX, members)


def _parsed(name: str, parse: Callable[[str, str], Any], target: str = '',
            members: window.Window | None = None) -> Filter:
    return Filter(name, target or name, parse, formats.REGEX, members)


def _tags(name: str) -> Filter:
    return Filter(name, name.replace('-', '_'), _words, formats.TEXT, since(26), since(26))


_ALL = window.ALWAYS
FILTERS = (
    _regex('name', members=_ALL),
    _text('image', 'image_ref', _ALL),
    _parsed('flavor', _exact, 'flavor_id', _ALL),
    _regex('ip', members=_ALL),
    _parsed('reservation_id', _reservation, members=_ALL),
    Filter('changes-since', 'changes_since', _moment, formats.ANY_TIME, _ALL),
    _regex('ip6', members=since(5)),
    _tags('tags'), _tags('tags-any'), _tags('not-tags'), _tags('not-tags-any'),
    Filter('changes-before', 'changes_before', _last_moment, formats.ANY_TIME, since(66), since(66)),
    Filter('locked', 'locked', _strict_flag, formats.TEXT, since(73), since(73)),
    _regex('availability_zone', members=since(83)),
    _parsed('config_drive', _flag, members=since(83)),
    _regex('key_name', members=since(83)),
    _parsed('created_at', _time, members=since(83)),
    _parsed('launched_at', _time, members=since(83)),
    _parsed('terminated_at', _time, members=since(83)),
    _parsed('power_state', _number, members=since(83)),
    _text('task_state', members=since(83)),
    _text('vm_state', members=since(83)),
    _parsed('progress', _number, members=since(83)),
    _text('user_id', members=since(83)),
    _regex('display_name', 'name'),
    _text('project_id'),
    _text('tenant_id', 'project_id'),
    _parsed('launch_index', _number),
    _text('image_ref'),
    _regex('kernel_id'),
    _regex('ramdisk_id'),
    _regex('hostname'),
    _text('host'),
    _regex('node'),
    _regex('description'),
    _regex('display_description', 'description'),
    _regex('locked_by'),
    _text('uuid'),
    _regex('root_device_name'),
    _regex('access_ip_v4'),
    _regex('access_ip_v6'),
    _parsed('auto_disk_config', _disk_config, 'disk_config'),
    Filter('deleted', 'deleted', _flag, formats.TEXT),
    Filter('soft_deleted', 'soft_deleted', _flag, formats.TEXT),
    Filter('metadata', 'metadata', _pairs, formats.TEXT),
)
BY_NAME = {entry.name: entry for entry in FILTERS}

# Words that were once columns: accepted to sort by, without any effect.
_IGNORED = ('architecture', 'cell_name', 'cleaned', 'default_ephemeral_device', 'default_swap_device', 'deleted',
            'deleted_at', 'disable_terminate', 'ephemeral_gb', 'ephemeral_key_uuid', 'id', 'key_data', 'launched_on',
            'locked', 'memory_mb', 'os_type', 'reservation_id', 'root_gb', 'shutdown_terminate', 'user_data', 'vcpus',
            'vm_mode')
_ADMIN_SORTS = ('host', 'node')
SORT_KEYS = sorted({*rows.ORDER.keys, *_IGNORED})

QUERY = Query(
    *shared.PAGING,
    Param('sort_key', {'enum': SORT_KEYS}),
    Param('sort_dir', shared.SORTING),
    Param('status', formats.TEXT),
    Param('all_tenants', formats.TEXT),
    *(Param(entry.name, entry.schema, entry.when) for entry in FILTERS),
    open_=shared.STRICT_SINCE_75)

BAD_STATUS_IS_AN_ERROR = 'a status that no server can have is an error'
SORT_BY_LOCKED = 'lists can be sorted by locked'
FLAGS = (
    (BAD_STATUS_IS_AN_ERROR, since(38)),
    (SORT_BY_LOCKED, since(73)),
    *((entry.flag, entry.members) for entry in FILTERS if entry.members is not None),
)

_NEWEST_FIRST = (('created_at', 'desc'),)


def index(call: Call) -> Page:
    """List servers."""
    return _list(call, rules.INDEX_ALL)


def detail(call: Call) -> Page:
    """List servers with details."""
    return _list(call, rules.DETAIL_ALL)


def _list(call: Call, rule_of_all: str) -> Page:
    filters = _filters(call)
    possible = _with_status(call, filters)
    _with_existence(filters)
    _with_project(call, filters, rule_of_all)
    if not possible or any(value is NOTHING for value in filters.values()):
        return Page([])
    limit = call.limit()
    page = paging.Page(limit, call.query.get('marker'), _sort(call))
    with call.services.db.read() as conn:
        shown = rows.page(conn, filters, page, call.columns | {'uuid'})
    return Page(*wire_paging.cut(shown, limit, 'uuid'))


def _filters(call: Call) -> dict[str, Any]:
    """The filters that the caller may use."""
    unlimited = call.can(rules.ALL_FILTERS)
    filters: dict[str, Any] = {}
    for name in call.query.names():
        entry = BY_NAME.get(name)
        if entry is None or not (unlimited or call.has(entry.flag)):
            continue
        filters[entry.target] = entry.parse(call.query.get(name) or '', name)
    since_, before = filters.get('changes_since'), filters.get('changes_before')
    if since_ is not None and before is not None and since_ > before:
        raise errors.Invalid('Invalid query: changes-since is later than changes-before.')
    return filters


def _with_status(call: Call, filters: dict[str, Any]) -> bool:
    """Add what ``status`` means; False when no server can have any of the statuses asked for."""
    wanted = call.query.all('status')
    if not wanted:
        return True
    pairs = states.states_of_status(*wanted)
    if not pairs:
        if call.has(BAD_STATUS_IS_AN_ERROR):
            raise errors.Invalid(f'Invalid input for query parameter status: {", ".join(wanted)[:64]!r} '
                                 'is no status of a server.')
        return False
    filters.pop('vm_state', None)
    filters['statuses'] = pairs
    vm_states = {vm_state for vm_state, _ in pairs}
    if vm_states == {states.DELETED}:
        if not call.context.is_admin:
            raise errors.Forbidden('Only an administrator may list deleted servers.')
        filters['deleted'] = True
    if states.SOFT_DELETED in vm_states:
        filters.setdefault('soft_deleted', True)
    return True


def _with_existence(filters: dict[str, Any]) -> None:
    """Who asks for changes hears of deleted servers, too."""
    if 'deleted' not in filters and ('changes_since' in filters or 'changes_before' in filters):
        filters['deleted'] = None


def _with_project(call: Call, filters: dict[str, Any], rule_of_all: str) -> None:
    asked = call.query.get('all_tenants')
    if asked is not None and (not asked or shared.parse_bool(asked, 'all_tenants')):
        call.authorize(rule_of_all)
        return
    # Without all_tenants other projects are not looked into, whatever else is asked for.
    filters.pop('project_id', None)
    if call.context.project_id:
        filters['project_id'] = call.context.project_id
    else:
        filters['user_id'] = call.context.user_id


def _sort(call: Call) -> list[tuple[str, str]]:
    ignored = set(_IGNORED)
    if call.has(SORT_BY_LOCKED):
        ignored.discard('locked')
    pairs = [pair for pair in wire_paging.sort_of(call.query, _NEWEST_FIRST) if pair[0] not in ignored]
    forbidden = sorted(key for key, _ in pairs if key in _ADMIN_SORTS)
    if forbidden and not call.context.is_admin:
        raise errors.Forbidden(f'Only an administrator may sort servers by {forbidden[0]}.')
    return pairs
