# SPDX-License-Identifier: Apache-2.0
"""Neutron keeps what every network service promises, and what only it does."""

import itertools
import uuid

import pytest

from nova_lite import errors
from nova_lite.clients.network import network_client
from nova_lite.clients.neutron import NeutronNetworks
from nova_lite.model.networks import Wish
from tests.promises.network import NetworkPromises, server_of


class Bench:
    """Neutron, and people who ask it for networks."""

    def __init__(self, desk):
        self.client = network_client(desk.conf, None)
        self.red, self.blue, self.admin, self.service = desk.red, desk.blue, desk.admin, desk.service
        self._desk = desk
        self._numbers = itertools.count(1)

    def ask(self, method, path, body, who=None):
        """One request; the body of the answer."""
        url = f'{self._desk.openstack.url("neutron")}/v2.0/{path}'
        answer = self._desk.openstack.ask(method, url, body, token=(who or self.admin).auth_token)
        assert answer.ok, answer.text
        return answer.json() if answer.content else {}

    def network(self, name='net', project='red', cidr='192.0.2.0/24', **known):
        owner = self.blue if project == 'blue' else self.red
        external = known.pop('external', False)
        values = {'name': name, 'project_id': owner.project_id, 'router:external': external, **known}
        network_id = self.ask('POST', 'networks', {'network': values})['network']['id']
        self.ask('POST', 'subnets', {'subnet': {
            'network_id': network_id, 'cidr': cidr, 'ip_version': 4, 'project_id': owner.project_id}})
        return network_id

    def port(self, network_id):
        return self.ask('POST', 'ports', {'port': {'network_id': network_id}}, self.red)['port']['id']

    def routed(self, network_id):
        name = f'outside {uuid.uuid4().hex[:8]}'
        outside = self.network(name, 'blue', f'203.0.{next(self._numbers)}.0/24', external=True)
        router = self.ask('POST', 'routers', {'router': {
            'name': name, 'external_gateway_info': {'network_id': outside}, 'project_id': self.red.project_id}})
        (subnet,) = self.client.subnets(self.service, network_id)
        self.ask('PUT', f'routers/{router["router"]["id"]}/add_router_interface', {'subnet_id': subnet.id})
        return name


@pytest.fixture(scope='module')
def bench(desk):
    assert isinstance(network_client(desk.conf, None), NeutronNetworks)
    return Bench(desk)


class TestNeutron(NetworkPromises):
    def test_a_host_that_no_network_reaches(self, bench):
        network_id, server = bench.network(), server_of(bench.red)
        with pytest.raises(errors.PortBindingFailed):
            bench.client.plug(bench.service, server, 'unbindable', [
                Wish('000', network_id=network_id), Wish('001', network_id=network_id)])
        assert bench.client.ports(bench.service, server.uuid) == []

    def test_the_owner_does_not_see_our_marks(self, bench):
        network_id, server = bench.network(), server_of(bench.red)
        (port,) = bench.client.plug(bench.service, server, 'h1', [Wish('000', network_id=network_id)])
        assert 'binding:profile' not in bench.ask('GET', f'ports/{port.id}', None, bench.red)['port']
        bench.client.release(bench.service, server.uuid)

    def test_the_quota_of_ports(self, bench):
        network_id, server = bench.network(), server_of(bench.red)
        used = len(bench.ask('GET', f'ports?project_id={bench.red.project_id}', None)['ports'])
        bench.ask('PUT', f'quotas/{bench.red.project_id}', {'quota': {'port': used + 1}})
        try:
            with pytest.raises(errors.OverQuota):
                bench.client.plug(bench.service, server, 'h1', [
                    Wish('000', network_id=network_id), Wish('001', network_id=network_id)])
            assert bench.client.ports(bench.service, server.uuid) == []
        finally:
            bench.ask('DELETE', f'quotas/{bench.red.project_id}', None)

    def test_a_project_without_a_network_gets_one(self, bench):
        """Where the cloud has a pool of subnets and a network outside, and with a reason where it has not."""
        with pytest.raises(errors.Conflict, match='Neutron refuses'):
            bench.client.make_own(bench.blue)
        outside = bench.network('default outside', 'blue', '203.1.0.0/24', external=True)
        bench.ask('PUT', f'networks/{outside}', {'network': {'is_default': True}})
        pool = bench.ask('POST', 'subnetpools', {'subnetpool': {
            'name': 'default', 'prefixes': ['10.9.0.0/16'], 'default_prefixlen': 26, 'shared': True,
            'is_default': True}})['subnetpool']['id']
        try:
            made = bench.client.make_own(bench.blue)
            assert made.subnet_ids and bench.client.make_own(bench.blue).id == made.id
            bench.ask('DELETE', f'auto-allocated-topology/{bench.blue.project_id}', None)
        finally:
            bench.ask('PUT', f'networks/{outside}', {'network': {'is_default': False}})
            bench.ask('DELETE', f'subnetpools/{pool}', None)

    def test_a_network_without_addresses_left(self, bench):
        network_id, server = bench.network(cidr='198.51.100.0/30'), server_of(bench.red)
        with pytest.raises(errors.NoMoreAddresses):
            bench.client.plug(bench.service, server, 'h1', [
                Wish(f'{number:03}', network_id=network_id) for number in range(2)])
        assert bench.client.ports(bench.service, server.uuid) == []
