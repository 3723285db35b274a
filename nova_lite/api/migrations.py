# SPDX-License-Identifier: Apache-2.0
"""Migrations: every move of every server.

Source: compute API reference, "Migrations"; microversions 2.23 (kind and links), 2.59 (paging, UUIDs,
changes-since, strict queries), 2.66 (changes-before), 2.80 (users and projects).
"""

from datetime import datetime
from typing import Any

from nova_lite import errors
from nova_lite.api import shared
from nova_lite.auth import policy
from nova_lite.db import paging
from nova_lite.db.queries import migrations as rows
from nova_lite.model import moves, times
from nova_lite.wsgi import formats, kinds
from nova_lite.wsgi import paging as wire_paging
from nova_lite.wsgi.body import Param, Query
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import GET, Page, many
from nova_lite.wsgi.view import OMIT, Field, Rendering, View, column
from nova_lite.wsgi.window import since, until

# ------------------------------------------------------------------- policy

_RULE = 'os_compute_api:os-migrations:'
INDEX_RULE, ALL_PROJECTS_RULE, HOST_RULE = f'{_RULE}index', f'{_RULE}index:all_projects', f'{_RULE}index:host'
_ROOT = '/os-migrations'

RULES = (
    policy.rule(INDEX_RULE, policy.MANAGER_OR_ADMIN, 'List migrations, without their hosts.', ('GET', _ROOT)),
    policy.rule(ALL_PROJECTS_RULE, policy.ADMIN, 'List the migrations of all projects.', ('GET', _ROOT)),
    policy.rule(HOST_RULE, policy.ADMIN, 'See the hosts of migrations.', ('GET', _ROOT)),
)

# -------------------------------------------------------------------- views


def _links(row: Any, rendering: Rendering) -> Any:
    if row.type != moves.LIVE or row.status not in moves.IN_PROGRESS:
        return OMIT
    return rendering.links(f'servers/{row.server_uuid}/migrations/{row.id}')


def _hosts() -> tuple[Field, ...]:
    """The hosts, or nothing in their places for who may not see them."""
    names = ('source_compute', 'source_node', 'dest_compute', 'dest_node', 'dest_host')
    kind = kinds.maybe(kinds.TEXT)
    return (*(Field(name, lambda row, _: None, kind=kind) for name in names),
            *(column(name, rule=HOST_RULE, kind=kind) for name in names))


MIGRATION = View(
    column('id', kind=kinds.INTEGER),
    column('uuid', when=since(59), kind=kinds.UUID),
    column('instance_uuid', 'server_uuid', kind=kinds.UUID),
    column('status', kind=kinds.TEXT),
    column('migration_type', 'type', since(23),
           kind=kinds.word(moves.MIGRATION, moves.RESIZE, moves.LIVE, moves.EVACUATION)),
    column('old_instance_type_id', 'old_flavor_id', kind=kinds.INTEGER),
    column('new_instance_type_id', 'new_flavor_id', kind=kinds.INTEGER),
    *_hosts(),
    Field('created_at', lambda row, _: shared.wire_time_us(row.created_at), kind=kinds.TIME_US),
    Field('updated_at', lambda row, _: shared.wire_time_us(row.updated_at), kind=kinds.maybe(kinds.TIME_US)),
    Field('links', _links, since(23), sometimes=True, kind=kinds.LINKS),
    column('user_id', when=since(80), kind=kinds.maybe(kinds.TEXT)),
    column('project_id', when=since(80), kind=kinds.maybe(kinds.TEXT)),
)

# ----------------------------------------------------------------- handlers

PAGED = 'the list has pages'
FLAGS = ((PAGED, since(59)),)

LIST_QUERY = Query(
    Param('host', formats.TEXT), Param('status', formats.TEXT), Param('source_compute', formats.TEXT),
    Param('migration_type', formats.TEXT), Param('instance_uuid', formats.TEXT), Param('hidden', formats.TEXT),
    Param('limit', formats.NUMBER, since(59), many=False), Param('marker', formats.TEXT, since(59), many=False),
    Param('changes-since', formats.ANY_TIME, since(59), many=False),
    Param('changes-before', formats.ANY_TIME, since(66), many=False),
    Param('user_id', formats.TEXT, since(80)), Param('project_id', formats.TEXT, since(80)),
    open_=until(58))

# Words of the query, and what they are called in the table.
_FILTERS = {'host': 'host', 'status': 'status', 'source_compute': 'source_compute', 'migration_type': 'type',
            'instance_uuid': 'server_uuid', 'user_id': 'user_id', 'project_id': 'project_id'}


def index(call: Call) -> Page:
    """List migrations, the newest first."""
    project = call.query.get('project_id')
    if project is None or project != call.context.project_id:
        call.authorize(ALL_PROJECTS_RULE)
    filters: dict[str, Any] = {column: call.query.get(word) for word, column in _FILTERS.items() if word in call.query}
    changed = {'since': _time(call, 'changes-since'), 'before': _time(call, 'changes-before')}
    filters |= {name: moment for name, moment in changed.items() if moment is not None}
    if len(filters.keys() & changed.keys()) == 2 and filters['since'] > filters['before']:
        raise errors.Invalid('Invalid query: changes-since is later than changes-before.')
    if 'before' in filters:
        filters['before'] = times.through(filters['before'])
    limit = call.limit() if call.has(PAGED) else None
    if formats.as_bool(call.query.get('hidden', 'no')):
        # Whatever is hidden is not shown, so a list of that is empty.
        return Page([])
    with call.services.db.read() as conn:
        found = rows.page(conn, filters, paging.Page(limit, call.query.get('marker')))
    return Page(found) if limit is None else Page(*wire_paging.cut(found, limit, 'uuid'))


def _time(call: Call, name: str) -> datetime | None:
    text = call.query.get(name)
    return None if text is None else formats.parse_time(text)


ENDPOINTS = (
    GET(_ROOT, index, rule=INDEX_RULE, query=LIST_QUERY, flags=FLAGS, show=many('migrations', MIGRATION),
        errors=(400,)),
)
