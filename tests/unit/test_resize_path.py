# SPDX-License-Identifier: Apache-2.0
"""Resizes and cold migrations from the command to the guest, with everything that can go wrong in between."""

import pytest

from nova_lite import errors
from nova_lite.db.queries import flavors
from nova_lite.model.power import Power
from nova_lite.model.zones import Place
from nova_lite.ops import resize
from nova_lite.ops.delete import DeleteServer, delete
from nova_lite.ops.power import StopServer, stop
from nova_lite.ops.resize import ConfirmResize, MigrateServer, ResizeServer, RevertResize
from tests.fixtures.cloud import Cloud, context
from tests.fixtures.moves import booked, fail_at, hold_at, last_action, lose, move, places, restart, sweep

BIG = {'flavorid': 'big', 'name': 'm1.big', 'ram': 1024, 'vcpus': 2, 'disk': 3}
STEPS = (('prepare_move', 'h2'), ('leave', 'h1'), ('arrive', 'h2'))
NAMES = {'prepare_move': 'move_prepare', 'leave': 'move_leave', 'arrive': 'move_arrive', 'forget': 'move_forget'}


@pytest.fixture
def cloud(db, tmp_path):
    made = Cloud(db, tmp_path, names=('h1', 'h2'))
    with db.write() as conn:
        flavors.create(conn, BIG)
    return made


def act(cloud, command, server, who=None, **more):
    handler = {ResizeServer: resize.resize, MigrateServer: resize.migrate, ConfirmResize: resize.confirm,
               RevertResize: resize.revert}[command]
    handler(cloud.deps, who or context(), command(cloud.server(server.uuid), **more))
    return cloud.server(server.uuid)


def is_as_before(cloud, server):
    now = cloud.server(server.uuid)
    assert (now.vm_state, now.task_state, now.host, now.flavor) == ('active', None, 'h1', server.flavor)
    assert places(cloud, server) == ({'h1'}, set())
    assert cloud.drivers['h1'].power_state(server.uuid) == Power.RUNNING
    assert booked(cloud)['h1'] == 512 and cloud.usage() == (1, 1, 512)
    assert len(cloud.rows('allocations')) == 1
    cloud.check_books()


def test_resize_and_confirm(cloud):
    server = cloud.create(place=Place(host='h1'))
    now = act(cloud, ResizeServer, server, flavor_id='big')
    assert (now.vm_state, now.task_state, now.host, now.flavor_id) == ('resized', None, 'h2', 'big')
    assert now.power_state == Power.RUNNING and now.node == 'h2'
    assert places(cloud, server) == ({'h2'}, {'h1'})
    assert booked(cloud) == {'h1': 512, 'h2': 1024} and cloud.usage() == (1, 2, 1024)
    row = move(cloud)
    assert (row.type, row.status, row.source_compute, row.dest_compute, row.dest_host) == (
        'resize', 'finished', 'h1', 'h2', str(cloud.conf.my_ip))
    cloud.check_books()
    now = act(cloud, ConfirmResize, server)
    assert (now.vm_state, now.task_state) == ('active', None)
    assert places(cloud, server) == ({'h2'}, set())
    assert booked(cloud) == {'h1': 0, 'h2': 1024} and move(cloud).status == 'confirmed'
    assert [row.action for row in cloud.rows('server_actions')] == ['create', 'resize', 'confirmResize']
    assert {row.message for row in cloud.rows('server_actions')} == {None}
    assert [row.event for row in cloud.rows('server_action_events')][1:] == [
        'compute_prep_resize', 'compute_resize_instance', 'compute_finish_resize', 'compute_confirm_resize']
    cloud.check_books()


def test_resize_and_revert(cloud):
    server = cloud.create(place=Place(host='h1'))
    act(cloud, ResizeServer, server, flavor_id='big')
    act(cloud, RevertResize, server)
    is_as_before(cloud, server)
    assert move(cloud).status == 'reverted' and last_action(cloud).message is None


