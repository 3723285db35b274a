# SPDX-License-Identifier: Apache-2.0
"""Live migrations with a hypervisor whose guests are on the other host before anybody is told so."""

import pytest

from nova_lite.model.power import Power
from nova_lite.model.zones import Place
from nova_lite.ops import live_migrate as live
from nova_lite.ops.live_migrate import LiveMigrateServer
from tests.fixtures.cloud import Cloud, context
from tests.fixtures.moves import booked, fail_at, hold_at, last_action, move, places, sweep

HERE, THERE = 'h1', 'h2'


@pytest.fixture
def cloud(db, tmp_path):
    return Cloud(db, tmp_path, names=(HERE, THERE), live_migration_seconds=0)


@pytest.fixture
def server(cloud):
    """On a host whose guests are at once where they go."""
    made = cloud.create(place=Place(host=HERE))
    here = cloud.drivers[HERE]
    migrate = here.live_migrate

    def live_migrate(spec, *more):
        migrate(spec, *more)
        teleport(cloud, spec.server.uuid)
        return {'arrived': True}

    here.live_migrate = live_migrate
    return made


def teleport(cloud, uuid):
    """The guest is on the other host, and nobody has been told."""
    cloud.drivers[THERE]._keep(cloud.drivers[HERE]._aside.get(uuid) or cloud.drivers[HERE]._guests[uuid])


def go(cloud, server):
    live.live_migrate(cloud.deps, context(), LiveMigrateServer(cloud.server(server.uuid)))
    return cloud.server(server.uuid)


def is_over(cloud, server, host, status):
    now = cloud.server(server.uuid)
    assert (now.vm_state, now.task_state, now.host) == ('active', None, host)
    assert move(cloud).status == status and booked(cloud)[host] == 512 and len(cloud.rows('allocations')) == 1
    cloud.check_books()


def test_it_stays_there(cloud, server):
    go(cloud, server)
    is_over(cloud, server, THERE, 'completed')
    assert places(cloud, server) == ({THERE}, set()) and last_action(cloud).message is None


def test_nobody_tries_to_bring_it_back(cloud, server):
    cloud.conf.set_override('operation_attempts', 2, group='conductor')
    fail_at(cloud, THERE, 'arrive:*')
    # As for a driver that knows of guests that came to stay.
    cloud.drivers[THERE].turn_away = lambda uuid: None
    now = go(cloud, server)
    assert (now.task_state, now.host) == ('migrating', THERE)
    sweep(cloud, 2)
    is_over(cloud, server, THERE, 'completed')
    assert places(cloud, server) == ({THERE}, set())


@pytest.mark.parametrize('has_come', [True, False])
def test_the_destination_knows_what_became_of_a_source_that_is_gone(cloud, server, has_come):
    hold_at(cloud, HERE, 'live_leave')
    go(cloud, server)
    if has_come:
        teleport(cloud, server.uuid)
    cloud.age('services', last_seen_at=100)
    cloud.beat(THERE)
    sweep(cloud)
    if has_come:
        is_over(cloud, server, THERE, 'completed')
        assert cloud.server(server.uuid).power_state == Power.RUNNING
        return
    assert cloud.server(server.uuid).task_state == 'migrating'
    cloud.beat(HERE)
    cloud.compute.held.pop(HERE)
    sweep(cloud)
    is_over(cloud, server, HERE, 'error')
    assert places(cloud, server) == ({HERE}, set())


def test_a_source_that_was_not_asked_has_not_done_it(cloud, server):
    hold_at(cloud, THERE, 'live_prepare')
    go(cloud, server)
    cloud.age('services', last_seen_at=100)
    cloud.beat(THERE)
    cloud.compute.release(THERE)
    is_over(cloud, server, HERE, 'error')
