# SPDX-License-Identifier: Apache-2.0
"""Live migrations and evacuations from the command to the guest, with everything that can go wrong in between."""

import datetime
import itertools
import threading
from types import SimpleNamespace

import pytest

from nova_lite import errors
from nova_lite.compute.operations import PROCEDURES
from nova_lite.conductor import here
from nova_lite.conductor.runner import KINDS
from nova_lite.conductor.steps import CONDUCTOR, Stepwise
from nova_lite.db.queries import consoles, migrations, servers
from nova_lite.model import times
from nova_lite.model.power import Power
from nova_lite.model.zones import Place
from nova_lite.ops import evacuate as evacuation
from nova_lite.ops import live_migrate as live
from nova_lite.ops.delete import DeleteServer, delete
from nova_lite.ops.evacuate import EvacuateServer
from nova_lite.ops.live_migrate import AbortMigration, ForceComplete, LiveMigrateServer
from nova_lite.ops.power import RebootServer, StopServer, reboot, stop
from tests.fixtures.cloud import Cloud, context
from tests.fixtures.moves import booked, fail_at, hold_at, last_action, lose, move, places, restart, sweep

STEPS = (('live_prepare', 'h2'), ('live_leave', 'h1'), ('live_arrive', 'h2'))
FAULTS = (('prepare_move', 'h2'), ('live_migrate', 'h1'), ('arrive', 'h2'))


@pytest.fixture
def cloud(db, tmp_path):
    return Cloud(db, tmp_path, names=('h1', 'h2'), live_migration_seconds=0)


def go(cloud, server, **more):
    live.live_migrate(cloud.deps, context(), LiveMigrateServer(cloud.server(server.uuid), **more))
    return cloud.server(server.uuid)


def is_on(cloud, server, host, vm_state='active'):
    now = cloud.server(server.uuid)
    assert (now.vm_state, now.task_state, now.host) == (vm_state, None, host)
    assert places(cloud, server) == ({host}, set())
    assert booked(cloud)[host] == 512 and len(cloud.rows('allocations')) == 1
    cloud.check_books()
    return now


def test_the_guest_runs_on(cloud):
    server = cloud.create(place=Place(host='h1'))
    console = cloud.drivers['h1'].console_output(server.uuid)
    go(cloud, server)
    now = is_on(cloud, server, 'h2')
    assert now.power_state == Power.RUNNING and now.launched_at == server.launched_at
    assert cloud.drivers['h2'].console_output(server.uuid) == console
    assert (move(cloud).type, move(cloud).status) == ('live-migration', 'completed')
    assert [row.event for row in cloud.rows('server_action_events')][1:] == [
        'compute_pre_live_migration', 'compute_live_migration', 'compute_post_live_migration_at_destination',
        'compute__post_live_migration']
    assert last_action(cloud).action == 'live-migration' and last_action(cloud).message is None


@pytest.mark.parametrize(('fault', 'opens'), [(None, False), (('live_migrate', 'h1'), True)])
def test_who_was_let_to_its_console_is_so_until_it_moves(cloud, fault, opens):
    server = cloud.create(place=Place(host='h1'))
    now = times.utcnow()
    cloud.db.transaction(consoles.insert, 'token', {
        'console_type': 'serial', 'server_uuid': server.uuid, 'host': 'h', 'port': 1,
        'expires_at': now + datetime.timedelta(hours=1)}, now)
    if fault:
        fail_at(cloud, fault[1], f'{fault[0]}:1')
    go(cloud, server)
    with cloud.db.read() as conn:
        assert bool(consoles.get(conn, 'token', now)) is opens


def test_a_paused_guest_stays_paused(cloud):
    server = cloud.create(place=Place(host='h1'))
    cloud.drivers['h1'].pause(server.uuid)
    with cloud.db.write() as conn:
        servers.update(conn, server.uuid, vm_state='paused', power_state=int(Power.PAUSED))
    go(cloud, server)
    assert is_on(cloud, server, 'h2', 'paused').power_state == Power.PAUSED
    assert cloud.drivers['h2'].power_state(server.uuid) == Power.PAUSED


@pytest.mark.parametrize('fault, host', FAULTS)
def test_a_migration_that_fails_leaves_the_server_where_it_was(cloud, fault, host):
    server = cloud.create(place=Place(host='h1'))
    fail_at(cloud, host, f'{fault}:1')
    go(cloud, server)
    is_on(cloud, server, 'h1')
    assert cloud.drivers['h1'].power_state(server.uuid) == Power.RUNNING
    assert move(cloud).status == 'error' and last_action(cloud).message == 'Error'
    go(cloud, server)
    is_on(cloud, server, 'h2')


