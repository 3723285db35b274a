# SPDX-License-Identifier: Apache-2.0
"""The queries on everything but servers give the same answers on each database."""

import datetime
import threading

import pytest

from nova_lite import errors
from nova_lite.db import Duplicate
from nova_lite.db.paging import Page
from nova_lite.db.queries import actions, aggregates, flavors, keypairs, services
from tests.fixtures.database import database, shared_database, sqlite_path

__all__ = ('database', 'shared_database', 'sqlite_path')

START = datetime.datetime(2026, 1, 2, 3, 4, 5)
MINUTE = datetime.timedelta(minutes=1)


# ----------------------------------------------------------------- flavors

def flavor(flavorid, **values):
    return {'flavorid': flavorid, 'name': f'm.{flavorid}', 'ram': 64, 'vcpus': 1, 'disk': 1, **values}


def ids(db, filters, paged=None):
    with db.read() as conn:
        return [row.flavorid for row in flavors.page(conn, filters, paged or Page())]


def test_a_new_installation_gets_the_usual_flavors_once(database):
    with database.write() as conn:
        assert flavors.ensure_defaults(conn) is True
        assert flavors.ensure_defaults(conn) is False
    with database.read() as conn:
        row = flavors.get(conn, '84')
    assert (row.name, row.ram, row.vcpus, row.disk, row.is_public, row.rxtx_factor) == (
        'm1.micro', 128, 1, 1, True, 1.0)


def test_private_flavors_are_shown_to_their_projects(database):
    with database.write() as conn:
        flavors.create(conn, flavor('open'))
        flavors.create(conn, flavor('mine', is_public=False), 'red')
        flavors.create(conn, flavor('other', is_public=False))
        other = flavors.get(conn, 'other', is_admin=True)
        flavors.add_access(conn, other, 'blue')
    assert ids(database, flavors.Filters('red', is_public=True)) == ['mine', 'open']
    assert ids(database, flavors.Filters(None, is_public=True)) == ['open']
    assert ids(database, flavors.Filters(is_public=False)) == ['mine', 'other']
    assert ids(database, flavors.Filters()) == ['mine', 'open', 'other']
    with database.read() as conn:
        assert flavors.get(conn, 'mine', 'red').flavorid == 'mine'
        assert flavors.get(conn, 'open', 'red', columns=frozenset(('name',))).name == 'm.open'
        with pytest.raises(errors.FlavorNotFound):
            flavors.get(conn, 'other', 'red')
        with pytest.raises(errors.MarkerNotFound):
            flavors.page(conn, flavors.Filters('red', is_public=True), Page(marker='other'))
        assert flavors.projects(conn, other.id) == ['blue']
    with database.write() as conn:
        with pytest.raises(errors.FlavorAccessNotFound):
            flavors.remove_access(conn, other, 'red')
        flavors.remove_access(conn, other, 'blue')
    with pytest.raises(errors.FlavorAccessExists), database.write() as conn:
        flavors.add_access(conn, other, 'red')
        flavors.add_access(conn, other, 'red')


def test_flavor_filters_and_pages(database):
    with database.write() as conn:
        for number in range(1, 6):
            flavors.create(conn, flavor(str(number), ram=number * 100, disk=6 - number, disabled=number == 5,
                                        description='x' if number % 2 else None))
    assert ids(database, flavors.Filters(min_ram=300)) == ['3', '4', '5']
    assert ids(database, flavors.Filters(min_disk=4, disabled=False)) == ['1', '2']
    assert ids(database, flavors.Filters(name='m.3')) == ['3']
    assert ids(database, flavors.Filters(), Page(2, '3', (('memory_mb', 'desc'),))) == ['2', '1']
    assert ids(database, flavors.Filters(), Page(sort=(('description', 'asc'),))) == ['2', '4', '1', '3', '5']
    assert ids(database, flavors.Filters(), Page(sort=(('root_gb', 'asc'),)))[0] == '5'


@pytest.mark.parametrize(('second', 'field'), [
    (flavor('1', name='other'), 'flavorid'), (flavor('2', name='m.1'), 'name')])