def test_a_stopped_server_stays_stopped(cloud):
    server = cloud.create(place=Place(host='h1'))
    stop(cloud.deps, context(), StopServer(server))
    for end in (ConfirmResize, RevertResize):
        now = act(cloud, MigrateServer, server)
        assert (now.vm_state, now.power_state) == ('resized', Power.SHUTDOWN)
        now = act(cloud, end, server)
        assert (now.vm_state, now.power_state) == ('stopped', Power.SHUTDOWN)
    assert {row.type for row in cloud.rows('migrations')} == {'migration'}
    assert now.host == 'h2'
    cloud.check_books()


def test_the_guest_brings_its_disk(cloud):
    server = cloud.create(place=Place(host='h1'))
    cloud.drivers['h1'].reboot(server.uuid)
    before = cloud.drivers['h1'].console_output(server.uuid)
    act(cloud, MigrateServer, server)
    assert cloud.drivers['h2'].console_output(server.uuid).startswith(before)


@pytest.mark.parametrize('step, host', STEPS)
def test_a_resize_that_fails_leaves_the_server_as_it_was(cloud, step, host):
    server = cloud.create(place=Place(host='h1'))
    fail_at(cloud, host, f'{step}:1')
    act(cloud, ResizeServer, server, flavor_id='big')
    is_as_before(cloud, server)
    assert move(cloud).status == 'error' and last_action(cloud).message == 'Error'
    failed = [row for row in cloud.rows('server_action_events') if row.result == 'Error']
    assert step in failed[0].details
    # Nothing is in the way of another try.
    assert act(cloud, ResizeServer, server, flavor_id='big').vm_state == 'resized'


@pytest.mark.parametrize('step, host', STEPS)
@pytest.mark.parametrize('lost', ['message', 'report'])
def test_whatever_dies_in_a_resize_somebody_goes_on(cloud, step, host, lost):
    server = cloud.create(place=Place(host='h1'))
    lose(cloud, host, NAMES[step], lost)
    act(cloud, ResizeServer, server, flavor_id='big')
    assert cloud.server(server.uuid).task_state.startswith('resize_')
    cloud.check_books()
    restart(cloud)
    sweep(cloud)
    now = cloud.server(server.uuid)
    assert (now.vm_state, now.host, now.flavor_id) == ('resized', 'h2', 'big')
    assert places(cloud, server) == ({'h2'}, {'h1'})
    assert act(cloud, ConfirmResize, server).vm_state == 'active'
    cloud.check_books()


@pytest.mark.parametrize('step, host', [('move_set_aside', 'h2'), ('move_come_back', 'h1'), ('move_forget', 'h2')])
@pytest.mark.parametrize('lost', ['message', 'report'])
def test_whatever_dies_in_a_revert_somebody_goes_on(cloud, step, host, lost):
    server = cloud.create(place=Place(host='h1'))
    act(cloud, ResizeServer, server, flavor_id='big')
    lose(cloud, host, step, lost)
    act(cloud, RevertResize, server)
    assert cloud.server(server.uuid).task_state == 'resize_reverting'
    cloud.check_books()
    restart(cloud)
    sweep(cloud)
    is_as_before(cloud, server)


def test_an_undo_waits_for_the_host_that_has_the_guest(cloud):
    server = cloud.create(place=Place(host='h1'))
    fail_at(cloud, 'h1', 'come_back:1', 'come_back:2')
    fail_at(cloud, 'h2', 'arrive:*')
    act(cloud, ResizeServer, server, flavor_id='big')
    assert cloud.server(server.uuid).task_state == 'resize_finish'
    assert places(cloud, server) == (set(), {'h1'})
    sweep(cloud, 3)
    is_as_before(cloud, server)


def test_a_guest_that_does_not_come_back_is_an_error(cloud):
    cloud.conf.set_override('operation_attempts', 2, group='conductor')
    server = cloud.create(place=Place(host='h1'))
    fail_at(cloud, 'h1', 'come_back:*')
    fail_at(cloud, 'h2', 'arrive:*')
    act(cloud, ResizeServer, server, flavor_id='big')
    sweep(cloud, 3)
    now = cloud.server(server.uuid)
    assert (now.vm_state, now.task_state, now.host) == ('error', None, 'h1')
    assert 'could not be brought back' in now.fault['message']
    assert cloud.usage() == (1, 1, 512) and booked(cloud) == {'h1': 512, 'h2': 0}
    cloud.check_books()
    delete(cloud.deps, context(), DeleteServer(now))
    assert places(cloud, server) == (set(), set()) and not cloud.rows('allocations')


