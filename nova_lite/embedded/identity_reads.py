# SPDX-License-Identifier: Apache-2.0
"""What the embedded identity shows of its file: projects, users, roles and the rest, as clients read them.

Ordinary users see themselves and their own projects, an administrator sees
everything.  What an administrator may change is in ``identity_writes``.
"""

from collections.abc import Callable, Iterable
from typing import Any

import webob

from nova_lite import errors
from nova_lite.embedded import http
from nova_lite.embedded.catalog import Catalog

Row = tuple[str, str, http.Handler]


class Access:
    """Who may look; ``caller`` tells who asks."""

    def __init__(self, caller: Callable[[webob.Request], Any]):
        self._caller = caller

    def nothing(self, collection: str) -> http.Handler:
        """A collection that is always empty here, for clients that look into it in passing."""
        def handler(request: webob.Request, key: str = '') -> webob.Response:
            self._caller(request)
            return _list(request, collection, ())
        return handler

    def _reader(self, request: webob.Request, action: str) -> Any:
        caller = self._caller(request)
        if not caller.may_read_all:
            raise errors.Forbidden(action=action)
        return caller

    def _admin(self, request: webob.Request, action: str) -> Any:
        caller = self._caller(request)
        if not caller.is_admin:
            raise errors.Forbidden(action=action)
        return caller

    def _self_or_reader(self, request: webob.Request, user_id: str, action: str) -> Any:
        caller = self._caller(request)
        if caller.claims.user_id != user_id and not caller.may_read_all:
            raise errors.Forbidden(action=action)
        return caller


