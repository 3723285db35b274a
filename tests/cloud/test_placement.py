# SPDX-License-Identifier: Apache-2.0
"""What a real Placement knows of hosts and servers is what there is, also after it was away or somebody changed it."""

import uuid

import pytest

from tests.fixtures import processes
from tests.fixtures.user import User

LIMIT = 60.0
SMALL, BIG = {'VCPU': 1, 'MEMORY_MB': 64, 'DISK_GB': 1}, {'VCPU': 2, 'MEMORY_MB': 128, 'DISK_GB': 1}


@pytest.fixture(scope='module')
def user(nova):
    """An administrator, and a second flavor."""
    somebody = User(nova.user.url.removesuffix('/v2.1'), nova.openstack.token(), nova.openstack.url('glance'))
    made = somebody.ask('POST', '/flavors', {'flavor': {
        'id': '43', 'name': 'm1.double', 'ram': 128, 'vcpus': 2, 'disk': 1}})
    assert made.ok, made.text
    return somebody


@pytest.fixture(scope='module')
def boot(nova, user):
    """A new server; its id."""
    image = nova.openstack.image('mirrored')
    return lambda name: user.boot(name, imageRef=image)


@pytest.fixture(scope='module')
def placement(nova):
    """Ask Placement; the body of a good answer, {} for what is not there."""
    url = nova.openstack.url('placement')

    def ask(method, path, body=None):
        answer = nova.openstack.ask(method, f'{url}{path}', body, headers={'OpenStack-API-Version': 'placement 1.38'})
        assert answer.ok or answer.status_code == 404, f'{answer.status_code} {answer.text}'
        return answer.json() if answer.ok and answer.content else {}
    return ask


@pytest.fixture
def knows(placement):
    """Wait until Placement knows this of a server: host id → resources."""
    def wait(server, wanted):
        def found():
            told = placement('GET', f'/allocations/{server}')['allocations']
            return {key: one['resources'] for key, one in told.items()}

        processes.wait_until(lambda: found() == wanted, LIMIT, f'{wanted} of server {server}')
    return wait


def hosts(user):
    """Ids by name."""
    return {one['service']['host']: one['id'] for one in user.get('/os-hypervisors/detail')['hypervisors']}


def act(user, server, **action):
    answer = user.ask('POST', f'/servers/{server}/action', action)
    assert answer.status_code in (202, 204), answer.text


def test_hosts_are_providers(user, placement):
    for host, key in hosts(user).items():
        processes.wait_until(lambda key=key: placement('GET', f'/resource_providers/{key}'), LIMIT, f'host {host}')
        inventories = placement('GET', f'/resource_providers/{key}/inventories')['inventories']
        assert set(inventories) == {'VCPU', 'MEMORY_MB', 'DISK_GB'}
        assert inventories['MEMORY_MB']['reserved'] == 512 and inventories['VCPU']['allocation_ratio'] > 1
        assert 'CUSTOM_NOVA_LITE_MIRROR' in placement('GET', f'/resource_providers/{key}/traits')['traits']


def test_an_aggregate_and_a_disabled_service(user, placement):
    host, key = sorted(hosts(user).items())[0]
    made = user.ask('POST', '/os-aggregates', {'aggregate': {'name': 'mirrored'}}).json()['aggregate']
    assert user.ask('POST', f'/os-aggregates/{made["id"]}/action', {'add_host': {'host': host}}).ok
    service = next(one for one in user.get('/os-services?binary=nova-compute')['services'] if one['host'] == host)
    assert user.ask('PUT', f'/os-services/{service["id"]}', {'status': 'disabled'}).ok

    def seen():
        traits = placement('GET', f'/resource_providers/{key}/traits')['traits']
        return (placement('GET', f'/resource_providers/{key}/aggregates')['aggregates'],
                'COMPUTE_STATUS_DISABLED' in traits)

    processes.wait_until(lambda: seen() == ([made['uuid']], True), LIMIT, 'aggregate and trait')
    assert user.ask('PUT', f'/os-services/{service["id"]}', {'status': 'enabled'}).ok
    assert user.ask('POST', f'/os-aggregates/{made["id"]}/action', {'remove_host': {'host': host}}).ok
    assert user.ask('DELETE', f'/os-aggregates/{made["id"]}').ok
    processes.wait_until(lambda: seen() == ([], False), LIMIT, 'end of aggregate and trait')


def test_a_life_with_moves(user, boot, knows, placement):
    known = hosts(user)
    server = boot('mirrored')
    here = user.show(server)['OS-EXT-SRV-ATTR:host']
    (there,) = known.keys() - {here}
    knows(server, {known[here]: SMALL})
    told = placement('GET', f'/allocations/{server}')
    shown = user.show(server)
    assert (told['project_id'], told['user_id'], told['consumer_type']) == (
        shown['tenant_id'], shown['user_id'], 'INSTANCE')

    act(user, server, migrate={'host': there})
    user.wait_for([server], 'VERIFY_RESIZE')
    knows(server, {known[here]: SMALL, known[there]: SMALL})
    act(user, server, confirmResize=None)
    user.wait_for([server])
    knows(server, {known[there]: SMALL})

    act(user, server, resize={'flavorRef': '43'})
    user.wait_for([server], 'VERIFY_RESIZE')
    now = user.show(server)['OS-EXT-SRV-ATTR:host']
    act(user, server, confirmResize=None)
    user.wait_for([server])
    knows(server, {known[now]: BIG})
    user.delete(server)
    knows(server, {})


def test_placement_is_killed_in_the_middle(nova, user, boot, knows):
    known = hosts(user)
    goes = boot('goes')
    knows(goes, {known[user.show(goes)['OS-EXT-SRV-ATTR:host']]: SMALL})
    nova.openstack.end('placement')
    try:
        comes = boot('comes')
        user.delete(goes)
    finally:
        nova.openstack.serve('placement')
        nova.openstack.wait_for('placement')
    knows(comes, {known[user.show(comes)['OS-EXT-SRV-ATTR:host']]: SMALL})
    knows(goes, {})
    user.delete(comes)
    knows(comes, {})


def test_what_somebody_else_gave_away_is_taken_back(user, knows, placement):
    """Where the conductor looks again at once, instead of after an hour."""
    key = sorted(hosts(user).values())[0]
    processes.wait_until(lambda: placement('GET', f'/resource_providers/{key}'), LIMIT, 'the host')
    stranger = str(uuid.uuid4())
    placement('PUT', f'/allocations/{stranger}', {
        'allocations': {key: {'resources': {'VCPU': 1}}}, 'consumer_generation': None, 'consumer_type': 'INSTANCE',
        'project_id': 'p', 'user_id': 'u'})
    name = placement('GET', f'/resource_providers/{key}')['name']
    placement('PUT', f'/resource_providers/{key}', {'name': f'{name}-else', 'parent_provider_uuid': None})
    knows(stranger, {})
    processes.wait_until(lambda: placement('GET', f'/resource_providers/{key}')['name'] == name, LIMIT, 'the name')
