# SPDX-License-Identifier: Apache-2.0
"""What is special about ``local://``: its files, its processes, and what it does not carry."""

import concurrent.futures
import functools
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import oslo_messaging
import pytest

from nova_lite import conf as our_conf
from nova_lite import errors
from nova_lite.rpc import transport
from nova_lite.rpc.compute import ComputeClient
from nova_lite.rpc.conductor import ConductorClient
from nova_lite.rpc.server import Server
from tests.contracts.conftest import ROOT, Rpc
from tests.contracts.transport_worker import TOPIC, Worker
from tests.fixtures.processes import wait_until


def files(rpc: Rpc) -> list[str]:
    directory = Path(rpc.url.removeprefix('local://'))
    return sorted(str(path.relative_to(directory)) for path in directory.rglob('*') if not path.is_dir())


# ------------------------------------------------------------------- files

def test_a_server_leaves_nothing_behind(local_rpc):
    worker = local_rpc.server('host-1')
    socket_file, name = sorted(files(local_rpc), reverse=True)
    assert socket_file == f's.{name.partition("@")[2].partition("-")[0]}'
    assert name.startswith('nova.conductor/host-1@')
    worker.service.stop()
    worker.service.wait()
    assert not files(local_rpc)


def test_names_of_any_length_and_kind(local_rpc):
    for name in ('h' * 255, 'a/b', 'ü', '..', '-', 'node.example.com'):
        local_rpc.server(name)
        assert local_rpc.client().call(local_rpc.context, '1.0', 'who', to=name) == name


def test_a_directory_whose_name_is_longer_than_a_socket_address(tmp_path):
    rpc = Rpc(f'local://{tmp_path}/{"d" * 200}/rpc')
    worker = rpc.server()
    assert rpc.client().call(rpc.context, '1.0', 'who', to=worker.name) == worker.name
    rpc.close()


def test_a_directory_that_others_can_read_is_refused(tmp_path):
    tmp_path.chmod(0o755)
    made = transport.get_transport(our_conf.new(), f'local://{tmp_path}')
    with pytest.raises(errors.StartError, match='0755'):
        Server(made, TOPIC, 'h', [Worker('h')]).start()


@pytest.mark.parametrize('url', ['local://', 'local:///', 'nosuch://x/'])
def test_a_url_that_names_no_place_is_refused(url):
    with pytest.raises(errors.StartError):
        transport.get_transport(our_conf.new(), url)


def test_a_killed_server_is_noticed_and_cleared_away(local_rpc):
    doomed, other = local_rpc.processes(2)
    doomed.process.kill()
    doomed.process.wait(10)
    assert len(files(local_rpc)) == 4
    client = local_rpc.client()
    assert {client.call(local_rpc.context, '1.0', 'who') for _ in range(4)} == {other.name}
    assert len(files(local_rpc)) == 2


def test_a_start_clears_away_what_killed_servers_left(local_rpc):
    doomed, = local_rpc.processes(1)
    doomed.process.kill()
    doomed.process.wait(10)
    worker = local_rpc.server()
    assert all(worker.name in name or name.startswith('s.') for name in files(local_rpc))
    assert len(files(local_rpc)) == 2


# --------------------------------------------------------------- processes

def test_hundreds_of_servers_share_a_socket(local_rpc):
    made = local_rpc.transport()
    workers = [Worker(f'host-{number}') for number in range(300)]
    services = [Server(made, 'compute', worker.name, [worker]) for worker in workers]
    for service in services:
        service.start()
    assert sum(name.startswith('s.') for name in files(local_rpc)) == 1
    client = local_rpc.client(ComputeClient)
    open_before = len(os.listdir('/proc/self/fd'))
    for worker in workers:
        client.cast(local_rpc.context, '1.0', 'note', to=worker.name, token='t', number=1)
    assert all(worker.wait_for_notes('t', 1) == [1] for worker in workers)
    # 256 connections are kept, each with both its ends in this process.
    assert len(os.listdir('/proc/self/fd')) - open_before < 600
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        for service in services:
            service.stop()
        list(pool.map(Server.wait, services))
    assert not files(local_rpc)


