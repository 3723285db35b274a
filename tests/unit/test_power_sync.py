# SPDX-License-Identifier: Apache-2.0
"""Guests that start, stop and hang by themselves, and what becomes of their servers."""

import pytest

from nova_lite.conductor import power_sync
from nova_lite.model.power import Power
from nova_lite.ops import pause, power, rescue
from nova_lite.ops.power import StopServer
from tests.fixtures.cloud import Cloud, context
from tests.fixtures.stories import outcome, state


@pytest.fixture
def cloud(db, tmp_path):
    made = Cloud(db, tmp_path, names=('h1',))
    # The first look at everything is over.
    made.beat('h1')
    return made


@pytest.fixture
def server(cloud):
    return cloud.create()


@pytest.fixture
def guest(cloud, server):
    """The guest, and a heartbeat that tells of it some time later."""
    class Guest:
        driver = cloud.drivers['h1']

        def does(self, name):
            getattr(self.driver, name)(server.uuid)
            cloud.age('servers', updated_at=100)
            cloud.beat('h1')
            return state(cloud, server)[:3]

        @property
        def power(self):
            return self.driver.power_state(server.uuid)

    return Guest()


def stop(cloud, server):
    power.stop(cloud.deps, context(), StopServer(cloud.server(server.uuid)))


def test_one_that_goes_off_leaves_a_stopped_server(cloud, server, guest):
    assert guest.does('power_off') == ('stopped', None, Power.SHUTDOWN)
    assert [row.action for row in cloud.rows('server_actions')] == ['create']


def test_one_that_starts_under_a_stopped_server_is_stopped(cloud, server, guest):
    stop(cloud, server)
    assert guest.does('power_on') == ('stopped', 'powering-off', Power.RUNNING)
    assert guest.power == Power.RUNNING
    cloud.sweeper.sweep()
    assert state(cloud, server)[:3] == ('stopped', None, Power.SHUTDOWN) and guest.power == Power.SHUTDOWN
    assert outcome(cloud) == ('stop', None, 'compute_stop_instance')
    action = cloud.rows('server_actions')[-1]
    assert (action.user_id, action.project_id) == (server.user_id, server.project_id)


def test_one_that_is_suspended_by_somebody_is_stopped(cloud, server, guest):
    assert guest.does('suspend')[:2] == ('active', 'powering-off')
    cloud.sweeper.sweep()
    assert state(cloud, server)[:3] == ('stopped', None, Power.SHUTDOWN)


@pytest.mark.parametrize(('ask', 'vm_state'), [
    (lambda deps, row: pause.suspend(deps, context(), pause.SuspendServer(row)), 'suspended'),
    (lambda deps, row: rescue.rescue(deps, context(), rescue.RescueServer(row, 'secret')), 'rescued')])
def test_some_servers_stay_what_they_are(cloud, server, guest, ask, vm_state):
    ask(cloud.deps, cloud.server(server.uuid))
    assert cloud.server(server.uuid).vm_state == vm_state
    assert guest.does('power_off') == (vm_state, None, Power.SHUTDOWN)


def test_a_paused_one_that_goes_off_leaves_a_stopped_server(cloud, server, guest):
    pause.pause(cloud.deps, context(), pause.PauseServer(cloud.server(server.uuid)))
    assert guest.does('power_off') == ('stopped', None, Power.SHUTDOWN)


def test_what_is_new_can_be_left_to_the_look_at_everything(cloud, server, guest):
    cloud.conf.set_override('handle_virt_lifecycle_events', False, group='workarounds')
    assert guest.does('power_off') == ('active', None, Power.RUNNING)
    cloud.conductor.endpoint._calendar = power_sync.Calendar()
    cloud.beat('h1')
    assert state(cloud, server)[:3] == ('stopped', None, Power.SHUTDOWN)


def test_a_stop_that_fails_is_tried_again_at_the_next_look(cloud, server, guest):
    stop(cloud, server)
    guest.driver.power_on(server.uuid)
    with cloud.db.write() as conn:
        conn.exec_driver_sql(f'UPDATE servers SET power_state = {int(Power.RUNNING)}')
    cloud.age('servers', updated_at=100)
    cloud.beat('h1')
    assert state(cloud, server)[:2] == ('stopped', None), 'it is nothing new'
    cloud.conductor.endpoint._calendar = power_sync.Calendar()
    cloud.beat('h1')
    assert state(cloud, server)[:2] == ('stopped', 'powering-off')


def test_when_everything_is_looked_at(cloud):
    calendar = power_sync.Calendar()
    assert [calendar.is_due(cloud.conf, host) for host in ('h1', 'h1', 'h2')] == [True, False, True]
    cloud.conf.set_override('sync_power_state_interval', -1)
    assert not power_sync.Calendar().is_due(cloud.conf, 'h1')