@pytest.mark.parametrize('step, host', [*STEPS, ('live_forget', 'h1')])
@pytest.mark.parametrize('lost', ['message', 'report'])
def test_whatever_dies_somebody_goes_on(cloud, step, host, lost):
    server = cloud.create(place=Place(host='h1'))
    lose(cloud, host, step, lost)
    go(cloud, server)
    assert cloud.server(server.uuid).task_state == 'migrating'
    cloud.check_books()
    restart(cloud)
    sweep(cloud)
    is_on(cloud, server, 'h2')
    assert move(cloud).status == 'completed'


@pytest.mark.parametrize('step, host', [*STEPS, ('live_forget', 'h1')])
@pytest.mark.parametrize('order', [1, -1])
def test_delete_in_the_middle(cloud, step, host, order):
    server = cloud.create(place=Place(host='h1'))
    hold_at(cloud, host, step)
    go(cloud, server)
    delete(cloud.deps, context(), DeleteServer(cloud.server(server.uuid)))
    assert not cloud.server(server.uuid).deleted
    cloud.compute.release(host, order)
    assert cloud.server(server.uuid).deleted
    assert places(cloud, server) == (set(), set())
    assert not cloud.rows('allocations') and cloud.usage() == (0, 0, 0)
    cloud.check_books()


def test_what_cannot_be_cleaned_is_found_later(cloud):
    cloud.conf.set_override('operation_attempts', 1, group='conductor')
    server = cloud.create(place=Place(host='h1'))
    fail_at(cloud, 'h1', 'forget:*')
    go(cloud, server)
    now = cloud.server(server.uuid)
    assert (now.vm_state, now.task_state, now.host) == ('active', None, 'h2')
    assert places(cloud, server) == ({'h2'}, {'h1'}) and booked(cloud) == {'h1': 0, 'h2': 512}
    cloud.age('servers', updated_at=100)
    assert cloud.beat('h1') == {'unknown_guests': [server.uuid]}


def test_the_source_dies_before_it_was_asked(cloud):
    server = cloud.create(place=Place(host='h1'))
    hold_at(cloud, 'h2', 'live_prepare')
    go(cloud, server)
    cloud.age('services', last_seen_at=100)
    cloud.beat('h2')
    cloud.compute.release('h2')
    now = cloud.server(server.uuid)
    assert (now.vm_state, now.task_state, now.host) == ('active', None, 'h1')
    assert move(cloud).status == 'error' and booked(cloud) == {'h1': 512, 'h2': 0}
    cloud.check_books()


class Slow:
    """A live migration that goes on in a thread until it is told to end."""

    def __init__(self, cloud, server, **more):
        cloud.conf.set_override('live_migration_seconds', 60, group='fake')
        self._cloud, self.server = cloud, server
        self._told = threading.Event()
        endpoint = cloud.conductor.endpoint
        outer = self

        class Telling:
            def report_progress(self, *told):
                wish = endpoint.report_progress(*told)
                outer._told.set()
                return wish

            def __getattr__(self, name):
                return getattr(endpoint, name)

        cloud.conductor.endpoint = Telling()
        self._thread = threading.Thread(target=go, args=(cloud, server), kwargs=more)
        self._thread.start()
        assert self._told.wait(20)

    def end(self):
        self._thread.join(20)
        assert not self._thread.is_alive()


def test_abort(cloud):
    server = cloud.create(place=Place(host='h1'))
    slow = Slow(cloud, server, block_migration=True)
    row = move(cloud)
    assert row.status == 'running' and row.memory_total == 512 << 20 and row.disk_total == 1 << 30
    assert row.memory_processed + row.memory_remaining == row.memory_total
    assert cloud.server(server.uuid).task_state == 'migrating' and booked(cloud) == {'h1': 512, 'h2': 512}
    live.abort(cloud.deps, context(), AbortMigration(server, row.id))
    slow.end()
    is_on(cloud, server, 'h1')
    assert move(cloud).status == 'cancelled'
    assert last_action(cloud).action == 'live_migration_cancel'


def test_force_complete(cloud):
    server = cloud.create(place=Place(host='h1'))
    slow = Slow(cloud, server)
    live.force_complete(cloud.deps, context(), ForceComplete(server, move(cloud).id))
    slow.end()
    is_on(cloud, server, 'h2')
    assert move(cloud).status == 'completed'


def test_delete_while_it_runs(cloud):
    server = cloud.create(place=Place(host='h1'))
    slow = Slow(cloud, server)
    delete(cloud.deps, context(), DeleteServer(cloud.server(server.uuid)))
    slow.end()
    assert cloud.server(server.uuid).deleted and places(cloud, server) == (set(), set())
    assert not cloud.rows('allocations')
    cloud.check_books()