def test_a_second_flavor_of_the_same_key_names_the_key(database, second, field):
    with database.write() as conn:
        flavors.create(conn, flavor('1'))
    with pytest.raises(errors.FlavorExists, match=f'{field} {second[field]}'), database.write() as conn:
        flavors.create(conn, second)


def test_changes_of_a_flavor(database):
    with database.write() as conn:
        flavors.create(conn, flavor('1', is_public=False), 'red')
        flavors.set_description(conn, '1', 'small')
        assert flavors.update_extra_specs(conn, '1', {'a': '1', 'b': '2'}) == {'a': '1', 'b': '2'}
        flavors.delete_extra_spec(conn, '1', 'a')
        with pytest.raises(errors.ExtraSpecNotFound):
            flavors.delete_extra_spec(conn, '1', 'a')
        row = flavors.get(conn, '1', is_admin=True)
        assert (row.description, row.extra_specs, row.updated_at is None) == ('small', {'b': '2'}, False)
        flavors.delete(conn, '1')
        assert flavors.projects(conn, row.id) == []
        for missing in (lambda: flavors.delete(conn, '1'), lambda: flavors.set_description(conn, '1', None),
                        lambda: flavors.lock_row(conn, '1')):
            with pytest.raises(errors.FlavorNotFound):
                missing()


# ---------------------------------------------------------------- keypairs

def keypair(name, user='ann'):
    return {'user_id': user, 'name': name, 'type': 'ssh', 'fingerprint': 'f', 'public_key': 'ssh-rsa A'}


def test_keypairs(database):
    with database.write() as conn:
        for name in ('c', 'a', 'B', 'b'):
            keypairs.create(conn, keypair(name))
        keypairs.create(conn, keypair('a', 'bob'))
        assert keypairs.count(conn, 'ann') == 4
        assert [row.name for row in keypairs.page(conn, 'ann')] == ['B', 'a', 'b', 'c']
        assert [row.name for row in keypairs.page(conn, 'ann', 2, 'a')] == ['b', 'c']
        keypairs.delete(conn, 'ann', 'a')
        assert keypairs.get(conn, 'bob', 'a').public_key == 'ssh-rsa A'
        for missing in (keypairs.get, keypairs.delete):
            with pytest.raises(errors.KeypairNotFound):
                missing(conn, 'ann', 'a')
    with pytest.raises(errors.KeypairExists), database.write() as conn:
        keypairs.create(conn, keypair('b'))


# ---------------------------------------------------------------- services

def test_a_service_registers_again_as_what_it_was(database):
    with database.write() as conn:
        first = services.register(conn, 'h1', 'nova-compute', 1)
        services.register(conn, 'h1', 'nova-conductor', 2)
        services.register(conn, 'h2', 'nova-compute', 3, disabled=True)
        services.set_disabled(conn, first.id, True, 'broken')
        services.set_forced_down(conn, first.id, True)
        again = services.register(conn, 'h1', 'nova-compute', 2)
        assert (again.id, again.uuid, again.version, again.disabled, again.disabled_reason) == (
            first.id, first.uuid, 2, True, 'broken')
        assert services.minimum_version(conn, 'nova-compute') == 3
        assert services.minimum_version(conn, 'nova-scheduler') is None
        assert len(services.page(conn)) == 3
        assert len(services.page(conn, binary='nova-compute')) == 2
        assert [row.binary for row in services.page(conn, 'h2')] == ['nova-compute']
        assert services.get(conn, first.id).uuid == services.get(conn, first.uuid).uuid
        services.set_disabled(conn, first.id, False)
        assert services.get_by_host(conn, 'h1', 'nova-compute').disabled_reason is None
        assert services.heartbeat(conn, 'h1', 'nova-compute')
        services.delete(conn, first.id)
        assert not services.heartbeat(conn, 'h1', 'nova-compute')
        for missing in (services.get, services.delete):
            with pytest.raises(errors.ServiceNotFound):
                missing(conn, first.id)


