# SPDX-License-Identifier: Apache-2.0
"""The live migrations of one server that are going on: watch them, end them.

Source: compute API reference, "Server migrations"; microversions 2.22 (force_complete), 2.23 (list and
show), 2.24 (abort), 2.59 (UUIDs), 2.65 (abort before it runs), 2.80 (users and projects).
"""

from collections.abc import Sequence
from typing import Any

from nova_lite import errors
from nova_lite.api import shared
from nova_lite.auth import policy
from nova_lite.db.queries import migrations as rows
from nova_lite.model import moves
from nova_lite.ops import live_migrate as ops
from nova_lite.ops.base import NEEDED
from nova_lite.wsgi import kinds
from nova_lite.wsgi.body import wrapped
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import ACTION, DELETE, GET, answer, many, one
from nova_lite.wsgi.formats import NULL
from nova_lite.wsgi.view import Field, View, column
from nova_lite.wsgi.window import since

# ------------------------------------------------------------------- policy

_RULE = 'os_compute_api:servers:migrations:'
INDEX_RULE, HOST_RULE, SHOW_RULE = f'{_RULE}index', f'{_RULE}index:host', f'{_RULE}show'
FORCE_RULE, DELETE_RULE = f'{_RULE}force_complete', f'{_RULE}delete'

_ALL = '/servers/{server_id}/migrations'
_ONE = _ALL + '/{id}'
_IN_POLICY = _ALL + '/{migration_id}'

RULES = (
    policy.rule(INDEX_RULE, policy.MANAGER_OR_ADMIN, 'List the live migrations of a server that are going on, without '
                                                     'their hosts.', ('GET', _ALL)),
    policy.rule(HOST_RULE, policy.ADMIN, 'See the hosts of the live migrations of a server.', ('GET', _ALL)),
    policy.rule(SHOW_RULE, policy.ADMIN, 'See a live migration of a server.', ('GET', _IN_POLICY)),
    policy.rule(FORCE_RULE, policy.MANAGER_OR_ADMIN, 'Bring a live migration of a server to an end.',
                ('POST', _IN_POLICY + '/action (force_complete)')),
    policy.rule(DELETE_RULE, policy.MANAGER_OR_ADMIN, 'Abort a live migration of a server.', ('DELETE', _IN_POLICY)),
)

# -------------------------------------------------------------------- views


_HOSTS = ('source_compute', 'source_node', 'dest_compute', 'dest_node', 'dest_host')
_HOST = kinds.maybe(kinds.TEXT)
_LIST, _SHOW = frozenset(('list',)), frozenset(('show',))


def _bytes(name: str) -> Field:
    return column(f'{name}_bytes', name, kind=kinds.maybe(kinds.INTEGER))


MIGRATION = View(
    column('id', kind=kinds.INTEGER),
    column('uuid', when=since(59), kind=kinds.UUID),
    column('server_uuid', kind=kinds.UUID),
    column('status', kind=kinds.TEXT),
    # Who may see one migration sees its hosts; in the list that is a rule of its own.
    *(column(name, ops=_SHOW, kind=_HOST) for name in _HOSTS),
    *(Field(name, lambda row, _: None, ops=_LIST, kind=_HOST) for name in _HOSTS),
    *(column(name, ops=_LIST, rule=HOST_RULE, kind=_HOST) for name in _HOSTS),
    *(_bytes(name) for name in moves.PROGRESS),
    Field('created_at', lambda row, _: shared.wire_time_us(row.created_at), kind=kinds.TIME_US),
    Field('updated_at', lambda row, _: shared.wire_time_us(row.updated_at), kind=kinds.maybe(kinds.TIME_US)),
    column('user_id', when=since(80), kind=kinds.maybe(kinds.TEXT)),
    column('project_id', when=since(80), kind=kinds.maybe(kinds.TEXT)),
)

# ----------------------------------------------------------------- handlers

FORCE = wrapped('force_complete', NULL)
EARLY = 'a live migration that does not run yet can be aborted'


def find(call: Call) -> Any:
    """The server of the path."""
    return shared.find_server(call, call.params['server_id'], NEEDED | {'user_id'})


def index(call: Call) -> Sequence[Any]:
    """List the live migrations that are going on."""
    with call.services.db.read() as conn:
        return rows.in_progress(conn, call.target.uuid)


def show(call: Call) -> Any:
    """Show a live migration that is going on."""
    with call.services.db.read() as conn:
        found = rows.get_of_server(conn, call.target.uuid, _number(call))
    if found is None or found.type != moves.LIVE or found.status not in moves.IN_PROGRESS:
        raise errors.NotFound(f'Server {call.target.uuid} has no live migration {call.params["id"]} that is going on.')
    return found


def force_complete(call: Call) -> None:
    """Bring a live migration to an end, with a pause of the server if need be."""
    ops.force_complete(call.services, call.context, ops.ForceComplete(
        call.target, _number(call), call.context.is_admin))


def delete(call: Call) -> None:
    """Abort a live migration; the server stays where it is."""
    ops.abort(call.services, call.context, ops.AbortMigration(
        call.target, _number(call), call.has(EARLY), call.context.is_admin))


def _number(call: Call) -> int:
    """The number of the path; one that no migration can have is nobody's."""
    return shared.row_id(call.params['id']) or 0


ENDPOINTS = (
    GET(_ALL, index, load=find, rule=INDEX_RULE, when=since(23), query=shared.NOTHING_KNOWN,
        show=many('migrations', MIGRATION, links=False), errors=(404,)),
    GET(_ONE, show, load=find, rule=SHOW_RULE, when=since(23), query=shared.NOTHING_KNOWN,
        show=one('migration', MIGRATION), errors=(404,)),
    DELETE(_ONE, delete, load=find, rule=DELETE_RULE, when=since(24), flags=(EARLY, since(65)),
           answers=answer(202), errors=(400, 404, 409)),
    ACTION('force_complete', force_complete, path=_ONE + '/action', load=find, rule=FORCE_RULE, when=since(22),
           body=FORCE, answers=answer(202), errors=(400, 403, 404, 409)),
)
