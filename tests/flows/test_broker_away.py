# SPDX-License-Identifier: Apache-2.0
"""While the broker is away requests are accepted within seconds, and what they ask for is done once it is back."""

import signal
import time

import pytest

from tests.fixtures import daemons, processes

pytestmark = pytest.mark.live

ACCEPTED_WITHIN = 10.0
DONE_WITHIN = 30.0


@pytest.fixture
def broker(rabbitmq):
    """The broker, that is there again after the test."""
    yield rabbitmq
    rabbitmq.kill()
    rabbitmq.start()


@pytest.fixture
def cluster(tmp_path, broker, postgresql_url):
    changes = daemons.merged(
        daemons.rabbit_and(postgresql_url, broker), daemons.without_keystone(tmp_path),
        {'DEFAULT': {'control_exchange': tmp_path.name}, 'quota': {'instances': -1, 'cores': -1, 'ram': -1}})
    one = daemons.Daemons(tmp_path, changes)
    yield one
    one.kill()


def accepted(user, name):
    """Ask for a server; its id, and the seconds that it took to be accepted."""
    begin = time.monotonic()
    server = user.create(name)
    return server, time.monotonic() - begin


@pytest.mark.parametrize('how', ['terminate', 'kill'])
def test_servers_are_accepted_and_come_when_the_broker_is_back(cluster, broker, how):
    cluster.start()
    user = cluster.user
    there = user.boot('before')
    getattr(broker, how)()
    made, took = zip(*(accepted(user, f'meanwhile-{number}') for number in range(3)), strict=True)
    print('accepted after ' + ', '.join(f'{seconds:.1f}' for seconds in took) + ' s')
    assert max(took) < ACCEPTED_WITHIN
    begin = time.monotonic()
    assert user.ask('DELETE', f'/servers/{there}').status_code == 204
    assert time.monotonic() - begin < ACCEPTED_WITHIN
    assert {user.show(server)['status'] for server in made} == {'BUILD'}
    # A question that only a host can answer is answered with a fault.
    console = user.ask('POST', f'/servers/{there}/action', {'os-getConsoleOutput': {}})
    assert console.status_code in (409, 503), console.text
    broker.start()
    begin = time.monotonic()
    user.wait_for(made, limit=DONE_WITHIN)
    processes.wait_until(lambda: user.ask('GET', f'/servers/{there}').status_code == 404, DONE_WITHIN)
    print(f'done {time.monotonic() - begin:.1f} s after the broker was back')
    user.boot_and_delete('after')
    assert set(cluster.stop().values()) == {0}, cluster.outputs()
    assert 'Traceback' not in cluster.outputs(), cluster.outputs()


@pytest.mark.parametrize('how', ['terminate', 'kill'])
def test_builds_outlive_a_restart_of_the_broker(cluster, broker, how):
    cluster.configure({'fake': {'delay': 1}})
    cluster.start()
    user = cluster.user
    made = [user.create(f'during-{number}') for number in range(6)]
    processes.wait_until(lambda: user.show(made[0])['OS-EXT-STS:task_state'] == 'spawning', 20, 'spawning')
    getattr(broker, how)()
    made += [user.create(f'without-{number}') for number in range(2)]
    broker.start()
    begin = time.monotonic()
    user.wait_for(made, limit=DONE_WITHIN)
    print(f'done {time.monotonic() - begin:.1f} s after the broker was back')
    user.delete(*made)
    assert set(cluster.stop().values()) == {0}, cluster.outputs()
    assert 'Traceback' not in cluster.outputs(), cluster.outputs()


def test_daemons_start_without_a_broker(cluster, broker):
    broker.terminate()
    cluster.launch('conductor')
    cluster.launch('compute')
    cluster.launch('api')
    cluster.commands['api'].wait_ready(cluster.user.answered)
    assert cluster.user.get('/servers') == {'servers': []}
    broker.start()
    cluster.wait_ready()
    cluster.user.boot_and_delete()
    assert set(cluster.stop().values()) == {0}, cluster.outputs()


def test_daemons_stop_without_a_broker(cluster, broker):
    cluster.start()
    cluster.user.boot('before')
    broker.kill()
    cluster.signal(signal.SIGTERM)
    begin = time.monotonic()
    codes = {name: command.stop(0) for name, command in cluster.commands.items()}
    assert set(codes.values()) == {0}, f'{codes} {cluster.outputs()}'
    assert time.monotonic() - begin < 45
