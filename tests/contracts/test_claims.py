# SPDX-License-Identifier: Apache-2.0
"""The books balance on each database, however many transactions run at the same time."""

import datetime
import random
from collections import Counter

import pytest

from nova_lite import errors
from nova_lite.db.queries import aggregates, candidates, hosts, operations, quotas, services
from nova_lite.model import times
from nova_lite.model.quotas import Limits
from nova_lite.ops.create import create
from nova_lite.ops.delete import DeleteServer, delete
from nova_lite.ops.quotas import Owner, book, how_many
from nova_lite.scheduler import filters
from nova_lite.scheduler.request import Request, state_of
from tests.fixtures import placing
from tests.fixtures.cloud import Cloud, context, wish
from tests.fixtures.database import database, shared_database, sqlite_path
from tests.fixtures.parallel import in_parallel

__all__ = ('database', 'shared_database', 'sqlite_path')

LIMITS = {'instances': 10, 'cores': 20, 'ram': 51200}
ZONES = ('a"z', 'A"Z')
TINY = {'vcpus': 1, 'ram': 512, 'disk': 0, 'ephemeral': 0, 'swap': 0}


def add_host(db, name, vcpus=8, memory_mb=8192, local_gb=100, seen=0):
    return placing.add_host(db, name, seen, vcpus_limit=vcpus, memory_mb_limit=memory_mb, local_gb_limit=local_gb)


def wanted(vcpus=1, memory_mb=512, local_gb=1, **known):
    return hosts.Wanted(vcpus, memory_mb, local_gb, times.utcnow() - datetime.timedelta(seconds=60), **known)


def booked(db, name):
    with db.read() as conn:
        row = hosts.get(conn, host=name)
        assert dict(hosts.recount(conn))[name] == {
            'vcpus': row.vcpus_used, 'memory_mb': row.memory_mb_used, 'local_gb': row.local_gb_used,
            'servers': row.servers}
    return row


def test_no_host_is_overcommitted(database):
    ids = [add_host(database, f'h{number}', vcpus=50) for number in range(10)]

    def claim(number):
        return database.transaction(hosts.claim, ids[number % 10], f'server-{number}', wanted(memory_mb=1),
                                    times.utcnow())

    results = in_parallel(1000, claim)
    assert Counter(results) == {True: 500, False: 500}
    for number in range(10):
        row = booked(database, f'h{number}')
        assert (row.vcpus_used, row.servers, row.memory_mb_free) == (50, 50, 8192 - 50)


def test_what_is_released_twice_comes_back_once(database):
    host = add_host(database, 'h0', vcpus=10)
    for number in range(10):
        assert database.transaction(hosts.claim, host, f'server-{number}', wanted(local_gb=2), times.utcnow())
    released = in_parallel(20, lambda number: database.transaction(hosts.release, f'server-{number % 10}'))
    assert sum(released) == 10
    row = booked(database, 'h0')
    assert (row.vcpus_used, row.memory_mb_used, row.local_gb_used, row.servers) == (0, 0, 0, 0)


def test_quota_is_exact(database):
    def use(number):
        return database.transaction(quotas.use, 'red', {'instances': 1, 'cores': 1, 'ram': 512}, LIMITS)

    results = in_parallel(100, use)
    assert results.count(None) == 10
    refused = [error for error in results if error is not None]
    assert {type(error) for error in refused} == {errors.OverQuota}
    assert refused[0].details == {'resource': 'instances', 'requested': '1', 'used': '10', 'limit': '10'}
    with database.read() as conn:
        assert quotas.usage(conn, 'red') == {'instances': 10, 'cores': 10, 'ram': 5120}
        assert quotas.usage(conn, 'blue') == {'instances': 0, 'cores': 0, 'ram': 0}


def test_a_request_is_booked_whole_or_not_at_all(database):
    with pytest.raises(errors.OverQuota, match='cores, ram: 30, 60000 asked for, 0, 0 of 20, 51200 in use'):
        database.transaction(quotas.use, 'red', {'instances': 1, 'cores': 30, 'ram': 60000}, LIMITS)
    with database.read() as conn:
        assert quotas.usage(conn, 'red') == {'instances': 0, 'cores': 0, 'ram': 0}
    unlimited = {'instances': -1, 'cores': -1, 'ram': -1}
    database.transaction(quotas.use, 'red', {'instances': 99, 'cores': 99, 'ram': 99999}, unlimited)
    database.transaction(quotas.give_back, 'red', {'instances': 98, 'cores': 98, 'ram': 99998})
    with database.read() as conn:
        assert quotas.usage(conn, 'red') == {'instances': 1, 'cores': 1, 'ram': 1}


