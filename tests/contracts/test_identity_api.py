# SPDX-License-Identifier: Apache-2.0
"""The embedded Identity v3 API as clients and keystonemiddleware see it."""

import time

import openstack
import pytest
import requests
from openstack import exceptions

from nova_lite.embedded import identity
from nova_lite.embedded.directory import signing_key
from nova_lite.embedded.tokens import Claims, Tokens
from tests.fixtures import embedded

# openstacksdk announces what its next releases drop whenever a connection is made.
pytestmark = pytest.mark.filterwarnings('ignore::openstack.warnings._RemovedInSDKWarning')

DEFAULT = {'id': 'default'}


@pytest.fixture(scope='module')
def cloud(tmp_path_factory):
    with embedded.serve(embedded.state_dir(tmp_path_factory.mktemp('identity-api'))) as running:
        yield running


@pytest.fixture
def call(cloud):
    def send(method, path, token=None, subject=None, **more):
        headers = {'X-Auth-Token': token, 'X-Subject-Token': subject}
        return requests.request(method, f'{cloud.url}/identity{path}', timeout=10,
                                headers={key: value for key, value in headers.items() if value}, **more)
    return send


def password(user, secret, domain=DEFAULT):
    return {'methods': ['password'],
            'password': {'user': {'name': user, 'password': secret, 'domain': domain}}}


@pytest.fixture
def login(cloud, call):
    def send(user, scope='own'):
        if scope == 'own':
            scope = {'project': {'name': cloud.known.projects[user], 'domain': {'name': 'Default'}}}
        auth = {'identity': password(user, cloud.known.passwords[user])}
        if scope is not None:
            auth['scope'] = scope
        return call('POST', '/v3/auth/tokens', json={'auth': auth})
    return send


@pytest.fixture
def admin(login):
    return login('admin').headers['X-Subject-Token']


@pytest.fixture
def demo(login):
    return login('demo').headers['X-Subject-Token']


# ------------------------------------------------------------------- discovery

def test_discovery(cloud, call):
    for path in ('', '/'):
        response = call('GET', path)
        assert response.status_code == 300
        version, = response.json()['versions']['values']
        assert version['links'][0]['href'] == f'{cloud.url}/identity/v3/'
    for path in ('/v3', '/v3/'):
        assert call('GET', path).json()['version']['id'].startswith('v3.')


# ---------------------------------------------------------------------- tokens

def test_a_token_says_what_keystone_says(cloud, login):
    response = login('demo')
    token = response.json()['token']
    assert response.status_code == 201
    assert token['user'] == {'id': token['user']['id'], 'name': 'demo', 'password_expires_at': None,
                             'domain': {'id': 'default', 'name': 'Default'}}
    assert token['project'] == {'id': token['project']['id'], 'name': 'demo',
                                'domain': {'id': 'default', 'name': 'Default'}}
    assert {role['name'] for role in token['roles']} == {'member', 'reader'}
    assert (token['methods'], token['is_domain'], len(token['audit_ids'])) == (['password'], False, 1)
    endpoints = {entry['type']: {one['interface']: one['url'] for one in entry['endpoints']}
                 for entry in token['catalog']}
    assert endpoints == {
        name: dict.fromkeys(('public', 'internal', 'admin'), cloud.url + path)
        for name, path in (('compute', '/v2.1'), ('identity', '/identity'), ('image', '/image'))}


def test_the_configured_endpoint_is_the_public_one(cloud, tmp_path):
    with embedded.serve(str(tmp_path), endpoint='https://cloud.example.org/', image=False) as other:
        with openstack.connect(**other.login('admin')) as connection:
            catalog = connection.session.auth.get_access(connection.session).service_catalog.catalog
    urls = {one['interface']: one['url'] for entry in catalog if entry['type'] == 'compute'
            for one in entry['endpoints']}
    assert urls == {'public': 'https://cloud.example.org/v2.1', 'internal': f'{other.url}/v2.1',
                    'admin': f'{other.url}/v2.1'}
    assert 'image' not in {entry['type'] for entry in catalog}


def test_users_and_projects_by_id(login, call, cloud):
    known = login('demo').json()['token']
    auth = {'identity': {'methods': ['password'], 'password': {'user': {
        'id': known['user']['id'], 'password': cloud.known.passwords['demo']}}},
        'scope': {'project': {'id': known['project']['id']}}}
    assert call('POST', '/v3/auth/tokens', json={'auth': auth}).json()['token']['project'] == known['project']


@pytest.mark.parametrize('scope', [None, 'unscoped', {'unscoped': {}}])
def test_an_unscoped_token_becomes_a_scoped_one(login, call, scope):
    first = login('demo', scope)
    token = first.json()['token']
    assert not {'project', 'catalog', 'roles'} & set(token)
    secret = first.headers['X-Subject-Token']
    projects = call('GET', '/v3/auth/projects', secret).json()['projects']
    assert [one['name'] for one in projects] == ['demo']
    auth = {'identity': {'methods': ['token'], 'token': {'id': secret}},
            'scope': {'project': {'id': projects[0]['id']}}}
    second = call('POST', '/v3/auth/tokens', json={'auth': auth}).json()['token']
    assert second['project']['name'] == 'demo'
    assert second['expires_at'] == token['expires_at']
    assert second['audit_ids'][1:] == token['audit_ids']
    assert second['methods'] == ['password', 'token']


