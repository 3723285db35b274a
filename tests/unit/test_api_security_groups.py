# SPDX-License-Identifier: Apache-2.0
"""Security groups, floating addresses, shares and bare metal nodes in Compute, with and without a network service."""

import types

import pytest

from nova_lite.clients.network import EmbeddedNetworks
from nova_lite.db.queries import servers
from nova_lite.model.networks import Wish, columns, interface
from tests.fixtures.network_rows import make_network
from tests.fixtures.rooms import MEMBER, Rooms, rooms
from tests.fixtures.servers import NOBODY, equip, running

__all__ = ('rooms',)

SSH = {'ip_protocol': 'tcp', 'from_port': '22', 'to_port': 22}


class Cloud:
    """An API with a private and a public network, asked by MEMBER."""

    def __init__(self, api: Rooms) -> None:
        self.api = equip(api)
        self.networks = api.services.networks = EmbeddedNetworks(api.db)
        self.private = make_network(api.db, 'private', '10.20.0.0/24')
        self.public = make_network(api.db, 'public', '203.0.113.0/29', external=True)

    def ask(self, method, path, body=None, version='2.1', by=MEMBER):
        return self.api.ask(method, path, body, version, by)

    def server(self, ports=1, name='one'):
        uuid = running(self.api, name)
        row = types.SimpleNamespace(uuid=uuid, project_id=MEMBER.project_id, availability_zone='nova')
        made = self.networks.plug(MEMBER, row, 'h1', [
            Wish(f'{slot:03}', network_id=self.private) for slot in range(ports)])
        self.api.db.transaction(servers.update, uuid, **columns([interface(port) for port in made]))
        return uuid

    def group(self, name='web'):
        return self.ask('POST', '/os-security-groups', {'security_group': {'name': name, 'description': ''}})[1][
            'security_group']['id']

    def rule(self, group, **values):
        return self.ask('POST', '/os-security-group-rules', {'security_group_rule': {
            'parent_group_id': group, **values}})

    def floating(self):
        return self.ask('POST', '/os-floating-ips', {'pool': 'public'})[1]['floating_ip']

    def act(self, server, action, version='2.1', **body):
        return self.ask('POST', f'/servers/{server}/action', {action: body}, version)[0]

    def shown(self, server, version='2.1'):
        return self.ask('GET', f'/servers/{server}', version=version)[1]['server']

    def addresses(self, server):
        return [(one['addr'], one['OS-EXT-IPS:type']) for one in self.shown(server)['addresses'].get('private', ())]


@pytest.fixture
def cloud(rooms):
    return Cloud(rooms)


# --------------------------------------------------------------- the proxies


def test_groups_come_and_go(cloud):
    status, body = cloud.ask('POST', '/os-security-groups', {'security_group': {'name': 'web', 'description': 'w'}})
    group = body['security_group']
    assert (status, group) == (200, {'id': group['id'], 'name': 'web', 'description': 'w', 'rules': [],
                                     'tenant_id': MEMBER.project_id})
    found = cloud.ask('GET', '/os-security-groups')[1]['security_groups']
    assert [one['name'] for one in found] == ['default', 'web']
    assert [rule['group']['name'] for rule in found[0]['rules']] == ['default', 'default']
    assert len(cloud.ask('GET', '/os-security-groups?limit=1&offset=1')[1]['security_groups']) == 1
    path = f'/os-security-groups/{group["id"]}'
    changed = cloud.ask('PUT', path, {'security_group': {'name': 'www', 'description': 'x'}})
    assert changed[1]['security_group']['name'] == 'www'
    assert cloud.ask('GET', path)[1] == changed[1]
    assert cloud.ask('DELETE', path) == (202, None)
    assert cloud.ask('GET', path)[0] == 404


@pytest.mark.parametrize(('method', 'path', 'body', 'status'), [
    ('GET', '/os-security-groups/1', None, 400),
    ('GET', f'/os-security-groups/{NOBODY}', None, 404),
    ('PUT', f'/os-security-groups/{NOBODY}', {'security_group': {'name': 'n', 'description': 'd'}}, 404),
    ('DELETE', f'/os-security-groups/{NOBODY}', None, 404),
    ('POST', '/os-security-groups', {'security_group': {'name': 'n'}}, 400),
    ('POST', '/os-security-groups', {'security_group': {'name': 'n' * 256, 'description': 'd'}}, 400),
    ('POST', '/os-security-groups', {'security_group': {'name': 'default', 'description': 'd'}}, 403),
    ('DELETE', '/os-security-group-rules/1', None, 400),
    ('DELETE', f'/os-security-group-rules/{NOBODY}', None, 404),
    ('POST', '/os-security-group-rules', {'security_group_rule': {'parent_group_id': NOBODY, **SSH}}, 404),
])
def test_what_groups_refuse(cloud, method, path, body, status):
    assert cloud.ask(method, path, body)[0] == status


