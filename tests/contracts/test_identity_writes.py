# SPDX-License-Identifier: Apache-2.0
"""Projects, users, roles and grants as programs make them that want a project of their own."""

import pytest
import requests

from nova_lite.embedded.directory import ensure_identity
from tests.fixtures import embedded

NOBODY = '0' * 32


class Identity:
    """The API, asked by the administrator unless somebody else is named."""

    def __init__(self, cloud):
        self.url = f'{cloud.url}/identity/v3'
        self._passwords = cloud.known.passwords
        self.admin = self.token('admin', self._passwords['admin'], 'admin')

    def login(self, user, password, project=None):
        body = {'identity': {'methods': ['password'], 'password': {'user': {
            'name': user, 'password': password, 'domain': {'id': 'default'}}}}}
        if project:
            body['scope'] = {'project': {'name': project, 'domain': {'id': 'default'}}}
        return self.ask('POST', 'auth/tokens', {'auth': body}, token=None)

    def token(self, *who):
        response = self.login(*who)
        assert response.status_code == 201, response.text
        return response.headers['X-Subject-Token']

    def ask(self, method, path, body=None, token='admin', **headers):
        token = self.admin if token == 'admin' else token
        headers = {name.replace('_', '-'): value for name, value in headers.items()}
        return requests.request(method, f'{self.url}/{path}', json=body, timeout=10,
                                headers={**headers, **({'X-Auth-Token': token} if token else {})})

    def made(self, kind, **values):
        response = self.ask('POST', f'{kind}s', {kind: values})
        assert response.status_code == 201, response.text
        return response.json()[kind]

    def grants(self, project, user):
        return {role['name']: role['id'] for role in
                self.ask('GET', f'projects/{project["id"]}/users/{user["id"]}/roles').json()['roles']}

    def role(self, name):
        role, = self.ask('GET', f'roles?name={name}').json()['roles']
        return role['id']

    def roles_of(self, token):
        shown = self.ask('GET', 'auth/tokens', X_Subject_Token=token).json()['token']
        return {role['name'] for role in shown['roles']}


@pytest.fixture(scope='module')
def cloud(tmp_path_factory):
    with embedded.serve(embedded.state_dir(tmp_path_factory.mktemp('identity-writes'))) as running:
        yield running


@pytest.fixture
def api(cloud):
    return Identity(cloud)


@pytest.fixture
def tenant(api, request):
    """A project and a user, who has no role on it yet."""
    name = request.node.name
    project = api.made('project', name=name, description='d', domain_id='default')
    return project, api.made('user', name=f'{name}-user', password='first', domain_id='default', email='a@example.org')


def test_a_project_and_a_user_of_ones_own(api, tenant):
    project, user = tenant
    assert (project['description'], project['enabled'], project['domain_id']) == ('d', True, 'default')
    assert user['email'] == 'a@example.org' and 'password' not in user
    assert api.ask('GET', f'users/{user["id"]}').json()['user'] == user
    assert api.login(user['name'], 'first', project['name']).status_code == 401
    grant = f'projects/{project["id"]}/users/{user["id"]}/roles/{api.role("member")}'
    assert api.ask('HEAD', grant).status_code == 404
    for _ in range(2):
        assert api.ask('PUT', grant).status_code == 204
    assert api.ask('HEAD', grant).status_code == 204
    assert set(api.grants(project, user)) == {'member'}
    token = api.token(user['name'], 'first', project['name'])
    assert api.roles_of(token) == {'member', 'reader'}
    assert api.ask('GET', 'projects', token=token).status_code == 403
    assert api.ask('DELETE', grant).status_code == 204
    assert api.ask('DELETE', grant).status_code == 404
    assert api.ask('GET', 'auth/projects', token=token).status_code == 401


def test_a_role_brings_the_lesser_ones_along(api, tenant):
    project, user = tenant
    api.ask('PUT', f'projects/{project["id"]}/users/{user["id"]}/roles/{api.role("admin")}')
    token = api.token(user['name'], 'first', project['name'])
    assert api.roles_of(token) == {'admin', 'manager', 'member', 'reader'}
    assert set(api.grants(project, user)) == {'admin'}
    assert api.ask('GET', 'users', token=token).status_code == 200


def test_a_role_on_the_system(api, tenant):
    _, user = tenant
    path = f'system/users/{user["id"]}/roles'
    assert api.ask('PUT', f'{path}/{api.role("reader")}').status_code == 204
    assert [role['name'] for role in api.ask('GET', path).json()['roles']] == ['reader']
    assert api.ask('DELETE', f'{path}/{api.role("reader")}').status_code == 204
    assert api.ask('GET', path).json()['roles'] == []


