# SPDX-License-Identifier: Apache-2.0
"""From the command to the guest and back, with everything that can go wrong between them."""

import pytest

from nova_lite import errors
from nova_lite.model.power import Power
from nova_lite.model.zones import Place
from nova_lite.ops import change, power
from nova_lite.ops.create import create
from nova_lite.ops.delete import DeleteServer, delete
from nova_lite.ops.power import RebootServer, StartServer, StopServer
from nova_lite.virt.base import GuestSpec
from tests.fixtures.cloud import FLAVOR, Cloud, context, wish
from tests.fixtures.compute import make_server


def actions(cloud, server):
    return {row.action: row for row in cloud.rows('server_actions') if row.server_uuid == server.uuid}


def test_a_server_is_built(cloud):
    server = cloud.create(admin_password='secret', metadata={'a': 'b'})
    assert (server.vm_state, server.task_state, server.power_state) == ('active', None, Power.RUNNING)
    assert server.launched_at and server.host in cloud.drivers and server.node == server.host
    assert server.availability_zone == 'nova' and server.pinned_availability_zone is None
    assert cloud.drivers[server.host].power_state(server.uuid) == Power.RUNNING
    assert cloud.usage() == (1, 1, 512)
    done = actions(cloud, server)['create']
    assert done.finish_time and done.message is None
    (event,) = cloud.rows('server_action_events')
    assert (event.event, event.result, event.host) == (
        'compute__do_build_and_run_instance', 'Success', server.host)
    (operation,) = cloud.rows('operations')
    assert operation.state == 'done' and 'secret' not in str(operation.params)
    cloud.check_books()


def test_servers_spread(cloud):
    assert len({cloud.create().host for _ in range(3)}) == 3
    cloud.check_books()


def test_stop_start_and_reboot(cloud):
    server = cloud.create()
    for command, handler, vm_state, guest in (
            (StopServer, power.stop, 'stopped', Power.SHUTDOWN), (StartServer, power.start, 'active', Power.RUNNING)):
        handler(cloud.deps, context(), command(cloud.server(server.uuid)))
        now = cloud.server(server.uuid)
        assert (now.vm_state, now.task_state, now.power_state) == (vm_state, None, guest)
        assert cloud.drivers[server.host].power_state(server.uuid) == guest
    for manner in ('SOFT', 'HARD'):
        power.reboot(cloud.deps, context(), RebootServer(cloud.server(server.uuid), manner))
    assert cloud.server(server.uuid).vm_state == 'active'
    assert [(operation.kind, operation.params) for _, operation in cloud.compute.sent[-2:]] == [
        ('reboot', {'type': 'SOFT'}), ('reboot', {'type': 'HARD'})]
    assert [row.error for row in cloud.rows('operations')] == [None] * 5


def test_a_wrong_state_is_refused_even_if_the_caller_saw_an_old_row(cloud):
    server = cloud.create()
    with pytest.raises(errors.WrongState):
        power.start(cloud.deps, context(), StartServer(server))
    power.stop(cloud.deps, context(), StopServer(server))
    with pytest.raises(errors.WrongState, match='stopped'):
        power.stop(cloud.deps, context(), StopServer(server))


def test_delete_gives_everything_back(cloud):
    server = cloud.create()
    delete(cloud.deps, context(), DeleteServer(server))
    gone = cloud.server(server.uuid)
    assert gone.deleted and gone.deleted_at and gone.vm_state == 'deleted' and gone.task_state is None
    assert cloud.usage() == (0, 0, 0)
    assert not cloud.rows('allocations')
    assert not cloud.drivers[server.host].guests()
    cloud.check_books()


def test_a_failed_build_goes_to_another_host(cloud, tmp_path):
    for name in ('h1', 'h2'):
        cloud.add_host(name, fail_at=('spawn:*',))
    server = cloud.create()
    assert (server.vm_state, server.host) == ('active', 'h3')
    events = cloud.rows('server_action_events')
    assert [row.result for row in events][-1] == 'Success'
    assert all(row.traceback for row in events if row.result == 'Error')
    cloud.check_books()


