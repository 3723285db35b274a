# SPDX-License-Identifier: Apache-2.0
"""The three daemons from etc/nova.conf.sample on a broker and a database server: many servers come, and go.

A nova-lite with a state directory of its own stands for Keystone and Glance, so that the pipeline is the one
of a cluster.  These lines of the sample are changed:

* URLs: ``transport_url``, ``[database] connection``, ``[keystone_authtoken] auth_url`` (with the login that belongs
  to it) and ``www_authenticate_uri``, ``[keystone]`` and ``[glance] endpoint_override``;
* because a test shares its machine: ``state_path``, ``osapi_compute_listen_port``;
* because of the numbers: ``[fake] hosts``, and ``[quota] instances``, ``cores`` and ``ram`` without limit.
"""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fixtures import daemons, processes
from tests.fixtures import database as databases
from tests.fixtures import service as services
from tests.fixtures.user import User

LIMIT = 120.0
CLIENTS = 8


@pytest.fixture(scope='module')
def keystone(tmp_path_factory):
    with services.running(tmp_path_factory.mktemp('keystone') / 'state') as twin:
        yield twin


class Cluster:
    """Daemons, their user, and a look into their database."""

    def __init__(self, directory, changes, keystone):
        self.daemons = daemons.Daemons(directory, changes)
        self.daemons.user = User(f'http://127.0.0.1:{self.daemons.port}', keystone.token(), f'{keystone.url}/image')
        self.user = self.daemons.user
        self.db = databases.open_database(changes['database']['connection'])

    def rows(self, statement):
        """All rows of a query."""
        with self.db.engine.connect() as connection:
            return connection.exec_driver_sql(statement).all()

    def count(self, status):
        """How many servers have a status, asked as a user would."""
        number, path = 0, f'/servers?status={status}&limit=1000'
        while path:
            body = self.user.get(path)
            number += len(body['servers'])
            path = next((link['href'] for link in body.get('servers_links', ())), None)
        return number


def all_at_once(act, items):
    """Do something to each item, some at a time."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(act, items))


def follow(say, what, wanted, count):
    """Wait until ``count()`` is what is wanted; tell how it goes on."""
    begin, told = time.monotonic(), 0.0

    def arrived():
        nonlocal told
        number, now = count(), time.monotonic()
        if number == wanted or now - told > 2:
            told = now
            say(f'{what}: {number} of {wanted} after {now - begin:.1f} s')
        return number == wanted

    processes.wait_until(arrived, LIMIT, what)


@pytest.mark.parametrize('scene', [('postgresql', 500, 20), ('mariadb', 20, 5)], ids=lambda scene: scene[0])
def test_servers_come_and_go(tmp_path, request, capsys, rabbitmq, keystone, scene):
    kind, servers, hosts = scene
    url = request.getfixturevalue(f'{kind}_url')
    changes = daemons.merged(daemons.rabbit_and(url, rabbitmq), daemons.with_keystone(keystone), {
        'fake': {'hosts': hosts}, 'quota': {'instances': -1, 'cores': -1, 'ram': -1}})
    cluster = Cluster(tmp_path, changes, keystone)

    def say(text):
        with capsys.disabled():
            print(f'\n  {kind}: {text}', end='', flush=True)

    try:
        begin = time.monotonic()
        cluster.daemons.start()
        say(f'{hosts} hosts are up after {time.monotonic() - begin:.1f} s')
        begin = time.monotonic()
        made = all_at_once(cluster.user.create, [f'server-{number}' for number in range(servers)])
        say(f'{servers} requests accepted in {time.monotonic() - begin:.1f} s')
        follow(say, 'ACTIVE', servers, lambda: cluster.count('ACTIVE'))
        check_placed(cluster, servers, hosts)
        all_at_once(lambda server: cluster.user.ask('DELETE', f'/servers/{server}').raise_for_status(), made)
        follow(say, 'left', 0, lambda: len(cluster.user.get('/servers')['servers']))
        took = time.monotonic() - begin
        say(f'all in {took:.1f} s')
        check_nothing_left(cluster, servers)
        begin = time.monotonic()
        assert set(cluster.daemons.stop().values()) == {0}
        say(f'stopped in {time.monotonic() - begin:.1f} s\n')
        assert 'Traceback' not in cluster.daemons.outputs()
        assert took < LIMIT
    finally:
        cluster.db.dispose()
        cluster.daemons.kill()


def check_placed(cluster, servers, hosts):
    """Every server has its place, and no host was left out."""
    by_host = dict(map(tuple, cluster.rows('SELECT host_id, COUNT(*) FROM allocations GROUP BY host_id')))
    assert sum(by_host.values()) == servers and len(by_host) == hosts
    guests = sum(hypervisor['running_vms'] for hypervisor in cluster.user.get(
        '/os-hypervisors/detail', version='2.1')['hypervisors'])
    assert guests == servers


def check_nothing_left(cluster, servers):
    """No allocation, no use of quota, no guest, and no work that is not done."""
    assert cluster.rows('SELECT * FROM allocations') == []
    assert {tuple(row) for row in cluster.rows('SELECT instances, cores, ram FROM quota_usages')} <= {(0, 0, 0)}
    assert {tuple(row) for row in cluster.rows(
        'SELECT vcpus_used, memory_mb_used, local_gb_used, servers FROM hosts')} == {(0, 0, 0, 0)}
    assert {tuple(row) for row in cluster.rows('SELECT state, COUNT(*) FROM operations GROUP BY state')} == {
        ('done', 2 * servers)}
    assert [path for path in cluster.daemons.directory.rglob('fake/*/*.json') if path.stem.count('-') == 4] == []