@pytest.mark.parametrize('kind', ['project', 'user'])
def test_what_is_deleted_takes_its_tokens_along(api, tenant, kind):
    project, user = tenant
    api.ask('PUT', f'projects/{project["id"]}/users/{user["id"]}/roles/{api.role("reader")}')
    token = api.token(user['name'], 'first', project['name'])
    path = f'{kind}s/{(project if kind == "project" else user)["id"]}'
    assert api.ask('DELETE', path).status_code == 204
    assert api.ask('DELETE', path).status_code == 404
    assert api.ask('GET', 'auth/projects', token=token).status_code == 401
    assert api.ask('GET', f'role_assignments?user.id={user["id"]}').json()['role_assignments'] == []


def test_a_new_password_ends_the_tokens_of_the_old_one(api, tenant):
    project, user = tenant
    api.ask('PUT', f'projects/{project["id"]}/users/{user["id"]}/roles/{api.role("reader")}')
    token = api.token(user['name'], 'first', project['name'])
    change = f'users/{user["id"]}/password'
    assert api.ask('POST', change, {'user': {'original_password': 'x', 'password': 'y'}}, None).status_code == 401
    assert api.ask('POST', change, {'user': {'original_password': 'first', 'password': 'second'}},
                   None).status_code == 204
    assert api.ask('GET', 'auth/projects', token=token).status_code == 401
    assert api.login(user['name'], 'first').status_code == 401
    assert api.ask('PATCH', f'users/{user["id"]}', {'user': {'password': 'third'}}).status_code == 200
    assert api.login(user['name'], 'second').status_code == 401
    assert api.login(user['name'], 'third').status_code == 201


def test_things_are_changed(api, tenant):
    project, user = tenant
    changed = api.ask('PATCH', f'projects/{project["id"]}', {'project': {'description': 'e', 'enabled': False}}).json()
    assert (changed['project']['description'], changed['project']['enabled'], changed['project']['name']) == (
        'e', False, project['name'])
    changed = api.ask('PATCH', f'users/{user["id"]}', {'user': {'name': 'other-name', 'enabled': False}}).json()
    assert (changed['user']['name'], changed['user']['enabled'], changed['user']['email']) == (
        'other-name', False, 'a@example.org')
    assert api.login('other-name', 'first').status_code == 401
    role = api.made('role', name='auditor')
    changed = api.ask('PATCH', f'roles/{role["id"]}', {'role': {'name': 'inspector'}}).json()
    assert (changed['role']['id'], changed['role']['name']) == (role['id'], 'inspector')
    assert api.ask('DELETE', f'roles/{role["id"]}').status_code == 204


@pytest.mark.parametrize(('method', 'path', 'body', 'status'), [
    ('POST', 'projects', {'project': {'name': 'ADMIN'}}, 409), ('POST', 'users', {'user': {'name': 'Admin'}}, 409),
    ('POST', 'roles', {'role': {'name': 'member'}}, 409), ('POST', 'projects', {'project': {}}, 400),
    ('POST', 'projects', {'project': {'name': 'x' * 65}}, 400), ('POST', 'users', {'user': {'name': ''}}, 400),
    ('POST', 'users', {'user': {'name': 'x', 'password': 7}}, 400),
    ('POST', 'users', {'user': {'name': 'x', 'enabled': 'yes'}}, 400),
    ('POST', 'users', {'user': {'name': 'x', 'domain_id': 'mars'}}, 400),
    ('POST', 'projects', {'project': {'name': 'x', 'parent_id': NOBODY}}, 400),
    ('POST', 'projects', {'project': {'name': 'x', 'description': 5}}, 400), ('POST', 'projects', ['x'], 400),
    ('PATCH', f'users/{NOBODY}', {'user': {}}, 404), ('DELETE', f'projects/{NOBODY}', None, 404),
    ('PUT', f'projects/{NOBODY}/users/{NOBODY}/roles/{NOBODY}', None, 404)])
def test_what_is_refused(api, method, path, body, status):
    response = api.ask(method, path, body)
    assert (response.status_code, response.json()['error']['code']) == (status, status)


def test_only_an_administrator_writes(cloud, api):
    demo = api.token('demo', cloud.known.passwords['demo'], 'demo')
    for method, path in (('POST', 'projects'), ('POST', 'users'), ('POST', 'roles'), ('PATCH', f'users/{NOBODY}'),
                         ('DELETE', f'projects/{NOBODY}'), ('PUT', f'system/users/{NOBODY}/roles/{NOBODY}')):
        assert api.ask(method, path, {}, token=demo).status_code == 403
        assert api.ask(method, path, {}, token=None).status_code == 401


def test_another_start_finds_what_was_made(cloud, api, tenant):
    again = ensure_identity(cloud.known.state_dir)
    assert (again.created, again.passwords) == (False, cloud.known.passwords)
