# SPDX-License-Identifier: Apache-2.0
"""Floating addresses hold on each database: each is given away once, and leads to one address of one server."""

import types

import pytest

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.clients.network import EmbeddedNetworks
from nova_lite.db.queries import servers
from nova_lite.embedded.floating_ip_store import MOST, FloatingIpStore
from nova_lite.model.networks import Wish, columns, interface
from tests.fixtures import rows
from tests.fixtures.database import database, shared_database, sqlite_path
from tests.fixtures.network_rows import make_network
from tests.fixtures.parallel import in_parallel

__all__ = ('database', 'shared_database', 'sqlite_path')


def who(project='p1', *roles):
    return RequestContext(user_id='u', project_id=project, roles=['member', *roles], overwrite=False)


@pytest.fixture
def networks(database):
    made = EmbeddedNetworks(database)
    make_network(database, name='private', cidr='10.20.0.0/24')
    make_network(database, name='public', cidr='203.0.113.0/28', external=True)
    return made


@pytest.fixture
def store(database):
    return FloatingIpStore(database)


def plugged(database, networks, number=1, project='p1'):
    """A server with a port, as the conductor leaves it."""
    uuid = f'11111111-0000-4000-8000-{number:012}'
    server = types.SimpleNamespace(uuid=uuid, project_id=project, availability_zone='nova')
    database.transaction(servers.insert, [rows.server(uuid=uuid, project_id=project)])
    network = next(one for one in networks.networks(who(project)) if one.name == 'private')
    ports = networks.plug(who(project), server, 'h1', [Wish('000', network_id=network.id)])
    database.transaction(servers.update, uuid, **columns([interface(port) for port in ports]))
    return server, ports[0]


def shown(database, uuid):
    with database.read() as conn:
        return [(entry['addr'], entry['type']) for entries in servers.get(conn, uuid).addresses.values()
                for entry in entries]


def test_each_address_is_given_away_once(networks, store):
    pool = next(row.id for row in store.pools())
    made = in_parallel(20, lambda number: store.allocate(f'p{number % 3}', pool))
    given = [one.address for one in made if not isinstance(one, errors.Error)]
    # A /28 has sixteen: its own name, its broadcast and the gateway are nobody's.
    assert len(given) == len(set(given)) == 13
    assert {type(one) for one in made if isinstance(one, errors.Error)} == {errors.NoMoreAddresses}
    store.release('p0', next(one.id for one in store.find('p0')))
    assert store.allocate('p1', pool).address


def test_a_project_has_at_most_so_many(database, networks, store):
    large = make_network(database, name='large', cidr='198.18.0.0/22', external=True)
    made = in_parallel(MOST + 4, lambda _: store.allocate('p1', large))
    assert len([one for one in made if isinstance(one, errors.OverQuota)]) == 4


def test_a_wished_address(networks, store):
    pool = next(row.id for row in store.pools())
    assert store.allocate('p1', pool, '203.0.113.7').address == '203.0.113.7'
    with pytest.raises(errors.AddressInUse):
        store.allocate('p2', pool, '203.0.113.7')
    with pytest.raises(errors.Invalid):
        store.allocate('p2', pool, '192.0.2.7')
    private = next(one for one in networks.networks(who()) if one.name == 'private')
    with pytest.raises(errors.Invalid):
        store.allocate('p1', private.id)


def test_an_address_leads_to_a_server_and_the_server_shows_it(database, networks):
    server, port = plugged(database, networks)
    fixed = port.fixed_ips[0].address
    floating = networks.floating.allocate(who(), 'public')
    assert (floating.pool, floating.server_uuid, floating.fixed_address) == ('public', None, None)
    networks.floating.lead_to(who(), floating.id, port.id, fixed)
    assert shown(database, server.uuid) == [(fixed, 'fixed'), (floating.address, 'floating')]
    found = networks.floating.by_address(who(), floating.address)
    assert (found.server_uuid, found.fixed_address, found.port_id) == (server.uuid, fixed, port.id)
    other, other_port = plugged(database, networks, 2)
    networks.floating.lead_to(who(), floating.id, other_port.id)
    assert shown(database, server.uuid) == [(fixed, 'fixed')]
    assert (floating.address, 'floating') in shown(database, other.uuid)
    networks.floating.lead_to(who(), floating.id, None)
    networks.floating.lead_to(who(), floating.id, port.id)
    networks.floating.release(who(), floating.id)
    assert shown(database, server.uuid) == [(fixed, 'fixed')]


def test_one_fixed_address_has_one_floating_address(database, networks):
    _, port = plugged(database, networks)
    first, second = (networks.floating.allocate(who(), None) for _ in range(2))
    answers = in_parallel(2, lambda number: networks.floating.lead_to(who(), (first, second)[number].id, port.id), 2)
    assert sorted(type(one) for one in answers if one) == [errors.FloatingIPPortAlreadyAssociated]


def test_an_address_leads_nowhere_once_the_port_is_gone(database, networks):
    server, port = plugged(database, networks)
    floating = networks.floating.allocate(who(), None)
    networks.floating.lead_to(who(), floating.id, port.id)
    networks.release(who(), server.uuid)
    found = networks.floating.get(who(), floating.id)
    assert (found.server_uuid, found.port_id, found.fixed_address) == (None, None, None)


def test_an_address_leads_nowhere_once_the_fixed_one_is_taken_back(database, networks):
    server, port = plugged(database, networks)
    floating = networks.floating.allocate(who(), None)
    networks.floating.lead_to(who(), floating.id, port.id)
    networks.remove_fixed_ip(who(), server.uuid, port.fixed_ips[0].address)
    assert networks.floating.get(who(), floating.id).server_uuid is None


def test_projects_do_not_reach_each_other(database, networks):
    _, port = plugged(database, networks)
    floating = networks.floating.allocate(who('p2'), None)
    with pytest.raises(errors.PortNotFound):
        networks.floating.lead_to(who('p2'), floating.id, port.id)
    with pytest.raises(errors.FloatingIpNotFound):
        networks.floating.release(who('p1'), floating.id)
    with pytest.raises(errors.FloatingIpNotFound):
        networks.floating.by_address(who('p1'), floating.address)
    with pytest.raises(errors.FloatingIpPoolNotFound):
        networks.floating.allocate(who(), 'private')
    networks.floating.lead_to(who('p3', 'admin'), floating.id, port.id)
    assert networks.floating.all(who('p1')) == []