def test_a_service_that_registers_many_times_at_once_is_one(database):
    start = threading.Barrier(4)
    found = []

    def register():
        start.wait(10)
        found.append(database.transaction(services.register, 'h1', 'nova-compute', 1).id)

    threads = [threading.Thread(target=register) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 4
    assert len(set(found)) == 1


# -------------------------------------------------------------- aggregates

def test_aggregates_and_zones(database):
    with database.write() as conn:
        east = aggregates.create(conn, 'e', {'availability_zone': 'east', 'ssd': 'yes'})
        plain = aggregates.create(conn, 'p', {'ssd': 'no'})
        aggregates.add_host(conn, east, 'h1')
        aggregates.add_host(conn, plain, 'h1')
        aggregates.add_host(conn, plain, 'h2')
        assert aggregates.zones_by_host(conn) == {'h1': 'east'}
        assert aggregates.zones_by_host(conn, ['h2', 'h3']) == {}
        assert aggregates.zone_names(conn) == ['east']
        assert aggregates.members(conn, [east, plain]) == {east: ['h1'], plain: ['h1', 'h2']}
        assert aggregates.metadata_by_host(conn, ['h1']) == {
            'h1': {'availability_zone': {'east'}, 'ssd': {'yes', 'no'}}}
        assert [row.name for row in aggregates.page(conn)] == ['e', 'p']
        assert [row.name for row in aggregates.page(conn, 'h2')] == ['p']
        assert aggregates.rename(conn, east, 'e2')
        assert aggregates.change_metadata(conn, east, lambda old: {**old, 'a': '1'})
        assert aggregates.get(conn, east).metadata == {'availability_zone': 'east', 'ssd': 'yes', 'a': '1'}
        assert aggregates.remove_host(conn, east, 'h1')
        assert not aggregates.remove_host(conn, east, 'h1')
        assert aggregates.delete(conn, plain)
        assert not aggregates.delete(conn, plain)
        assert aggregates.get(conn, plain) is None
        assert not aggregates.change_metadata(conn, plain, lambda old: old)
    for again in (lambda conn: aggregates.create(conn, 'e2', {}),
                  lambda conn: [aggregates.add_host(conn, east, 'h5') for _ in range(2)]):
        with pytest.raises(Duplicate), database.write() as conn:
            again(conn)


# ----------------------------------------------------------------- actions

def action(request, minutes=0, server='s1'):
    return {'server_uuid': server, 'action': 'stop', 'request_id': request, 'user_id': 'ann',
            'project_id': 'red', 'start_time': START + minutes * MINUTE, 'updated_at': START + minutes * MINUTE}


def test_actions_and_their_events(database):
    with database.write() as conn:
        first = actions.insert(conn, action('req-1'))
        actions.insert_many(conn, [action('req-2', 1), action('req-3', 2), action('req-9', 0, 's2')])
    with database.write() as conn:
        def page(*args, **kwargs):
            return [row.request_id for row in actions.page(conn, 's1', *args, **kwargs)]

        assert page(Page()) == ['req-3', 'req-2', 'req-1']
        assert page(Page(1, 'req-3')) == ['req-2']
        assert page(Page(), changes_since=START + MINUTE) == ['req-3', 'req-2']
        assert page(Page(), changes_before=START) == ['req-1']
        with pytest.raises(errors.MarkerNotFound):
            page(Page(1, 'req-9'))
        assert actions.get(conn, 's1', 'req-9') is None
        actions.insert_events(conn, [
            {'action_id': first, 'event': 'compute_stop', 'start_time': START, 'result': 'Error',
             'finish_time': START + MINUTE, 'host': 'h1', 'traceback': 'T', 'details': 'D'},
            {'action_id': first, 'event': 'later', 'start_time': START + MINUTE}])
        actions.insert_events(conn, [])
        assert actions.finish(conn, first, 'Error')
        assert not actions.finish(conn, first)
        row = actions.get(conn, 's1', 'req-1')
        assert row.message == 'Error'
        assert row.updated_at == row.finish_time > START
        events = actions.events(conn, [first, 0])
    assert [event.event for event in events[first]] == ['later', 'compute_stop']
    assert events[0] == []
