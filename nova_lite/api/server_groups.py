# SPDX-License-Identifier: Apache-2.0
"""Server groups: servers that want to be on one host, or on different ones.

Source: compute API reference, "Server groups"; microversions 2.13 (owner), 2.15 (soft policies), 2.64 (one
policy with rules).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from nova_lite import errors
from nova_lite.api import shared
from nova_lite.auth import policy
from nova_lite.db.queries import server_groups as rows
from nova_lite.model import groups as model
from nova_lite.ops import server_groups as ops
from nova_lite.wsgi import formats, kinds, window
from nova_lite.wsgi.body import Choice, Object, Param, Prop, Query, wrapped
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import DELETE, GET, POST, answer, many, one
from nova_lite.wsgi.view import Field, Rendering, View, column
from nova_lite.wsgi.window import only, since, until

# ------------------------------------------------------------------- policy

_RULE = 'os_compute_api:os-server-groups:'
INDEX_RULE, ALL_PROJECTS_RULE, SHOW_RULE = f'{_RULE}index', f'{_RULE}index:all_projects', f'{_RULE}show'
CREATE_RULE, DELETE_RULE = f'{_RULE}create', f'{_RULE}delete'

_ROOT = '/os-server-groups'
_ONE = _ROOT + '/{id}'
_IN_POLICY = _ROOT + '/{server_group_id}'

RULES = (
    policy.rule(INDEX_RULE, policy.READER_OR_ADMIN, 'List the server groups of a project.', ('GET', _ROOT)),
    policy.rule(ALL_PROJECTS_RULE, policy.ADMIN, 'List the server groups of all projects.',
                ('GET', f'{_ROOT}?all_projects=1')),
    policy.rule(SHOW_RULE, policy.READER_OR_ADMIN, 'See a server group.', ('GET', _IN_POLICY)),
    policy.rule(CREATE_RULE, policy.MEMBER_OR_ADMIN, 'Make a server group.', ('POST', _ROOT)),
    policy.rule(DELETE_RULE, policy.MEMBER_OR_ADMIN, 'Delete a server group.', ('DELETE', _IN_POLICY)),
)

# ------------------------------------------------------------------- bodies


def _policies(known: Sequence[str]) -> dict[str, Any]:
    return {'type': 'array', 'minItems': 1, 'maxItems': 1, 'items': {'type': 'string', 'enum': list(known)}}


CREATE = wrapped('server_group', Object(
    Prop('name', Choice((formats.NAME, window.V21), (formats.LOOSE_NAME, window.V2)), required=True),
    Prop('policies', _policies(model.HARD), until(14), required=True),
    Prop('policies', _policies(model.POLICIES), only(15, 63), required=True),
    Prop('policy', {'type': 'string', 'enum': list(model.POLICIES)}, since(64), required=True),
    Prop('rules', Object(Prop(model.MAX_PER_HOST, formats.POSITIVE)), since(64)),
))
LIST_QUERY = Query(
    Param('all_projects', formats.TEXT), Param('limit', formats.NUMBER), Param('offset', formats.NUMBER),
    open_=shared.STRICT_SINCE_75)

# -------------------------------------------------------------------- views


def _members(row: Any, rendering: Rendering) -> list[str]:
    return list(rendering.loaded['members'][row.id])


def _load_members(rendering: Rendering, found: Sequence[Any]) -> Mapping[int, list[str]]:
    with rendering.call.services.db.read() as conn:
        return rows.members(conn, [row.id for row in found])


GROUP = View(
    column('id', 'uuid', kind=kinds.UUID), column('name', kind=kinds.TEXT),
    Field('policies', lambda row, _: [row.policy], until(63), columns=('policy',), kind=kinds.listed(kinds.TEXT)),
    Field('metadata', lambda row, _: {}, until(63), kind=kinds.TEXTS),
    column('policy', when=since(64), kind=kinds.word(*model.POLICIES)),
    column('rules', when=since(64), kind=kinds.record({}, {model.MAX_PER_HOST: kinds.INTEGER})),
    Field('members', _members, columns=('id',), needs=('members',), kind=kinds.listed(kinds.UUID)),
    column('project_id', when=since(13), kind=kinds.TEXT),
    column('user_id', when=since(13), kind=kinds.TEXT),
    loaders={'members': _load_members})

# ----------------------------------------------------------------- handlers


def find(call: Call) -> Any:
    """The group of the path, for the policy to judge."""
    with call.services.db.read() as conn:
        return rows.get(conn, call.params['id'])


def index(call: Call) -> list[Any]:
    """List the server groups of the project, or of all projects."""
    project: str | None = call.context.project_id or ''
    # Said by anybody else it has never meant anything, whatever its value.
    if 'all_projects' in call.query and call.context.is_admin:
        call.authorize(ALL_PROJECTS_RULE)
        project = None
    limit = call.limit() or int(call.services.conf.api.max_limit)
    with call.services.db.read() as conn:
        return rows.page(conn, project, limit, call.query.integer('offset') or 0)


def show(call: Call) -> Any:
    """Show one server group."""
    return call.target


def create(call: Call) -> Any:
    """Make a server group."""
    body = call.body['server_group']
    wanted = body['policy'] if 'policy' in body else body['policies'][0]
    rules = {name: int(value) for name, value in body.get('rules', {}).items()}
    if rules and wanted != model.ANTI_AFFINITY:
        raise errors.Invalid(f'Invalid input for rules: {model.MAX_PER_HOST} goes with policy {model.ANTI_AFFINITY} '
                             f'only, not with {wanted}.')
    return ops.create(call.services, call.context, ops.CreateGroup(body['name'].strip(), wanted, rules))


def delete(call: Call) -> None:
    """Delete a server group; its servers stay."""
    ops.delete(call.services, call.target.uuid)


ENDPOINTS = (
    GET(_ROOT, index, rule=INDEX_RULE, query=LIST_QUERY, show=many('server_groups', GROUP, links=False),
        errors=(400,)),
    POST(_ROOT, create, rule=CREATE_RULE, body=CREATE, show=one('server_group', GROUP), errors=(400, 403)),
    GET(_ONE, show, load=find, rule=SHOW_RULE, query=shared.NOTHING_KNOWN, show=one('server_group', GROUP),
        errors=(404,)),
    DELETE(_ONE, delete, load=find, rule=DELETE_RULE, answers=answer(204), errors=(404,)),
)