def test_a_system_token_is_for_administrators(login):
    token = login('admin', {'system': {'all': True}}).json()['token']
    assert token['system'] == {'all': True}
    assert login('demo', {'system': {'all': True}}).status_code == 401


@pytest.mark.parametrize(('change', 'status'), [
    ({'identity': password('admin', 'wrong')}, 401),
    ({'identity': password('nobody', 'wrong')}, 401),
    ({'identity': password('admin', 'wrong', {'name': 'nowhere'})}, 401),
    ({'identity': {'methods': ['token'], 'token': {'id': 'wrong'}}}, 401),
    ({'identity': {'methods': ['saml2'], 'saml2': {}}}, 401),
    ({'identity': {'methods': []}}, 400),
    ({'identity': {'methods': [3]}}, 400),
    ({'identity': {'methods': ['password']}}, 400),
    ({'identity': {'methods': ['password'], 'password': {'user': {'name': 'admin'}}}}, 400),
    ({'identity': password('admin', 3)}, 400),
    ({'identity': password({'a': 1}, 'x')}, 400),
    ({'identity': 'x'}, 400),
    ({}, 400)])
def test_what_a_login_refuses(call, change, status):
    response = call('POST', '/v3/auth/tokens', json={'auth': change})
    assert response.status_code == status
    error = response.json()['error']
    assert (error['code'], set(error)) == (status, {'code', 'title', 'message'})
    assert ('WWW-Authenticate' in response.headers) == (status == 401)


@pytest.mark.parametrize(('scope', 'status'), [
    ({'project': {'name': 'admin', 'domain': DEFAULT}}, 401), ({'project': {'id': 'nothing'}}, 401),
    ({'domain': DEFAULT}, 401), ({'project': {'name': 'demo'}}, 400), ({'project': {}}, 400),
    ({'project': {'id': 'x'}, 'domain': DEFAULT}, 400), ('x', 400)])
def test_a_scope_without_a_role_is_refused(login, scope, status):
    assert login('demo', scope).status_code == status


@pytest.mark.parametrize(('body', 'status'), [
    (b'', 400), (b'{', 400), (b'3', 400), (b'\xff', 400), (b'[' * 5000, 400), (b' ' * 70_000, 413)])
def test_a_body_that_is_no_login(call, body, status):
    assert call('POST', '/v3/auth/tokens', data=body).status_code == status


# ------------------------------------------------------------------ validation

def test_who_may_confirm_a_token(login, call, admin, demo):
    service = login('nova').headers['X-Subject-Token']
    for asker in (admin, service, demo):
        response = call('GET', '/v3/auth/tokens', asker, demo)
        assert (response.status_code, response.headers['X-Subject-Token']) == (200, demo)
        assert response.json()['token']['user']['name'] == 'demo'
    assert call('GET', '/v3/auth/tokens', demo, admin).status_code == 403
    assert call('GET', '/v3/auth/tokens', 'nonsense', demo).status_code == 401
    assert call('GET', '/v3/auth/tokens', admin, 'nonsense').status_code == 404
    assert call('GET', '/v3/auth/tokens', admin).status_code == 404


def test_head_and_nocatalog(call, admin):
    head = call('HEAD', '/v3/auth/tokens', admin, admin)
    assert (head.status_code, head.content) == (200, b'')
    assert 'catalog' not in call('GET', '/v3/auth/tokens?nocatalog', admin, admin).json()['token']


def test_a_revoked_token_is_dead_in_every_process(cloud, call, admin, demo):
    assert call('DELETE', '/v3/auth/tokens', demo, admin).status_code == 403
    assert call('DELETE', '/v3/auth/tokens', admin, demo).status_code == 204
    assert call('GET', '/v3/auth/tokens', admin, demo).status_code == 404
    assert call('GET', '/v3/auth/projects', demo).status_code == 401
    later = identity.build(cloud.conf)
    environ = {'REQUEST_METHOD': 'GET', 'PATH_INFO': '/v3/auth/projects', 'HTTP_X_AUTH_TOKEN': demo,
               'HTTP_HOST': 'x', 'wsgi.url_scheme': 'http', 'SERVER_NAME': 'x', 'SERVER_PORT': '80'}
    statuses = []
    later(environ, lambda status, headers: statuses.append(status))
    assert statuses == ['401 Unauthorized']


def test_an_expired_token_is_confirmed_to_services_that_ask_for_it(cloud, login, call):
    service = login('nova').headers['X-Subject-Token']
    user = login('demo').json()['token']
    expired = Claims(user['user']['id'], 'project', user['project']['id'], time.time() - 100,
                     int(time.time()) - 10, 'expired', ('password',))
    token = Tokens(cloud.conf.embedded.revocations, signing_key(cloud.known.state_dir)).sign(expired)
    assert call('GET', '/v3/auth/tokens', service, token).status_code == 404
    assert call('GET', '/v3/auth/tokens?allow_expired=1', service, token).status_code == 200


