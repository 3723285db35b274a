# SPDX-License-Identifier: Apache-2.0
"""What an administrator changes in the embedded identity: projects, users, roles and who has which role where.

Programs that make a project of their own to work in, such as test suites and
installers, expect these requests of every identity service.  There is one
domain, and there are no groups, so neither can be made.
"""

import os
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

import webob

from nova_lite import errors
from nova_lite.embedded import http, passwords
from nova_lite.embedded.directory import Directory
from nova_lite.embedded.identity_reads import Access, Row, linked, project_view, role_view, user_view
from nova_lite.embedded.login import member

BODY_LIMIT = 64 * 1024
LONGEST_NAME = 255
LONGEST_PROJECT_NAME = 64

Content = dict[str, Any]


class Administration(Access):
    """The handlers; each change is one new version of the file."""

    def __init__(self, directory: Directory, revocations: str, caller: Callable[[webob.Request], Any]):
        super().__init__(caller)
        self._directory = directory
        self._revocations = revocations

    def rows(self) -> Iterable[Row]:
        """The routes."""
        for kind, (create, update) in {'projects': (self.create_project, self.update_project),
                                       'users': (self.create_user, self.update_user),
                                       'roles': (self.create_role, self.update_role)}.items():
            yield 'POST', f'/v3/{kind}', create
            yield 'PATCH', f'/v3/{kind}/{{key}}', update
            yield 'DELETE', f'/v3/{kind}/{{key}}', self._deleter(kind)
        yield 'POST', '/v3/users/{key}/password', self.change_password
        for path, target in (('projects/{target_id}', 'project'), ('system', 'system')):
            grant = f'/v3/{path}/users/{{user_id}}/roles/{{role_id}}'
            yield 'GET', grant, self._grant(target, 'check_grant', self._look)
            yield 'PUT', grant, self._grant(target, 'create_grant', self._give)
            yield 'DELETE', grant, self._grant(target, 'revoke_grant', self._take)

    # --------------------------------------------------------------- projects

    def create_project(self, request: webob.Request) -> webob.Response:
        caller = self._admin(request, 'identity:create_project')
        wanted = _wanted(request, 'project')
        domain_id = _domain(caller, wanted)
        if wanted.get('parent_id') not in (None, domain_id) or wanted.get('is_domain'):
            raise errors.Invalid(reason='Projects have no parent but their domain here, and none is a domain.')
        project = {'id': uuid.uuid4().hex, 'name': _name(wanted, LONGEST_PROJECT_NAME), 'domain_id': domain_id,
                   'enabled': _flag(wanted), 'description': _text(wanted, 'description')}
        self._directory.change(lambda content: _add(content, 'projects', project))
        return _made(request, 'project', project_view(project))

    def update_project(self, request: webob.Request, key: str) -> webob.Response:
        self._admin(request, 'identity:update_project')
        wanted = _wanted(request, 'project')
        changes = _changes(wanted, ('description',), LONGEST_PROJECT_NAME)
        project = self._update('projects', key, wanted, changes)
        return http.answer({'project': linked(request, 'projects', project_view({'description': '', **project}))})

    # ------------------------------------------------------------------ users

    def create_user(self, request: webob.Request) -> webob.Response:
        caller = self._admin(request, 'identity:create_user')
        wanted = _wanted(request, 'user')
        user = {'id': uuid.uuid4().hex, 'name': _name(wanted), 'domain_id': _domain(caller, wanted),
                'enabled': _flag(wanted), **_extras(wanted)}
        if wanted.get('password') is not None:
            user['password'] = _hashed(wanted['password'])
        self._directory.change(lambda content: _add(content, 'users', user))
        return _made(request, 'user', user_view(user))

    def update_user(self, request: webob.Request, key: str) -> webob.Response:
        self._admin(request, 'identity:update_user')
        wanted = _wanted(request, 'user')
        changes = {**_changes(wanted), **_extras(wanted)}
        if wanted.get('password') is not None:
            changes.update(_new_password(wanted['password']))
        user = self._update('users', key, wanted, changes)
        return http.answer({'user': linked(request, 'users', user_view(user))})

    def change_password(self, request: webob.Request, key: str) -> webob.Response:
        """By the user himself, who knows the old one; for that he needs no token."""
        wanted = _wanted(request, 'user')
        old = wanted.get('original_password')
        user = self._directory.load().users.get(key, {})
        if not isinstance(old, str) or not passwords.matches(old, user.get('password') or ''):
            raise errors.Unauthenticated('The user or the original password is not right.')
        self._update('users', key, {}, _new_password(wanted.get('password')))
        return http.empty()

    # ------------------------------------------------------------------ roles

    def create_role(self, request: webob.Request) -> webob.Response:
        self._admin(request, 'identity:create_role')
        role = {'id': uuid.uuid4().hex, 'name': _name(_wanted(request, 'role'))}
        self._directory.change(lambda content: _add(content, 'roles', role))
        return _made(request, 'role', role_view(role))

    def update_role(self, request: webob.Request, key: str) -> webob.Response:
        self._admin(request, 'identity:update_role')
        wanted = _wanted(request, 'role')
        changes = {'name': _name(wanted)} if 'name' in wanted else {}
        return http.answer({'role': linked(request, 'roles', role_view(self._update('roles', key, {}, changes)))})

    # ----------------------------------------------------------------- grants

    def _grant(self, target: str, action: str, act: Callable[[dict[str, str]], None]) -> http.Handler:
        def handler(request: webob.Request, user_id: str, role_id: str, target_id: str = 'all') -> webob.Response:
            self._admin(request, f'identity:{action}')
            act({'user': user_id, 'role': role_id, target: target_id})
            return http.empty()
        return handler

    def _look(self, row: dict[str, str]) -> None:
        if row not in self._directory.load().assignments:
            _no_grant(row)

    def _give(self, row: dict[str, str]) -> None:
        def edit(content: Content) -> None:
            for kind, key in (('users', row['user']), ('roles', row['role']), ('projects', row.get('project'))):
                if key is not None:
                    _find(content, kind, key)
            if row not in content['assignments']:
                content['assignments'].append(row)
        self._change(edit)

    def _take(self, row: dict[str, str]) -> None:
        def edit(content: Content) -> None:
            if row not in content['assignments']:
                _no_grant(row)
            content['assignments'].remove(row)
        self._change(edit)

    # ---------------------------------------------------------------- the file

    def _deleter(self, kind: str) -> http.Handler:
        word = kind.removesuffix('s')

        def delete(content: Content, key: str) -> None:
            content[kind].remove(_find(content, kind, key))
            content['assignments'] = [row for row in content['assignments'] if row.get(word) != key]

        def handler(request: webob.Request, key: str) -> webob.Response:
            self._admin(request, f'identity:delete_{word}')
            self._change(lambda content: delete(content, key))
            return http.empty()
        return handler

    def _update(self, kind: str, key: str, wanted: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
        def edit(content: Content) -> dict[str, Any]:
            thing = _find(content, kind, key)
            if wanted.get('domain_id') not in (None, thing.get('domain_id')):
                raise errors.Invalid(reason='domain_id cannot be changed.')
            content[kind].remove(thing)
            return _add(content, kind, {**thing, **changes})
        return {'enabled': True, **self._change(edit)}

    def _change(self, edit: Callable[[Content], Any]) -> Any:
        """Change the file, and let every process forget the tokens that it has confirmed."""
        result = self._directory.change(edit)
        os.utime(self._revocations)
        return result


def _wanted(request: webob.Request, kind: str) -> dict[str, Any]:
    return member(http.read_json(request, BODY_LIMIT), kind)


def _name(wanted: Mapping[str, Any], longest: int = LONGEST_NAME) -> str:
    name = wanted.get('name')
    if not isinstance(name, str) or not 0 < len(name) <= longest or not name.strip():
        raise errors.Invalid(reason=f'name must be a string of 1 to {longest} characters.')
    return name


def _flag(wanted: Mapping[str, Any]) -> bool:
    enabled = wanted.get('enabled', True)
    if not isinstance(enabled, bool):
        raise errors.Invalid(reason='enabled must be true or false.')
    return enabled


def _text(wanted: Mapping[str, Any], key: str) -> str:
    value = wanted.get(key)
    if value is not None and not isinstance(value, str):
        raise errors.Invalid(reason=f'{key} must be a string.')
    return value or ''


def _extras(wanted: Mapping[str, Any]) -> dict[str, str]:
    return {key: _text(wanted, key) for key in ('description', 'email', 'default_project_id')
            if wanted.get(key) is not None}


def _changes(wanted: Mapping[str, Any], texts: tuple[str, ...] = (), longest: int = LONGEST_NAME) -> dict[str, Any]:
    changes: dict[str, Any] = {key: _text(wanted, key) for key in texts if key in wanted}
    if 'name' in wanted:
        changes['name'] = _name(wanted, longest)
    if 'enabled' in wanted:
        changes['enabled'] = _flag(wanted)
    return changes


def _domain(caller: Any, wanted: Mapping[str, Any]) -> str:
    """The domain of the request, which is the caller's own where it names none."""
    domain_id = wanted.get('domain_id') or caller.snapshot.users[caller.claims.user_id]['domain_id']
    if domain_id not in caller.snapshot.domains:
        raise errors.Invalid(reason=f'There is no domain {domain_id}.')
    return str(domain_id)


def _hashed(password: Any) -> str:
    if not isinstance(password, str) or not 0 < len(password) <= passwords.LONGEST:
        raise errors.Invalid(reason=f'password must be a string of 1 to {passwords.LONGEST} characters.')
    return passwords.hash_password(password)


def _new_password(password: Any) -> dict[str, Any]:
    """Tokens that were issued for an earlier password are over."""
    return {'password': _hashed(password), 'password_changed_at': time.time()}


def _no_grant(row: Mapping[str, str]) -> NoReturn:
    raise errors.NotFound(f'User {row["user"]} was not given role {row["role"]} there.')


def _find(content: Content, kind: str, key: str) -> dict[str, Any]:
    for thing in content[kind]:
        if thing['id'] == key:
            return thing
    raise errors.NotFound(f'No {kind.removesuffix("s")} {key}.')


def _add(content: Content, kind: str, thing: dict[str, Any]) -> dict[str, Any]:
    for other in content[kind]:
        if other['name'].lower() == thing['name'].lower() and other.get('domain_id') == thing.get('domain_id'):
            raise errors.Conflict(reason=f'There is a {kind.removesuffix("s")} named {thing["name"]} already.')
    content[kind].append(thing)
    return thing


def _made(request: webob.Request, kind: str, view: dict[str, Any]) -> webob.Response:
    return http.answer({kind: linked(request, f'{kind}s', view)}, 201)