def test_no_other_host(db, tmp_path):
    cloud = Cloud(db, tmp_path, names=('h1',))
    with db.write() as conn:
        flavors.create(conn, BIG)
    server = cloud.create()
    act(cloud, ResizeServer, server, flavor_id='big')
    is_as_before(cloud, server)
    (event,) = [row for row in cloud.rows('server_action_events') if row.result == 'Error']
    assert event.event == 'cold_migrate' and event.details == (
        'No valid host was found. 1 of 1 host has the server now.')


def test_on_the_same_host_only_the_difference_is_claimed(db, tmp_path):
    cloud = Cloud(db, tmp_path, names=('h1',), memory_mb=512 + 1024, vcpus=1)
    cloud.conf.set_override('allow_resize_to_same_host', True)
    with db.write() as conn:
        flavors.create(conn, BIG)
        flavors.create(conn, {**BIG, 'flavorid': 'huge', 'name': 'huge', 'ram': 1025})
        flavors.create(conn, {**BIG, 'flavorid': 'thin', 'name': 'thin', 'ram': 256})
    server = cloud.create()
    now = act(cloud, ResizeServer, server, flavor_id='huge')
    assert (now.vm_state, now.flavor_id) == ('active', '1') and booked(cloud) == {'h1': 512}
    now = act(cloud, ResizeServer, server, flavor_id='big')
    assert (now.vm_state, now.host, now.flavor_id) == ('resized', 'h1', 'big')
    assert booked(cloud) == {'h1': 1024} and places(cloud, server) == ({'h1'}, {'h1'})
    cloud.check_books()
    act(cloud, RevertResize, server)
    is_as_before(cloud, server)
    act(cloud, ResizeServer, server, flavor_id='thin')
    assert booked(cloud) == {'h1': 512}     # it may still be reverted
    now = act(cloud, ConfirmResize, server)
    assert (now.vm_state, now.flavor_id) == ('active', 'thin')
    assert booked(cloud) == {'h1': 256} and cloud.usage() == (1, 2, 256)
    assert places(cloud, server) == ({'h1'}, set())
    cloud.check_books()
    fail_at(cloud, 'h1', 'arrive:*')
    now = act(cloud, ResizeServer, server, flavor_id='big')
    assert (now.vm_state, now.flavor_id) == ('active', 'thin') and booked(cloud) == {'h1': 256}
    assert cloud.drivers['h1'].power_state(server.uuid) == Power.RUNNING
    cloud.check_books()


def test_another_host_is_tried_while_the_guest_has_not_left(db, tmp_path):
    cloud = Cloud(db, tmp_path, names=('h1',))
    cloud.add_host('h2', fail_at=('prepare_move:*',))
    server = cloud.create(place=Place(host='h1'))
    for name in ('h3', 'h4'):
        cloud.add_host(name, fail_at=('prepare_move:*',) if name == 'h3' else ())
    now = act(cloud, MigrateServer, server)
    assert (now.vm_state, now.host) == ('resized', 'h4')
    cloud.check_books()


def test_a_named_host(cloud):
    cloud.add_host('h3')
    server = cloud.create(place=Place(host='h1'))
    for host, words in (('h9', 'no compute host h9'), ('h1', 'already')):
        with pytest.raises(errors.Invalid, match=words):
            act(cloud, MigrateServer, server, host=host)
    assert cloud.server(server.uuid).task_state is None
    assert act(cloud, MigrateServer, server, host='h3').host == 'h3'


@pytest.mark.parametrize('fields, words', [
    ({'flavorid': '1'}, 'already'), ({'flavorid': 'nobody'}, 'No flavor'), ({'disk': 0}, 'no disk'),
    ({'disabled': True}, 'disabled')])