@pytest.mark.parametrize('status', ['queued', 'preparing'])
def test_abort_before_it_runs(cloud, status):
    server = cloud.create(place=Place(host='h1'))
    if status == 'queued':
        cloud.conductor.held = []
    else:
        hold_at(cloud, 'h2', 'live_prepare')
    go(cloud, server)
    assert move(cloud).status == status
    with pytest.raises(errors.Invalid, match=status):
        live.abort(cloud.deps, context(), AbortMigration(server, move(cloud).id))
    with pytest.raises(errors.Invalid, match=status):
        live.force_complete(cloud.deps, context(), ForceComplete(server, move(cloud).id))
    live.abort(cloud.deps, context(), AbortMigration(server, move(cloud).id, early=True))
    if status == 'queued':
        cloud.conductor.release()
    else:
        cloud.compute.release('h2')
    is_on(cloud, server, 'h1')
    assert move(cloud).status == 'cancelled'


def test_nothing_to_end(cloud):
    server = cloud.create()
    go(cloud, server)
    for handler, command in ((live.abort, AbortMigration), (live.force_complete, ForceComplete)):
        with pytest.raises(errors.WrongState, match='migrating'):
            handler(cloud.deps, context(), command(server, move(cloud).id))
    other = cloud.create(place=Place(host='h1'))
    hold_at(cloud, 'h2', 'live_prepare')
    go(cloud, other)
    for number in (99, move(cloud).id - 1):
        with pytest.raises(errors.MigrationNotFound):
            live.abort(cloud.deps, context(), AbortMigration(other, number))


def test_hosts_that_will_not_do(cloud):
    server = cloud.create(place=Place(host='h1'))
    cloud.age('services', last_seen_at=100)
    cloud.beat('h1')
    for host, words in (('h9', 'no compute host h9'), ('h1', 'already'), ('h2', 'down'), (None, 'no other host')):
        with pytest.raises(errors.Invalid, match=words):
            go(cloud, server, host=host, at_once=True)
    assert not cloud.rows('migrations')
    for host in ('h1', 'h2', None):
        go(cloud, server, host=host)
        is_on(cloud, server, 'h1')
    assert {row.status for row in cloud.rows('migrations')} == {'error'}
    cloud.beat('h2')
    with cloud.db.write() as conn:
        from nova_lite.db.queries import services
        services.set_disabled(conn, services.get_by_host(conn, 'h2', 'nova-compute').id, True)
    go(cloud, server, host='h2')
    is_on(cloud, server, 'h1')
    go(cloud, server, host='h2', forced=True, at_once=True)
    is_on(cloud, server, 'h2')


# ------------------------------------------------------------------ evacuate

def lose_host(cloud, *lost):
    cloud.age('services', last_seen_at=100)
    for name in set(cloud.drivers) - set(lost):
        cloud.beat(name)


def save(cloud, server, **more):
    evacuation.evacuate(cloud.deps, context(), EvacuateServer(cloud.server(server.uuid), **more))
    return cloud.server(server.uuid)


def test_evacuate(cloud):
    server = cloud.create(place=Place(host='h1'))
    for host, error, words in ((None, errors.Invalid, 'is up'), ('h9', errors.HostNotFound, 'h9'),
                               ('h1', errors.Invalid, 'own host')):
        with pytest.raises(error, match=words):
            save(cloud, server, host=host)
    lose_host(cloud, 'h1')
    now = save(cloud, server, password='secret')
    assert (now.vm_state, now.task_state, now.host, now.power_state) == ('active', None, 'h2', Power.RUNNING)
    assert booked(cloud) == {'h1': 0, 'h2': 512} and cloud.usage() == (1, 1, 512)
    assert (move(cloud).type, move(cloud).status) == ('evacuation', 'done')
    assert 'secret' not in str(cloud.rows('operations'))
    cloud.check_books()
    # The host is back with a guest that is somewhere else by now.
    assert places(cloud, server) == ({'h1', 'h2'}, set())
    cloud.age('servers', updated_at=100)
    answer = cloud.beat('h1')
    assert answer == {'unknown_guests': [server.uuid]}
    cloud.services['h1'].worker.remove_unknown(answer['unknown_guests'])
    assert places(cloud, server) == ({'h2'}, set())


@pytest.mark.parametrize('was_stopped, stays_off', [(False, True), (True, False)])
def test_an_evacuated_server_may_stay_off(cloud, was_stopped, stays_off):
    server = cloud.create(place=Place(host='h1'))
    if was_stopped:
        stop(cloud.deps, context(), StopServer(server))
    lose_host(cloud, 'h1')
    now = save(cloud, server, stays_off=stays_off)
    assert (now.vm_state, now.host, now.power_state) == ('stopped', 'h2', Power.SHUTDOWN)
    assert cloud.drivers['h2'].power_state(server.uuid) == Power.SHUTDOWN


