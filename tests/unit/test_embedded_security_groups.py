# SPDX-License-Identifier: Apache-2.0
"""Security groups and floating addresses in the embedded Networking API, as clients of Neutron use them."""


import pytest

from tests.fixtures.network_api import NetworkApi

NOBODY = '00000000-0000-4000-8000-000000000000'
GROUPS, RULES, ADDRESSES = '/v2.0/security-groups', '/v2.0/security-group-rules', '/v2.0/floatingips'


class Api(NetworkApi):
    """What these tests make again and again."""

    def group(self, name='web'):
        return self.ask('POST', GROUPS, {'security_group': {'name': name}})[1]['security_group']

    def rule(self, group, **values):
        return self.ask('POST', RULES, {'security_group_rule': {
            'security_group_id': group['id'], 'direction': 'ingress', **values}})

    def port(self):
        return self.ask('POST', '/v2.0/ports', {'port': {'network_id': self.private}})[1]['port']

    def floating(self, **values):
        return self.ask('POST', ADDRESSES, {'floatingip': {'floating_network_id': self.public, **values}})


@pytest.fixture
def api(db):
    return Api(db)


def test_groups_come_and_go(api):
    group = api.group()
    assert (group['name'], group['description'], group['stateful'], group['project_id'], group['tenant_id']) == (
        'web', '', True, 'p1', 'p1')
    assert sorted((rule['direction'], rule['ethertype']) for rule in group['security_group_rules']) == [
        ('egress', 'IPv4'), ('egress', 'IPv6')]
    path = f'{GROUPS}/{group["id"]}'
    status, body = api.ask('PUT', path, {'security_group': {'name': 'www', 'stateful': False}})
    assert (status, body['security_group']['name'], body['security_group']['stateful']) == (200, 'www', False)
    assert [one['name'] for one in api.ask('GET', GROUPS)[1]['security_groups']] == ['default', 'www']
    assert [one['id'] for one in api.ask('GET', f'{GROUPS}?name=www&fields=id')[1]['security_groups']] == [group['id']]
    assert api.ask('GET', f'{GROUPS}?project_id=p2')[1] == {'security_groups': []}
    assert api.ask('DELETE', path) == (204, None)
    assert api.refused('GET', path) == (404, 'SecurityGroupNotFound')


def test_the_default_group(api):
    (group,) = api.ask('GET', f'{GROUPS}?name=default')[1]['security_groups']
    path = f'{GROUPS}/{group["id"]}'
    assert api.refused('DELETE', path) == (409, 'SecurityGroupCannotRemoveDefault')
    assert api.refused('PUT', path, {'security_group': {'name': 'x'}}) == (409, 'SecurityGroupCannotUpdateDefault')
    assert api.refused('POST', GROUPS, {'security_group': {'name': 'default'}}) == (
        409, 'SecurityGroupDefaultAlreadyExists')
    assert api.refused('GET', path, project='p2') == (404, 'SecurityGroupNotFound')
    assert api.ask('GET', path, project='p2', roles=('admin',))[0] == 200


def test_a_quota_that_is_used_up_is_a_conflict(api):
    for number in range(9):
        api.group(f'g{number}')
    assert api.refused('POST', GROUPS, {'security_group': {'name': 'more'}}) == (409, 'OverQuota')


@pytest.mark.parametrize(('rule', 'shown'), [
    ({'protocol': 'tcp', 'port_range_min': 22, 'port_range_max': '22'}, ('tcp', 22, 22, None)),
    ({'protocol': 'TCP', 'port_range_min': 1, 'port_range_max': 65535, 'remote_ip_prefix': '10.0.0.7/8'},
     ('tcp', 1, 65535, '10.0.0.7/8')),
    ({'protocol': 'icmp', 'port_range_min': 8}, ('icmp', 8, None, None)),
    ({'protocol': 'any'}, (None, None, None, None)),
    ({'protocol': 58, 'ethertype': 'ipv6', 'remote_ip_prefix': '::/0'}, ('58', None, None, '::/0')),
    ({'protocol': '50'}, ('50', None, None, None)),
])
def test_rules(api, rule, shown):
    group = api.group()
    status, body = api.rule(group, **rule)
    made = body['security_group_rule']
    assert (status, made['protocol'], made['port_range_min'], made['port_range_max'], made['remote_ip_prefix']) == (
        201, *shown)
    network = made['remote_ip_prefix'] and made['remote_ip_prefix'].replace('10.0.0.7', '10.0.0.0')
    assert made['normalized_cidr'] == network
    assert api.ask('GET', f'{RULES}/{made["id"]}')[1] == body
    assert api.rule(group, **rule)[0] == api.rule(group, **{**rule, 'remote_ip_prefix': network})[0] == 409
    listed = api.ask('GET', f'{RULES}?security_group_id={group["id"]}&direction=ingress')[1]['security_group_rules']
    assert listed == [made]
    described = api.ask('PUT', f'{RULES}/{made["id"]}', {'security_group_rule': {'description': 'd'}})[1]
    assert described['security_group_rule']['description'] == 'd'
    assert api.ask('DELETE', f'{RULES}/{made["id"]}')[0] == 204
    assert api.refused('DELETE', f'{RULES}/{made["id"]}') == (404, 'SecurityGroupRuleNotFound')


