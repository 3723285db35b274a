# SPDX-License-Identifier: Apache-2.0
"""Who may do what, with tokens of a real Keystone: the table of ``tests/wire/policy.csv`` asked by everybody in it."""

import contextlib

import pytest
import requests

from tests.fixtures import processes
from tests.wire import people, test_policy
from tests.wire.player import World

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
    image = openstack.ask('POST', f'{openstack.url("glance")}/v2/images', {
        'name': 'roles', 'disk_format': 'raw', 'container_format': 'bare', 'visibility': 'public'})
    assert image.ok, image.text
    data = requests.put(f'{openstack.url("glance")}/v2/images/{image.json()["id"]}/file', data=b'boot', timeout=60,
                        headers={'X-Auth-Token': openstack.token(), 'Content-Type': 'application/octet-stream'})
    assert data.ok, data.text
    world.facts = {'image': image.json()['id'], 'image_name': 'roles', 'flavor': '42', 'host': 'desk-1'}
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


def ask(nova, token, **more):
    """The status of a list of servers."""
    headers = {'X-Auth-Token': token} if token else {}
    return requests.get(f'{nova.user.url}/servers', headers=headers | more, timeout=60)


def test_a_token_that_is_no_good(nova):
    openstack = nova.openstack
    assert ask(nova, '').status_code == 401
    assert ask(nova, 'nonsense').status_code == 401
    token = openstack.token('demo')
    assert ask(nova, token).status_code == 200
    assert openstack.ask('DELETE', '/auth/tokens', headers={'X-Subject-Token': token}).status_code == 204
    # One that was seen is remembered for a while, one that was not is refused at once.
    fresh = openstack.token('demo')
    assert openstack.ask('DELETE', '/auth/tokens', headers={'X-Subject-Token': fresh}).status_code == 204
    assert ask(nova, fresh).status_code == 401


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
