# SPDX-License-Identifier: Apache-2.0
"""While the database is away every request is told so at once, and everything goes on when it is back."""

import contextlib
import sqlite3
import time

import pytest
import requests

from tests.fixtures import daemons, processes

DEATHS = [pytest.param('postgresql', 'kill', marks=pytest.mark.live),
          pytest.param('mariadb', 'terminate', marks=pytest.mark.live)]
#: Seconds in which a request is refused.
REFUSED_WITHIN = 10.0
DONE_WITHIN = 30.0
QUICK = {'conductor': {'operation_lease': 2, 'sweep_interval': 1}, 'DEFAULT': {'report_interval': 2}}


@pytest.fixture
def server(request):
    """A database server that is there again after the test."""
    made = request.getfixturevalue(request.param)
    yield made
    made.kill()
    made.start()


def is_refused(answer):
    """503, in Nova's words, with the time after which to come again."""
    assert answer.status_code == 503, f'{answer.status_code} {answer.text}'
    assert int(answer.headers['Retry-After']) > 0
    fault = answer.json()['serviceUnavailable']
    assert fault['code'] == 503 and 'database' in fault['message'].lower()


def children(cluster):
    return {name: command.children() for name, command in cluster.commands.items()}


def quick_asks(user, asks):
    """Answers to requests; the seconds that the slowest of them took."""
    slowest = 0.0
    for method, path, body in asks:
        begin = time.monotonic()
        is_refused(user.ask(method, path, body))
        slowest = max(slowest, time.monotonic() - begin)
    return slowest


@pytest.mark.parametrize(('server', 'how'), DEATHS, indirect=['server'])
def test_requests_are_refused_and_work_is_done_when_it_is_back(tmp_path, server, how):
    name = server.create_database()
    changes = daemons.merged(daemons.sqlite_and_sockets(tmp_path), daemons.without_keystone(tmp_path), QUICK,
                             {'database': {'connection': server.url(name)}, 'fake': {'delay': 1}})
    with daemons.running(tmp_path, changes) as cluster:
        user, before = cluster.user, children(cluster)
        there = user.boot('before')
        begun = [user.create(f'begun-{number}') for number in range(3)]
        processes.wait_until(lambda: user.show(begun[-1])['OS-EXT-STS:task_state'] == 'spawning', 20, 'spawning')
        getattr(server, how)()
        slowest = quick_asks(user, [
            ('GET', '/servers', None), ('GET', f'/servers/{there}', None), ('DELETE', f'/servers/{there}', None),
            ('POST', '/servers', {'server': {'name': 'x', 'imageRef': user.image, 'flavorRef': '42',
                                             'networks': 'none'}}),
            ('POST', f'/servers/{there}/action', {'os-stop': None})])
        assert slowest < REFUSED_WITHIN
        # What needs no database is answered.
        assert requests.get(user.url.removesuffix('/v2.1'), timeout=10).ok
        # The hosts have finished by now, and found nobody to tell.
        processes.wait_until(lambda: 'No conductor took' in cluster.commands['compute'].output, 30, 'a lost report')
        server.start()
        begin = time.monotonic()
        processes.wait_until(lambda: user.ask('GET', '/servers').ok, 10, 'an answer')
        user.wait_for(begun, limit=DONE_WITHIN)
        print(f'done {time.monotonic() - begin:.1f} s after the database was back')
        user.boot_and_delete('after')
        user.delete(there, *begun)
        assert children(cluster) == before
        assert 'Traceback' not in cluster.outputs(), cluster.outputs()
    server.drop_database(name)


@contextlib.contextmanager
def locked(path):
    """Somebody else writes to an SQLite file, and does not come to an end."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute('BEGIN IMMEDIATE')
    try:
        yield
    finally:
        other.execute('ROLLBACK')
        other.close()


def test_a_locked_sqlite_file_refuses_writes(tmp_path):
    changes = daemons.merged(daemons.sqlite_and_sockets(tmp_path), daemons.without_keystone(tmp_path), QUICK,
                             {'database': {'db_max_retries': 3}})
    with daemons.running(tmp_path, changes) as cluster:
        user, before = cluster.user, children(cluster)
        there = user.boot('before')
        with locked(tmp_path / 'nova.sqlite'):
            assert quick_asks(user, [('POST', f'/servers/{there}/action', {'os-stop': None}),
                                     ('DELETE', f'/servers/{there}', None)]) < REFUSED_WITHIN
            assert user.show(there)['status'] == 'ACTIVE'
        user.delete(there)
        user.boot_and_delete('after')
        assert children(cluster) == before
        assert 'Traceback' not in cluster.outputs(), cluster.outputs()