@pytest.mark.parametrize('rule', [
    {'direction': 'up'}, {'ethertype': 'IPv5'}, {'protocol': '256'}, {'protocol': 'smtp'},
    {'port_range_min': 1, 'port_range_max': 2}, {'protocol': 'tcp', 'port_range_min': 5},
    {'protocol': 'tcp', 'port_range_min': 5, 'port_range_max': 4},
    {'protocol': 'icmp', 'port_range_max': 4}, {'protocol': 'icmp', 'port_range_min': 256},
    {'protocol': 'gre', 'port_range_min': 5, 'port_range_max': 5}, {'protocol': 'icmpv6'},
    {'remote_ip_prefix': '2001:db8::/64'}, {'remote_ip_prefix': 'x'}, {'remote_group_id': 'x'},
    {'remote_ip_prefix': '10.0.0.0/8', 'remote_group_id': NOBODY}, {'port_range_min': 'ssh'}, {'color': 'red'}])
def test_rules_that_make_no_sense(api, rule):
    assert api.rule(api.group(), **rule)[0] == 400


def test_rules_of_what_is_not_there(api):
    assert api.rule({'id': NOBODY})[0] == 404
    assert api.rule(api.group(), remote_group_id=NOBODY)[0] == 404
    assert api.ask('POST', RULES, {'security_group_rule': {'direction': 'ingress'}})[0] == 400


def test_ports_have_groups(api):
    (default,) = api.ask('GET', f'{GROUPS}?name=default')[1]['security_groups']
    group, port = api.group(), api.port()
    assert port['security_groups'] == [default['id']]
    path = f'/v2.0/ports/{port["id"]}'
    assert api.ask('PUT', path, {'port': {'security_groups': [group['id']]}})[0] == 200
    assert api.refused('DELETE', f'{GROUPS}/{group["id"]}') == (409, 'SecurityGroupInUse')
    assert api.ask('PUT', path, {'port': {'security_groups': [NOBODY]}})[0] == 404
    assert api.ask('DELETE', path)[0] == 204
    assert api.ask('DELETE', f'{GROUPS}/{group["id"]}')[0] == 204


def test_floating_addresses_come_and_go(api):
    status, body = api.floating(description='d')
    made = body['floatingip']
    assert (status, made['status'], made['port_id'], made['fixed_ip_address'], made['description']) == (
        201, 'DOWN', None, None, 'd')
    found = api.ask('GET', f'{ADDRESSES}?floating_ip_address={made["floating_ip_address"]}')[1]['floatingips']
    assert found == [made]
    port = api.port()
    fixed = port['fixed_ips'][0]['ip_address']
    path = f'{ADDRESSES}/{made["id"]}'
    led = api.ask('PUT', path, {'floatingip': {'port_id': port['id']}})[1]['floatingip']
    assert (led['status'], led['port_id'], led['fixed_ip_address']) == ('ACTIVE', port['id'], fixed)
    assert api.refused('POST', ADDRESSES, {'floatingip': {
        'floating_network_id': api.public, 'port_id': port['id'], 'fixed_ip_address': fixed}}) == (
        409, 'FloatingIPPortAlreadyAssociated')
    # What could not lead there is not left behind.
    assert len(api.ask('GET', ADDRESSES)[1]['floatingips']) == 1
    assert api.ask('PUT', path, {'floatingip': {'port_id': None}})[1]['floatingip']['status'] == 'DOWN'
    # Its own port is nobody's to delete.
    (own,) = api.ask('GET', '/v2.0/ports?device_owner=network:floatingip', roles=('admin',))[1]['ports']
    assert api.ask('GET', '/v2.0/ports?device_owner=network:floatingip')[1]['ports'] == []
    assert api.ask('DELETE', f'/v2.0/ports/{own["id"]}', roles=('admin',))[0] == 409
    assert api.ask('DELETE', path) == (204, None)
    assert api.refused('GET', path) == (404, 'FloatingIpNotFound')


@pytest.mark.parametrize(('values', 'status'), [
    ({'floating_network_id': NOBODY}, 404), ({'floating_network_id': 'x'}, 400), ({'port_id': NOBODY}, 404),
    ({'floating_ip_address': '203.0.113.5'}, 403), ({'color': 'red'}, 400)])
def test_what_floating_addresses_refuse(api, values, status):
    assert api.floating(**values)[0] == status
    assert api.ask('GET', ADDRESSES)[1] == {'floatingips': []}


def test_an_administrator_may_wish_an_address(api):
    body = {'floatingip': {'floating_network_id': api.public, 'floating_ip_address': '203.0.113.5', 'project_id': 'p1'}}
    made = api.ask('POST', ADDRESSES, body, project='p9', roles=('admin',))[1]['floatingip']
    assert (made['floating_ip_address'], made['project_id']) == ('203.0.113.5', 'p1')
    assert api.ask('GET', f'{ADDRESSES}/{made["id"]}')[0] == 200
    assert api.ask('GET', f'{ADDRESSES}/{made["id"]}', project='p2')[0] == 404
    assert api.ask('POST', ADDRESSES, body, project='p9', roles=('admin',))[0] == 409
