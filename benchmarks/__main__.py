# SPDX-License-Identifier: Apache-2.0
"""Runs all measurements and prints one table for each installation; ``make bench`` starts it.

CPU is user + system time of all our processes and of the database, per request.  The bare column is
the same of the bare application in the same run, and the ratio is what changes of the code are held to.
"""

import argparse
import http.client
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks import accounting, scale, stacks

SERVERS = 1000


class Bench:
    """Measurements on one installation."""

    def __init__(self, stack: Any, quick: bool) -> None:
        self._stack = stack
        self._scale = 0.2 if quick else 1.0
        self._address = f'127.0.0.1:{stack.port}'
        self._headers = {**stack.headers, 'OpenStack-API-Version': 'compute 2.1'}
        self.rows: list[tuple[str, ...]] = []

    def run(self) -> None:
        """Fill, measure, compare."""
        self._wait_for_hosts()
        self._make_flavor()
        boots = self._boots()
        self._fill()
        one = self._servers(1)[0]
        reads = (('GET /v2.1/', '/v2.1/', 2000), ('GET /flavors/detail', '/v2.1/flavors/detail', 1000),
                 ('GET /servers/{id}', f'/v2.1/servers/{one}', 1000),
                 ('GET /servers/detail?limit=50', '/v2.1/servers/detail?limit=50', 200),
                 ('GET /servers/detail?limit=1000', '/v2.1/servers/detail?limit=1000', 40))
        answers = self._stack.state / 'answers.json'
        answers.write_text(json.dumps({path: self._get(path) for _, path, _ in reads}))
        process, port = stacks.bare(self._stack.database_url, answers)
        database = [self._stack.postgresql_pid] if hasattr(self._stack, 'postgresql_pid') else []
        try:
            for name, path, number in reads:
                self._compare(name, path, number, port, [process.pid, *database])
            insert = self._measure(f'127.0.0.1:{port}', '/insert', 500, [process.pid, *database])
        finally:
            process.terminate()
            process.wait(10)
        self._report_boots(boots, insert)
        self.rows.append(('start to first answer', f'{self._stack.start_seconds:.2f} s', '', '', '', '', ''))
        self.rows.append(('memory (PSS), all our processes',
                          f'{accounting.pss_mib(self._ours()):.0f} MiB', '', '', '', '', ''))

    def _ours(self) -> Iterable[int]:
        return self._stack.api_roots() if hasattr(self._stack, 'api_roots') else self._stack.roots()

    def _compare(self, name: str, path: str, number: int, bare_port: int, bare_roots: list[int]) -> None:
        ours = self._measure(self._address, path, number, self._stack.roots())
        bare = self._measure(f'127.0.0.1:{bare_port}', path, number, bare_roots)
        self.rows.append((name, f'{ours["cpu"]:.2f} ms', f'{bare["cpu"]:.2f} ms', f'{ours["cpu"] / bare["cpu"]:.1f}',
                          f'{ours["rate"]:.0f}/s', f'{ours["p50"]:.1f} ms', f'{ours["p99"]:.1f} ms'))

    def compare_pipelines(self, port: int, headers: dict[str, str], roots: list[int]) -> None:
        """Reads of one nova-api behind keystonemiddleware, whose cache is warm, beside one with ``noauth2``."""
        headers = {**headers, 'OpenStack-API-Version': 'compute 2.1'}
        for name, path in (('GET /servers/{id}', f'/v2.1/servers/{self._servers(1)[0]}'),
                           ('GET /flavors/detail', '/v2.1/flavors/detail')):
            plain = self._measure(self._address, path, 2000, [self._stack.api_pid, self._stack.postgresql_pid])
            found = self._measure(f'127.0.0.1:{port}', path, 2000, [*roots, self._stack.postgresql_pid], headers)
            self.rows.append((f'{name}, keystone : noauth2', f'{found["cpu"]:.2f} ms', f'{plain["cpu"]:.2f} ms',
                              f'{found["cpu"] / plain["cpu"]:.2f}', f'{found["rate"]:.0f}/s', f'{found["p50"]:.1f} ms',
                              f'{found["p99"]:.1f} ms'))

    def prepare(self, servers: int) -> None:
        """A few servers, where only reads are of interest."""
        self._wait_for_hosts()
        self._make_flavor()
        self._create(servers)
        self._wait_built()
        self._check_active(servers)

    def _measure(self, address: str, path: str, number: int, roots: Iterable[int],
                 headers: dict[str, str] | None = None) -> dict[str, float]:
        number = max(10, int(number * self._scale))
        job = {'host': address, 'path': path, 'number': number, 'clients': 2, 'headers': headers or self._headers}
        self._load({**job, 'number': min(20, number)})
        before = accounting.cpu_ms(roots)
        result = self._load(job)
        if result['wrong']:
            raise RuntimeError(f'{result["wrong"]} of {number} answers of {path} were no success')
        return {**result, 'cpu': (accounting.cpu_ms(roots) - before) / number,
                'rate': result['number'] / result['seconds']}

    @staticmethod
    def _load(job: dict[str, Any]) -> dict[str, Any]:
        done = subprocess.run([sys.executable, '-m', 'benchmarks.load', json.dumps(job)], check=True,
                              stdout=subprocess.PIPE)
        return dict(json.loads(done.stdout))

    # ---------------------------------------------------------------- servers

    def _send(self, method: str, path: str, body: Any = None, version: str = '2.37') -> tuple[int, Any]:
        connection = http.client.HTTPConnection(self._address, timeout=120)
        connection.request(method, path, json.dumps(body) if body else None, {
            **self._headers, 'OpenStack-API-Version': f'compute {version}', 'Content-Type': 'application/json'})
        answer = connection.getresponse()
        raw = answer.read()
        connection.close()
        return answer.status, json.loads(raw) if raw else None

    def _get(self, path: str) -> Any:
        connection = http.client.HTTPConnection(self._address, timeout=120)
        connection.request('GET', path, None, self._headers)
        body = json.loads(connection.getresponse().read())
        connection.close()
        return body

    def _wait_for_hosts(self) -> None:
        end = time.monotonic() + 60
        while not self._send('GET', '/v2.1/os-hypervisors')[1]['hypervisors']:
            if time.monotonic() > end:
                raise RuntimeError('no host reports')
            time.sleep(0.05)

    def _make_flavor(self) -> None:
        self._flavor = f'bench-{uuid.uuid4()}'
        status, body = self._send('POST', '/v2.1/flavors', {'flavor': {
            'name': self._flavor, 'id': self._flavor, 'ram': 64, 'vcpus': 1, 'disk': 1}})
        if status != 200:
            raise RuntimeError(f'no flavor: {status} {body}')

    def _create(self, count: int = 1) -> None:
        server: dict[str, Any] = {'name': 'bench', 'imageRef': self._image(), 'flavorRef': self._flavor,
                                  'networks': 'none', 'min_count': count, 'max_count': count}
        status, body = self._send('POST', '/v2.1/servers', {'server': server})
        if status != 202:
            raise RuntimeError(f'no server: {status} {body}')

    def _image(self) -> str:
        from nova_lite.embedded import imagestore
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, imagestore.DEFAULT_IMAGE))

    def _active(self) -> int:
        found, marker = 0, ''
        while True:
            _, body = self._send('GET', f'/v2.1/servers?status=ACTIVE&limit=1000{marker}')
            found += len(body['servers'])
            if len(body['servers']) < 1000:
                return found
            marker = f'&marker={body["servers"][-1]["id"]}'

    def _wait_built(self) -> None:
        end = time.monotonic() + 300
        while self._send('GET', '/v2.1/servers?status=BUILD&limit=1')[1]['servers']:
            if time.monotonic() > end:
                break
            time.sleep(0.05)

    def _check_active(self, wanted: int) -> None:
        active = self._active()
        if active < wanted:
            raise RuntimeError(f'only {active} of {wanted} servers are ACTIVE')

    def _servers(self, limit: int) -> list[str]:
        return [server['id'] for server in self._send('GET', f'/v2.1/servers?limit={limit}')[1]['servers']]

    def _boots(self) -> dict[str, float]:
        """CPU of a boot for the first and for the last servers of a host, and how many a second."""
        found: dict[str, float] = {}
        ready = 0
        number = max(20, int(100 * self._scale))
        self._create(5)
        ready += 5
        self._wait_built()
        for key, fill in (('first', 0), ('later', 0 if self._scale < 1 else 300)):
            if fill:
                self._create(100)
                self._create(100)
                self._create(100)
                ready += fill
                self._wait_built()
            before, begin = accounting.cpu_ms(self._stack.roots()), time.monotonic()
            for _ in range(number):
                self._create()
            ready += number
            self._wait_built()
            found[key] = (accounting.cpu_ms(self._stack.roots()) - before) / number
            found[f'{key} rate'] = number / (time.monotonic() - begin)
            self._check_active(ready)
        self._ready = ready
        return found

    def _report_boots(self, boots: dict[str, float], insert: dict[str, float]) -> None:
        for key, name in (('first', 'create to ACTIVE, first servers'), ('later', 'create to ACTIVE, 500th server')):
            self.rows.append((name, f'{boots[key]:.1f} ms', f'{insert["cpu"]:.2f} ms',
                              f'{boots[key] / insert["cpu"]:.0f}', f'{boots[f"{key} rate"]:.0f}/s', '', ''))

    def _fill(self) -> None:
        while self._ready < SERVERS:
            count = min(100, SERVERS - self._ready)
            self._create(count)
            self._ready += count
        self._wait_built()
        self._check_active(self._ready)