def test_as_many_as_fit(database):
    owner = Owner('red', 'ann', Limits(LIMITS))

    def use(conn, counts):
        count = how_many(conn, owner, TINY, counts)
        book(conn, owner, TINY, count)
        return count

    assert database.transaction(use, (2, 7)) == 7
    assert database.transaction(use, (2, 7)) == 3
    with pytest.raises(errors.OverQuota):
        database.transaction(use, (1, 7))


def add_operation(db, **known):
    now = times.utcnow()
    row = {'id': 'op', 'kind': 'build', 'server_uuid': 's', 'project_id': 'p', 'user_id': 'u', 'request_id': 'r',
           'action_id': None, 'state': 'pending', 'step': '', 'attempt': 0, 'owner': None, 'lease_until': now,
           'params': {}, 'error': None, 'created_at': now, 'updated_at': now, **known}
    with db.write() as conn:
        operations.insert(conn, [row])


def test_an_operation_is_taken_once(database):
    add_operation(database)
    now = times.utcnow()
    until = now + datetime.timedelta(seconds=30)
    taken = in_parallel(16, lambda number: database.transaction(operations.take, 'op', f'c{number}', until, now))
    (mine,) = [row for row in taken if row is not None]
    assert mine.attempt == 1 and mine.state == 'running'
    later = until + datetime.timedelta(seconds=1)
    again = database.transaction(operations.take, 'op', 'c99', later, later)
    assert again.attempt == 2
    # The first attempt has lost its lease and can change nothing any more.
    assert not database.transaction(operations.finish, mine, later)
    assert database.transaction(operations.finish, again, later, {'message': 'no'})
    with database.read() as conn:
        assert operations.get(conn, 'op').state == 'failed'
        assert operations.due(conn, later + datetime.timedelta(days=1), 10) == []


def test_leases_are_renewed_by_their_owner_only(database):
    now = times.utcnow()
    add_operation(database, state='running', owner='h1')
    later = now + datetime.timedelta(seconds=30)
    assert database.transaction(operations.renew, ['op', 'other'], 'h2', later) == 0
    with database.read() as conn:
        assert operations.due(conn, later, 10) == ['op']
    assert database.transaction(operations.renew, ['op', 'other'], 'h1', later) == 1
    with database.read() as conn:
        assert operations.due(conn, later, 10) == []


def test_pages_of_candidates_follow_free_memory(database):
    for number, memory in enumerate((4096, 1024, 4096, 100, 2048)):
        add_host(database, f'h{number}', memory_mb=memory)
    for most_free, order in ((True, ['h2', 'h0', 'h4', 'h1']), (False, ['h1', 'h4', 'h0', 'h2'])):
        seen, after = [], None
        with database.read() as conn:
            while rows := candidates.page(conn, wanted(), 1, candidates.Pages(most_first=most_free), after):
                seen += [row.host for row in rows]
                after = (rows[-1].position, rows[-1].id)
        assert seen == order


def add_mixed_hosts(db, count=30):
    """Hosts of all sorts: small, full, silent, disabled, in zones with names that only case tells apart."""
    chance = random.Random(7)
    for number in range(count):
        add_host(db, f'h{number:02}', chance.choice((0, 4)), chance.choice((256, 1024)), chance.choice((0, 9)),
                 seen=chance.choice((0, 0, 100)))
    with db.write() as conn:
        groups = [aggregates.create(conn, name, {'note': '"availability_zone":"nova"', 'availability_zone': name})
                  for name in ZONES]
        plain = aggregates.create(conn, 'plain', {'ssd': 'true'})
        for number in range(count):
            aggregates.add_host(conn, plain, f'h{number:02}')
            if number % 4 < len(groups):
                aggregates.add_host(conn, groups[number % 4], f'h{number:02}')
        for number in range(0, count, 5):
            service = services.get_by_host(conn, f'h{number:02}', 'nova-compute')
            services.set_disabled(conn, service.id, True)


