# SPDX-License-Identifier: Apache-2.0
"""docs/operator/cloud.rst, the part on moving: servers of embedded services can be managed among the real ones."""

import pytest

from tests.fixtures import processes, service
from tests.fixtures.openstack import nova_conf
from tests.fixtures.openstack_files import write_ini
from tests.fixtures.user import User, admin

REAL = ('keystone_authtoken', 'service_user', 'glance', 'keystone', 'neutron', 'cinder')


@pytest.fixture(scope='module')
def moved(openstack, tmp_path_factory):
    """A service with two servers from its time on a laptop, and its user in the cloud."""
    directory = tmp_path_factory.mktemp('laptop')
    before = service.Service(directory / 'state').start()
    somebody = admin(before)
    servers = [somebody.boot(name, networks=networks) for name, networks in (('plain', 'none'), ('wired', 'auto'))]
    assert before.stop() == 0
    sections = {name: values for name, values in nova_conf(openstack, directory).items() if name in REAL}
    sections['embedded'] = dict.fromkeys(('identity', 'image', 'network', 'volume'), 'false')
    overlay = write_ini(directory / 'cloud.conf', sections)
    after = service.Service(directory / 'state', '--config-file', str(overlay)).start()
    yield User(after.url, openstack.token(), openstack.url('glance')), servers
    assert after.stop() == 0
    assert 'Traceback' not in after.log()


def act(user, server, **action):
    """Ask for an action."""
    answer = user.ask('POST', f'/servers/{server}/action', action)
    assert answer.status_code == 202, answer.text


def test_servers_of_the_laptop_are_there_and_can_be_managed(moved, openstack):
    user, servers = moved
    seen = user.get('/servers/detail?all_tenants=1')['servers']
    assert {one['id'] for one in seen} == set(servers) and {one['status'] for one in seen} == {'ACTIVE'}
    # The tokens of before are nobody's any more, those of others see nothing.
    assert User(user.url.removesuffix('/v2.1'), openstack.token('other')).get('/servers')['servers'] == []
    for server in servers:
        act(user, server, **{'os-stop': None})
        user.wait_for([server], 'SHUTOFF')
        act(user, server, **{'os-start': None})
        user.wait_for([server])
    # Longer than the pause after a first attempt that met a busy service.
    user.delete(*servers, limit=240)


def test_new_servers_have_what_the_cloud_has(moved, openstack, desk):
    user, _ = moved
    neutron = f'{openstack.url("neutron")}/v2.0'
    network = openstack.ask('POST', f'{neutron}/networks', {'network': {'name': 'laptop'}}).json()['network']['id']
    openstack.ask('POST', f'{neutron}/subnets', {'subnet': {
        'network_id': network, 'cidr': '192.0.2.0/24', 'ip_version': 4}})
    server = user.boot('new', networks=[{'uuid': network}], imageRef=openstack.image('first'))

    def ports():
        return openstack.ask('GET', f'{neutron}/ports?device_id={server}').json()['ports']

    assert [port['status'] for port in ports()] == ['ACTIVE']
    user.delete(server, limit=240)
    processes.wait_until(lambda: not ports(), 30, 'end of the port')
