# SPDX-License-Identifier: Apache-2.0
"""What Placement is told of hosts and servers, whatever happened in between; Placement is a small one of our own."""

import dataclasses
import uuid

import pytest

from nova_lite import errors
from nova_lite.clients.placement import MARK, Placement
from nova_lite.conductor import mirror
from nova_lite.db.queries import aggregates, flavors, services
from nova_lite.model.zones import Place
from nova_lite.ops import resize
from nova_lite.ops.delete import DeleteServer, delete
from nova_lite.ops.resize import ConfirmResize, MigrateServer, ResizeServer
from tests.fixtures import placement
from tests.fixtures.cloud import Cloud, context
from tests.fixtures.database import database, shared_database, sqlite_path

__all__ = ('database', 'shared_database', 'sqlite_path')

BIG = {'flavorid': 'big', 'name': 'm1.big', 'ram': 1024, 'vcpus': 2, 'disk': 3}
SMALL_TAKES, BIG_TAKES = ({'VCPU': vcpus, 'MEMORY_MB': memory, 'DISK_GB': disk}
                          for vcpus, memory, disk in ((1, 512, 1), (2, 1024, 3)))


@pytest.fixture
def theirs():
    running = placement.Placement()
    yield running
    running.stop()


@pytest.fixture
def cloud(database, tmp_path):
    made = Cloud(database, tmp_path, names=('h1', 'h2'), traits=['HW_CPU_X86_AVX2', 'CUSTOM_FAST', 'HW_OF_TOMORROW'])
    with database.write() as conn:
        flavors.create(conn, BIG)
    return made


@pytest.fixture
def told(cloud, theirs):
    conf = cloud.conf
    settings = {'mirror': True, 'auth_type': 'none', 'endpoint_override': theirs.url, 'http_retries': 0}
    for name, value in settings.items():
        conf.set_override(name, value, 'placement')
    made = mirror.Mirror(cloud.conductor_deps, Placement(conf))
    made.look()
    theirs.writes()
    return made


def look_at_everything(told):
    told._next_hosts = float('-inf')
    told._refused.clear()
    assert told.look()


def ids(cloud):
    return {row.host: row.uuid for row in cloud.rows('hosts')}


def move(cloud, server, handler, command):
    handler(cloud.deps, context(), command)
    return cloud.server(server.uuid)


def test_a_host_is_a_provider(cloud, told, theirs):
    key = ids(cloud)['h1']
    row = next(row for row in cloud.rows('hosts') if row.host == 'h1')
    provider = theirs.providers[key]
    assert provider['name'] == row.hypervisor_hostname
    assert set(provider['traits']) == {'HW_CPU_X86_AVX2', 'CUSTOM_FAST', MARK}
    memory = provider['inventories']['MEMORY_MB']
    assert (memory['total'], memory['reserved'], memory['allocation_ratio']) == (
        row.memory_mb, cloud.conf.reserved_host_memory_mb, cloud.conf.ram_allocation_ratio)
    assert set(provider['inventories']) == {'VCPU', 'MEMORY_MB', 'DISK_GB'}
    look_at_everything(told)
    assert theirs.writes() == []


def test_what_changes_of_a_host(cloud, told, theirs):
    key = ids(cloud)['h1']
    with cloud.db.write() as conn:
        group = aggregates.create(conn, 'rack', {})
        aggregates.add_host(conn, group, 'h1')
        services.set_disabled(conn, services.get_by_host(conn, 'h1', 'nova-compute').id, True)
        name = aggregates.get(conn, group).uuid
    cloud.conf.set_override('reserved_host_memory_mb', 1024)
    cloud.beat('h1')
    look_at_everything(told)
    assert theirs.providers[key]['aggregates'] == [name]
    assert mirror.DISABLED in theirs.providers[key]['traits']
    assert theirs.providers[key]['inventories']['MEMORY_MB']['reserved'] == 1024
    assert {path.rpartition('/')[2] for _, path in theirs.writes()} == {'aggregates', 'traits', 'inventories'}


def test_a_server_from_its_creation_to_its_end(cloud, told, theirs):
    host = ids(cloud)
    server = cloud.create(place=Place(host='h1'))
    told.look()
    assert theirs.consumers[server.uuid]['allocations'] == {host['h1']: {'resources': SMALL_TAKES}}
    assert (theirs.consumers[server.uuid]['project_id'], theirs.consumers[server.uuid]['user_id']) == ('red', 'ann')
    move(cloud, server, resize.resize, ResizeServer(server, flavor_id='big'))
    told.look()
    assert theirs.consumers[server.uuid]['allocations'] == {
        host['h1']: {'resources': SMALL_TAKES}, host['h2']: {'resources': BIG_TAKES}}
    move(cloud, server, resize.confirm, ConfirmResize(cloud.server(server.uuid)))
    told.look()
    assert theirs.consumers[server.uuid]['allocations'] == {host['h2']: {'resources': BIG_TAKES}}
    delete(cloud.deps, context(), DeleteServer(cloud.server(server.uuid)))
    told.look()
    assert theirs.consumers == {}
    assert cloud.rows('mirrored_allocations') == []
    theirs.writes()
    told.look()
    assert theirs.writes() == []