class People(Access):
    """The handlers for projects, users, roles and domains."""

    def rows(self) -> Iterable[Row]:
        paths: dict[str, http.Handler] = {
            'auth/projects': self.own_projects, 'auth/domains': self.nothing('domains'),
            'auth/system': self.own_system,
            'projects': self.projects, 'projects/{key}': self.project,
            'projects/{key}/users/{user_id}/roles': self.user_roles,
            'system/users/{user_id}/roles': self.system_roles,
            'users': self.users, 'users/{key}': self.user,
            'users/{key}/projects': self.user_projects, 'users/{key}/groups': self.nothing('groups'),
            'groups': self.nothing('groups'),
            'roles': self.roles, 'roles/{key}': self.role, 'role_assignments': self.assignments,
            'domains': self.domains, 'domains/{key}': self.domain,
        }
        return _rows(paths)

    # --------------------------------------------------------------- projects

    def own_projects(self, request: webob.Request) -> webob.Response:
        caller = self._caller(request)
        found = caller.snapshot.projects_of(caller.claims.user_id)
        return _list(request, 'projects', map(project_view, found), 'auth/projects')

    def own_system(self, request: webob.Request) -> webob.Response:
        caller = self._caller(request)
        held = caller.snapshot.roles_on(caller.claims.user_id, 'system', 'all')
        links = {'self': _url(request, 'auth/system')}
        return http.answer({'system': [{'all': True}] if held else [], 'links': links})

    def projects(self, request: webob.Request) -> webob.Response:
        caller = self._reader(request, 'identity:list_projects')
        return _list(request, 'projects', map(project_view, caller.snapshot.projects.values()))

    def project(self, request: webob.Request, key: str) -> webob.Response:
        caller = self._caller(request)
        if not caller.may_read_all and (caller.claims.scope, caller.claims.scope_id) != ('project', key):
            raise errors.Forbidden(action='identity:get_project')
        return _one(request, 'project', map(project_view, caller.snapshot.projects.values()), key)

    def user_roles(self, request: webob.Request, key: str, user_id: str) -> webob.Response:
        caller = self._reader(request, 'identity:list_grants')
        if key not in caller.snapshot.projects or user_id not in caller.snapshot.users:
            raise errors.NotFound(f'No project {key} or no user {user_id}.')
        return _list(request, 'roles', map(role_view, caller.snapshot.granted_on(user_id, 'project', key)))

    def system_roles(self, request: webob.Request, user_id: str) -> webob.Response:
        caller = self._reader(request, 'identity:list_system_grants_for_user')
        if user_id not in caller.snapshot.users:
            raise errors.NotFound(f'No user {user_id}.')
        return _list(request, 'roles', map(role_view, caller.snapshot.granted_on(user_id, 'system', 'all')))

    # ------------------------------------------------------------------ users

    def users(self, request: webob.Request) -> webob.Response:
        caller = self._reader(request, 'identity:list_users')
        return _list(request, 'users', map(user_view, caller.snapshot.users.values()))

    def user(self, request: webob.Request, key: str) -> webob.Response:
        caller = self._self_or_reader(request, key, 'identity:get_user')
        return _one(request, 'user', map(user_view, caller.snapshot.users.values()), key)

    def user_projects(self, request: webob.Request, key: str) -> webob.Response:
        caller = self._self_or_reader(request, key, 'identity:list_user_projects')
        if key not in caller.snapshot.users:
            raise errors.NotFound(f'No user {key}.')
        found = map(project_view, caller.snapshot.projects_of(key))
        return _list(request, 'projects', found, f'users/{key}/projects')

    # --------------------------------------------------- roles and assignments

    def roles(self, request: webob.Request) -> webob.Response:
        caller = self._reader(request, 'identity:list_roles')
        return _list(request, 'roles', map(role_view, caller.snapshot.roles.values()))

    def role(self, request: webob.Request, key: str) -> webob.Response:
        caller = self._reader(request, 'identity:get_role')
        return _one(request, 'role', map(role_view, caller.snapshot.roles.values()), key)

    def assignments(self, request: webob.Request) -> webob.Response:
        caller = self._reader(request, 'identity:list_role_assignments')
        wanted = http.query(request)
        names = wanted.get('include_names', '').lower() not in ('', '0', 'false')
        checks = {'user.id': 'user', 'role.id': 'role', 'scope.project.id': 'project',
                  'scope.system': 'system'}
        filters = {column: wanted[key] for key, column in checks.items() if key in wanted}
        if 'system' in filters:
            filters['system'] = 'all'
        found = []
        for row in caller.snapshot.assignments:
            if all(row.get(column) == value for column, value in filters.items()):
                found.append(self._assignment(request, caller.snapshot, row, names))
        links = {'self': _url(request, 'role_assignments'), 'previous': None, 'next': None}
        return http.answer({'role_assignments': found, 'links': links})

    def _assignment(self, request: webob.Request, snapshot: Any, row: dict[str, str],
                    names: bool) -> dict[str, Any]:
        def reference(thing: dict[str, Any]) -> dict[str, Any]:
            if not names:
                return {'id': thing['id']}
            shown = {'id': thing['id'], 'name': thing['name']}
            if 'domain_id' in thing:
                domain = snapshot.domains[thing['domain_id']]
                shown['domain'] = {'id': domain['id'], 'name': domain['name']}
            return shown

        if 'project' in row:
            scope: dict[str, Any] = {'project': reference(snapshot.projects[row['project']])}
            target = f'projects/{row["project"]}'
        else:
            scope, target = {'system': {'all': True}}, 'system'
        link = _url(request, f'{target}/users/{row["user"]}/roles/{row["role"]}')
        return {'user': reference(snapshot.users[row['user']]),
                'role': reference(snapshot.roles[row['role']]), 'scope': scope, 'links': {'assignment': link}}

    # ---------------------------------------------------------------- domains

    def domains(self, request: webob.Request) -> webob.Response:
        caller = self._reader(request, 'identity:list_domains')
        return _list(request, 'domains', map(_domain, caller.snapshot.domains.values()))

    def domain(self, request: webob.Request, key: str) -> webob.Response:
        caller = self._caller(request)
        own = caller.snapshot.users[caller.claims.user_id]['domain_id']
        if key != own and not caller.may_read_all:
            raise errors.Forbidden(action='identity:get_domain')
        return _one(request, 'domain', map(_domain, caller.snapshot.domains.values()), key)