def test_the_default_group_stays_as_it_is(cloud):
    (group,) = cloud.ask('GET', '/os-security-groups')[1]['security_groups']
    path = f'/os-security-groups/{group["id"]}'
    assert cloud.ask('DELETE', path)[0] == 400
    assert cloud.ask('PUT', path, {'security_group': {'name': 'mine', 'description': ''}})[0] == 400
    assert cloud.ask('PUT', path, {'security_group': {'name': 'default', 'description': 'ours'}})[0] == 200


@pytest.mark.parametrize(('rule', 'shown'), [
    (SSH, ('tcp', 22, 22, {'cidr': '0.0.0.0/0'})),
    ({**SSH, 'cidr': '10.0.0.0/24'}, ('tcp', 22, 22, {'cidr': '10.0.0.0/24'})),
    ({**SSH, 'cidr': '2001:db8::/64'}, ('tcp', 22, 22, {'cidr': '2001:db8::/64'})),
    ({'ip_protocol': 'ICMP', 'from_port': -1, 'to_port': -1}, ('icmp', -1, -1, {'cidr': '0.0.0.0/0'})),
    ({'ip_protocol': 'icmp', 'from_port': 8, 'to_port': 0}, ('icmp', 8, 0, {'cidr': '0.0.0.0/0'})),
])
def test_rules_as_compute_shows_them(cloud, rule, shown):
    group = cloud.group()
    status, body = cloud.rule(group, **rule)
    made = body['security_group_rule']
    assert (status, made['parent_group_id'], made['group']) == (200, group, {})
    assert (made['ip_protocol'], made['from_port'], made['to_port'], made['ip_range']) == shown
    assert cloud.ask('GET', f'/os-security-groups/{group}')[1]['security_group']['rules'] == [made]
    assert cloud.rule(group, **rule)[0] == 400
    assert cloud.ask('DELETE', f'/os-security-group-rules/{made["id"]}')[0] == 202


def test_a_rule_for_a_group(cloud):
    web, database = cloud.group(), cloud.group('db')
    made = cloud.rule(database, group_id=web)[1]['security_group_rule']
    assert made['group'] == {'name': 'web', 'tenant_id': MEMBER.project_id}
    assert (made['ip_protocol'], made['from_port'], made['to_port'], made['ip_range']) == (None, None, None, {})
    made = cloud.rule(database, group_id=web, ip_protocol='udp')[1]['security_group_rule']
    assert (made['ip_protocol'], made['from_port'], made['to_port']) == ('udp', 1, 65535)
    assert cloud.rule(database, group_id=NOBODY)[0] == 404


@pytest.mark.parametrize('rule', [
    {}, {'ip_protocol': 'tcp'}, {**SSH, 'to_port': 21}, {**SSH, 'from_port': 0}, {**SSH, 'to_port': 65536},
    {**SSH, 'ip_protocol': 'gre'}, {**SSH, 'cidr': '10.0.0/24'}, {**SSH, 'from_port': 'ssh'},
    {'ip_protocol': 'icmp', 'from_port': 256, 'to_port': -1}, {**SSH, 'group_id': 'web'}])
def test_rules_that_make_no_sense(cloud, rule):
    assert cloud.rule(cloud.group(), **rule)[0] == 400


def test_floating_addresses_come_and_go(cloud):
    assert cloud.ask('GET', '/os-floating-ip-pools') == (200, {'floating_ip_pools': [{'name': 'public'}]})
    made = cloud.floating()
    assert made == {'id': made['id'], 'ip': made['ip'], 'pool': 'public', 'fixed_ip': None, 'instance_id': None}
    assert cloud.ask('GET', '/os-floating-ips') == (200, {'floating_ips': [made]})
    assert cloud.ask('GET', f'/os-floating-ips/{made["id"]}') == (200, {'floating_ip': made})
    assert cloud.ask('DELETE', f'/os-floating-ips/{made["id"]}') == (202, None)
    assert cloud.ask('GET', f'/os-floating-ips/{made["id"]}')[0] == 404
    assert cloud.ask('DELETE', f'/os-floating-ips/{made["id"]}')[0] == 404
    assert cloud.ask('POST', '/os-floating-ips', {'pool': 'private'})[0] == 404
    assert [cloud.ask('POST', '/os-floating-ips')[0] for _ in range(6)] == [200] * 5 + [404]


