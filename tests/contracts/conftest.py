# SPDX-License-Identifier: Apache-2.0
"""What several of the contracts need: for drivers, a guest; for messages, a transport of each kind and servers."""

import concurrent.futures
import gc
import json
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from futurist import _thread

from nova_lite import conf as our_conf
from nova_lite.auth.context import RequestContext
from nova_lite.rpc import transport
from nova_lite.rpc.client import Client
from nova_lite.rpc.conductor import ConductorClient
from nova_lite.rpc.server import Server
from tests.contracts.transport_worker import TOPIC, Worker

ROOT = Path(__file__).parents[2]

# An idle thread of oslo.messaging's executor looks but once a second whether it should end.
_thread.ThreadWorker.MAX_IDLE_FOR = 0.05


class WorkerProcess:
    """A worker in a process of its own, under a backend of its own."""

    def __init__(self, backend: str, url: str, name: str) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, '-m', 'tests.contracts.transport_worker', backend, url, name], cwd=ROOT,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def wait_ready(self) -> None:
        assert self.process.stdout.readline() == 'ready\n'

    def terminate(self) -> None:
        """Let it drain and end."""
        self.process.send_signal(signal.SIGTERM)

    def notes(self) -> dict[str, list[int]]:
        """What it had noted when it was terminated."""
        output, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0
        return json.loads(output)

    def end(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=10)


class Rpc:
    """Transports, clients and servers on one URL; all gone at the end."""

    def __init__(self, url: str, standing: Worker | None = None) -> None:
        self.url = url
        self.is_local = url.startswith('local:')
        self.token = uuid.uuid4().hex
        self.context = RequestContext(user_id='u', project_id='p', roles=['reader'], overwrite=False)
        #: A server on the topic compute that serves many tests.
        self.standing = standing
        self._transports: list[Any] = []
        self._services: list[Server] = []
        self._processes: list[WorkerProcess] = []

    def name(self) -> str:
        """A server name that no other test has."""
        return f'host-{uuid.uuid4().hex[:8]}'

    def transport(self, upgrade_level: str = 'auto', **options: Any) -> Any:
        """A transport with a configuration of its own."""
        conf = our_conf.new()
        conf([])
        made = transport.get_transport(conf, self.url)
        self._transports.append(made)
        for topic in ('compute', 'conductor'):
            conf.set_override(topic, upgrade_level, group='upgrade_levels')
        ConductorClient(made)     # makes the options of oslo.messaging's clients known
        for name, value in options.items():
            conf.set_override(name, value)
        return made

    def client(self, kind: type[Client] = ConductorClient, lowest_version: Any = None, **options: Any) -> Client:
        """A client with a transport of its own."""
        return kind(self.transport(**options), lowest_version)

    def server(self, name: str | None = None, topic: str = TOPIC) -> Worker:
        """A worker inside this process."""
        worker = Worker(name or self.name())
        worker.service = self.serve(topic, worker.name, worker)
        return worker

    def serve(self, topic: str, name: str, endpoint: Any) -> Server:
        """Any endpoint inside this process."""
        service = Server(self.transport(), topic, name, [endpoint])
        service.start()
        self._services.append(service)
        return service

    def processes(self, count: int, backend: str = 'eventlet') -> list[WorkerProcess]:
        """Workers in processes of their own, ready."""
        started = [WorkerProcess(backend, self.url, self.name()) for _ in range(count)]
        self._processes += started
        for worker in started:
            worker.wait_ready()
        return started

    def close(self) -> None:
        """End all of it."""
        for process in self._processes:
            process.end()
        for service in self._services:
            service.stop()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for _ in pool.map(Server.wait, self._services):
                pass
        for made in self._transports:
            transport.cleanup(made)


@pytest.fixture(scope='module', params=['local', 'rabbit'])
def standing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rpc]:
    """Each kind of transport in turn, with a server on it."""
    if request.param == 'local':
        url = f'local://{tmp_path_factory.mktemp("transport") / "rpc"}'
    else:
        url = request.getfixturevalue('rabbitmq').url
    rpc = Rpc(url)
    rpc.standing = rpc.server(topic='compute')
    yield rpc
    rpc.close()


@pytest.fixture
def rpc(standing: Rpc) -> Iterator[Rpc]:
    """Clients and servers of one test on each kind of transport in turn."""
    rpc = Rpc(standing.url, standing.standing)
    yield rpc
    rpc.close()


@pytest.fixture
def local_rpc(tmp_path: Path) -> Iterator[Rpc]:
    """Clients and servers on a ``local://`` directory of the test's own."""
    rpc = Rpc(f'local://{tmp_path / "rpc"}')
    yield rpc
    rpc.close()


@pytest.fixture
def rabbit_rpc(rabbitmq: Any) -> Iterator[Rpc]:
    """Clients and servers on RabbitMQ alone."""
    rpc = Rpc(rabbitmq.url)
    yield rpc
    rpc.close()
    # What the broker's end has left behind belongs to this test, and not to whichever runs when it is found.
    gc.collect()


@pytest.fixture
def driver(bench):
    """The driver of the test's own ``bench``."""
    driver = bench.connect()
    yield driver
    driver.close()


@pytest.fixture
def spec(bench):
    return bench.guest_spec()


@pytest.fixture
def guest(bench, driver, spec):
    """The uuid of a guest that runs."""
    driver.spawn(spec)
    yield spec.server.uuid
    bench.connect().destroy(spec.server.uuid)