def test_a_build_that_fails_everywhere_ends_in_error(cloud):
    for name in ('h1', 'h2', 'h3'):
        cloud.add_host(name, fail_at=('spawn:*',))
    server = cloud.create()
    assert (server.vm_state, server.task_state, server.host) == ('error', None, None)
    assert server.fault['message'].startswith('The build failed on 3 hosts. The last failure: ')
    assert server.fault['code'] == 500 and 'h1' in server.fault['details']
    assert actions(cloud, server)['create'].message == 'Error'
    assert not cloud.rows('allocations') and cloud.usage() == (1, 1, 512)
    cloud.check_books()
    delete(cloud.deps, context(), DeleteServer(server))
    assert cloud.server(server.uuid).deleted and cloud.usage() == (0, 0, 0)


def test_no_more_hosts_to_try(cloud):
    cloud.conf.set_override('max_attempts', 9, group='scheduler')
    for name in ('h1', 'h2', 'h3'):
        cloud.add_host(name, fail_at=('spawn:*',))
    server = cloud.create()
    assert server.fault['message'].startswith(
        'No valid host was found. 3 of 3 hosts failed to build it. The last failure: ')


def test_no_valid_host_says_why(db, tmp_path):
    cloud = Cloud(db, tmp_path, names=tuple(f'h{number}' for number in range(20)), memory_mb=1024)
    cloud.age('services', last_seen_at=100)
    for number in range(3, 20):
        cloud.beat(f'h{number}')
    cloud.conf.set_override('ram', -1, group='quota')
    big = FLAVOR.__class__(**{**vars(FLAVOR), 'ram': 8192})
    server = cloud.create(flavor=big)
    assert server.vm_state == 'error'
    assert server.fault['message'] == (
        'No valid host was found. 3 of 20 hosts are down; 17 lack memory: wanted 8192 MiB, most free is 512 MiB.')
    assert 'h7: memory, wanted 8192, had 512' in server.fault['details'].splitlines()
    (event,) = cloud.rows('server_action_events')
    assert (event.result, event.details) == ('Error', server.fault['message'])
    assert not cloud.rows('allocations')


def test_no_host_at_all(db, tmp_path):
    server = Cloud(db, tmp_path, names=()).create()
    assert server.fault['message'] == 'No valid host was found. No compute host has reported yet.'


def test_a_new_server_waits_for_the_first_host_if_that_is_asked_for(db, tmp_path):
    cloud = Cloud(db, tmp_path, names=())
    cloud.conf.set_override('wait_for_hosts', 60, group='scheduler')
    cloud.conf.set_override('ram', -1, group='quota')
    server = cloud.create()
    assert (server.vm_state, server.task_state, server.fault) == ('building', 'scheduling', None)
    cloud.add_host('h1')
    assert cloud.server(server.uuid).vm_state == 'active'
    big = cloud.create(flavor=FLAVOR.__class__(**{**vars(FLAVOR), 'ram': 1 << 30}))
    assert 'lacks memory' in big.fault['message']
    cloud.check_books()


def test_a_new_server_waits_for_hosts_no_longer_than_it_may(cloud):
    cloud.conf.set_override('wait_for_hosts', 60, group='scheduler')
    cloud.age('services', last_seen_at=100)
    server = cloud.create()
    for seconds, vm_state in ((50, 'building'), (11, 'error')):
        cloud.age('operations', created_at=seconds, lease_until=seconds)
        assert cloud.sweeper.sweep() == 1
        assert cloud.server(server.uuid).vm_state == vm_state
    assert cloud.server(server.uuid).fault['message'] == 'No valid host was found. 3 of 3 hosts are down.'


def test_a_forced_host_may_be_disabled(cloud):
    with cloud.db.write() as conn:
        from nova_lite.db.queries import services
        services.set_disabled(conn, services.get_by_host(conn, 'h2', 'nova-compute').id, True)
    assert cloud.create(place=Place('nova', 'h2')).host == 'h2'
    refused = cloud.create(host='h2')
    assert refused.fault['message'] == 'No valid host was found. 1 of 1 host is disabled.'
    with pytest.raises(errors.Invalid, match='no compute host h9'):
        cloud.create(place=Place('nova', 'h9'))


def test_delete_before_a_conductor_took_the_build(cloud):
    cloud.conductor.held = []
    server = cloud.create()
    assert (server.vm_state, server.task_state, server.host) == ('building', 'scheduling', None)
    delete(cloud.deps, context(), DeleteServer(server))
    assert cloud.server(server.uuid).deleted and cloud.usage() == (0, 0, 0)
    cloud.conductor.release()
    assert cloud.compute.sent == []
    assert actions(cloud, server)['create'].message == 'Error'
    cloud.check_books()


