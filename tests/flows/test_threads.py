# SPDX-License-Identifier: Apache-2.0
"""The backend of native threads: conductor and compute on it, and the API under a WSGI server that is not ours."""

import os
import signal
import time

import pytest

from tests.fixtures import daemons, processes

THREADS = {'NOVA_LITE_BACKEND': 'threading'}


@pytest.fixture(scope='module', params=['sockets', pytest.param('broker', marks=pytest.mark.live)])
def threaded(request, tmp_path_factory):
    """Conductor and compute on native threads, the API on green ones."""
    directory = tmp_path_factory.mktemp('threads')
    changes = daemons.merged(daemons.sqlite_and_sockets(directory), daemons.without_keystone(directory),
                             {'conductor': {'workers': 1}, 'fake': {'hosts': 2}})
    if request.param == 'broker':
        changes['DEFAULT']['transport_url'] = request.getfixturevalue('rabbitmq').url
        # Its exchange belongs to all tests.
        changes['DEFAULT']['control_exchange'] = directory.name
    with daemons.running(directory, changes, THREADS) as running:
        for name in ('conductor', 'compute'):
            assert 'starts on the threading backend' in running.commands[name].output
        yield running
    for name, command in running.commands.items():
        assert 'Traceback' not in command.output, f'{name}: {command.output}'


def test_servers_are_booted_and_deleted(threaded):
    user = threaded.user
    servers = [user.create(f's{number}') for number in range(8)]
    user.wait_for(servers)
    assert len({user.show(server)['OS-EXT-SRV-ATTR:host'] for server in servers}) == 2
    assert user.ask('POST', f'/servers/{servers[0]}/action', {'os-stop': None}).status_code == 202
    user.wait_for(servers[:1], 'SHUTOFF')
    console = user.ask('POST', f'/servers/{servers[1]}/action', {'os-getConsoleOutput': {'length': 2}})
    assert len(console.json()['output'].splitlines()) == 2
    user.delete(*servers)


@pytest.mark.parametrize('name', ['conductor', 'compute'])
def test_a_killed_worker_is_back(threaded, name):
    command = threaded.commands[name]
    (pid,) = command.children()
    begin = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    processes.wait_until(lambda: set(command.children()) - {pid}, 30, 'another worker')
    threaded.user.boot_and_delete()
    took = time.monotonic() - begin
    print(f'back after {took:.2f} s')


@pytest.mark.parametrize('name', ['conductor', 'compute'])
def test_workers_end_with_their_launcher(threaded, name):
    command = threaded.commands[name]
    workers = command.children()
    command.send(signal.SIGKILL)
    assert command.wait() == -signal.SIGKILL
    daemons.wait_gone(workers)
    command.stop()
    threaded.launch(name)
    threaded.wait_ready()
    threaded.user.boot_and_delete()


def test_work_of_a_host_is_finished_at_sigterm(threaded):
    threaded.configure({'fake': {'delay': 2}})
    threaded.commands['compute'].stop()
    threaded.launch('compute')
    threaded.wait_ready()
    user = threaded.user
    server = user.create('slow')
    processes.wait_until(lambda: user.show(server)['OS-EXT-STS:task_state'] == 'spawning', 20, 'spawning')
    assert threaded.commands['compute'].stop() == 0
    assert user.show(server)['status'] == 'ACTIVE'
    threaded.configure({})
    threaded.launch('compute')
    threaded.wait_ready()
    user.delete(server)


def test_the_number_of_conductors_changes(threaded):
    conductor = threaded.commands['conductor']
    threaded.configure({'conductor': {'workers': 3}})
    conductor.send(signal.SIGHUP)
    processes.wait_until(lambda: len(conductor.children()) == 3, 30, '3 conductors')
    threaded.user.boot_and_delete()
    threaded.configure({'conductor': {'workers': 1}})
    conductor.send(signal.SIGHUP)
    processes.wait_until(lambda: len(conductor.children()) == 1, 30, '1 conductor')
    threaded.user.boot_and_delete()