def test_no_host_to_evacuate_to(cloud):
    server = cloud.create(place=Place(host='h1'))
    lose_host(cloud, 'h1', 'h2')
    now = save(cloud, server)
    assert (now.vm_state, now.task_state, now.host) == ('error', None, 'h1')
    assert now.fault['message'] == ('No valid host was found. 1 of 2 hosts has the server now; 1 is down.')
    cloud.beat('h2')
    assert save(cloud, server).host == 'h2'
    cloud.check_books()


def test_an_evacuation_that_fails_is_tried_on_another_host(cloud):
    server = cloud.create(place=Place(host='h1'))
    fail_at(cloud, 'h2', 'spawn:*')
    lose_host(cloud, 'h1')
    now = save(cloud, server)
    assert (now.vm_state, now.host) == ('error', 'h1') and move(cloud).status == 'error'
    assert booked(cloud) == {'h1': 512, 'h2': 0}
    cloud.add_host('h3')
    assert save(cloud, server).host == 'h3'
    cloud.check_books()


@pytest.mark.parametrize('lost', ['message', 'report'])
def test_whatever_dies_in_an_evacuation_somebody_goes_on(cloud, lost):
    server = cloud.create(place=Place(host='h1'))
    lose_host(cloud, 'h1')
    lose(cloud, 'h2', 'evacuate_spawn', lost)
    assert save(cloud, server).task_state == 'rebuild_spawning'
    cloud.add_host('h2')
    sweep(cloud)
    now = cloud.server(server.uuid)
    assert (now.vm_state, now.task_state, now.host) == ('active', None, 'h2')
    cloud.check_books()


def test_what_hangs_on_a_dead_host_gives_way(cloud):
    server = cloud.create(place=Place(host='h1'))
    cloud.compute.hold('h1')
    reboot(cloud.deps, context(), RebootServer(server, 'HARD'))
    lose_host(cloud, 'h1')
    assert save(cloud, server).host == 'h2'
    cloud.compute.release('h1')
    now = cloud.server(server.uuid)
    assert (now.vm_state, now.task_state, now.host) == ('active', None, 'h2')


@pytest.mark.parametrize('step, host', STEPS)
def test_the_source_of_a_live_migration_dies(cloud, step, host):
    server = cloud.create(place=Place(host='h1'))
    hold_at(cloud, host, step)
    go(cloud, server)
    lose_host(cloud, 'h1')
    now = save(cloud, server)
    held = cloud.compute.held.get('h2')
    if held:
        cloud.compute.release('h2')
        now = cloud.server(server.uuid)
    assert (now.vm_state, now.task_state, now.host) == ('active', None, 'h2')
    assert cloud.drivers['h2'].power_state(server.uuid) == Power.RUNNING
    assert booked(cloud) == {'h1': 0, 'h2': 512}
    assert [row.status for row in cloud.rows('migrations')] == ['error', 'done']
    cloud.check_books()


def test_delete_of_a_server_that_is_evacuated(cloud):
    server = cloud.create(place=Place(host='h1'))
    lose_host(cloud, 'h1')
    hold_at(cloud, 'h2', 'evacuate_spawn')
    save(cloud, server)
    delete(cloud.deps, context(), DeleteServer(cloud.server(server.uuid)))
    cloud.compute.release('h2')
    assert cloud.server(server.uuid).deleted and not cloud.rows('allocations')
    assert places(cloud, server) == ({'h1'}, set())
    cloud.age('servers', updated_at=100)
    assert cloud.beat('h1') == {'unknown_guests': [server.uuid]}
    cloud.check_books()


def test_moves_of_a_server_have_one_at_most_that_is_open(cloud):
    server = cloud.create()
    go(cloud, server)
    with cloud.db.read() as conn:
        assert migrations.open_of_server(conn, server.uuid) == []
        assert migrations.in_progress(conn, server.uuid) == []


def test_no_host_is_asked_twice_for_the_same():
    """It would take the second time for a message that came again."""
    server = SimpleNamespace(interfaces=[{'slot': 0}], block_devices=[{'destination': 'volume'}])
    kinds = [kind for kind in KINDS.values() if isinstance(kind, Stepwise)]
    for kind, host in itertools.product(kinds, ('here', 'there')):
        steps = kind.steps_of(SimpleNamespace(server=server, params={'source': 'here', 'dest': host}))
        asked = [(step.at, word) for step in steps for word in (step.name, step.undo) if word]
        assert len(asked) == len(set(asked)) > 0, kind
        assert {word for at, word in asked if at == CONDUCTOR} <= set(here.STEPS)
        assert {word for at, word in asked if at != CONDUCTOR} <= set(PROCEDURES)
