# SPDX-License-Identifier: Apache-2.0
"""Pause, suspend, rescue and their like, from the command to the guest and back; and what a failure leaves."""

import pytest

from nova_lite import errors
from nova_lite.model.power import Power
from nova_lite.model.zones import Place
from nova_lite.ops import guest, pause, power, rescue
from nova_lite.ops.delete import DeleteServer, delete
from tests.fixtures.cloud import context

IMAGE = '5f1cd0f2-9f2c-4d9c-8b0a-0b7c2c3d4e5f'


def state(cloud, server):
    row = cloud.server(server.uuid)
    return row.vm_state, row.task_state, row.power_state, cloud.drivers[server.host].power_state(server.uuid)


def last_action(cloud):
    row = cloud.rows('server_actions')[-1]
    event = cloud.rows('server_action_events')[-1]
    assert row.finish_time
    return row.action, row.message, event.event, event.result


ROUND_TRIPS = [
    (lambda s: (pause.pause, pause.PauseServer(s)), 'paused', Power.PAUSED, 'pause', 'compute_pause_instance'),
    (lambda s: (pause.unpause, pause.UnpauseServer(s)), 'active', Power.RUNNING, 'unpause',
     'compute_unpause_instance'),
    (lambda s: (pause.suspend, pause.SuspendServer(s)), 'suspended', Power.SUSPENDED, 'suspend',
     'compute_suspend_instance'),
    (lambda s: (pause.resume, pause.ResumeServer(s)), 'active', Power.RUNNING, 'resume', 'compute_resume_instance'),
    (lambda s: (rescue.rescue, rescue.RescueServer(s, 'secret')), 'rescued', Power.RUNNING, 'rescue',
     'compute_rescue_instance'),
    (lambda s: (rescue.unrescue, rescue.UnrescueServer(s)), 'active', Power.RUNNING, 'unrescue',
     'compute_unrescue_instance'),
    (lambda s: (guest.change_password, guest.ChangePassword(s, 'secret')), 'active', Power.RUNNING, 'changePassword',
     'compute_set_admin_password'),
    (lambda s: (guest.trigger_crash_dump, guest.TriggerCrashDump(s)), 'active', Power.RUNNING, 'trigger_crash_dump',
     'compute_trigger_crash_dump'),
]


def act(cloud, server, make):
    handler, command = make(cloud.server(server.uuid))
    handler(cloud.deps, context(), command)


def test_there_and_back_again(cloud):
    server = cloud.create()
    for make, vm_state, power_state, action, event in ROUND_TRIPS:
        act(cloud, server, make)
        assert state(cloud, server) == (vm_state, None, power_state, power_state)
        assert last_action(cloud) == (action, None, event, 'Success')
    assert 'secret' not in str(cloud.rows('operations'))


@pytest.mark.parametrize(('fault', 'before', 'number'), [
    ('pause', [], 0), ('unpause', [0], 1), ('suspend', [], 2), ('resume', [2], 3), ('rescue', [], 4),
    ('unrescue', [4], 5), ('set_password', [], 6), ('crash_dump', [], 7)])
def test_what_fails_leaves_the_server_as_it_was(cloud, fault, before, number):
    cloud.add_host('h1', fail_at=(f'{fault}:1',))
    server = cloud.create(place=Place(host='h1'))
    for step in before:
        act(cloud, server, ROUND_TRIPS[step][0])
    was = state(cloud, server)
    make, _, _, action, event = ROUND_TRIPS[number]
    act(cloud, server, make)
    assert state(cloud, server) == was
    assert last_action(cloud) == (action, 'Error', event, 'Error')
    act(cloud, server, make)
    assert last_action(cloud)[1] is None


def test_a_rescue_boots_the_image_that_was_named(cloud):
    made = cloud.images.create(context(), {'name': 'mend', 'disk_format': 'raw', 'container_format': 'bare'})
    server = cloud.create()
    command = rescue.RescueServer(server, 'secret', made.id)
    with pytest.raises(errors.Invalid, match='queued, not active'):
        rescue.rescue(cloud.deps, context(), command)
    with pytest.raises(errors.Invalid, match='rescue_image_ref'):
        rescue.rescue(cloud.deps, context(), rescue.RescueServer(server, 'secret', IMAGE))
    with open(__file__, 'rb') as data:
        cloud.images.upload(context(), made.id, data)
    rescue.rescue(cloud.deps, context(), command)
    assert cloud.drivers[server.host]._guests[server.uuid].rescue_image == made.id


def test_a_failed_rescue_of_a_stopped_server_leaves_it_stopped(cloud):
    cloud.add_host('h1', fail_at=('rescue:1',))
    server = cloud.create(place=Place(host='h1'))
    power.stop(cloud.deps, context(), power.StopServer(server))
    act(cloud, server, ROUND_TRIPS[4][0])
    assert state(cloud, server) == ('stopped', None, Power.SHUTDOWN, Power.SHUTDOWN)


def test_a_pause_that_a_delete_overtook_is_not_kept(cloud):
    server = cloud.create()
    cloud.compute.hold(server.host)
    act(cloud, server, ROUND_TRIPS[0][0])
    delete(cloud.deps, context(), DeleteServer(cloud.server(server.uuid)))
    cloud.compute.release(server.host)
    assert cloud.server(server.uuid).deleted and not cloud.drivers[server.host].guests()
    cloud.check_books()


def test_a_crash_dump_does_not_disturb_what_else_is_going_on(cloud):
    server = cloud.create()
    cloud.compute.hold(server.host)
    act(cloud, server, ROUND_TRIPS[7][0])
    power.stop(cloud.deps, context(), power.StopServer(cloud.server(server.uuid)))
    stop = cloud.compute.held[server.host].pop()
    cloud.compute.release(server.host)
    assert cloud.server(server.uuid).task_state == 'powering-off'
    cloud.services[server.host].run_operation(*stop)
    assert state(cloud, server)[0] == 'stopped'


def test_what_the_hypervisor_cannot_do_is_refused_or_reported(cloud, monkeypatch):
    server = cloud.create()
    for name in cloud.drivers:
        monkeypatch.setattr(type(cloud.drivers[name]), 'capabilities', frozenset())
    # Not known yet, so the host has to say it.
    act(cloud, server, ROUND_TRIPS[0][0])
    assert last_action(cloud)[1] == 'Error'
    assert 'no port pause' in cloud.rows('operations')[-1].error['message']
    cloud.beat(server.host)
    with pytest.raises(errors.Unsupported, match='has no pause'):
        act(cloud, server, ROUND_TRIPS[0][0])
    with pytest.raises(errors.WrongState):
        act(cloud, server, ROUND_TRIPS[1][0])


def test_network_information_goes_nowhere(cloud):
    server = cloud.create()
    guest.inject_network_info(cloud.deps, context(), guest.InjectNetworkInfo(server))
    cloud.conductor.held = []
    with pytest.raises(errors.Conflict, match='no host'):
        guest.inject_network_info(cloud.deps, context(), guest.InjectNetworkInfo(cloud.create()))
