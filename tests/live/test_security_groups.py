# SPDX-License-Identifier: Apache-2.0
"""The openstack client and the SDK keep security groups and floating addresses, with ``nova-lite up``."""

import json
import subprocess
import sys
from pathlib import Path

from tests.fixtures.shell import LIMIT, environment

OPENSTACK = Path(sys.executable).parent / 'openstack'
IMAGE, FLAVOR = 'nova-lite-nano', 'm1.nano'

SDK = """
import json, openstack
cloud = openstack.connect(cloud='nova-lite-demo')
group = cloud.create_security_group('sdk', 'made by the SDK')
rule = cloud.create_security_group_rule(group.id, 22, 22, 'tcp', '0.0.0.0/0')
server = cloud.create_server('sdk', image='nova-lite-nano', flavor='m1.nano', network='private',
                             security_groups=['sdk'], auto_ip=True, wait=True, timeout=60)
(address,) = cloud.list_floating_ips()
server = cloud.get_server('sdk')
said = {'groups': [one['name'] for one in server.security_groups], 'rule': [rule.protocol, rule.direction],
        'public': server.public_v4 == address.floating_ip_address, 'private': server.private_v4 ==
        address.fixed_ip_address, 'listed': sorted(one.name for one in cloud.list_security_groups())}
said['deleted'] = [cloud.delete_server('sdk', wait=True, timeout=60, delete_ips=True),
                   cloud.delete_security_group(group.id)]
said['left'] = len(cloud.list_floating_ips())
print(json.dumps(said))
"""


def test_groups_and_rules(admin):
    made = admin.get('security group create --description first --stateless web')
    assert (made['name'], made['description'], made['stateful']) == ('web', 'first', False)
    admin.run('security group set --name www --description second web')
    assert admin.get('security group show www')['description'] == 'second'
    assert 'www' in admin.names('security group list')
    rule = admin.get('security group rule create --protocol tcp --dst-port 80:81 --remote-ip 10.0.0.0/8 www')
    assert (rule['port_range_min'], rule['port_range_max'], rule['remote_ip_prefix']) == (80, 81, '10.0.0.0/8')
    admin.run('security group rule create --protocol icmp --icmp-type 8 www')
    admin.run('security group rule create --remote-group default --ethertype IPv6 www')
    admin.run('security group rule create --egress --protocol udp --dst-port 53 www')
    assert 'says the same' in admin.refused('security group rule create --protocol icmp --icmp-type 8 www')
    assert len(admin.get('security group rule list www')) == 6
    assert len(admin.get('security group rule list --ingress www')) == 3
    assert admin.get(f'security group rule show {rule["id"]}')['protocol'] == 'tcp'
    admin.run(f'security group rule delete {rule["id"]}')
    admin.run('security group delete www')


def test_servers_in_groups(admin):
    admin.run('security group create db')
    admin.run(f'server create --image {IMAGE} --flavor {FLAVOR} --network private --security-group db --wait a')

    def groups():
        return [one['name'] for one in admin.get('server show a')['security_groups']]

    assert groups() == ['db']
    admin.run('server add security group a default')
    assert sorted(groups()) == ['db', 'default']
    assert 'in use' in admin.refused('security group delete db')
    admin.run('server remove security group a db')
    assert groups() == ['default']
    admin.run('security group delete db')
    admin.run('server delete --wait a')


def test_floating_addresses(admin):
    address = admin.get('floating ip create --description outside public')['floating_ip_address']
    admin.run(f'server create --image {IMAGE} --flavor {FLAVOR} --network private --wait b')
    (fixed,) = admin.get('server show b')['addresses']['private']
    admin.run(f'server add floating ip b {address}')
    assert admin.get('server show b')['addresses']['private'] == [fixed, address]
    shown = admin.get(f'floating ip show {address}')
    assert (shown['status'], shown['fixed_ip_address'], shown['description']) == ('ACTIVE', fixed, 'outside')
    admin.run(f'server remove floating ip b {address}')
    assert admin.get('server show b')['addresses']['private'] == [fixed]
    admin.run(f'server add floating ip --fixed-ip-address {fixed} b {address}')
    assert [row['Fixed IP Address'] for row in admin.get('floating ip list --status ACTIVE')] == [fixed]
    admin.run('server delete --wait b')
    assert admin.get(f'floating ip show {address}')['status'] == 'DOWN'
    admin.run(f'floating ip delete {address}')
    assert admin.get('floating ip list') == []


def test_sdk(service):
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', SDK], env=environment(service, 'nova-lite-demo'),
                          cwd=service.state_dir, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        'groups': ['sdk'], 'rule': ['tcp', 'ingress'], 'public': True, 'private': True, 'listed': ['default', 'sdk'],
        'deleted': [True, True], 'left': 0}