def test_the_proxies_end(cloud):
    for path in ('/os-security-groups', '/os-floating-ips', '/os-floating-ip-pools', '/os-baremetal-nodes'):
        assert cloud.ask('GET', path, version='2.36')[0] == 404
    server = cloud.server()
    assert cloud.act(server, 'addFloatingIp', '2.44', address='203.0.113.2') == 404
    assert cloud.act(server, 'addSecurityGroup', '2.100', name=cloud.group()) == 202


# --------------------------------------------------------------- servers


def test_a_server_is_in_the_groups_of_its_ports(cloud):
    server = cloud.server(ports=2)
    assert cloud.shown(server)['security_groups'] == [{'name': 'default'}] * 2
    group = cloud.group()
    assert cloud.act(server, 'addSecurityGroup', name='web') == 202
    assert cloud.act(server, 'addSecurityGroup', name=group) == 202
    found = cloud.ask('GET', f'/servers/{server}/os-security-groups')[1]['security_groups']
    assert [one['name'] for one in found] == ['default', 'default', 'web', 'web']
    assert cloud.ask('DELETE', f'/os-security-groups/{group}')[0] == 400
    assert cloud.ask('PUT', f'/os-security-groups/{group}', {'security_group': {'name': 'www', 'description': ''}})[
        0] == 200
    listed = cloud.ask('GET', '/servers/detail')[1]['servers'][0]['security_groups']
    assert listed == [{'name': 'default'}, {'name': 'www'}] * 2
    assert cloud.act(server, 'removeSecurityGroup', name='www') == 202
    assert cloud.act(server, 'removeSecurityGroup', name='default') == 202
    assert 'security_groups' not in cloud.shown(server)
    assert cloud.act(server, 'removeSecurityGroup', name='default') == 404


@pytest.mark.parametrize(('body', 'status'), [
    ({'name': 'nothing'}, 404), ({'name': ''}, 400), ({'name': ' '}, 400), ({}, 400), (None, 400), ({'name': 1}, 400)])
@pytest.mark.parametrize('action', ['addSecurityGroup', 'removeSecurityGroup'])
def test_what_the_actions_refuse(cloud, action, body, status):
    assert cloud.ask('POST', f'/servers/{cloud.server()}/action', {action: body})[0] == status


def test_a_name_that_two_groups_have_is_a_conflict(cloud):
    server = cloud.server()
    cloud.group()
    cloud.group()
    assert cloud.act(server, 'addSecurityGroup', name='web') == 409


def test_a_server_without_ports_is_in_no_group(cloud):
    server = cloud.server(ports=0)
    assert cloud.ask('GET', f'/servers/{server}/os-security-groups') == (200, {'security_groups': []})
    assert 'security_groups' not in cloud.shown(server)
    assert cloud.act(server, 'addSecurityGroup', name='default') == 404
    assert cloud.act(server, 'addFloatingIp', address='203.0.113.2') == 400
    assert cloud.ask('GET', f'/servers/{NOBODY}/os-security-groups')[0] == 404


def test_a_floating_address_leads_to_a_server(cloud):
    server, floating = cloud.server(), cloud.floating()
    ((fixed, _),) = cloud.addresses(server)
    assert cloud.act(server, 'addFloatingIp', address=floating['ip']) == 202
    assert cloud.addresses(server) == [(fixed, 'fixed'), (floating['ip'], 'floating')]
    found = cloud.ask('GET', f'/os-floating-ips/{floating["id"]}')[1]['floating_ip']
    assert (found['fixed_ip'], found['instance_id']) == (fixed, server)
    other = cloud.server(name='two')
    assert cloud.act(other, 'removeFloatingIp', address=floating['ip']) == 409
    assert cloud.act(other, 'addFloatingIp', address=floating['ip']) == 202
    assert cloud.addresses(server) == [(fixed, 'fixed')]
    assert cloud.act(other, 'removeFloatingIp', address=floating['ip']) == 202
    assert cloud.act(server, 'addFloatingIp', address=floating['ip'], fixed_address=fixed) == 202
    assert cloud.ask('DELETE', f'/os-floating-ips/{floating["id"]}')[0] == 202
    assert cloud.addresses(server) == [(fixed, 'fixed')]


@pytest.mark.parametrize(('action', 'body', 'status'), [
    ('addFloatingIp', {'address': '203.0.113.6'}, 404), ('removeFloatingIp', {'address': '203.0.113.6'}, 404),
    ('addFloatingIp', {'address': 'x'}, 400), ('addFloatingIp', {}, 400), ('removeFloatingIp', {}, 400),
    ('addFloatingIp', {'address': '203.0.113.6', 'fixed_address': '10.20.0.254'}, 400)])