def test_flavors_that_cannot_be(cloud, fields, words):
    server = cloud.create()
    with cloud.db.write() as conn:
        flavors.create(conn, {**BIG, 'name': 'n', 'flavorid': 'x', **{
            key: value for key, value in fields.items() if value != 'nobody'}})
    with pytest.raises(errors.Invalid, match=words):
        act(cloud, ResizeServer, server, flavor_id=fields.get('flavorid', 'x'))
    assert cloud.server(server.uuid).task_state is None
    assert not cloud.rows('migrations')


def test_a_disk_does_not_shrink(cloud):
    with cloud.db.write() as conn:
        flavors.create(conn, {**BIG, 'flavorid': 'wide', 'name': 'wide', 'ephemeral': 2})
    server = cloud.create(place=Place(host='h1'))
    act(cloud, ResizeServer, server, flavor_id='wide')
    server = act(cloud, ConfirmResize, server)
    now = act(cloud, ResizeServer, server, flavor_id='big')
    assert (now.vm_state, now.flavor_id) == ('active', 'wide')
    assert 'cannot be made smaller' in [row.details for row in cloud.rows('server_action_events')
                                        if row.result == 'Error'][0]
    cloud.check_books()


def test_the_quota_is_checked_and_held(cloud):
    for name, limit in (('cores', 2), ('ram', 1024)):
        cloud.conf.set_override(name, limit, group='quota')
    first, second = cloud.create(place=Place(host='h1')), cloud.create(place=Place(host='h1'))
    with pytest.raises(errors.OverQuota, match='cores, ram'):
        act(cloud, ResizeServer, first, flavor_id='big')
    assert cloud.server(first.uuid).task_state is None and not cloud.rows('migrations')
    delete(cloud.deps, context(), DeleteServer(second))
    act(cloud, ResizeServer, first, flavor_id='big')
    act(cloud, ConfirmResize, first)
    # What a revert needs is held, so nobody else can take it.
    with cloud.db.write() as conn:
        flavors.create(conn, {**BIG, 'flavorid': 'thin', 'name': 'thin', 'ram': 256, 'vcpus': 1})
    act(cloud, ResizeServer, first, flavor_id='thin')
    assert cloud.usage() == (1, 2, 1024)
    with pytest.raises(errors.OverQuota):
        cloud.create()
    act(cloud, RevertResize, first)
    assert cloud.usage() == (1, 2, 1024)
    act(cloud, ResizeServer, first, flavor_id='thin')
    act(cloud, ConfirmResize, first)
    assert cloud.usage() == (1, 1, 256)
    cloud.check_books()


@pytest.mark.parametrize('step, host', [*STEPS, ('forget', 'h1')])
@pytest.mark.parametrize('order', [1, -1])
def test_delete_in_the_middle(cloud, step, host, order):
    server = cloud.create(place=Place(host='h1'))
    if step == 'forget':
        act(cloud, ResizeServer, server, flavor_id='big')
    hold_at(cloud, host, NAMES[step])
    act(cloud, ConfirmResize if step == 'forget' else ResizeServer, server,
        **({} if step == 'forget' else {'flavor_id': 'big'}))
    delete(cloud.deps, context(), DeleteServer(cloud.server(server.uuid)))
    assert not cloud.server(server.uuid).deleted
    cloud.compute.release(host, order)
    assert cloud.server(server.uuid).deleted
    assert places(cloud, server) == (set(), set())
    assert not cloud.rows('allocations') and cloud.usage() == (0, 0, 0)
    assert move(cloud).status in ('error', 'confirmed')
    cloud.check_books()


def test_delete_of_a_resized_server(cloud):
    server = cloud.create(place=Place(host='h1'))
    act(cloud, ResizeServer, server, flavor_id='big')
    cloud.age('services', last_seen_at=100)
    cloud.beat('h2')
    delete(cloud.deps, context(), DeleteServer(cloud.server(server.uuid)))
    assert cloud.server(server.uuid).deleted and cloud.usage() == (0, 0, 0)
    assert places(cloud, server) == (set(), {'h1'}) and not cloud.rows('allocations')
    cloud.age('servers', updated_at=100)
    answer = cloud.beat('h1')
    assert answer == {'unknown_guests': [server.uuid]}
    cloud.services['h1'].worker.remove_unknown(answer['unknown_guests'])
    assert places(cloud, server) == (set(), set())
    assert move(cloud).status == 'confirmed'


