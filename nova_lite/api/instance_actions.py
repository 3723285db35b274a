# SPDX-License-Identifier: Apache-2.0
"""Instance actions: what was asked of a server, and what came of it.

Source: compute API reference, "Servers actions"; microversions 2.21 (deleted servers), 2.51 (events
for owners), 2.58 (paging, updated_at), 2.62 (hosts), 2.66 (changes-before), 2.84 (details).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from nova_lite import errors
from nova_lite.api import shared
from nova_lite.auth import policy
from nova_lite.db import paging
from nova_lite.db.queries import actions as rows
from nova_lite.model import times
from nova_lite.wsgi import formats, kinds, window
from nova_lite.wsgi import paging as wire_paging
from nova_lite.wsgi.body import Param, Query
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import GET, Page, Show, one
from nova_lite.wsgi.view import OMIT, Field, Rendering, View, column
from nova_lite.wsgi.window import since, until

# ------------------------------------------------------------------- policy

LIST_RULE = 'os_compute_api:os-instance-actions:list'
SHOW_RULE = 'os_compute_api:os-instance-actions:show'
EVENTS_RULE = 'os_compute_api:os-instance-actions:events'
DETAILS_RULE = 'os_compute_api:os-instance-actions:events:details'

_ALL = '/servers/{server_id}/os-instance-actions'
_ONE = _ALL + '/{request_id}'

RULES = (
    policy.rule(LIST_RULE, policy.READER_OR_ADMIN, 'List the actions on a server.', ('GET', _ALL)),
    policy.rule(SHOW_RULE, policy.READER_OR_ADMIN, 'Show an action on a server.', ('GET', _ONE)),
    policy.rule(EVENTS_RULE, policy.ADMIN, 'See hosts and stack traces of the events of an action; before 2.51 '
                                           'the events themselves.', ('GET', _ONE)),
    policy.rule(DETAILS_RULE, policy.ADMIN, 'See the details of failed events.', ('GET', _ONE)),
)

# -------------------------------------------------------------------- views


def _time(name: str, when: window.Window = window.ALWAYS) -> Field:
    return Field(name, lambda row, _: shared.wire_time_us(getattr(row, name)), when, columns=(name,),
                 kind=kinds.maybe(kinds.TIME_US))


_COMMON = (
    column('action', kind=kinds.TEXT),
    column('instance_uuid', 'server_uuid', kind=kinds.UUID),
    *(column(name, kind=kinds.maybe(kinds.TEXT)) for name in ('request_id', 'user_id', 'project_id', 'message')),
    _time('start_time'),
    _time('updated_at', since(58)),
)
LISTED = View(*_COMMON)

OWNERS_SEE_EVENTS = 'owners see events'
EVENTS_NAME_HOSTS = 'events name hosts'
EVENTS_HAVE_DETAILS = 'events have details'
FLAGS = ((OWNERS_SEE_EVENTS, since(51)), (EVENTS_NAME_HOSTS, since(62)), (EVENTS_HAVE_DETAILS, since(84)))


def _load_events(rendering: Rendering, found: Sequence[Any]) -> dict[int, list[Any]]:
    with rendering.call.services.db.read() as conn:
        return rows.events(conn, [row.id for row in found])


def _events(row: Any, rendering: Rendering) -> Any:
    call = rendering.call
    insider = call.can(EVENTS_RULE)
    if not (insider or call.has(OWNERS_SEE_EVENTS)):
        return OMIT
    hosts = call.has(EVENTS_NAME_HOSTS)
    details = call.has(EVENTS_HAVE_DETAILS) and call.can(DETAILS_RULE)
    shown = []
    for event in rendering.loaded['events'][row.id]:
        entry = {'event': event.event, 'start_time': shared.wire_time_us(event.start_time),
                 'finish_time': shared.wire_time_us(event.finish_time), 'result': event.result}
        if insider:
            entry['traceback'] = event.traceback
        if hosts:
            entry['hostId'] = shared.host_id(row.project_id, event.host)
        if hosts and insider:
            entry['host'] = event.host
        if details:
            entry['details'] = event.details
        shown.append(entry)
    return shown


_TEXT = kinds.maybe(kinds.TEXT)
_EVENT = kinds.record(
    {'event': kinds.TEXT, 'start_time': kinds.TIME_US, 'finish_time': kinds.maybe(kinds.TIME_US), 'result': _TEXT},
    {'traceback': _TEXT, 'hostId': kinds.TEXT, 'host': _TEXT, 'details': _TEXT})
SHOWN = View(*_COMMON, Field('events', _events, columns=('id',), needs=('events',), sometimes=True,
                             kind=kinds.listed(_EVENT)),
             loaders={'events': _load_events})

# ----------------------------------------------------------------- handlers

_WITH_PAGES = since(58)
LIST_QUERY = Query(
    Param('limit', formats.NUMBER, _WITH_PAGES),
    Param('marker', formats.TEXT, _WITH_PAGES),
    Param('changes-since', formats.ANY_TIME, _WITH_PAGES),
    Param('changes-before', formats.ANY_TIME, since(66)),
    open_=until(57))

DELETED_TOO = 'deleted servers are found, too'
PAGED = 'the list has pages'
_FIND_FLAGS = ((DELETED_TOO, since(21)),)
_OWNER = frozenset(('uuid', 'project_id', 'user_id'))


def find(call: Call) -> Any:
    """The server of the path."""
    return shared.find_server(call, call.params['server_id'], _OWNER, None if call.has(DELETED_TOO) else False)


def index(call: Call) -> Page:
    """List the actions on a server, the newest first."""
    since_, before = _time_of(call, 'changes-since'), _time_of(call, 'changes-before')
    if since_ is not None and before is not None and since_ > before:
        raise errors.Invalid('Invalid query: changes-since is later than changes-before.')
    limit = call.limit() if call.has(PAGED) else None
    with call.services.db.read() as conn:
        found = rows.page(conn, call.target.uuid, paging.Page(limit, call.query.get('marker')), since_,
                          before and times.through(before))
    return Page(found) if limit is None else Page(*wire_paging.cut(found, limit, 'request_id'))


def _time_of(call: Call, name: str) -> datetime | None:
    text = call.query.get(name)
    return None if text is None else formats.parse_time(text)


def show(call: Call) -> Any:
    """Show one action with its events."""
    with call.services.db.read() as conn:
        found = rows.get(conn, call.target.uuid, call.params['request_id'])
    if found is None:
        raise errors.NotFound(f'Request {call.params["request_id"]} began no action on server {call.target.uuid}.')
    return found


ENDPOINTS = (
    GET(_ALL, index, load=find, rule=LIST_RULE, query=LIST_QUERY, flags=(*_FIND_FLAGS, (PAGED, _WITH_PAGES)),
        show=Show('instanceActions', LISTED, True, 'list', 'links'), errors=(400, 404)),
    GET(_ONE, show, load=find, rule=SHOW_RULE, query=shared.NOTHING_KNOWN, flags=_FIND_FLAGS + FLAGS,
        show=one('instanceAction', SHOWN), errors=(404,)),
)