class CatalogParts(Access):
    """The handlers for what the service catalogue is made of."""

    def __init__(self, catalog: Catalog, caller: Callable[[webob.Request], Any]):
        super().__init__(caller)
        self._catalog = catalog

    def rows(self) -> Iterable[Row]:
        return _rows({
            'services': self.services, 'services/{key}': self.service,
            'endpoints': self.endpoints, 'endpoints/{key}': self.endpoint,
            'regions': self.regions, 'regions/{key}': self.region,
        })

    def services(self, request: webob.Request) -> webob.Response:
        self._reader(request, 'identity:list_services')
        return _list(request, 'services', self._services())

    def service(self, request: webob.Request, key: str) -> webob.Response:
        self._reader(request, 'identity:get_service')
        return _one(request, 'service', self._services(), key)

    def endpoints(self, request: webob.Request) -> webob.Response:
        self._reader(request, 'identity:list_endpoints')
        return _list(request, 'endpoints', self._endpoints(request))

    def endpoint(self, request: webob.Request, key: str) -> webob.Response:
        self._reader(request, 'identity:get_endpoint')
        return _one(request, 'endpoint', self._endpoints(request), key)

    def regions(self, request: webob.Request) -> webob.Response:
        self._caller(request)
        return _list(request, 'regions', self._regions())

    def region(self, request: webob.Request, key: str) -> webob.Response:
        self._caller(request)
        return _one(request, 'region', self._regions(), key)

    def _services(self) -> Iterable[dict[str, Any]]:
        for one in self._catalog.services:
            yield {'id': one.id, 'name': one.name, 'type': one.type, 'description': '', 'enabled': True}

    def _endpoints(self, request: webob.Request) -> Iterable[dict[str, Any]]:
        for service, endpoint in self._catalog.endpoints(request):
            yield {**endpoint, 'service_id': service.id, 'enabled': True}

    def _regions(self) -> Iterable[dict[str, Any]]:
        yield {'id': self._catalog.region, 'description': '', 'parent_region_id': None}


def _rows(paths: dict[str, http.Handler]) -> list[Row]:
    return [('GET', f'/v3/{path}', handler) for path, handler in paths.items()]


def project_view(one: dict[str, Any]) -> dict[str, Any]:
    return {'id': one['id'], 'name': one['name'], 'domain_id': one['domain_id'], 'enabled': one['enabled'],
            'description': one['description'], 'parent_id': one['domain_id'], 'is_domain': False,
            'tags': [], 'options': {}}


def user_view(one: dict[str, Any]) -> dict[str, Any]:
    extras: dict[str, Any] = {key: one[key] for key in ('description', 'email', 'default_project_id') if key in one}
    return {'id': one['id'], 'name': one['name'], 'domain_id': one['domain_id'], 'enabled': one['enabled'],
            'password_expires_at': None, 'options': {}, **extras}


def role_view(one: dict[str, Any]) -> dict[str, Any]:
    return {'id': one['id'], 'name': one['name'], 'domain_id': None, 'description': None, 'options': {}}


def _domain(one: dict[str, Any]) -> dict[str, Any]:
    return {'id': one['id'], 'name': one['name'], 'description': one['description'],
            'enabled': one['enabled'], 'tags': [], 'options': {}}


def _list(request: webob.Request, collection: str, things: Iterable[dict[str, Any]],
          path: str = '') -> webob.Response:
    """The things that the query asks for; a filter on a field that they lack is ignored, as Keystone does."""
    wanted = http.query(request)
    found = [linked(request, collection, one) for one in things
             if all(_equal(one[key], value) for key, value in wanted.items() if key in one)]
    links = {'self': _url(request, path or collection), 'previous': None, 'next': None}
    return http.answer({collection: found, 'links': links})


def _one(request: webob.Request, kind: str, things: Iterable[dict[str, Any]], key: str) -> webob.Response:
    for one in things:
        if one['id'] == key:
            return http.answer({kind: linked(request, f'{kind}s', one)})
    raise errors.NotFound(f'No {kind} {key}.')


def linked(request: webob.Request, collection: str, one: dict[str, Any]) -> dict[str, Any]:
    return {**one, 'links': {'self': _url(request, f'{collection}/{one["id"]}')}}


def _equal(have: Any, text: str) -> bool:
    if isinstance(have, bool):
        return have == (text.lower() not in ('0', 'false', 'no', 'off'))
    return have is not None and str(have).lower() == text.lower()


def _url(request: webob.Request, path: str) -> str:
    return f'{request.application_url.rstrip("/")}/v3/{path}'
