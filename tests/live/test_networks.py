# SPDX-License-Identifier: Apache-2.0
"""The openstack client and the SDK put servers on networks, with ``nova-lite up``."""

import json
import subprocess
import sys

import pytest

from tests.fixtures import processes
from tests.live.test_clients import FLAVOR, IMAGE, LIMIT, environment

UP_OPTIONS = ('--computes', '2')

SDK = """
import json, openstack
cloud = openstack.connect(cloud='nova-lite-demo')
said = {}
server = cloud.create_server('sdk', image='nova-lite-nano', flavor='m1.nano', network='private', wait=True, timeout=60)
said['server'] = [server.status, {entry['OS-EXT-IPS:type'] for entry in server.addresses['private']} >= {'fixed'}]
network = cloud.create_network('sdk-net')
subnet = cloud.create_subnet('sdk-net', cidr='192.0.2.0/24', ip_version=4)
interface = cloud.compute.create_server_interface(server, net_id=network.id)
said['interface'] = [interface.port_state, interface.fixed_ips[0]['subnet_id'] == subnet.id]
said['interfaces'] = len(list(cloud.compute.server_interfaces(server)))
cloud.compute.delete_server_interface(interface, server=server)
port = cloud.create_port(network.id, name='mine', fixed_ips=[{'ip_address': '192.0.2.9'}])
other = cloud.create_server('other', image='nova-lite-nano', flavor='m1.nano', nics=[{'port-id': port.id}],
                            auto_ip=False, wait=True, timeout=60)
said['addresses'] = [entry['addr'] for entry in other.addresses['sdk-net']]
said['deleted'] = [cloud.delete_server(one.id, wait=True, timeout=60, delete_ips=True) for one in (server, other)]
said['deleted'] += [cloud.delete_port(port.id), cloud.delete_subnet(subnet.id), cloud.delete_network(network.id)]
said['left'] = [one.id for one in cloud.network.ports()]
print(json.dumps(said))
"""


@pytest.fixture(scope='module')
def blue(admin):
    """A network of our own."""
    admin.run('network create --mtu 1400 blue')
    admin.run('subnet create --network blue --subnet-range 192.0.2.0/24 --dns-nameserver 9.9.9.9 blue-subnet')
    yield 'blue'
    admin.run('network delete blue')


def addresses(admin, server):
    return admin.get(f'server show {server}')['addresses']


def test_networks_subnets_and_ports(admin):
    made = admin.get('network create --description first green')
    assert (made['status'], made['subnets'], made['mtu']) == ('ACTIVE', [], 1500)
    made = admin.get('subnet create --network green --subnet-range 198.51.100.0/24 --no-dhcp green-subnet')
    assert (made['gateway_ip'], made['enable_dhcp']) == ('198.51.100.1', False)
    made = admin.get('port create --network green --fixed-ip ip-address=198.51.100.7 p')
    assert (made['status'], made['fixed_ips'][0]['ip_address']) == ('DOWN', '198.51.100.7')
    assert 'in use' in admin.refused('port create --network green --fixed-ip ip-address=198.51.100.7 q')
    admin.run('port set --name renamed --description d p')
    admin.run('subnet set --gateway none --name grass green-subnet')
    admin.run('network set --disable green')
    assert admin.get('network show green')['status'] == 'DOWN'
    assert {'private', 'public', 'green'} <= admin.names('network list --long')
    assert admin.names('network list --external') == {'public'}
    assert admin.names('subnet list --network green') == {'grass'}
    assert admin.names('port list --network green') == {'renamed'}
    assert 'ports' in admin.refused('network delete green')
    admin.run('port delete renamed')
    admin.run('subnet delete grass')
    admin.run('network delete green')
    assert admin.get('router list') == [] and admin.get('network agent list') == []


def test_servers_on_networks(admin, blue):
    server = f'server create --image {IMAGE} --flavor {FLAVOR} --wait'
    admin.run('port create --network blue --fixed-ip ip-address=192.0.2.50 mine')
    admin.run(f'{server} --network private --nic net-id=blue,v4-fixed-ip=192.0.2.40 --port mine a')
    assert addresses(admin, 'a')['blue'] == ['192.0.2.40', '192.0.2.50'] and len(addresses(admin, 'a')['private']) == 1
    assert '192.0.2.40' in admin.refused(f'{server} --nic net-id=blue,v4-fixed-ip=192.0.2.40 b')
    assert len(admin.get('port list --server a')) == 3
    admin.run(f'{server} --nic none none')
    assert addresses(admin, 'none') == {}
    admin.run('server delete --wait a none')
    assert admin.names('port list') == {'mine'}
    admin.run('port delete mine')


def test_interfaces_come_and_go(admin, blue):
    admin.run(f'server create --image {IMAGE} --flavor {FLAVOR} --network private --wait c')
    admin.run('port create --network blue --fixed-ip ip-address=192.0.2.60 mine')
    admin.run('server add port c mine')
    assert addresses(admin, 'c')['blue'] == ['192.0.2.60']
    admin.run('server add network --tag spare c blue')
    assert len(addresses(admin, 'c')['blue']) == 2
    admin.run('server add fixed ip --fixed-ip-address 192.0.2.61 c blue')
    assert '192.0.2.61' in addresses(admin, 'c')['blue']
    admin.run('server remove port c mine')
    processes.wait_until(lambda: '192.0.2.60' not in addresses(admin, 'c')['blue'], LIMIT, 'end of the interface')
    admin.run('server remove network c blue')
    processes.wait_until(lambda: 'blue' not in addresses(admin, 'c'), LIMIT, 'end of the interfaces')
    actions = {row['Action'] for row in admin.get('server event list c')}
    assert actions == {'create', 'attach_interface', 'detach_interface'}
    admin.run('server delete --wait c')
    admin.run('port delete mine')


def test_addresses_stay_with_a_server_that_moves(admin, blue):
    admin.run(f'server create --image {IMAGE} --flavor {FLAVOR} --network blue --wait d')
    kept, host = addresses(admin, 'd'), admin.get('server show d')['OS-EXT-SRV-ATTR:host']
    admin.run('server migrate --wait d')
    admin.run('server migration confirm d')
    assert addresses(admin, 'd') == kept and admin.get('server show d')['OS-EXT-SRV-ATTR:host'] != host
    admin.run('server shelve --offload --wait d')
    assert {row['Status'] for row in admin.get('port list --server d')} == {'DOWN'}
    admin.run('server unshelve --wait d')
    assert addresses(admin, 'd') == kept
    assert {row['Status'] for row in admin.get('port list --server d')} == {'ACTIVE'}
    admin.run('server delete --wait d')
    assert admin.get('port list') == []


def test_sdk(service):
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', SDK], env=environment(service, 'nova-lite-demo'),
                          cwd=service.state_dir, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        'server': ['ACTIVE', True], 'interface': ['ACTIVE', True], 'interfaces': 2,
        'addresses': ['192.0.2.9'], 'deleted': [True] * 5, 'left': []}
