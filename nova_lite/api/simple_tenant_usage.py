# SPDX-License-Identifier: Apache-2.0
"""Usage: how many hours of processors, memory and disk the servers of a project ran in a span of time.

Source: compute API reference, "Usage reports"; microversion 2.40 (pages, in which a project may come again).
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from nova_lite import errors
from nova_lite.api import shared
from nova_lite.auth import policy
from nova_lite.db.queries import usage as rows
from nova_lite.model import times
from nova_lite.wsgi import formats, kinds, paging
from nova_lite.wsgi.body import Param, Query
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import GET, Page, Raw, many
from nova_lite.wsgi.view import OMIT, Field, View
from nova_lite.wsgi.window import since

# ------------------------------------------------------------------- policy

LIST_RULE = 'os_compute_api:os-simple-tenant-usage:list'
SHOW_RULE = 'os_compute_api:os-simple-tenant-usage:show'

_ROOT = '/os-simple-tenant-usage'
_ONE = _ROOT + '/{id}'

RULES = (
    policy.rule(LIST_RULE, policy.ADMIN, 'See what all projects used.', ('GET', _ROOT)),
    policy.rule(SHOW_RULE, policy.READER_OR_ADMIN, 'See what a project used.', ('GET', _ROOT + '/{tenant_id}')),
)

# ------------------------------------------------------------------ queries

_SPAN = (Param('start', formats.TEXT), Param('end', formats.TEXT))
_PAGES = (Param('limit', formats.NUMBER, since(40)), Param('marker', formats.TEXT, since(40)))
LIST_QUERY = Query(*_SPAN, Param('detailed', formats.TEXT), *_PAGES, open_=shared.STRICT_SINCE_75)
SHOW_QUERY = Query(*_SPAN, *_PAGES, open_=shared.STRICT_SINCE_75)

PAGED = 'the servers come in pages'
_FLAGS = (PAGED, since(40))

_FORMATS = ('%Y-%m-%dT%H:%M:%S', '%Y-%m-%dT%H:%M:%S.%f', '%Y-%m-%d %H:%M:%S.%f')

Span = tuple[datetime.datetime, datetime.datetime]


def _moment(call: Call, name: str, default: datetime.datetime) -> datetime.datetime:
    text = call.query.get(name)
    if not text:
        return default
    for form in _FORMATS:
        try:
            return datetime.datetime.strptime(text, form)
        except ValueError:
            continue
    raise errors.Invalid(f'Invalid input for query parameter {name}: {text[:64]!r} is not a time such as '
                         '2026-01-31T12:00:00.')


def _span(call: Call) -> Span:
    now = times.utcnow()
    begin, end = _moment(call, 'start', now), _moment(call, 'end', now)
    if begin > end or begin == end and 'end' in call.query:
        raise errors.Invalid('Invalid query: start must be before end.')
    return begin, end

# ----------------------------------------------------------------- the sums

_TOTALS = ('total_hours', 'total_local_gb_usage', 'total_memory_mb_usage', 'total_vcpus_usage')


def _hours(row: Any, span: Span) -> float:
    """Hours within the span in which the server ran."""
    begin = max(row.launched_at, span[0])
    end = span[1] if row.terminated_at is None else min(row.terminated_at, span[1])
    return max(0.0, (end - begin).total_seconds() / 3600)


def _server(row: Any, span: Span, now: datetime.datetime) -> dict[str, Any]:
    flavor = row.flavor
    return {
        'instance_id': row.uuid, 'name': row.name, 'tenant_id': row.project_id, 'hours': _hours(row, span),
        'flavor': flavor['name'], 'vcpus': flavor['vcpus'], 'memory_mb': flavor['ram'],
        'local_gb': flavor['disk'] + flavor['ephemeral'],
        'started_at': shared.wire_time_us(row.launched_at), 'ended_at': shared.wire_time_us(row.terminated_at),
        'state': row.vm_state if row.terminated_at is None else 'terminated',
        'uptime': int(((row.terminated_at or now) - row.launched_at).total_seconds())}


def _projects(found: Iterable[Any], span: Span, detailed: bool) -> list[dict[str, Any]]:
    now = times.utcnow()
    projects: dict[str, dict[str, Any]] = {}
    for row in found:
        server = _server(row, span, now)
        usage = projects.get(row.project_id)
        if usage is None:
            usage = projects[row.project_id] = _nothing(row.project_id, span, detailed)
        usage['total_hours'] += server['hours']
        for total, part in (('total_local_gb_usage', 'local_gb'), ('total_memory_mb_usage', 'memory_mb'),
                            ('total_vcpus_usage', 'vcpus')):
            usage[total] += server[part] * server['hours']
        if detailed:
            usage['server_usages'].append(server)
    return list(projects.values())


def _nothing(project_id: str, span: Span, detailed: bool) -> dict[str, Any]:
    return {'tenant_id': project_id, 'start': shared.wire_time_us(span[0]), 'stop': shared.wire_time_us(span[1]),
            **dict.fromkeys(_TOTALS, 0.0), **({'server_usages': []} if detailed else {})}


def _collect(call: Call, project_id: str | None, detailed: bool) -> tuple[list[dict[str, Any]], str | None]:
    """The usage of each project, and the marker of the next page."""
    span = _span(call)
    with call.services.db.read() as conn:
        if not call.has(PAGED):
            return _projects(rows.everything(conn, span, project_id), span, detailed), None
        limit = call.limit()
        found, marker = paging.cut(rows.page(conn, span, project_id, limit, call.query.get('marker')), limit, 'uuid')
    return _projects(found, span, detailed), marker


_KINDS = {'tenant_id': kinds.TEXT, 'start': kinds.TIME_US, 'stop': kinds.TIME_US,
          **dict.fromkeys(_TOTALS, kinds.NUMBER)}
_SERVERS = kinds.listed(kinds.record({
    **dict.fromkeys(('instance_id', 'name', 'tenant_id', 'flavor', 'state'), kinds.TEXT),
    **dict.fromkeys(('vcpus', 'memory_mb', 'local_gb', 'uptime'), kinds.INTEGER), 'hours': kinds.NUMBER,
    'started_at': kinds.TIME_US, 'ended_at': kinds.maybe(kinds.TIME_US)}))
USAGE = View(
    *(Field(name, shared.entry(name), kind=kind) for name, kind in _KINDS.items()),
    Field('server_usages', lambda usage, _: usage.get('server_usages', OMIT), sometimes=True, kind=_SERVERS))
# A project that ran nothing has no usage at all.
_SHOWN = kinds.record({'tenant_usage': {'anyOf': [
    kinds.record({**_KINDS, 'server_usages': _SERVERS}), kinds.record({})]}}, {'tenant_usage_links': kinds.LINKS})

# ----------------------------------------------------------------- handlers


def index(call: Call) -> Page:
    """List the usage of all projects."""
    return Page(*_collect(call, None, call.query.get('detailed') == '1'))


def show(call: Call) -> Raw:
    """Show the usage of one project, with its servers."""
    found, marker = _collect(call, call.params['id'], True)
    body: dict[str, Any] = {'tenant_usage': found[0] if found else {}}
    if marker is not None:
        body['tenant_usage_links'] = [{'rel': 'next', 'href': call.next_link(marker)}]
    return Raw(body)


@dataclass(frozen=True)
class Project:
    """The project of the path, for the policy to judge."""

    project_id: str


def find(call: Call) -> Project:
    """Whose usage is asked for."""
    return Project(call.params['id'])


ENDPOINTS = (
    GET(_ROOT, index, rule=LIST_RULE, query=LIST_QUERY, show=many('tenant_usages', USAGE), flags=_FLAGS, errors=(400,)),
    GET(_ONE, show, load=find, rule=SHOW_RULE, query=SHOW_QUERY, flags=_FLAGS, reply=_SHOWN, errors=(400,)),
)