@pytest.mark.parametrize('order', [1, -1])
def test_delete_during_the_build(cloud, order):
    for name in cloud.drivers:
        cloud.compute.hold(name)
    server = cloud.create()
    assert server.task_state == 'spawning'
    delete(cloud.deps, context(), DeleteServer(server))
    assert cloud.server(server.uuid).task_state == 'deleting'
    cloud.compute.release(server.host, order)
    assert cloud.server(server.uuid).deleted
    assert not cloud.drivers[server.host].guests()
    assert cloud.usage() == (0, 0, 0)
    cloud.check_books()


def test_delete_twice_is_one_delete(cloud):
    server = cloud.create()
    cloud.compute.hold(server.host)
    delete(cloud.deps, context(), DeleteServer(server))
    delete(cloud.deps, context(), DeleteServer(cloud.server(server.uuid)))
    assert [row.kind for row in cloud.rows('operations')].count('delete') == 1
    cloud.compute.release(server.host)
    assert cloud.server(server.uuid).deleted


def test_a_lost_wake_up_is_made_up_for(cloud):
    cloud.conductor.away = True
    server = cloud.create()
    assert server.vm_state == 'building'
    assert cloud.sweeper.sweep() == 0
    cloud.age('operations', lease_until=11)
    assert cloud.sweeper.sweep() == 1
    assert cloud.server(server.uuid).vm_state == 'active'
    assert cloud.sweeper.sweep() == 0


def test_a_host_that_lost_its_message_gets_another(cloud):
    cloud.compute.dead = {'h1', 'h2', 'h3'}
    server = cloud.create()
    cloud.compute.dead = set()
    cloud.age('operations', lease_until=31)
    cloud.sweeper.sweep()
    built = cloud.server(server.uuid)
    assert (built.vm_state, built.host) == ('active', server.host)
    assert [operation.attempt for _, operation in cloud.compute.sent] == [1, 2]
    cloud.check_books()


def test_a_host_that_died_is_left(cloud):
    cloud.compute.dead = {'h1', 'h2', 'h3'}
    server = cloud.create()
    cloud.compute.dead = {server.host}
    cloud.age('services', last_seen_at=100)
    for name in set(cloud.drivers) - {server.host}:
        cloud.beat(name)
    cloud.age('operations', lease_until=31)
    cloud.sweeper.sweep()
    built = cloud.server(server.uuid)
    assert built.vm_state == 'active' and built.host != server.host
    cloud.check_books()


def test_a_message_that_cannot_be_sent_is_sent_by_the_sweeper(cloud):
    cloud.compute.away = {'h1', 'h2', 'h3'}
    server = cloud.create()
    cloud.compute.away = set()
    assert cloud.sweeper.sweep() == 1
    assert cloud.server(server.uuid).vm_state == 'active'


def test_attempts_run_out(cloud):
    cloud.compute.dead = {'h1', 'h2', 'h3'}
    cloud.conf.set_override('operation_attempts', 2, group='conductor')
    server = cloud.create()
    for _ in range(2):
        cloud.age('operations', lease_until=100)
        cloud.sweeper.sweep()
    lost = cloud.server(server.uuid)
    assert lost.vm_state == 'error' and lost.fault['message'] == (
        'The build was given up: 2 attempts were not answered.')
    assert not cloud.rows('allocations')
    cloud.check_books()


def test_a_late_report_is_refused_and_the_guest_removed(cloud):
    for name in cloud.drivers:
        cloud.compute.hold(name)
    server = cloud.create()
    cloud.age('services', last_seen_at=100)
    late = server.host
    for name in set(cloud.drivers) - {late}:
        cloud.beat(name)
        cloud.compute.held.pop(name)
    cloud.age('operations', lease_until=31)
    cloud.sweeper.sweep()
    assert cloud.server(server.uuid).vm_state == 'active'
    cloud.compute.release(late)
    assert not cloud.drivers[late].guests()
    assert cloud.server(server.uuid).vm_state == 'active'


def test_a_report_that_is_said_twice_is_taken_twice(cloud):
    reports = []
    endpoint = cloud.conductor.endpoint

    class Recording:
        def report_operation(self, context, report):
            reports.append(report)
            return endpoint.report_operation(context, report)

        def run_operation(self, context, operation_id):
            endpoint.run_operation(context, operation_id)

    cloud.conductor.endpoint = Recording()
    cloud.create()
    assert endpoint.report_operation(context(), reports[0]) is True


