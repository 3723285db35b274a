# SPDX-License-Identifier: Apache-2.0
"""``kill -9`` of conductor and compute in the middle of moves: each is brought to its end, and nothing is left over."""

import os
import signal
import sqlite3

import pytest

from nova_lite.virt.fake_store import GuestStore
from tests.fixtures import processes
from tests.fixtures import service as services
from tests.fixtures.user import admin

SETTINGS = """\
[DEFAULT]
report_interval = 1
[fake]
delay = 0.5
live_migration_seconds = 2
[conductor]
operation_lease = 2
sweep_interval = 0.5
"""
HOSTS = ('nova-lite-1', 'nova-lite-2')
RESIZE = {'resize': {'flavorRef': 'big'}}
LIVE = {'os-migrateLive': {'host': None, 'block_migration': 'auto'}}
BIG = {'id': 'big', 'name': 'big', 'ram': 128, 'vcpus': 1, 'disk': 2}


class Moving:
    """A service with two hosts, whose workers are killed one by one."""

    def __init__(self, directory):
        more = directory / 'more.conf'
        more.write_text(SETTINGS)
        self.service = services.Service(directory / 'state', '--computes', '2', '--config-file', str(more)).start()
        self.workers = dict(zip(services.PARTS, self.service.children(), strict=True))
        self.user = admin(self.service)
        assert self.user.ask('POST', '/flavors', {'flavor': BIG}).ok

    def kill(self, name):
        """Kill the worker; wait for its successor."""
        others = set(self.workers.values())
        os.kill(self.workers[name], signal.SIGKILL)
        processes.wait_until(lambda: set(self.service.children()) - others, 30, f'successor of {name}')
        (self.workers[name],) = set(self.service.children()) - others

    def act(self, server, body):
        answer = self.user.ask('POST', f'/servers/{server}/action', body)
        assert answer.ok, answer.text

    def wait(self, server, **wanted):
        """Wait for a status, or for a task_state that begins so."""
        def has():
            seen = self.user.show(server)
            return seen['status'] == wanted['status'] and seen['OS-EXT-STS:task_state'] is None if 'status' in wanted \
                else str(seen['OS-EXT-STS:task_state']).startswith(wanted['task'])

        processes.wait_until(has, 60, f'{wanted} of server {server}')

    def host(self, server):
        return self.user.show(server)['OS-EXT-SRV-ATTR:host']

    def is_at(self, server, memory, aside=()):
        """One guest, where the server is, and nothing else anywhere; the books say the same."""
        host = self.host(server)
        stores = {name: GuestStore(self.service.state_dir / 'fake' / name) for name in HOSTS}
        assert {name for name, store in stores.items() if server in store.load()} == {host}
        assert {name for name, store in stores.items() if server in store.load_aside()} == set(aside)
        with sqlite3.connect(self.service.state_dir / 'nova.sqlite') as connection:
            booked = set(connection.execute(
                'SELECT h.host, a.memory_mb FROM allocations a JOIN hosts h ON h.id = a.host_id '
                'WHERE a.server_uuid = ?', (server,)))
        assert booked == {(host, memory), *((name, 64) for name in aside)}


@pytest.fixture(scope='module')
def cloud(tmp_path_factory):
    made = Moving(tmp_path_factory.mktemp('moves'))
    yield made
    assert made.service.stop() == 0, made.service.log()


@pytest.mark.parametrize('name', ['conductor', 'compute'])
@pytest.mark.parametrize('task', ['resize_prep', 'resize_migrating', 'resize_finish'])
def test_in_a_resize(cloud, name, task):
    server = cloud.user.boot('moving')
    before = cloud.host(server)
    cloud.act(server, RESIZE)
    cloud.wait(server, task=task)
    cloud.kill(name)
    cloud.wait(server, status='VERIFY_RESIZE')
    cloud.is_at(server, 128, aside=[before])
    cloud.act(server, {'confirmResize': None})
    cloud.kill(name)
    cloud.wait(server, status='ACTIVE')
    assert cloud.host(server) != before
    cloud.is_at(server, 128)
    cloud.user.delete(server)


@pytest.mark.parametrize('name', ['conductor', 'compute'])
def test_in_a_revert(cloud, name):
    server = cloud.user.boot('moving')
    before = cloud.host(server)
    cloud.act(server, RESIZE)
    cloud.wait(server, status='VERIFY_RESIZE')
    cloud.act(server, {'revertResize': None})
    cloud.wait(server, task='resize_reverting')
    cloud.kill(name)
    cloud.wait(server, status='ACTIVE')
    assert cloud.host(server) == before
    cloud.is_at(server, 64)
    assert cloud.user.show(server)['flavor']['original_name'] == 'm1.nano'
    cloud.user.delete(server)


@pytest.mark.parametrize('name', ['conductor', 'compute'])
def test_in_a_live_migration(cloud, name):
    server = cloud.user.boot('moving')
    before = cloud.host(server)
    cloud.act(server, LIVE)
    processes.wait_until(lambda: [row for row in cloud.user.get(f'/servers/{server}/migrations')['migrations']
                                  if row['memory_total_bytes']], 30, 'a live migration that tells how far it is')
    cloud.kill(name)
    cloud.wait(server, status='ACTIVE')
    assert cloud.host(server) != before
    cloud.is_at(server, 64)
    cloud.user.delete(server)


def test_delete_of_what_a_dead_host_was_at(cloud):
    server = cloud.user.boot('moving')
    cloud.act(server, RESIZE)
    cloud.wait(server, task='resize_migrating')
    assert cloud.user.ask('DELETE', f'/servers/{server}').status_code == 204
    cloud.kill('compute')
    processes.wait_until(lambda: cloud.user.ask('GET', f'/servers/{server}').status_code == 404, 60, 'the end')
    stores = [GuestStore(cloud.service.state_dir / 'fake' / name) for name in HOSTS]
    assert not any(server in {*store.load(), *store.load_aside()} for store in stores)
