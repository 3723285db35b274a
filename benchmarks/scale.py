# SPDX-License-Identifier: Apache-2.0
"""What a decision costs among 100 and among 10,000 hosts, and a page of a list of 1,000 and of 200,000 servers.

CPU is that of this process, or of nova-api, and of PostgreSQL.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks import accounting, seed, stacks
from nova_lite import conf as our_conf
from nova_lite import errors
from nova_lite.db import Database, schema, tables
from nova_lite.db.queries import hosts
from nova_lite.model import times
from nova_lite.scheduler.place import Scheduler
from nova_lite.scheduler.request import Request
from tests.fixtures import postgresql, processes

#: (hosts, servers, projects): as many servers on each host, and of each project, in both.
SMALL, LARGE = (100, 1_000, 2), (10_000, 200_000, 500)
HEAD = ('work', *(f'{size[0]:,} hosts, {size[1]:,} servers' for size in (SMALL, LARGE)), 'ratio')
_MARKER = sa.select(tables.servers.c.uuid).where(tables.servers.c.name == sa.bindparam('name'))

# What is asked of the scheduler, by name.
REQUESTS: dict[str, dict[str, Any]] = {
    'decision': {},
    'decision in one zone of four': {'zone': 'zone2'},
    'decision with a required trait': {'extra_specs': {'trait:HW_CPU_X86_AVX': 'required'}},
    'decision by a capability': {'extra_specs': {'capabilities:hypervisor_type': 'fake'}},
}
# These have to look at every host, to say why.
IN_VAIN: dict[str, dict[str, Any]] = {
    'no host will do, as SQL says': {'extra_specs': {'trait:CUSTOM_NOWHERE': 'required'}},
    'no host will do, as a filter says': {'extra_specs': {'capabilities:hypervisor_type': 'other'}},
}
LISTS: dict[str, str] = {
    'GET /servers/detail?limit=100': '/v2.1/servers/detail?limit=100',
    'the same, with a marker': '/v2.1/servers/detail?limit=100&marker={marker}',
    'the same, by name': '/v2.1/servers/detail?limit=100&sort_key=display_name',
    'the same, all projects': '/v2.1/servers/detail?limit=100&all_tenants=1',
    'the same, all projects, by name': '/v2.1/servers/detail?limit=100&all_tenants=1&sort_key=display_name',
}


class Installation:
    """A database of one size, and an API on it."""

    def __init__(self, server: Any, size: tuple[int, int, int], directory: Path) -> None:
        self._pid = server.pid
        self._directory = directory
        url = server.url(server.create_database())
        self._conf = our_conf.new()
        self._conf([])
        # Nobody sends heartbeats here.
        self._conf.set_override('service_down_time', 10 ** 8)
        self._url = url
        self.db = _open(self._conf, url)
        schema.upgrade(self.db)
        host_count, server_count, projects = size
        seed.hosts(self.db, host_count)
        seed.fill(self.db, server_count, projects, host_count)

    def decide(self, number: int, **known: Any) -> float:
        """CPU of a decision with its claim, in ms; what was claimed is given back."""
        scheduler = Scheduler(self._conf)
        uuids = [str(uuid.uuid4()) for _ in range(number)]

        def claim(conn: Any, server_uuid: str) -> None:
            with contextlib.suppress(errors.NoValidHost):
                scheduler.place(conn, Request(server_uuid, 1, 512, 1, **known), times.utcnow())

        self.db.transaction(claim, uuids[0])
        before, begin = accounting.cpu_ms([self._pid]), time.process_time()
        for server_uuid in uuids[1:]:
            self.db.transaction(claim, server_uuid)
        spent = (time.process_time() - begin) * 1000 + accounting.cpu_ms([self._pid]) - before
        for server_uuid in uuids:
            self.db.transaction(hosts.release, server_uuid)
        return spent / (number - 1)

    def start_api(self) -> None:
        """nova-api with the pipeline that asks nobody."""
        self._port = processes.free_port()
        path = self._directory / 'nova.conf'
        path.write_text(stacks.options({
            'DEFAULT': {'host': 'bench', 'my_ip': '127.0.0.1', 'state_path': self._directory, 'use_stderr': False,
                        'log_file': self._directory / 'api.log', 'osapi_compute_listen': '127.0.0.1',
                        'osapi_compute_listen_port': self._port, 'osapi_compute_workers': 1,
                        'transport_url': f'local://{self._directory}/rpc'},
            'api': {'auth_strategy': 'noauth2'}, 'database': {'connection': self._url}}))
        self._api = subprocess.Popen([sys.executable, '-W', 'ignore', '-m', 'nova_lite.cmd.api', '--config-file',
                                      str(path)])
        stacks.wait_for_http(self._port)

    def read(self, path: str, number: int) -> float:
        """CPU of a request, in ms."""
        # One of project 0, with a hundred and more behind it.
        with self.db.read() as conn:
            found = conn.execute(_MARKER, {'name': 'web-500'}).scalar()
        job = {'host': f'127.0.0.1:{self._port}', 'path': path.format(marker=found), 'number': number, 'clients': 2,
               'headers': {'X-Auth-Token': f'admin:{seed.project(0)}', 'OpenStack-API-Version': 'compute 2.1'}}
        roots = [self._api.pid, self._pid]
        self._load({**job, 'number': 10})
        before = accounting.cpu_ms(roots)
        result = self._load(job)
        if result['wrong']:
            raise RuntimeError(f'{result["wrong"]} of {number} answers of {path} were no success')
        return (accounting.cpu_ms(roots) - before) / number

    @staticmethod
    def _load(job: dict[str, Any]) -> dict[str, Any]:
        done = subprocess.run([sys.executable, '-m', 'benchmarks.load', json.dumps(job)], check=True,
                              stdout=subprocess.PIPE)
        return dict(json.loads(done.stdout))

    def stop(self) -> None:
        """End the API, and leave the database."""
        self._api.terminate()
        self._api.wait(60)
        self.db.dispose()


def _open(conf: Any, url: str) -> Database:
    from oslo_db import options
    conf.register_opts(options.database_opts, 'database')
    conf.set_override('connection', url, 'database')
    return Database(conf)


def measure(quick: bool) -> list[tuple[str, ...]]:
    """A row for each kind of work."""
    number = 40 if quick else 200
    server = postgresql.start_postgresql(settings={'fsync': 'off'})
    try:
        with tempfile.TemporaryDirectory(prefix='nova-lite-scale-') as directory:
            both = []
            for name, size in (('small', SMALL), ('large', LARGE)):
                Path(directory, name).mkdir()
                both.append(Installation(server, size, Path(directory, name)))
            rows = [_row(name, both, lambda one, known=known: one.decide(number + 1, **known))
                    for name, known in REQUESTS.items()]
            rows += [_row(name, both, lambda one, known=known: one.decide(number // 10 + 1, **known))
                     for name, known in IN_VAIN.items()]
            for one in both:
                one.start_api()
            try:
                rows += [_row(name, both, lambda one, path=path: one.read(path, number))
                         for name, path in LISTS.items()]
            finally:
                for one in both:
                    one.stop()
            return rows
    finally:
        server.stop()


def _row(name: str, both: list[Installation], work: Callable[[Installation], float]) -> tuple[str, ...]:
    small, large = (work(one) for one in both)
    return name, f'{small:.2f} ms', f'{large:.2f} ms', f'{large / small:.1f}'