def test_what_the_actions_on_addresses_refuse(cloud, action, body, status):
    assert cloud.act(cloud.server(), action, **body) == status


def test_nobody_reaches_what_others_have(cloud):
    group, floating, server = cloud.group(), cloud.floating(), cloud.server()
    stranger = type(MEMBER)(user_id='eve', project_id='c' * 32, roles=('member', 'reader'), overwrite=False)
    for method, path in (('GET', f'/os-security-groups/{group}'), ('DELETE', f'/os-security-groups/{group}'),
                         ('GET', f'/os-floating-ips/{floating["id"]}'),
                         ('DELETE', f'/os-floating-ips/{floating["id"]}'),
                         ('GET', f'/servers/{server}/os-security-groups')):
        assert cloud.ask(method, path, by=stranger)[0] == 404
    reader = type(MEMBER)(user_id='ann', project_id=MEMBER.project_id, roles=('reader',), overwrite=False)
    assert cloud.ask('GET', f'/os-security-groups/{group}', by=reader)[0] == 200
    assert cloud.ask('DELETE', f'/os-security-groups/{group}', by=reader)[0] == 403
    assert cloud.ask('POST', f'/servers/{server}/action', {'addSecurityGroup': {'name': 'web'}}, by=reader)[0] == 403


# ------------------------------------------------- without such services


def test_without_a_network_service(rooms):
    equip(rooms)
    server = running(rooms)
    assert rooms.ask('GET', '/os-security-groups', by=MEMBER) == (200, {'security_groups': []})
    assert rooms.ask('GET', '/os-floating-ips', by=MEMBER) == (200, {'floating_ips': []})
    assert rooms.ask('GET', '/os-floating-ip-pools', by=MEMBER) == (200, {'floating_ip_pools': []})
    assert rooms.ask('GET', f'/servers/{server}/os-security-groups', by=MEMBER) == (200, {'security_groups': []})
    group = {'security_group': {'name': 'web', 'description': ''}}
    assert rooms.status('POST', '/os-security-groups', group, by=MEMBER) == 400
    assert rooms.status('POST', '/os-floating-ips', {}, by=MEMBER) == 404
    for action, body, status in (('addSecurityGroup', {'name': 'default'}, 400),
                                 ('removeSecurityGroup', {'name': 'web'}, 404),
                                 ('addFloatingIp', {'address': '203.0.113.2'}, 400),
                                 ('removeFloatingIp', {'address': '203.0.113.2'}, 404)):
        assert rooms.status('POST', f'/servers/{server}/action', {action: body}, by=MEMBER) == status, action


def test_bare_metal_nodes_are_not_here(rooms):
    assert rooms.status('GET', '/os-baremetal-nodes') == 501
    assert rooms.status('GET', f'/os-baremetal-nodes/{NOBODY}') == 501
    assert rooms.status('GET', '/os-baremetal-nodes', by=MEMBER) == 403
    assert rooms.status('POST', '/os-baremetal-nodes', {'node': {}}) == 400
    assert rooms.status('DELETE', f'/os-baremetal-nodes/{NOBODY}') == 400
    for action in ('add_interface', 'remove_interface'):
        assert rooms.status('POST', f'/os-baremetal-nodes/{NOBODY}/action', {action: {'address': 'x'}}) == 400


def test_no_share_can_be_attached(rooms):
    equip(rooms)
    stopped, active = running(rooms, vm_state='stopped', power_state=4), running(rooms, 'two')
    path, body = f'/servers/{stopped}/shares', {'share': {'share_id': NOBODY, 'tag': 'data'}}

    def ask(method, where, content=None, version='2.97', by=MEMBER):
        return rooms.ask(method, where, content, version, by)

    assert ask('GET', path) == (200, {'shares': []})
    assert ask('GET', path + '?name=x')[0] == 400
    assert ask('GET', path, version='2.96')[0] == 404
    assert ask('GET', f'{path}/{NOBODY}')[0] == 404
    assert ask('DELETE', f'{path}/{NOBODY}')[0] == 404
    assert ask('GET', f'{path}/x')[0] == 400
    assert ask('POST', path, body)[0] == 404
    assert ask('POST', f'/servers/{active}/shares', body)[0] == 409
    assert ask('POST', f'/servers/{NOBODY}/shares', body)[0] == 404
    for wrong in ({}, {'share': {}}, {'share': {'share_id': 'x'}}, {'share': {'share_id': NOBODY, 'size': 1}}):
        assert ask('POST', path, wrong)[0] == 400