# ------------------------------------------------------------------ collections

LISTS = ('projects', 'users', 'roles', 'role_assignments', 'domains', 'services', 'endpoints')


@pytest.mark.parametrize('collection', [*LISTS, 'regions', 'groups'])
def test_every_collection_lists_and_shows(call, admin, collection):
    body = call('GET', f'/v3/{collection}', admin).json()
    assert {'self', 'next', 'previous'} == set(body['links'])
    for one in body[collection]:
        if 'id' in one:
            response = call('GET', f'/v3/{collection}/{one["id"]}', admin)
            assert response.json() == {collection[:-1]: one}
            assert call('GET', one['links']['self'].split('/identity')[1], admin).status_code == 200
    missing = call('GET', f'/v3/{collection}/nothing', admin)
    assert missing.status_code == 404


@pytest.mark.parametrize('collection', LISTS)
def test_the_collections_are_for_administrators(call, demo, collection):
    assert call('GET', f'/v3/{collection}', demo).status_code == 403
    assert call('GET', f'/v3/{collection}').status_code == 401


def test_a_user_sees_himself(login, call):
    response = login('demo')
    token, secret = response.json()['token'], response.headers['X-Subject-Token']
    user, project = token['user']['id'], token['project']['id']
    for path in (f'users/{user}', f'users/{user}/projects', f'users/{user}/groups', f'projects/{project}',
                 'domains/default', 'auth/catalog', 'auth/domains', 'auth/system', 'regions'):
        assert call('GET', f'/v3/{path}', secret).status_code == 200
    other = login('admin').json()['token']
    assert call('GET', f'/v3/users/{other["user"]["id"]}', secret).status_code == 403
    assert call('GET', f'/v3/projects/{other["project"]["id"]}', secret).status_code == 403


def test_filters(call, admin):
    def names(path):
        collection = path.split('?')[0]
        return [one['name'] for one in call('GET', f'/v3/{path}', admin).json()[collection]]
    assert names('users?name=demo') == ['demo']
    assert names('users?name=DEMO&domain_id=default&enabled=true') == ['demo']
    assert names('users?enabled=false') == []
    assert names('projects?name=nothing') == []
    assert names('services?type=image') == ['glance']
    assert names('projects?is_domain=true') == []
    assert len(names('roles?unknown=filter')) == 5


def test_role_assignments_by_scope(call, login, admin):
    demo = login('demo').json()['token']
    path = f'/v3/role_assignments?user.id={demo["user"]["id"]}&include_names'
    everything = call('GET', '/v3/role_assignments?include_names=1', admin).json()['role_assignments']
    found = call('GET', path, admin).json()['role_assignments']
    assert {one['role']['id'] for one in found} == {role['id'] for role in demo['roles']}
    assert {one['scope']['project']['name'] for one in everything if 'project' in one['scope']} == {
        'admin', 'demo', 'service'}
    system = call('GET', '/v3/role_assignments?scope.system=all', admin).json()['role_assignments']
    assert [one['scope'] for one in system] == [{'system': {'all': True}}]


def test_what_is_not_there(call, admin):
    for method, path in (('POST', 'domains'), ('DELETE', 'groups'), ('PATCH', 'services/x')):
        response = call(method, f'/v3/{path}', admin, json={})
        assert (response.status_code, response.headers['Allow']) == (405, 'GET')
    assert call('GET', '/v3/nothing', admin).status_code == 404
    assert call('GET', '/v2.0/tokens', admin).status_code == 404


def test_strange_input_is_never_our_fault(call, admin):
    for path in ('/%ff', '/v3/users?name=%ff', '/v3/users/%00', '/v3/users/a%0ab', '/v3/role_assignments?user.id=%00'):
        assert call('GET', path, admin).status_code < 500


# ------------------------------------------------------------------------- SDK

def test_the_sdk_logs_in_and_looks_around(cloud):
    with openstack.connect(**cloud.login('admin')) as connection:
        assert {one.name for one in connection.identity.projects()} == {'admin', 'demo', 'service'}
        assert connection.identity.find_user('demo').name == 'demo'
        assert {one.type for one in connection.identity.services()} == {'compute', 'identity', 'image'}
    wrong = {**cloud.login('admin'), 'password': 'wrong'}
    with openstack.connect(**wrong) as connection, pytest.raises(exceptions.SDKException, match='401'):
        connection.authorize()


def test_switched_off_it_says_so(tmp_path):
    app = identity.build(embedded.configure(str(tmp_path), identity=False))
    statuses = []
    environ = {'REQUEST_METHOD': 'GET', 'PATH_INFO': '/v3', 'wsgi.url_scheme': 'http', 'HTTP_HOST': 'x'}
    body = b''.join(app(environ, lambda status, headers: statuses.append(status)))
    assert statuses == ['404 Not Found']
    assert b'[embedded] identity' in body