@pytest.mark.parametrize('zone', [None, 'nova', *ZONES])
def test_sql_and_filters_agree(database, zone):
    """What SQL narrows to is what the filters let pass, and every other host has a reason."""
    add_mixed_hosts(database)
    look = wanted(zone=zone)
    with database.read() as conn:
        anything = hosts.Wanted(-9, -9, -9, datetime.datetime(2000, 1, 1), disabled_too=True)
        everyone = [state_of(row, 'nova') for row in candidates.page(conn, anything, 99)]
        narrowed = {row.host for row in candidates.page(conn, look, 99)}
        rejected = candidates.rejections(conn, look)
    assert len(everyone) == rejected.hosts == 30
    chosen = filters.chosen(['ComputeFilter', 'AvailabilityZoneFilter'])
    good, bad = filters.passing(everyone, Request('s', 1, 512, 1, zone=zone), filters.View(look.alive_since), chosen)
    assert narrowed == {host.host for host in good}
    assert sum(number for _, _, number, _, _ in rejected.counts) == len(bad)
    assert {host for host, _, _, _ in rejected.examples} == {one.host for one in bad}
    assert zone is not None or narrowed


def test_a_hundred_creates_at_quota_ten(database, tmp_path):
    cloud = Cloud(database, tmp_path)

    results = in_parallel(100, lambda number: create(cloud.deps, context(), wish(f's{number}')))
    made = [result.servers[0]['uuid'] for result in results if not isinstance(result, errors.Error)]
    assert len(made) == 10
    assert {type(result) for result in results if isinstance(result, errors.Error)} == {errors.OverQuota}
    assert {cloud.server(uuid).vm_state for uuid in made} == {'active'}
    assert cloud.usage() == (10, 10, 5120)
    cloud.check_books()
    in_parallel(20, lambda number: delete(cloud.deps, context(), DeleteServer(cloud.server(made[number % 10]))))
    assert cloud.usage() == (0, 0, 0)
    assert not cloud.rows('allocations')
    assert not any(driver.guests() for driver in cloud.drivers.values())
    cloud.check_books()


def test_builds_compete_for_the_last_room(database, tmp_path):
    cloud = Cloud(database, tmp_path, names=('h1', 'h2'), memory_mb=512 + 5 * 512)
    for name, limit in (('instances', -1), ('cores', -1), ('ram', -1)):
        cloud.conf.set_override(name, limit, group='quota')
    results = in_parallel(16, lambda number: create(cloud.deps, context(), wish(f's{number}')))
    states = Counter(cloud.server(result.servers[0]['uuid']).vm_state for result in results)
    assert states == {'active': 10, 'error': 6}
    cloud.check_books()


def test_deletes_meet_builds_at_every_stage(database, tmp_path):
    cloud = Cloud(database, tmp_path, delay=0.005, fail_at=['spawn:3', 'spawn:7', 'destroy:5'])
    for name in ('instances', 'cores', 'ram'):
        cloud.conf.set_override(name, -1, group='quota')

    def create_or_delete(number):
        if number % 2 == 0:
            create(cloud.deps, context(), wish(f's{number}'))
            return
        rows = [row for row in cloud.rows('servers') if not row.deleted]
        for row in rows[-1:]:
            delete(cloud.deps, context(), DeleteServer(row))

    results = in_parallel(60, create_or_delete)
    assert {type(result) for result in results} <= {type(None), errors.ServerNotFound}
    cloud.age('operations', lease_until=300)
    cloud.sweeper.sweep()
    servers = {row.uuid: row for row in cloud.rows('servers') if not row.deleted}
    assert {row.vm_state for row in servers.values()} <= {'active', 'error'}
    assert not [row.uuid for row in servers.values() if row.task_state]
    assert not [row for row in cloud.rows('operations') if row.state in ('pending', 'running')]
    placed = {(row.uuid, row.host) for row in servers.values() if row.host}
    assert {(uuid, name) for name, driver in cloud.drivers.items() for uuid in driver.guests()} == placed
    cloud.check_books()
