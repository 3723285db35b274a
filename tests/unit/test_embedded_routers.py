# SPDX-License-Identifier: Apache-2.0
"""Routers in the embedded Networking API, as installers and test suites make them."""


import pytest

from tests.fixtures.network_api import NetworkApi

NOBODY = '00000000-0000-4000-8000-000000000000'
ROUTERS, PORTS = '/v2.0/routers', '/v2.0/ports'


class Api(NetworkApi):
    """What these tests make again and again."""

    def __init__(self, db):
        super().__init__(db)
        self.subnet, = self.get(f'/v2.0/networks/{self.private}')['network']['subnets']

    def router(self, **values):
        status, body = self.ask('POST', ROUTERS, {'router': {'name': 'r', **values}})
        assert status == 201, body
        return body['router']

    def interface(self, router, what, **named):
        return self.ask('PUT', f'{ROUTERS}/{router["id"]}/{what}_router_interface', named)


@pytest.fixture
def api(db):
    return Api(db)


def test_a_router_connects_a_subnet_with_the_outside(api):
    router = api.router(external_gateway_info={'network_id': api.public})
    gateway = router['external_gateway_info']
    assert (gateway['network_id'], gateway['enable_snat'], len(gateway['external_fixed_ips'])) == (api.public, True, 1)
    status, made = api.interface(router, 'add', subnet_id=api.subnet)
    assert (status, made['id'], made['subnet_id'], made['subnet_ids']) == (
        200, router['id'], api.subnet, [api.subnet])
    port = api.get(f'{PORTS}/{made["port_id"]}')['port']
    assert (port['device_id'], port['device_owner'], port['fixed_ips'], port['status']) == (
        router['id'], 'network:router_interface', [{'subnet_id': api.subnet, 'ip_address': '10.20.0.1'}], 'ACTIVE')
    assert api.refused('DELETE', f'{PORTS}/{made["port_id"]}') == (409, 'PortInUse')
    assert api.refused('DELETE', f'/v2.0/subnets/{api.subnet}', roles=('admin',)) == (409, 'SubnetInUse')
    assert api.refused('DELETE', f'{ROUTERS}/{router["id"]}') == (409, 'RouterInUse')
    assert api.interface(router, 'remove', subnet_id=api.subnet) == (200, made)
    assert api.interface(router, 'remove', subnet_id=api.subnet)[0] == 404
    assert api.ask('DELETE', f'{ROUTERS}/{router["id"]}') == (204, None)
    assert api.refused('GET', f'{ROUTERS}/{router["id"]}') == (404, 'RouterNotFound')
    assert api.get(f'{PORTS}?device_id={router["id"]}', roles=('admin',)) == {'ports': []}


def test_a_port_becomes_an_interface(api):
    router = api.router()
    port = api.ask('POST', PORTS, {'port': {'network_id': api.private}})[1]['port']
    status, made = api.interface(router, 'add', port_id=port['id'])
    assert (status, made['port_id'], made['network_id']) == (200, port['id'], api.private)
    assert api.interface(router, 'add', port_id=port['id'])[0] == 409
    assert api.interface(router, 'remove', port_id=port['id'])[0] == 200
    assert api.refused('GET', f'{PORTS}/{port["id"]}') == (404, 'PortNotFound')


def test_the_way_outside_is_changed_and_taken_away(api):
    router = api.router()
    assert router['external_gateway_info'] is None
    path = f'{ROUTERS}/{router["id"]}'
    wish = {'network_id': api.public, 'enable_snat': False, 'external_fixed_ips': [{'ip_address': '203.0.113.9'}]}
    shown = api.ask('PUT', path, {'router': {'name': 's', 'external_gateway_info': wish}})[1]['router']
    assert (shown['name'], shown['external_gateway_info']['enable_snat']) == ('s', False)
    assert [one['ip_address'] for one in shown['external_gateway_info']['external_fixed_ips']] == ['203.0.113.9']
    other = {**wish, 'external_fixed_ips': []}
    assert api.ask('PUT', path, {'router': {'external_gateway_info': other}})[0] == 200
    assert api.ask('PUT', path, {'router': {'name': 't'}})[1]['router']['external_gateway_info'] is not None
    for nothing in ({}, None):
        shown = api.ask('PUT', path, {'router': {'external_gateway_info': nothing}})[1]['router']
        assert shown['external_gateway_info'] is None


def test_whose_routers(api):
    router = api.router()
    path = f'{ROUTERS}/{router["id"]}'
    assert [one['id'] for one in api.get(f'{ROUTERS}?name=r')['routers']] == [router['id']]
    assert api.get(ROUTERS, project='p2') == {'routers': []}
    for method in ('GET', 'PUT', 'DELETE'):
        assert api.refused(method, path, {'router': {}}, project='p2') == (404, 'RouterNotFound')
    assert api.refused('POST', ROUTERS, {'router': {}}, roles=('reader',)) == (403, 'Forbidden')
    assert api.refused('POST', ROUTERS, {'router': {'project_id': 'p2'}}) == (403, 'Forbidden')
    made = api.ask('POST', ROUTERS, {'router': {'project_id': 'p2', 'ha': False}}, project='p3', roles=('admin',))
    assert made[1]['router']['tenant_id'] == 'p2'


@pytest.mark.parametrize(('named', 'status'), [
    ({}, 400), ({'subnet_id': 'x'}, 400), ({'subnet_id': NOBODY}, 404), ({'port_id': NOBODY}, 404),
    ({'subnet_id': NOBODY, 'port_id': NOBODY}, 400)])
def test_an_interface_needs_one_end(api, named, status):
    assert api.interface(api.router(), 'add', **named)[0] == status


@pytest.mark.parametrize(('gateway', 'status'), [
    ('x', 400), ({'network_id': 'x'}, 400), ({'network_id': NOBODY}, 404), ({'color': 'red'}, 400),
    ({'network_id': NOBODY, 'external_fixed_ips': ['x']}, 400)])
def test_the_way_outside_has_to_be_one(api, gateway, status):
    assert api.ask('POST', ROUTERS, {'router': {'external_gateway_info': gateway}})[0] == status


def test_a_network_inside_leads_nowhere(api):
    assert api.ask('POST', ROUTERS, {'router': {'external_gateway_info': {'network_id': api.private}}})[0] == 400
    assert api.get(ROUTERS) == {'routers': []}


def test_an_address_is_one_gateway_only(api):
    api.interface(api.router(), 'add', subnet_id=api.subnet)
    assert api.interface(api.router(), 'add', subnet_id=api.subnet)[0] == 409
    free = {'subnet': {'network_id': api.private, 'cidr': '10.30.0.0/24', 'ip_version': 4, 'gateway_ip': None}}
    status, body = api.ask('POST', '/v2.0/subnets', free, roles=('admin',))
    assert status == 201
    assert api.interface(api.router(), 'add', subnet_id=body['subnet']['id'])[0] == 400
