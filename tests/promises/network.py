# SPDX-License-Identifier: Apache-2.0
"""What every network service promises.

A class that inherits this has a fixture ``bench``: ``client``; ``red`` and ``blue``, people of two projects; ``admin``;
``service``, who has no token; ``network(**known)``, the id of a new network with one subnet, of the project red unless
``project`` says otherwise; ``routed(network_id)``, the name of a new network outside that a router leads to from it.
"""

import uuid
from types import SimpleNamespace
from typing import Any

import pytest

from nova_lite import errors
from nova_lite.model.networks import Wish
from nova_lite.model.security_groups import Rule


def server_of(who: Any) -> Any:
    """A server as far as the network service needs to know it."""
    return SimpleNamespace(uuid=str(uuid.uuid4()), project_id=who.project_id, availability_zone='nova')


class NetworkPromises:
    """Tests of one twin."""

    def test_who_may_use_which_network(self, bench):
        own, other = bench.network(name='own'), bench.network(name='other', project='blue')
        shared = bench.network(name='shared', project='blue', shared=True)
        outside = bench.network(name='outside', project='blue', external=True)
        usable = {network.id for network in bench.client.networks(bench.red)}
        assert {own, shared} <= usable and not usable & {other, outside}
        named = bench.client.networks(bench.red, (own, other, shared, outside))
        assert {network.id for network in named} == {own, shared, outside}
        assert bench.client.network(bench.admin, other).name == 'other'
        with pytest.raises(errors.NetworkNotFound):
            bench.client.network(bench.red, other)
        assert len(bench.client.network(bench.red, own).subnet_ids) == 1

    def test_a_wish_is_one_port_however_often_it_is_asked_for(self, bench):
        network_id, server = bench.network(), server_of(bench.red)
        wishes = [Wish('000', network_id=network_id),
                  Wish('001', network_id=network_id, fixed_ip='192.0.2.77', tag='nic')]
        first = bench.client.plug(bench.service, server, 'h1', wishes)
        again = bench.client.plug(bench.service, server, 'h2', wishes)
        assert [(port.id, port.mac_address, port.fixed_ips) for port in first] == [
            (port.id, port.mac_address, port.fixed_ips) for port in again]
        assert [port.host for port in again] == ['h2', 'h2']
        assert again[1].fixed_ips[0].address == '192.0.2.77' and again[1].fixed_ips[0].subnet.gateway_ip == '192.0.2.1'
        assert (again[1].tag, again[1].status, again[1].device_owner) == ('nic', 'ACTIVE', 'compute:nova')
        assert {port.project_id for port in first} == {bench.red.project_id} and all(port.ours for port in first)
        assert [port.id for port in bench.client.ports(bench.service, server.uuid)] == [port.id for port in first]
        assert first[0].group_names == ('default',)
        bench.client.release(bench.service, server.uuid)

    def test_all_wishes_or_none(self, bench):
        network_id, server, other = bench.network(), server_of(bench.red), server_of(bench.red)
        bench.client.plug(bench.service, other, 'h1', [Wish('000', network_id=network_id, fixed_ip='192.0.2.9')])
        assert not bench.client.is_free(bench.red, network_id, '192.0.2.9')
        assert bench.client.is_free(bench.red, network_id, '192.0.2.10')
        for wish, kind in ((Wish('001', network_id=network_id, fixed_ip='192.0.2.9'), errors.AddressInUse),
                           (Wish('001', network_id=network_id, fixed_ip='198.51.100.1'), errors.Invalid),
                           (Wish('001', port_id=str(uuid.uuid4())), errors.PortNotFound)):
            with pytest.raises(kind):
                bench.client.plug(bench.service, server, 'h1', [Wish('000', network_id=network_id), wish])
            assert not bench.client.ports(bench.service, server.uuid)
        bench.client.release(bench.service, other.uuid)

    def test_a_port_that_somebody_made_is_taken_once_and_comes_back(self, bench):
        port_id = bench.port(bench.network())
        before = bench.client.port(bench.red, port_id)
        mine, late = server_of(bench.red), server_of(bench.red)
        (taken,) = bench.client.plug(bench.service, mine, 'h1', [Wish('000', port_id=port_id)])
        assert (taken.device_id, taken.host, taken.ours) == (mine.uuid, 'h1', False)
        with pytest.raises(errors.PortInUse):
            bench.client.plug(bench.service, late, 'h1', [Wish('000', port_id=port_id)])
        for _ in range(2):
            bench.client.unplug(bench.service, mine.uuid, port_id)
        free = bench.client.port(bench.red, port_id)
        assert (free.device_id, free.host, free.status, free.slot) == ('', None, 'DOWN', None)
        assert free.fixed_ips == before.fixed_ips
        with pytest.raises(errors.PortNotFound):
            bench.client.port(bench.blue, port_id)

    def test_what_was_made_for_a_server_goes_with_it(self, bench):
        network_id, server = bench.network(), server_of(bench.red)
        brought = bench.port(network_id)
        made = bench.client.plug(bench.service, server, 'h1', [
            Wish('000', network_id=network_id), Wish('001', port_id=brought)])
        assert [port.host for port in bench.client.bind(bench.service, server.uuid, 'h2')] == ['h2', 'h2']
        assert {port.status for port in bench.client.bind(bench.service, server.uuid, None)} == {'DOWN'}
        for _ in range(2):
            bench.client.release(bench.service, server.uuid)
        assert bench.client.ports(bench.service, server.uuid) == []
        with pytest.raises(errors.PortNotFound):
            bench.client.port(bench.red, made[0].id)
        assert bench.client.port(bench.red, brought).device_id == ''

    def test_addresses_come_and_go(self, bench):
        network_id, server = bench.network(), server_of(bench.red)
        (port,) = bench.client.plug(bench.service, server, 'h1', [Wish('000', network_id=network_id)])
        more = bench.client.add_fixed_ip(bench.red, server.uuid, network_id)
        assert more.id == port.id and len(more.fixed_ips) == 2
        less = bench.client.remove_fixed_ip(bench.red, server.uuid, port.fixed_ips[0].address)
        assert {one.address for one in less.fixed_ips} == (
            {one.address for one in more.fixed_ips} - {port.fixed_ips[0].address})
        with pytest.raises(errors.Invalid):
            bench.client.remove_fixed_ip(bench.red, server.uuid, port.fixed_ips[0].address)
        with pytest.raises(errors.NotFound):
            bench.client.add_fixed_ip(bench.red, server.uuid, bench.network())
        bench.client.release(bench.service, server.uuid)

    # ------------------------------------------------------------ security groups

    def test_a_group_is_known_by_its_name_and_its_id(self, bench):
        groups, name = bench.client.groups, f'web-{uuid.uuid4().hex[:8]}'
        made = groups.create(bench.red, name, 'for the web')
        assert groups.named(bench.red, name).id == groups.named(bench.red, made.id).id == made.id
        assert groups.named(bench.red, 'default').name == 'default'
        second = groups.create(bench.red, name, '')
        with pytest.raises(errors.SecurityGroupAmbiguous):
            groups.named(bench.red, name)
        for wrong in (lambda: groups.get(bench.blue, made.id), lambda: groups.named(bench.blue, name)):
            with pytest.raises(errors.SecurityGroupNotFound):
                wrong()
        assert groups.update(bench.red, made.id, 'www', 'other').name == 'www'
        rule = groups.add_rule(bench.red, made.id, Rule('ingress', 'IPv4', 'tcp', 22, 22, '10.0.0.0/8'))
        assert rule in groups.get(bench.red, made.id).rules
        with pytest.raises(errors.SecurityGroupRuleExists):
            groups.add_rule(bench.red, made.id, Rule('ingress', 'IPv4', 'tcp', 22, 22, '10.0.0.0/8'))
        groups.delete_rule(bench.red, rule.id)
        with pytest.raises(errors.SecurityGroupRuleNotFound):
            groups.delete_rule(bench.red, rule.id)
        for one in (made, second):
            groups.delete(bench.red, one.id)
        with pytest.raises(errors.SecurityGroupNotFound):
            groups.get(bench.red, made.id)

    def test_the_ports_of_a_server_have_the_groups(self, bench):
        groups, network_id, server = bench.client.groups, bench.network(), server_of(bench.red)
        web = groups.create(bench.red, 'web', '')
        bench.client.plug(bench.service, server, 'h1', [Wish('000', network_id=network_id)])
        bench.client.plug(bench.service, server, 'h1', [Wish('001', network_id=network_id)], [web.id])
        assert sorted(group.name for group in groups.of_server(bench.red, server.uuid)) == ['default', 'web']
        for _ in range(2):
            groups.add(bench.red, server.uuid, web.id)
        assert [sorted(port.group_names) for port in bench.client.ports(bench.red, server.uuid)] == [
            ['default', 'web'], ['web']]
        with pytest.raises(errors.SecurityGroupInUse):
            groups.delete(bench.red, web.id)
        groups.remove(bench.red, server.uuid, web.id)
        with pytest.raises(errors.NotFound):
            groups.remove(bench.red, server.uuid, web.id)
        groups.delete(bench.red, web.id)
        bench.client.release(bench.service, server.uuid)

    # --------------------------------------------------------- floating addresses

    def test_an_address_outside_leads_to_a_server(self, bench):
        floating, network_id, server = bench.client.floating, bench.network(), server_of(bench.red)
        pool = bench.routed(network_id)
        (port,) = bench.client.plug(bench.service, server, 'h1', [Wish('000', network_id=network_id)])
        assert pool in floating.pools(bench.red)
        made = floating.allocate(bench.red, pool)
        assert (made.pool, made.server_uuid, made.fixed_address) == (pool, None, None)
        floating.lead_to(bench.red, made.id, port.id, port.fixed_ips[0].address)
        found = floating.by_address(bench.red, made.address)
        assert (found.server_uuid, found.fixed_address, found.port_id) == (
            server.uuid, port.fixed_ips[0].address, port.id)
        assert bench.client.ports(bench.red, server.uuid)[0].fixed_ips[0].floating == (made.address,)
        assert made.id in {one.id for one in floating.all(bench.red)}
        with pytest.raises(errors.FloatingIpNotFound):
            floating.get(bench.blue, made.id)
        bench.client.release(bench.service, server.uuid)
        after = floating.get(bench.red, made.id)
        assert (after.server_uuid, after.port_id, after.fixed_address) == (None, None, None)
        floating.release(bench.red, made.id)
        with pytest.raises(errors.FloatingIpNotFound):
            floating.release(bench.red, made.id)
        with pytest.raises(errors.FloatingIpPoolNotFound):
            floating.allocate(bench.red, 'no such pool')