def test_placement_is_away_for_a_while(cloud, told, theirs):
    stays, goes = cloud.create(place=Place(host='h1')), cloud.create(place=Place(host='h1'))
    told.look()
    theirs.away = True
    new = cloud.create(place=Place(host='h2'))
    delete(cloud.deps, context(), DeleteServer(goes))
    move(cloud, stays, resize.migrate, MigrateServer(stays, host='h2'))
    with pytest.raises(errors.Unavailable):
        told.look()
    theirs.away = False
    told.look()
    assert theirs.of_provider(ids(cloud)['h2']).keys() == {stays.uuid, new.uuid}
    assert theirs.of_provider(ids(cloud)['h1']).keys() == {stays.uuid}


def test_somebody_else_writes_at_the_same_moment(cloud, told, theirs):
    key = ids(cloud)['h1']
    server = cloud.create(place=Place(host='h1'))

    def take():
        theirs.consumers[server.uuid] = {'allocations': {}, 'consumer_generation': 7}

    theirs.meanwhile = take
    told.look()
    assert theirs.of_provider(key) == {server.uuid: SMALL_TAKES}
    cloud.conf.set_override('reserved_host_memory_mb', 1024)
    cloud.beat('h1')

    def touch():
        theirs.providers[key]['generation'] += 1

    theirs.meanwhile = touch
    look_at_everything(told)
    assert theirs.providers[key]['inventories']['MEMORY_MB']['reserved'] == 1024


def test_what_others_changed_is_put_right(cloud, told, theirs):
    host, stranger = ids(cloud), str(uuid.uuid4())
    server, lost = cloud.create(place=Place(host='h1')), cloud.create(place=Place(host='h1'))
    told.look()
    theirs.consumers[server.uuid]['allocations'][host['h1']]['resources'] = {'VCPU': 9}
    theirs.consumers[stranger] = {'allocations': {host['h1']: {'resources': {'VCPU': 1}}}, 'consumer_generation': 1}
    del theirs.consumers[lost.uuid]
    theirs.providers[host['h1']] |= {'traits': [], 'name': 'else'}
    look_at_everything(told)
    assert stranger in theirs.consumers
    cloud.conf.set_override('mirror_check_interval', 1, 'placement')
    with cloud.db.write() as conn:
        conn.exec_driver_sql("UPDATE mirrored_hosts SET checked_at = '2020-01-01 00:00:00'")
    look_at_everything(told)
    assert theirs.of_provider(host['h1']) == {server.uuid: SMALL_TAKES, lost.uuid: SMALL_TAKES}
    assert MARK in theirs.providers[host['h1']]['traits'] and theirs.providers[host['h1']]['name'] != 'else'


def test_a_placement_that_has_lost_everything(cloud, told, theirs):
    server = cloud.create(place=Place(host='h1'))
    told.look()
    theirs.providers.clear()
    theirs.consumers.clear()
    theirs.traits = set(placement.STANDARD_TRAITS)
    other = cloud.create(place=Place(host='h1'))
    told.look()
    assert theirs.consumers == {}
    # The refusal makes the next look one at the host.
    look_at_everything(told)
    look_at_everything(told)
    assert theirs.of_provider(ids(cloud)['h1']).keys() == {server.uuid, other.uuid}


def test_a_host_that_is_gone(cloud, told, theirs):
    key = ids(cloud)['h2']
    theirs.consumers[str(uuid.uuid4())] = {'allocations': {key: {'resources': {'VCPU': 1}}}, 'consumer_generation': 1}
    with cloud.db.write() as conn:
        services.delete(conn, services.get_by_host(conn, 'h2', 'nova-compute').id)
    told.look()
    assert theirs.providers.keys() == {ids(cloud)['h1']} and theirs.consumers == {}
    assert [row.uuid for row in cloud.rows('mirrored_hosts')] == [ids(cloud)['h1']]


def test_a_namesake(cloud, told, theirs):
    """One that we made in an earlier life goes; one of somebody else stays, and everything else goes on."""
    host = ids(cloud)
    name = theirs.providers[host['h1']]['name']
    with cloud.db.write() as conn:
        for table in ('mirrored_hosts', 'mirrored_allocations'):
            conn.exec_driver_sql(f'DELETE FROM {table}')
    theirs.providers.clear()
    theirs.add_provider('earlier', name, MARK)
    theirs.add_provider('strange', theirs_name := f'{name}-2')
    with cloud.db.write() as conn:
        conn.exec_driver_sql(f"UPDATE hosts SET hypervisor_hostname = '{theirs_name}' WHERE host = 'h2'")
    told.look()
    assert theirs.providers.keys() == {host['h1'], 'strange'}


def test_one_conductor_at_a_time(cloud, told, theirs):
    other = mirror.Mirror(dataclasses.replace(cloud.conductor_deps, name='desk:2'), Placement(cloud.conf))
    assert told.look() and not other.look()
    with cloud.db.write() as conn:
        conn.exec_driver_sql("UPDATE leases SET held_until = '2020-01-01 00:00:00'")
    assert other.look() and not told.look()
