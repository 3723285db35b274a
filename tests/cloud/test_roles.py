# SPDX-License-Identifier: Apache-2.0
"""Who may do what, with tokens of a real Keystone: the table of ``tests/wire/policy.csv`` asked by everybody in it."""

import contextlib
import uuid
from datetime import UTC, datetime, timedelta

import pytest
import requests

from tests.fixtures import processes
from tests.wire import people, test_policy
from tests.wire.player import World

# What a reader may not make.
GROUP = {'server_group': {'name': 'near', 'policies': ['affinity']}}
# Who may list images is for Glance to say: it wants a reader, where the rule lets everybody pass.
ROWS = [row for row in test_policy.ROWS if row.path not in ('/images', '/images/detail')]


@pytest.fixture(scope='module')
def there(nova):
    """Everybody, logged in."""
    openstack = nova.openstack
    for user, project, roles in people.USERS:
        if f'user {user}' not in openstack.ids:
            openstack.add_user(user, {project: roles})
    tokens = {user: openstack.token(user, project) for user, project, _ in people.USERS}
    world = World(nova.user.url.removesuffix('/v2.1'), {
        **tokens, 'admin': openstack.token('admin'), 'member': openstack.token('demo')})
    world.facts = {'image': openstack.image('roles'), 'image_name': 'roles', 'flavor': '42', 'host': 'desk-1'}
    for name, user in (('admin', 'admin'), ('member', 'demo'), ('other', 'other')):
        told = openstack.ask('GET', '/auth/tokens', token=world.tokens[name],
                             headers={'X-Subject-Token': world.tokens[name]}).json()['token']
        world.facts |= {f'{name}_project': told['project']['id'], f'{name}_user': told['user']['id']}
        assert told['user']['name'] == user
    return world


@pytest.fixture(scope='module')
def scene(there):
    """What the requests are about."""
    return test_policy.Scene(there)


@pytest.mark.parametrize('row', ROWS, ids=lambda row: f'{row.name} until 2.{test_policy.latest(row)}')
def test_everybody_asks(row, scene, there):
    wrong = test_policy.wrong_answers(row, scene, there)
    assert not wrong, '\n'.join(wrong)


def ask(nova, token, method='GET', path='/servers', body=None):
    """A request with that token or without one, a list of servers if nothing else."""
    headers = {'X-Auth-Token': token} if token else {}
    return requests.request(method, f'{nova.user.url}{path}', headers=headers, json=body, timeout=60)


def test_a_token_that_is_no_good(nova):
    openstack = nova.openstack
    assert ask(nova, '').status_code == 401
    assert ask(nova, 'nonsense').status_code == 401
    assert ask(nova, openstack.token('demo')).status_code == 200
    # One that was seen is remembered for [keystone_authtoken] token_cache_time.
    fresh = openstack.token('demo')
    assert openstack.ask('DELETE', '/auth/tokens', headers={'X-Subject-Token': fresh}).status_code == 204
    assert ask(nova, fresh).status_code == 401


def test_who_is_trusted_acts_for_somebody_until_the_trust_ends(nova):
    openstack = nova.openstack
    end = datetime.now(UTC) + timedelta(seconds=8)
    trust = openstack.ask('POST', '/OS-TRUST/trusts', {'trust': {
        'trustor_user_id': openstack.ids['user demo'], 'trustee_user_id': openstack.ids['user other'],
        'project_id': openstack.ids['project demo'], 'impersonation': False, 'roles': [{'name': 'reader'}],
        'expires_at': end.strftime('%Y-%m-%dT%H:%M:%S.%fZ')}}, openstack.token('demo'))
    assert trust.status_code == 201, trust.text
    token = openstack.log_in(openstack.password_of('other'), {'OS-TRUST:trust': {'id': trust.json()['trust']['id']}})
    assert ask(nova, token).status_code == 200
    assert ask(nova, token, 'POST', '/os-server-groups', GROUP).status_code == 403
    shown = ask(nova, token, path=f'/os-quota-sets/{openstack.ids["project demo"]}')
    assert shown.status_code == 200, shown.text
    processes.wait_until(lambda: ask(nova, token).status_code == 401, 60, 'end of the trust')
    assert datetime.now(UTC) >= end - timedelta(seconds=1)


@pytest.mark.parametrize(('rules', 'flavors', 'create'), [
    (None, 200, 403), ([{'service': 'compute', 'method': 'GET', 'path': '/v2.1/servers'}], 401, 401)])
def test_an_application_credential(nova, rules, flavors, create):
    openstack = nova.openstack
    name, secret = uuid.uuid4().hex, uuid.uuid4().hex
    made = openstack.ask('POST', f'/users/{openstack.ids["user demo"]}/application_credentials', {
        'application_credential': {'name': name, 'secret': secret, 'roles': [{'name': 'reader'}],
                                   **({'access_rules': rules} if rules else {})}}, openstack.token('demo'))
    assert made.status_code == 201, made.text
    token = openstack.log_in({'methods': ['application_credential'], 'application_credential': {
        'id': made.json()['application_credential']['id'], 'secret': secret}})
    # Twice, because what is known of a token is not asked for again.
    for _ in range(2):
        assert ask(nova, token).status_code == 200
        assert ask(nova, token, path='/flavors').status_code == flavors
        assert ask(nova, token, 'POST', '/os-server-groups', GROUP).status_code == create


def test_a_user_who_is_switched_off(nova):
    openstack = nova.openstack
    name = 'leaver'
    user = openstack.ids.get(f'user {name}') or openstack.add_user(name, {'demo': ('member', 'reader')})
    token = openstack.token(name, 'demo')
    assert openstack.ask('PATCH', f'/users/{user}', {'user': {'enabled': False}}).ok
    assert ask(nova, token).status_code == 401
    assert openstack.ask('PATCH', f'/users/{user}', {'user': {'enabled': True}}).ok


def test_a_project_that_does_not_exist_gets_no_quota(nova):
    url = f'{nova.user.url}/os-quota-sets'
    known, unknown = nova.openstack.ids['project demo'], 'f' * 32
    for project, status in ((known, 200), (unknown, 400)):
        answer = nova.openstack.ask('PUT', f'{url}/{project}', {'quota_set': {'cores': 20}})
        assert answer.status_code == status, answer.text


def test_while_keystone_is_away(nova):
    openstack = nova.openstack
    seen, unseen = openstack.token('demo'), openstack.token('demo')
    assert ask(nova, seen).status_code == 200
    openstack.end('keystone')
    try:
        # What is in the cache goes on; nobody else is told that his token is wrong, or that we are.
        assert ask(nova, unseen).status_code == 503
    finally:
        openstack.serve('keystone')
        openstack.wait_for('keystone')
    processes.wait_until(lambda: ask(nova, unseen).status_code == 200, 60, 'Keystone is back')
    with contextlib.suppress(requests.RequestException):
        openstack.session.close()