HEAD = ('work', 'CPU each', 'bare', 'ratio', 'throughput', 'p50', 'p99')


def print_table(name: str, rows: list[tuple[str, ...]], head: tuple[str, ...] = HEAD) -> None:
    """One table with even columns."""
    widths = [max(len(row[index]) for row in [head, *rows]) for index in range(len(head))]
    print(f'\n{name}\n' + '-' * (sum(widths) + 2 * len(widths)))
    for row in [head, *rows]:
        print('  '.join(text.ljust(width) if index == 0 else text.rjust(width)
                        for index, (text, width) in enumerate(zip(row, widths, strict=True))))


def _cluster(quick: bool) -> None:
    stack = stacks.Cluster()
    try:
        bench = Bench(stack, quick)
        bench.run()
        bench.compare_pipelines(*stack.start_keystone_api())
        print_table(stack.name, bench.rows)
    finally:
        stack.stop()


def _pipelines(quick: bool) -> None:
    stack = stacks.Cluster()
    try:
        bench = Bench(stack, quick)
        bench.prepare(5)
        bench.compare_pipelines(*stack.start_keystone_api())
        print_table('Pipelines: keystone, and noauth2 as bare', bench.rows)
    finally:
        stack.stop()


def _embedded(quick: bool) -> None:
    stack = stacks.Embedded()
    try:
        idle = accounting.pss_mib(stack.roots())
        bench = Bench(stack, quick)
        bench.run()
        bench.rows.append(('memory (PSS), idle after the start', f'{idle:.0f} MiB', '', '', '', '', ''))
        print_table(stack.name, bench.rows)
    finally:
        stack.stop()


def _scale(quick: bool) -> None:
    print_table('Scale: PostgreSQL, CPU each', scale.measure(quick), scale.HEAD)


STACKS: dict[str, Callable[[bool], None]] = {'embedded': _embedded, 'cluster': _cluster, 'pipelines': _pipelines,
                                            'scale': _scale}


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--quick', action='store_true', help='a fifth of the requests')
    parser.add_argument('stacks', nargs='*', default=list(STACKS), help=', '.join(STACKS))
    options = parser.parse_args()
    for name in options.stacks:
        STACKS[name](options.quick)


if __name__ == '__main__':
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    main()
