# SPDX-License-Identifier: Apache-2.0
"""The port to networks on each database: every address once, every wish one port, all or nothing."""

import ipaddress
from types import SimpleNamespace

import pytest

from nova_lite import errors
from nova_lite.clients.network import EmbeddedNetworks, NoNetworks
from nova_lite.db.queries import networks, ports, servers
from nova_lite.embedded import network_store
from nova_lite.model import states
from nova_lite.model.networks import Wish
from tests.fixtures import rows
from tests.fixtures.cloud import context
from tests.fixtures.compute import make_conf
from tests.fixtures.database import database, shared_database, sqlite_path
from tests.fixtures.networks import add_network, given, someone
from tests.fixtures.parallel import in_parallel

__all__ = ('database', 'shared_database', 'sqlite_path')

ADMIN = context('admin', roles=['admin'])


@pytest.fixture
def client(database):
    return EmbeddedNetworks(database)


def all_ports(database):
    with database.read() as conn:
        return ports.page(conn)


def test_the_first_networks_are_made_once(database, client, tmp_path):
    conf = make_conf(tmp_path)
    in_parallel(4, lambda number: client.prepare(conf), threads=4)
    assert [network.name for network in client.networks(context())] == ['private']
    with database.read() as conn:
        assert sorted(row.name for row in networks.page(conn)) == ['private', 'public']
    network = client.networks(context('blue'))[0]
    (subnet,) = client.subnets(context(), network.id)
    assert (subnet.cidr, subnet.gateway_ip, network.mtu) == ('10.20.0.0/16', '10.20.0.1', 1500)


def test_who_may_use_which_network(database, client):
    own, other = add_network(database, 'own'), add_network(database, 'other', project='blue')
    shared = add_network(database, 'shared', project='blue', shared=True)
    outside = add_network(database, 'outside', project='blue', external=True)
    asleep = add_network(database, 'asleep', admin_state_up=False)
    assert {network.id for network in client.networks(context())} == {own, shared}
    named = client.networks(context(), (own, other, shared, outside, asleep))
    assert {network.id for network in named} == {own, shared, outside, asleep}
    assert client.network(ADMIN, other).name == 'other'
    with pytest.raises(errors.NetworkNotFound):
        client.network(context(), other)


def test_a_wish_is_one_port_however_often_it_is_asked_for(database, client):
    network_id, server = add_network(database, 'net'), someone()
    wishes = [Wish('000', network_id=network_id), Wish('001', network_id=network_id, fixed_ip='192.0.2.77', tag='nic')]
    first = client.plug(context(), server, 'h1', wishes)
    again = client.plug(context(), server, 'h2', wishes)
    assert [(port.id, port.mac_address, port.fixed_ips) for port in first] == [
        (port.id, port.mac_address, port.fixed_ips) for port in again]
    assert [port.host for port in again] == ['h2', 'h2'] and again[1].fixed_ips[0].address == '192.0.2.77'
    assert (again[1].tag, again[1].status, again[1].device_owner) == ('nic', 'ACTIVE', 'compute:nova')
    assert [port.id for port in client.ports(context(), server.uuid)] == [port.id for port in first]
    assert all(port.mac_address.startswith('fa:16:3e:') for port in first)


def test_two_conductors_make_one_port_of_one_wish(database, client):
    network_id, server = add_network(database, 'net'), someone()
    found = in_parallel(16, lambda number: client.plug(context(), server, 'h1', [Wish('000', network_id=network_id)]))
    assert len({port.id for (port,) in found}) == 1 and len(all_ports(database)) == 1


def test_every_address_is_given_away_once(database, client):
    network_id = add_network(database, 'small', '192.0.2.0/27')

    def plug(number):
        return client.plug(context(), someone(), 'h1', [Wish('000', network_id=network_id)])[0]

    results = in_parallel(40, plug)
    refused = [result for result in results if isinstance(result, errors.NoMoreAddresses)]
    made = {port.fixed_ips[0].address for port in results if not isinstance(port, errors.Error)}
    # 32 addresses but the network's name, its broadcast and its gateway.
    assert len(made) == 29 and len(refused) == 11
    assert made == given(database) and '192.0.2.1' not in made
    assert len({row.mac_address for row in all_ports(database)}) == 29


def test_an_address_is_had_in_each_version(database, client):
    network_id = add_network(database, 'both')
    with database.write() as conn:
        networks.insert_subnet(conn, {
            'network_id': network_id, 'project_id': 'red', 'name': '', 'description': '', 'ip_version': 6,
            'cidr': '2001:db8::/64', 'gateway_ip': '2001:db8::1', 'enable_dhcp': True,
            'pools': [['2001:db8::2', '2001:db8::ffff:ffff:ffff:ffff']], 'dns_nameservers': ['2001:db8::53'],
            'host_routes': []})
    (port,) = client.plug(context(), someone(), 'h1', [Wish('000', network_id=network_id)])
    assert [one.subnet.ip_version for one in port.fixed_ips] == [4, 6]
    assert ipaddress.ip_address(port.fixed_ips[1].address) in ipaddress.ip_network('2001:db8::/64')


