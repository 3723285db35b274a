# SPDX-License-Identifier: Apache-2.0
"""The life of a server on each database, with a failure at every turn that has one."""

import pytest

from nova_lite.db.queries import operations
from nova_lite.model import times
from nova_lite.model.power import Power
from nova_lite.model.zones import Place
from nova_lite.ops import power
from nova_lite.ops.delete import DeleteServer, delete
from nova_lite.ops.power import RebootServer, StartServer, StopServer
from tests.fixtures.cloud import Cloud, context
from tests.fixtures.database import database, shared_database, sqlite_path

__all__ = ('database', 'shared_database', 'sqlite_path')


@pytest.fixture
def cloud(database, tmp_path):
    return Cloud(database, tmp_path)


def test_a_life(cloud):
    server = cloud.create(metadata={'a': 'b'}, tags=('t',))
    for handler, command, vm_state in ((power.stop, StopServer, 'stopped'), (power.start, StartServer, 'active')):
        handler(cloud.deps, context(), command(cloud.server(server.uuid)))
        assert cloud.server(server.uuid).vm_state == vm_state
    power.reboot(cloud.deps, context(), RebootServer(cloud.server(server.uuid), 'HARD'))
    delete(cloud.deps, context(), DeleteServer(cloud.server(server.uuid)))
    assert cloud.server(server.uuid).deleted
    assert [row.action for row in cloud.rows('server_actions')] == ['create', 'stop', 'start', 'reboot', 'delete']
    assert all(row.finish_time and row.message is None for row in cloud.rows('server_actions'))
    assert [row.result for row in cloud.rows('server_action_events')] == ['Success'] * 5
    assert {row.state for row in cloud.rows('operations')} == {'done'}
    cloud.check_books()


def test_what_somebody_holds_is_not_due(cloud):
    cloud.conductor.away = True
    for _ in range(2):
        cloud.create()
    cloud.age('operations', lease_until=11)
    first, second = (row.id for row in cloud.rows('operations'))
    with cloud.db.write() as conn:
        operations.lock(conn, first)
        # SQLite has no locks of rows; there a conductor waits for the file.
        free = [second] if cloud.db.engine.dialect.name != 'sqlite' else [first, second]
        with cloud.db.read() as other:
            assert sorted(operations.due(other, times.utcnow(), 10)) == sorted(free)


def test_a_hard_life(cloud):
    cloud.add_host('h1', fail_at=('spawn:1', 'power_off:1', 'destroy:2'))
    cloud.compute.away = {'h1'}
    cloud.conductor.away = True
    server = cloud.create(place=Place(host='h1'))
    cloud.conductor.away = False
    cloud.age('operations', lease_until=11)
    cloud.sweeper.sweep()
    cloud.compute.away = set()
    assert cloud.server(server.uuid).task_state == 'spawning'
    cloud.sweeper.sweep()
    assert cloud.server(server.uuid).fault['message'].startswith(
        'No valid host was found. 1 of 1 host failed to build it. The last failure: ')
    delete(cloud.deps, context(), DeleteServer(cloud.server(server.uuid)))
    server = cloud.create(place=Place(host='h1'))
    power.stop(cloud.deps, context(), StopServer(server))
    assert cloud.server(server.uuid).power_state == Power.RUNNING
    delete(cloud.deps, context(), DeleteServer(cloud.server(server.uuid)))
    assert cloud.server(server.uuid).task_state == 'deleting'
    cloud.age('operations', lease_until=31)
    cloud.sweeper.sweep()
    assert cloud.server(server.uuid).deleted and not cloud.drivers['h1'].guests()
    assert cloud.usage() == (0, 0, 0)
    cloud.check_books()


def test_heartbeats(cloud):
    server = cloud.create()
    cloud.drivers[server.host].power_off(server.uuid)
    cloud.age('servers', updated_at=100)
    assert cloud.beat(server.host) == {'unknown_guests': []}
    assert cloud.server(server.uuid).vm_state == 'stopped'
    others = sorted(set(cloud.drivers) - {server.host})
    cloud.age('services', last_seen_at=100)
    delete(cloud.deps, context(), DeleteServer(cloud.server(server.uuid)))
    cloud.age('servers', updated_at=100)
    assert cloud.beat(server.host) == {'unknown_guests': [server.uuid]}
    assert [cloud.beat(name) for name in others] == [{'unknown_guests': []}] * 2