FORK = """
import os, sys
from nova_lite import concurrency
concurrency.start('eventlet')
from nova_lite import conf
from nova_lite.auth.context import RequestContext
from nova_lite.rpc import transport
from nova_lite.rpc.conductor import ConductorClient
configuration = conf.new()
configuration([])
client = ConductorClient(transport.get_transport(configuration, sys.argv[1]))
ask = lambda: [client.call(RequestContext(), '1.0', 'echo', to=sys.argv[2], value=n) for n in range(50)]
assert ask() == list(range(50))
children = [os.fork() or os._exit(ask() != list(range(50))) for _ in range(3)]
assert ask() == list(range(50))
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""


def test_a_client_works_on_both_sides_of_a_fork(local_rpc):
    worker = local_rpc.server()
    subprocess.run([sys.executable, '-c', FORK, local_rpc.url, worker.name], cwd=ROOT, check=True, timeout=30)


def test_no_amqp_library_is_loaded(local_rpc):
    code = ("from nova_lite import concurrency; concurrency.start('eventlet')\n"
            'import sys\n'
            'from nova_lite import conf\n'
            'from nova_lite.rpc import compute, conductor, server, transport\n'
            'transport.get_transport(conf.new(), sys.argv[1])\n'
            "sys.exit(', '.join({'kombu', 'amqp', 'dns', 'pika', 'confluent_kafka'} & set(sys.modules)) or 0)\n")
    subprocess.run([sys.executable, '-c', code, local_rpc.url], cwd=ROOT, check=True, timeout=30)


def test_servers_come_and_go_under_load(local_rpc):
    """Eight senders, servers that are started and stopped all the time: each cast is done exactly once."""
    workers = [local_rpc.server()]
    client = local_rpc.client()

    def send(number: int) -> None:
        client.cast(local_rpc.context, '1.0', 'note', token='t', number=number)

    def have_noted(count: int) -> bool:
        return sum(len(worker.notes(None, 't')) for worker in workers) > count

    def replace_servers() -> None:
        for _ in range(10):
            workers.append(local_rpc.server())
            workers[-2].service.stop()

    with concurrent.futures.ThreadPoolExecutor(9) as pool:
        replaced = pool.submit(replace_servers)
        sent = 0
        while not replaced.done():
            list(pool.map(send, range(sent, sent + 100)))
            sent += 100
            # No faster than they work: what is tested is the change of servers, not that senders are held up.
            wait_until(functools.partial(have_noted, sent - 200), 20)
        replaced.result()
    for worker in workers:
        worker.service.stop()
        worker.service.wait()
    noted = [number for worker in workers for number in worker.notes(None, 't')]
    assert sorted(noted) == list(range(sent))
    assert sum(bool(worker.notes(None, 't')) for worker in workers) > 5


# ---------------------------------------------------------- odd messages

def test_an_answer_that_cannot_be_sent_is_an_error(local_rpc):
    class Odd:
        def odd(self, context):
            return {'lock': threading.Lock()}

    local_rpc.serve(TOPIC, 'odd', Odd())
    with pytest.raises((errors.Error, ValueError)):
        local_rpc.client(rpc_response_timeout=5).call(local_rpc.context, '1.0', 'odd', to='odd')


def test_a_message_that_is_too_large_is_refused(local_rpc):
    worker = local_rpc.server()
    with pytest.raises(errors.Error, match='larger than'):
        local_rpc.client().cast(local_rpc.context, '1.0', 'echo', to=worker.name, value='x' * (65 * 1024 * 1024))


@pytest.mark.parametrize('garbage', [b'', b'GET / HTTP/1.1\r\n\r\n', b'\0\0\0\x02{}', b'\0\0\0\x02no', b'\0'])
def test_a_stranger_does_no_harm(local_rpc, garbage):
    worker = local_rpc.server()
    path = next(name for name in files(local_rpc) if name.startswith('s.'))
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.connect(os.path.join(local_rpc.url.removeprefix('local://'), path))
        stranger.sendall(garbage)
        stranger.shutdown(socket.SHUT_WR)
        assert stranger.recv(100) == b''
    assert local_rpc.client().call(local_rpc.context, '1.0', 'who', to=worker.name) == worker.name


def test_notifications_are_dropped(local_rpc):
    notifier = oslo_messaging.Notifier(local_rpc.transport(), publisher_id='p', driver='messaging', topics=['t'])
    notifier.info({}, 'event', {'a': 1})


def test_notifications_cannot_be_listened_for(local_rpc):
    listener = oslo_messaging.get_notification_listener(
        oslo_messaging.get_notification_transport(local_rpc.transport().conf, local_rpc.url),
        [oslo_messaging.Target(topic='t')], [Worker('w')])
    with pytest.raises(oslo_messaging.MessagingException):
        listener.start()


def test_a_conductor_that_starts_late_still_gets_the_cast(local_rpc):
    client = local_rpc.client(ConductorClient)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        sent = pool.submit(client.cast, local_rpc.context, '1.0', 'note', token='t', number=1)
        worker = local_rpc.server()
        sent.result(5)
    assert worker.wait_for_notes('t', 1) == [1]