def test_a_confirm_does_not_wait_for_a_dead_host(cloud):
    server = cloud.create(place=Place(host='h1'))
    act(cloud, MigrateServer, server)
    cloud.age('services', last_seen_at=100)
    cloud.beat('h2')
    now = act(cloud, ConfirmResize, server)
    assert (now.vm_state, now.task_state) == ('active', None) and booked(cloud) == {'h1': 0, 'h2': 512}
    cloud.age('servers', updated_at=100)
    assert cloud.beat('h1') == {'unknown_guests': [server.uuid]}
    cloud.check_books()


def test_a_revert_that_fails_can_be_done_again(cloud):
    server = cloud.create(place=Place(host='h1'))
    act(cloud, ResizeServer, server, flavor_id='big')
    fail_at(cloud, 'h1', 'come_back:1')
    now = act(cloud, RevertResize, server)
    assert (now.vm_state, now.task_state, now.host, now.flavor_id) == ('resized', None, 'h2', 'big')
    assert places(cloud, server) == ({'h2'}, {'h1'}) and move(cloud).status == 'finished'
    assert cloud.drivers['h2'].power_state(server.uuid) == Power.RUNNING
    cloud.check_books()
    act(cloud, RevertResize, server)
    is_as_before(cloud, server)


def test_confirmed_by_itself(cloud):
    server = cloud.create(place=Place(host='h1'))
    act(cloud, ResizeServer, server, flavor_id='big')
    cloud.age('migrations', updated_at=100)
    cloud.sweeper.sweep()
    assert cloud.server(server.uuid).vm_state == 'resized'
    cloud.conf.set_override('resize_confirm_window', 200)
    cloud.sweeper.sweep()
    assert cloud.server(server.uuid).vm_state == 'resized'
    cloud.conf.set_override('resize_confirm_window', 50)
    cloud.sweeper.sweep()
    assert cloud.server(server.uuid).vm_state == 'active' and move(cloud).status == 'confirmed'
    assert last_action(cloud).action == 'confirmResize'
    cloud.check_books()


def test_words_that_come_too_early_or_too_late(cloud):
    server = cloud.create()
    for command in (ConfirmResize, RevertResize):
        with pytest.raises(errors.WrongState):
            act(cloud, command, server)
    act(cloud, MigrateServer, server)
    with pytest.raises(errors.WrongState):
        act(cloud, MigrateServer, server)
    with cloud.db.write() as conn:
        from nova_lite.db.queries import servers
        servers.update(conn, server.uuid, vm_state='active')
    # An administrator has reset it, so what was left of the move is given back.
    now = act(cloud, MigrateServer, server)
    assert now.vm_state == 'resized'
    assert [row.status for row in cloud.rows('migrations')] == ['confirmed', 'finished']
    cloud.check_books()


def test_from_a_host_that_is_down(cloud):
    server = cloud.create(place=Place(host='h1'))
    cloud.age('services', last_seen_at=100)
    with pytest.raises(errors.Conflict, match='h1, which is down'):
        act(cloud, MigrateServer, server)


def test_a_report_of_an_earlier_step_changes_nothing(cloud):
    reports = []
    endpoint = cloud.conductor.endpoint

    class Recording:
        def report_operation(self, context, report):
            reports.append(report)
            return endpoint.report_operation(context, report)

        def run_operation(self, *message):
            endpoint.run_operation(*message)

    cloud.conductor.endpoint = Recording()
    server = cloud.create(place=Place(host='h1'))
    cloud.compute.hold('h2')
    act(cloud, MigrateServer, server)
    cloud.compute.release('h2')
    assert cloud.server(server.uuid).vm_state == 'resized'
    moving = [report for report in reports if report.operation_id == reports[-1].operation_id]
    assert [endpoint.report_operation(context(), report) for report in moving] == [True] * 3
    assert cloud.server(server.uuid).vm_state == 'resized'
