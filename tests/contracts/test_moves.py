# SPDX-License-Identifier: Apache-2.0
"""Servers that move at the same time: the books balance on each database, on every host that one has something on."""

import random
from collections import Counter

import pytest

from nova_lite import errors
from nova_lite.db.paging import Page
from nova_lite.db.queries import claims, flavors, hosts, migrations
from nova_lite.model import moves
from nova_lite.model.zones import Place
from nova_lite.ops import live_migrate, resize
from nova_lite.ops.create import create
from nova_lite.ops.delete import DeleteServer, delete
from nova_lite.ops.live_migrate import LiveMigrateServer
from nova_lite.ops.resize import ConfirmResize, MigrateServer, ResizeServer, RevertResize
from tests.fixtures.cloud import Cloud, context, wish
from tests.fixtures.database import database, shared_database, sqlite_path
from tests.fixtures.moves import sweep
from tests.fixtures.parallel import in_parallel

__all__ = ('database', 'shared_database', 'sqlite_path')

BIG = {'flavorid': 'big', 'name': 'm1.big', 'ram': 1024, 'vcpus': 2, 'disk': 3}


@pytest.fixture
def cloud(database, tmp_path):
    made = Cloud(database, tmp_path, names=(), live_migration_seconds=0, memory_mb=512 + 10 * 512)
    made.conf.set_override('instances', -1, group='quota')
    with database.write() as conn:
        flavors.create(conn, BIG)
    return made


def fleet(cloud, number, host):
    return [create(cloud.deps, context(), wish(f's{index}', place=Place(host=host))).servers[0]['uuid']
            for index in range(number)]


def guests(cloud):
    return {(uuid, name) for name, driver in cloud.drivers.items() for uuid in driver.guests()}


def placed(cloud):
    return {(row.uuid, row.host) for row in cloud.rows('servers') if not row.deleted}


def test_resizes_compete_for_the_last_quota(cloud):
    cloud.add_host('h1')
    cloud.add_host('h2')
    uuids = fleet(cloud, 8, 'h1')
    cloud.conf.set_override('cores', 8 + 3, group='quota')
    results = in_parallel(8, lambda number: resize.resize(
        cloud.deps, context(), ResizeServer(cloud.server(uuids[number]), 'big')))
    assert Counter(type(result) for result in results) == {type(None): 3, errors.OverQuota: 5}
    assert Counter(cloud.server(uuid).vm_state for uuid in uuids) == {'resized': 3, 'active': 5}
    assert cloud.usage() == (8, 11, 8 * 512 + 3 * 512)
    cloud.check_books()


def test_resizes_compete_for_the_last_room(cloud):
    cloud.add_host('h1')
    cloud.conf.set_override('cores', -1, group='quota')
    uuids = fleet(cloud, 8, 'h1')
    cloud.add_host('h2')
    results = in_parallel(8, lambda number: resize.resize(
        cloud.deps, context(), ResizeServer(cloud.server(uuids[number]), 'big')))
    assert results == [None] * 8
    assert Counter((cloud.server(uuid).vm_state, cloud.server(uuid).host) for uuid in uuids) == {
        ('resized', 'h2'): 5, ('active', 'h1'): 3}
    cloud.check_books()
    assert cloud.usage() == (8, 8 + 5, 8 * 512 + 5 * 512)
    end = {number: resize.confirm if number % 2 else resize.revert for number in range(8)}
    command = {resize.confirm: ConfirmResize, resize.revert: RevertResize}
    in_parallel(8, lambda number: end[number](
        cloud.deps, context(), command[end[number]](cloud.server(uuids[number]))))
    assert {cloud.server(uuid).vm_state for uuid in uuids} == {'active'}
    assert guests(cloud) == placed(cloud)
    assert not any(driver.set_aside() for driver in cloud.drivers.values())
    cloud.check_books()