def test_all_wishes_or_none(database, client):
    network_id, server = add_network(database, 'net'), someone()
    client.plug(context(), someone(), 'h1', [Wish('000', network_id=network_id, fixed_ip='192.0.2.9')])
    before = given(database)
    for wish, kind in ((Wish('001', network_id=network_id, fixed_ip='192.0.2.9'), errors.AddressInUse),
                       (Wish('001', network_id=network_id, fixed_ip='192.0.2.1'), errors.AddressInUse),
                       (Wish('001', network_id=network_id, fixed_ip='198.51.100.1'), errors.Invalid),
                       (Wish('001', port_id='nowhere'), errors.PortNotFound)):
        with pytest.raises(kind):
            client.plug(context(), server, 'h1', [Wish('000', network_id=network_id), wish])
        assert given(database) == before and not client.ports(context(), server.uuid)


def test_one_address_that_many_want(database, client):
    network_id = add_network(database, 'net')
    results = in_parallel(16, lambda number: client.plug(
        context(), someone(), 'h1', [Wish('000', network_id=network_id, fixed_ip='192.0.2.50')]))
    assert sum(isinstance(result, errors.AddressInUse) for result in results) == 15
    assert not client.is_free(context(), network_id, '192.0.2.50')
    assert client.is_free(context(), network_id, '192.0.2.51')


def test_a_port_that_somebody_made_is_taken_once_and_comes_back(database, client):
    network_id = add_network(database, 'net')
    owner = someone()
    (port,) = client.plug(context(), owner, None, [Wish('000', network_id=network_id)])
    with database.write() as conn:
        ports.update(conn, port.id, ours=False, device_id='', slot=None)
    results = in_parallel(8, lambda number: client.plug(context(), someone(), 'h1', [Wish('000', port_id=port.id)]))
    taken = [result for result in results if not isinstance(result, errors.PortInUse)]
    assert len(taken) == 1
    (mine,) = taken[0]
    client.unplug(context(), mine.device_id, port.id)
    client.unplug(context(), mine.device_id, port.id)
    free = client.port(context(), port.id)
    assert (free.device_id, free.host, free.status, free.slot) == ('', None, 'DOWN', None)
    assert free.fixed_ips == port.fixed_ips
    with pytest.raises(errors.PortNotFound):
        client.port(context('blue'), port.id)


def test_what_was_made_for_a_server_goes_with_it(database, client):
    network_id, server = add_network(database, 'net'), someone()
    client.plug(context(), server, 'h1', [Wish('000', network_id=network_id), Wish('001', network_id=network_id)])
    assert [port.host for port in client.bind(context(), server.uuid, 'h2')] == ['h2', 'h2']
    assert {port.status for port in client.bind(context(), server.uuid, None)} == {'DOWN'}
    for _ in range(2):
        client.release(context(), server.uuid)
    assert not all_ports(database) and not given(database)


def test_addresses_come_and_go(database, client):
    network_id, server = add_network(database, 'net'), someone()
    (port,) = client.plug(context(), server, 'h1', [Wish('000', network_id=network_id)])
    more = client.add_fixed_ip(context(), server.uuid, network_id)
    assert more.id == port.id and len(more.fixed_ips) == 2 and more.fixed_ips[0] == port.fixed_ips[0]
    less = client.remove_fixed_ip(context(), server.uuid, port.fixed_ips[0].address)
    assert less.fixed_ips == more.fixed_ips[1:]
    with pytest.raises(errors.Invalid):
        client.remove_fixed_ip(context(), server.uuid, port.fixed_ips[0].address)
    with pytest.raises(errors.NotFound):
        client.add_fixed_ip(context(), server.uuid, add_network(database, 'other', '198.51.100.0/24'))


def test_a_server_that_goes_gets_no_port_any_more(database, client):
    network_id = add_network(database, 'net')
    row = rows.server('web', project_id='red')
    database.transaction(servers.insert, [row])
    server = SimpleNamespace(uuid=row['uuid'], project_id='red', availability_zone=None)
    (port,) = client.plug(context(), server, 'h1', [Wish('000', network_id=network_id)])
    for values in ({'task_state': states.DELETING}, {'task_state': None, 'vm_state': states.ERROR, 'host': None},
                   {'deleted': True}):
        database.transaction(servers.update, server.uuid, **values)
        with pytest.raises(errors.ServerNotFound):
            client.plug(context(), server, 'h1', [Wish('001', network_id=network_id)])
    assert [known.id for known in client.ports(context(), server.uuid)] == [port.id]


def test_a_network_with_ports_stays(database, client):
    network_id = add_network(database, 'net')
    (port,) = client.plug(context(), someone(), 'h1', [Wish('000', network_id=network_id)])
    with database.read() as conn:
        assert ports.count(conn, network_id) == 1
    assert network_store.seen_by(ADMIN) is None and network_store.seen_by(context()) == 'red'
    client.release(context(), port.device_id)
    assert database.transaction(networks.delete, network_id) is True
    assert client.networks(context()) == []


def test_without_a_network_service_nothing_is_there():
    client = NoNetworks()
    assert not client.is_there and client.networks(context()) == [] and client.ports(context(), 'x') == []
    assert client.plug(context(), someone(), 'h1', []) == [] and client.bind(context(), 'x', 'h1') == []
    client.release(context(), 'x')
    for refused, kind in ((lambda: client.plug(context(), someone(), 'h1', [Wish('0')]), errors.Invalid),
                          (lambda: client.add_fixed_ip(context(), 'x', 'y'), errors.Invalid),
                          (lambda: client.network(context(), 'x'), errors.NetworkNotFound),
                          (lambda: client.port(context(), 'x'), errors.PortNotFound)):
        with pytest.raises(kind):
            refused()