def test_a_failed_stop_leaves_the_server_as_it_was(cloud):
    cloud.add_host('h1', fail_at=('power_off:1',))
    server = cloud.create(place=Place(host='h1'))
    power.stop(cloud.deps, context(), StopServer(server))
    now = cloud.server(server.uuid)
    assert (now.vm_state, now.task_state, now.power_state) == ('active', None, Power.RUNNING)
    assert actions(cloud, server)['stop'].message == 'Error'
    power.stop(cloud.deps, context(), StopServer(now))
    assert cloud.server(server.uuid).vm_state == 'stopped'


def test_a_failed_delete_is_tried_again(cloud):
    cloud.add_host('h1', fail_at=('destroy:1',))
    server = cloud.create(place=Place(host='h1'))
    delete(cloud.deps, context(), DeleteServer(server))
    assert cloud.server(server.uuid).task_state == 'deleting'
    cloud.age('operations', lease_until=31)
    cloud.sweeper.sweep()
    assert cloud.server(server.uuid).deleted
    cloud.check_books()


def test_delete_on_a_host_that_is_down(cloud):
    server = cloud.create()
    cloud.age('services', last_seen_at=100)
    delete(cloud.deps, context(), DeleteServer(server))
    assert cloud.server(server.uuid).deleted and cloud.usage() == (0, 0, 0)
    assert cloud.beat(server.host) == {'unknown_guests': []}
    cloud.age('servers', updated_at=100)
    assert cloud.beat(server.host) == {'unknown_guests': [server.uuid]}
    cloud.check_books()


def test_somebody_elses_guest_is_not_told_of(cloud):
    cloud.drivers['h1'].spawn(GuestSpec(make_server()))
    assert cloud.beat('h1') == {'unknown_guests': []}


def test_servers_follow_their_guests(cloud):
    server = cloud.create()
    cloud.drivers[server.host].power_off(server.uuid)
    cloud.beat(server.host)
    assert cloud.server(server.uuid).vm_state == 'active'
    cloud.age('servers', updated_at=100)
    cloud.beat(server.host)
    now = cloud.server(server.uuid)
    assert (now.vm_state, now.power_state) == ('stopped', Power.SHUTDOWN)


def test_a_hard_reboot_takes_the_place_of_a_soft_one(cloud):
    server = cloud.create()
    cloud.compute.hold(server.host)
    power.reboot(cloud.deps, context(), RebootServer(server, 'SOFT'))
    power.reboot(cloud.deps, context(), RebootServer(cloud.server(server.uuid), 'HARD'))
    assert cloud.server(server.uuid).task_state == 'rebooting_hard'
    cloud.compute.release(server.host)
    now = cloud.server(server.uuid)
    assert (now.vm_state, now.task_state) == ('active', None)
    assert sorted(row.state for row in cloud.rows('operations')) == ['done', 'done', 'failed']


def test_several_servers_of_one_request(cloud):
    made = create(cloud.deps, context(), wish('web', min_count=2, max_count=3))
    assert [row['name'] for row in made.servers] == ['web-1', 'web-2', 'web-3']
    assert {row['reservation_id'] for row in made.servers} == {made.reservation_id}
    assert {cloud.server(row['uuid']).vm_state for row in made.servers} == {'active'}
    assert cloud.usage() == (3, 3, 1536)


def test_locked(cloud):
    server = cloud.create()
    change.lock(cloud.deps, context(), change.LockServer(server, 'mine'))
    locked = cloud.server(server.uuid)
    assert (locked.locked, locked.locked_by, locked.locked_reason) == (True, 'owner', 'mine')
    for refuse in (
            lambda: power.stop(cloud.deps, context(), StopServer(server)),
            lambda: delete(cloud.deps, context(), DeleteServer(server)),
            lambda: change.set_metadata(cloud.deps, context(), change.SetMetadata(locked, {'a': 'b'}))):
        with pytest.raises(errors.ServerLocked):
            refuse()
    power.stop(cloud.deps, context(), StopServer(locked, override_lock=True))
    assert cloud.server(server.uuid).vm_state == 'stopped'
    change.unlock(cloud.deps, context(), change.UnlockServer(locked))
    delete(cloud.deps, context(), DeleteServer(cloud.server(server.uuid)))
