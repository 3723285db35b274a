# SPDX-License-Identifier: Apache-2.0
"""Quotas: the limits of a project, of one user in it, and of everybody who has none of his own.

Source: compute API reference, "Quota sets" and "Quota class sets"; microversions 2.36 and 2.50 (nothing of the
network, classes have server groups), 2.57 (nothing of injected files).  The network service keeps the limits of
networks: here they are -1, or what somebody set, and count for nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nova_lite import errors
from nova_lite.api import shared
from nova_lite.auth import policy
from nova_lite.model import quotas as model
from nova_lite.ops import quotas as ops
from nova_lite.wsgi import formats, kinds, window
from nova_lite.wsgi.body import Object, Param, Prop, Query, wrapped
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import DELETE, GET, PUT, answer, one
from nova_lite.wsgi.view import Field, View
from nova_lite.wsgi.window import since, until

# ------------------------------------------------------------------- policy

_RULE = 'os_compute_api:os-quota-sets:'
SHOW_RULE, DETAIL_RULE, DEFAULTS_RULE = f'{_RULE}show', f'{_RULE}detail', f'{_RULE}defaults'
UPDATE_RULE, DELETE_RULE = f'{_RULE}update', f'{_RULE}delete'
SHOW_CLASS_RULE = 'os_compute_api:os-quota-class-sets:show'
UPDATE_CLASS_RULE = 'os_compute_api:os-quota-class-sets:update'

_SET = '/os-quota-sets/{id}'
_CLASS = '/os-quota-class-sets/{id}'
_IN_POLICY = '/os-quota-sets/{tenant_id}'
_CLASS_IN_POLICY = '/os-quota-class-sets/{quota_class}'

RULES = (
    policy.rule(SHOW_RULE, policy.READER_OR_ADMIN, 'See the limits of a project.', ('GET', _IN_POLICY)),
    policy.rule(DETAIL_RULE, policy.READER_OR_ADMIN, 'See the limits of a project and what it uses.',
                ('GET', f'{_IN_POLICY}/detail')),
    policy.rule(DEFAULTS_RULE, policy.ANYBODY, 'See the limits of who has none of his own.',
                ('GET', f'{_IN_POLICY}/defaults')),
    policy.rule(UPDATE_RULE, policy.ADMIN, 'Set limits of a project.', ('PUT', _IN_POLICY)),
    policy.rule(DELETE_RULE, policy.ADMIN, 'Let the default limits count again for a project.',
                ('DELETE', _IN_POLICY)),
    policy.rule(SHOW_CLASS_RULE, policy.ADMIN, 'See the limits of a quota class.', ('GET', _CLASS_IN_POLICY)),
    policy.rule(UPDATE_CLASS_RULE, policy.ADMIN, 'Set limits of a quota class.', ('PUT', _CLASS_IN_POLICY)),
)

# ------------------------------------------------------------------- bodies

_FILES = ('injected_files', 'injected_file_content_bytes', 'injected_file_path_bytes')
_GROUPS = ('server_groups', 'server_group_members')
_PLAIN = tuple(name for name in model.LIMITED if name not in (*_FILES, *_GROUPS))

_LIMIT = {'type': ['integer', 'string'], 'pattern': '^-?[0-9]+$', 'minLength': 1, 'maxLength': 11, 'minimum': -1,
          'maximum': formats.MAX_INT}


def _limits(network: window.Window) -> Iterable[Prop]:
    yield from (Prop(name, _LIMIT) for name in (*_PLAIN, *_GROUPS))
    yield from (Prop(name, _LIMIT, until(56)) for name in _FILES)
    yield from (Prop(name, _LIMIT, network) for name in (*model.OF_NETWORK, 'networks'))


UPDATE = wrapped('quota_set', Object(*_limits(until(35)), Prop('force', formats.BOOLEAN)))
UPDATE_CLASS = wrapped('quota_class_set', Object(*_limits(until(49))))
QUERY = Query(Param('user_id', formats.TEXT), open_=shared.STRICT_SINCE_75)

# -------------------------------------------------------------------- views


_PLAINLY, _DETAIL = frozenset(('show', 'update')), frozenset(('detail',))
_WITH_USE = kinds.record(dict.fromkeys(('limit', 'in_use', 'reserved'), kinds.INTEGER))


def _shown(names: Iterable[str], when: window.Window = window.ALWAYS) -> Iterable[Field]:
    for name in names:
        yield Field(name, shared.entry(name), when, _PLAINLY, kind=kinds.INTEGER)
        yield Field(name, shared.entry(name), when, _DETAIL, kind=_WITH_USE)


_ID = Field('id', shared.entry('id'), ops=_PLAINLY - {'update'} | _DETAIL, kind=kinds.TEXT)
QUOTA_SET = View(
    _ID, *_shown((*_PLAIN, *_GROUPS)), *_shown(_FILES, until(56)), *_shown(model.OF_NETWORK, until(35)))
QUOTA_CLASS_SET = View(
    _ID, *_shown(_PLAIN), *_shown(_GROUPS, since(50)), *_shown(_FILES, until(56)),
    *_shown(model.OF_NETWORK, until(49)))

# ----------------------------------------------------------------- handlers


@dataclass(frozen=True)
class Owner:
    """Whose limits the request is about; the policy looks at the project."""

    project_id: str
    user_id: str | None


def find(call: Call) -> Owner:
    """The project of the path and the user of the query."""
    return Owner(call.params['id'], call.query.get('user_id') or None)


def _check_project(call: Call) -> None:
    """Not earlier, because who may not see a project need not know whether there is one."""
    project = call.target.project_id
    if project != call.context.project_id and not call.services.identity.project_exists(call.context, project):
        raise errors.Invalid(f'There is no project {project[:64]!r}.')


def _with(owner: str | None, limits: Mapping[str, Any], network: Any = model.UNLIMITED) -> dict[str, Any]:
    return {'id': owner, **dict.fromkeys(model.OF_NETWORK, network), **limits}


def show(call: Call) -> dict[str, Any]:
    """Show the limits of a project, or of a user in it."""
    _check_project(call)
    known = call.services.limits.of(call.target.project_id)
    with call.services.db.read() as conn:
        limits = known.effective(conn, call.target.user_id)
    return _with(call.params['id'], limits.user)


def detail(call: Call) -> dict[str, Any]:
    """Show the limits of a project, or of a user in it, and what is used of them."""
    _check_project(call)
    owner = call.target
    known = call.services.limits.of(owner.project_id)
    with call.services.db.read() as conn:
        limits = known.effective(conn, owner.user_id)
        # A limit stands beside the use that it is for: where users have none of their own, that of the project.
        used = ops.usage(conn, owner.project_id, owner.user_id if call.services.limits.is_ours else None)
    return _with(owner.project_id, {name: _entry(limit, used.get(name, 0)) for name, limit in limits.user.items()},
                 _entry(model.UNLIMITED, 0))


def _entry(limit: int, used: int) -> dict[str, int]:
    # Nothing is reserved: what is accepted is booked at once.
    return {'limit': limit, 'in_use': used, 'reserved': 0}


def defaults(call: Call) -> dict[str, Any]:
    """Show the limits that count for projects without limits of their own."""
    _check_project(call)
    known = call.services.limits.of(None)
    with call.services.db.read() as conn:
        limits = known.of_class(conn)
    return _with(call.params['id'], limits)


def _wanted(body: Mapping[str, Any]) -> dict[str, int]:
    return {name: _number(name, value) for name, value in body.items() if name in (*model.LIMITED, *model.OF_NETWORK)}


def _number(name: str, value: Any) -> int:
    number = int(value)
    if not model.UNLIMITED <= number <= formats.MAX_INT:
        raise errors.Invalid(f'Invalid limit for {name}: {number} is not from -1 to {formats.MAX_INT}.')
    return number


def update(call: Call) -> dict[str, Any]:
    """Set limits of a project, or of a user in it."""
    _check_project(call)
    body, owner = call.body['quota_set'], call.target
    limits = ops.set_limits(call.services, ops.SetLimits(
        owner.project_id, _wanted(body), owner.user_id, formats.as_bool(body.get('force', False))))
    return _with(None, limits)


def delete(call: Call) -> None:
    """Let the default limits count again."""
    ops.forget(call.services, call.target.project_id, call.target.user_id)


def show_class(call: Call) -> dict[str, Any]:
    """Show the limits of a class."""
    known = call.services.limits.of(None)
    with call.services.db.read() as conn:
        return _with(call.params['id'], known.of_class(conn, call.params['id']))


def update_class(call: Call) -> dict[str, Any]:
    """Set limits of a class; those of ``default`` count for all who have none of their own."""
    return _with(None, ops.set_class(call.services, call.params['id'], _wanted(call.body['quota_class_set'])))


ENDPOINTS = (
    GET(_SET, show, load=find, rule=SHOW_RULE, query=QUERY, show=one('quota_set', QUOTA_SET), errors=(400,)),
    PUT(_SET, update, load=find, rule=UPDATE_RULE, query=QUERY, body=UPDATE,
        show=one('quota_set', QUOTA_SET, op='update'), errors=(400,)),
    DELETE(_SET, delete, load=find, rule=DELETE_RULE, query=QUERY, answers=answer(202)),
    GET(_SET + '/detail', detail, load=find, rule=DETAIL_RULE, query=QUERY,
        show=one('quota_set', QUOTA_SET, op='detail'),
        errors=(400,)),
    GET(_SET + '/defaults', defaults, load=find, rule=DEFAULTS_RULE, show=one('quota_set', QUOTA_SET),
        errors=(400,)),
    GET(_CLASS, show_class, rule=SHOW_CLASS_RULE, query=shared.NOTHING_KNOWN,
        show=one('quota_class_set', QUOTA_CLASS_SET)),
    PUT(_CLASS, update_class, rule=UPDATE_CLASS_RULE, body=UPDATE_CLASS,
        show=one('quota_class_set', QUOTA_CLASS_SET, op='update'), errors=(400,)),
)