def test_everything_at_once(cloud):
    """Resizes, migrations, deletes, and hosts that fail: in the end nothing is lost and nothing is there twice."""
    for name in ('cores', 'ram'):
        cloud.conf.set_override(name, -1, group='quota')
    cloud.conf.set_override('delay', 0.002, group='fake')
    for number in range(3):
        cloud.add_host(f'h{number}', fail_at=(
            'leave:3', 'arrive:2', 'prepare_move:4', 'come_back:2', 'forget:2', 'live_migrate:2', 'destroy:2'))
    uuids = [uuid for number in range(3) for uuid in fleet(cloud, 4, f'h{number}')]
    deps, chance = cloud.deps, random.Random(3)
    deeds = {
        'resize': lambda row: resize.resize(deps, context(), ResizeServer(row, 'big')),
        'migrate': lambda row: resize.migrate(deps, context(), MigrateServer(row)),
        'confirm': lambda row: resize.confirm(deps, context(), ConfirmResize(row)),
        'revert': lambda row: resize.revert(deps, context(), RevertResize(row)),
        'live': lambda row: live_migrate.live_migrate(deps, context(), LiveMigrateServer(row)),
        'delete': lambda row: delete(deps, context(), DeleteServer(row))}
    plan = [(chance.choice(uuids), chance.choices(list(deeds), (4, 4, 3, 3, 6, 1))[0]) for _ in range(100)]
    results = in_parallel(100, lambda number: deeds[plan[number][1]](cloud.server(plan[number][0])), threads=6)
    assert {type(result) for result in results} <= {
        type(None), errors.WrongState, errors.ServerNotFound, errors.Invalid}
    sweep(cloud, 8)
    nothing_is_lost(cloud)


def nothing_is_lost(cloud):
    """Each server is in one place, and its old one only as long as it may go back there."""
    assert {row.state for row in cloud.rows('operations')} <= {'done', 'failed'}
    alive = [row for row in cloud.rows('servers') if not row.deleted]
    assert {row.vm_state for row in alive} <= {'active', 'resized'} and not [row for row in alive if row.task_state]
    assert guests(cloud) == placed(cloud)
    waiting = {row.uuid for row in alive if row.vm_state == 'resized'}
    assert {uuid for driver in cloud.drivers.values() for uuid in driver.set_aside()} == waiting
    assert {row.server_uuid for row in cloud.rows('migrations') if row.status not in moves.OVER} == waiting
    cloud.check_books()


def test_growing_on_a_host_is_exact(cloud):
    cloud.add_host('h1')
    uuids = fleet(cloud, 8, 'h1')
    wanted = hosts.Wanted(1, 1024, 1, cloud.conductor_deps.alive_since(cloud.rows('services')[0].last_seen_at))
    results = in_parallel(8, lambda number: cloud.db.transaction(claims.grow, uuids[number], 'h1', wanted))
    assert Counter(results) == {True: 2, False: 6}
    (host,) = cloud.rows('hosts')
    assert host.memory_mb_used == 10 * 512
    in_parallel(8, lambda number: cloud.db.transaction(
        claims.shrink, uuids[number], 'h1', {'vcpus': 1, 'memory_mb': 256, 'local_gb': 1}))
    cloud.check_books()
    (host,) = cloud.rows('hosts')
    assert (host.memory_mb_used, host.servers) == (8 * 256, 8)


def test_pages_and_filters_of_moves(cloud):
    cloud.add_host('h1')
    cloud.add_host('h2')
    uuids = fleet(cloud, 2, 'h1')
    for uuid in uuids:
        live_migrate.live_migrate(cloud.deps, context(), LiveMigrateServer(cloud.server(uuid)))
    resize.migrate(cloud.deps, context('blue'), MigrateServer(cloud.server(uuids[0])))
    with cloud.db.read() as conn:
        everything = migrations.page(conn, {}, Page())
        assert [row.type for row in everything] == ['migration', 'live-migration', 'live-migration']
        first = migrations.page(conn, {}, Page(1))
        assert migrations.page(conn, {}, Page(5, first[0].uuid)) == everything[1:]
        with pytest.raises(errors.MarkerNotFound):
            migrations.page(conn, {}, Page(5, 'nothing'))
        for filters, count in (
                ({'host': 'h1'}, 3), ({'source_compute': 'h1'}, 2), ({'status': 'finished'}, 1),
                ({'type': 'live-migration', 'server_uuid': uuids[0]}, 1), ({'project_id': 'blue'}, 1),
                ({'user_id': 'ann'}, 3), ({'since': everything[0].updated_at}, 1),
                ({'before': everything[2].updated_at}, 1)):
            assert len(migrations.page(conn, filters, Page())) == count, filters
