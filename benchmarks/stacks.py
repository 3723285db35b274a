# SPDX-License-Identifier: Apache-2.0
"""The two installations that are measured: one command on SQLite, and three daemons on PostgreSQL and RabbitMQ."""

import http.client
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from nova_lite.embedded import imagestore
from tests.fixtures import postgresql, processes, rabbitmq
from tests.fixtures import service as services

_FAKE_HOST = {'vcpus': 4096, 'memory_mb': 4_000_000, 'disk_gb': 400_000}


def wait_for_http(port: int, path: str = '/') -> float:
    """Seconds until the port answers."""
    begin = time.monotonic()
    while time.monotonic() - begin < 60:
        connection = http.client.HTTPConnection('127.0.0.1', port, timeout=5)
        try:
            connection.request('GET', path)
            connection.getresponse().read()
            return time.monotonic() - begin
        except OSError:
            time.sleep(0.01)
        finally:
            connection.close()
    raise RuntimeError(f'nothing answers on port {port}')


class Embedded:
    """``nova-lite up`` in a directory of its own."""

    name = 'SQLite + local://'

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix='nova-lite-bench-')
        self.state = Path(self._directory.name)
        extra = self.state / 'bench.conf'
        extra.write_text(options({'quota': _UNLIMITED, 'fake': _FAKE_HOST}))
        self.service = services.Service(self.state / 'state', '--config-file', str(extra))
        begin = time.monotonic()
        self.service.start()
        self.start_seconds = time.monotonic() - begin
        self.port = self.service.port
        self.headers = {'X-Auth-Token': self.service.token()}
        self.database_url = f'sqlite:///{self.state}/state/nova.sqlite'

    def roots(self) -> list[int]:
        """Processes whose time counts."""
        return [self.service.pid]

    def stop(self) -> None:
        """End and remove everything."""
        self.service.stop()
        self._directory.cleanup()


class Cluster:
    """nova-api, nova-conductor and nova-compute; ``strategy`` is the pipeline."""

    name = 'PostgreSQL + RabbitMQ'

    def __init__(self, hosts: int = 1) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix='nova-lite-bench-')
        self.state = Path(self._directory.name)
        self._postgresql = postgresql.start_postgresql(settings={'fsync': 'off'})
        self._rabbitmq = rabbitmq.start_rabbitmq()
        self.database_url = self._postgresql.url(self._postgresql.create_database())
        self.port = services.free_ports(4)
        self._processes: list[subprocess.Popen[bytes]] = []
        self.headers = {'X-Auth-Token': 'admin:' + 'a' * 32}
        imagestore.ensure_default_image(str(self.state))
        begin = time.monotonic()
        conf = self._configure('nova.conf', hosts, {'api': {'auth_strategy': 'noauth2'}}, self.port)
        for command in ('api', 'conductor', 'compute'):
            self._launch(command, conf)
        wait_for_http(self.port)
        self.start_seconds = time.monotonic() - begin

    def start_keystone_api(self) -> tuple[int, dict[str, str], list[int]]:
        """A second nova-api on the same database with the keystone pipeline; port, headers, roots."""
        from nova_lite.embedded import directory
        port = self.port + 2
        state = self.state / 'identity'
        identity = directory.ensure_identity(str(state))
        url = f'http://127.0.0.1:{port}/identity'
        conf = self._configure('keystone.conf', 1, {
            'DEFAULT': {'state_path': state}, 'embedded': {'identity': True},
            'keystone_authtoken': {
                'auth_type': 'password', 'auth_url': url, 'www_authenticate_uri': url, 'username': 'nova',
                'password': identity.passwords['nova'], 'user_domain_name': identity.user_domain,
                'project_name': 'service', 'project_domain_name': identity.user_domain}}, port)
        process = self._launch('api', conf)
        wait_for_http(port)
        service = services.Service(state, port=port)
        return port, {'X-Auth-Token': service.token()}, [process.pid]

    def roots(self) -> list[int]:
        """Processes whose time counts: ours and the database's."""
        return [*(process.pid for process in self._processes), self._postgresql.pid]

    def api_roots(self) -> list[int]:
        """Only our own."""
        return [process.pid for process in self._processes]

    def stop(self) -> None:
        """End and remove everything."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(60)
        self._rabbitmq.stop()
        self._postgresql.stop()
        self._directory.cleanup()

    @property
    def api_pid(self) -> int:
        """The nova-api with ``noauth2``."""
        return self._processes[0].pid

    @property
    def postgresql_pid(self) -> int:
        """The database's first process."""
        return int(self._postgresql.pid)

    def _launch(self, command: str, conf: Path) -> 'subprocess.Popen[bytes]':
        process = subprocess.Popen(
            [sys.executable, '-W', 'ignore', '-m', f'nova_lite.cmd.{command}', '--config-file', str(conf)],
            env={key: value for key, value in os.environ.items() if not key.startswith('OS_')})
        self._processes.append(process)
        return process

    def _configure(self, name: str, hosts: int, more: dict[str, dict[str, Any]], port: int) -> Path:
        sections: dict[str, dict[str, Any]] = {
            'DEFAULT': {'host': 'bench', 'my_ip': '127.0.0.1', 'state_path': self.state,
                        'log_file': self.state / f'{name}.log', 'use_stderr': False,
                        'osapi_compute_listen': '127.0.0.1', 'osapi_compute_listen_port': port,
                        'osapi_compute_workers': 1, 'compute_driver': 'fake.FakeDriver',
                        'transport_url': self._rabbitmq.url},
            'database': {'connection': self.database_url}, 'conductor': {'workers': 1},
            'embedded': {'image': True}, 'quota': _UNLIMITED, 'fake': {**_FAKE_HOST, 'hosts': hosts}}
        for group, values in more.items():
            sections.setdefault(group, {}).update(values)
        path = self.state / name
        path.write_text(options(sections))
        return path


_UNLIMITED = {'instances': -1, 'cores': -1, 'ram': -1}


def options(sections: dict[str, dict[str, Any]]) -> str:
    """The text of a configuration file."""
    return '\n'.join(f'[{group}]\n' + '\n'.join(f'{name} = {value}' for name, value in options.items())
                     for group, options in sections.items()) + '\n'


def bare(database_url: str, answers: Path) -> tuple['subprocess.Popen[bytes]', int]:
    """The bare application on the same database; its process and port."""
    port = processes.free_port()
    process = subprocess.Popen([sys.executable, '-W', 'ignore', '-m', 'benchmarks.bare', str(port), database_url,
                                str(answers)])
    wait_for_http(port)
    return process, port
