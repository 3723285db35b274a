# SPDX-License-Identifier: Apache-2.0
"""The partition: two conductors and three compute hosts, each on a network of its own, and one of them is cut off.

Clients ask for random operations all the time.  A compute host is cut off for a minute and comes back; while it
counts as down, its servers are evacuated.  Then a conductor is cut off in the middle of a transaction, with rows
locked, and comes back.  In the end every request that was accepted must have come to its end, nothing may be there
twice, and everything that ``books`` looks at has to be right.
"""

import argparse
import contextlib
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

from tests.chaos import clouds, storm
from tests.chaos.clouds import Cloud
from tests.fixtures import daemons, namespaces, processes
from tests.fixtures import service as services
from tests.fixtures.postgresql import PostgreSQL, start_postgresql
from tests.fixtures.rabbitmq import start_rabbitmq

CONDUCTORS, COMPUTES = ('conductor-1', 'conductor-2'), ('compute-1', 'compute-2', 'compute-3')
CLIENTS = 4
#: Servers that are evacuated.
EVACUATED = 4
#: Servers that are deleted by conductors of which one is cut off meanwhile.
HELD = 6
#: Seconds that a machine is cut off.
CUT = 60.0
#: Of these, the seconds until others have taken over what a conductor was at.
TAKEN_OVER = 45.0
#: A server on a host that is cut off is busy for as long as that takes.
PATIENCE = 240.0

SETTINGS: dict[str, dict[str, Any]] = {
    'DEFAULT': {'report_interval': 2, 'shelved_offload_time': 0, 'rpc_response_timeout': 10, 'service_down_time': 12,
                'osapi_compute_workers': 1},
    'api': {'auth_strategy': 'noauth2'},
    'conductor': {'operation_lease': 5, 'sweep_interval': 1, 'workers': 1},
    'fake': {'live_migration_seconds': 0.3, 'delay': 0.05},
    'quota': {'instances': -1, 'cores': -1, 'ram': -1},
}


class Placed(services.Command):
    """A daemon on a machine."""

    def __init__(self, machines: namespaces.Machines, name: str, directory: Path) -> None:
        own = directory / f'{name}.conf'
        own.write_text(f'[DEFAULT]\nhost = {name}\nmy_ip = {machines.address(name)}\n')
        self.run_by = lambda *words: machines.on(name, services.argv(*words))  # type: ignore[method-assign]
        super().__init__(directory / f'{name}.log', name.split('-')[0], '--config-file', str(directory / 'nova.conf'),
                         '--config-file', str(own))


class Spread(Cloud):
    """A cluster whose daemons are on machines of their own; API, broker and database are in the middle."""

    label = 'RabbitMQ + PostgreSQL between networks'

    def __init__(self, directory: Path, machines: namespaces.Machines, postgresql: PostgreSQL) -> None:
        super().__init__(directory)
        self.machines = machines
        self.postgresql = postgresql
        self.url = postgresql.url(postgresql.create_database())
        self.broker = start_rabbitmq(address=namespaces.MIDDLE)
        changes = daemons.merged(
            {'DEFAULT': {'transport_url': _from_outside(self.broker.url)},
             'database': {'connection': _from_outside(self.url)}},
            daemons.without_keystone(directory), SETTINGS)
        self.daemons = daemons.Daemons(directory, changes)
        self.user = self.daemons.user
        try:
            self._start()
        except BaseException:
            self.kill()
            raise

    def _start(self) -> None:
        commands = self.daemons.commands
        for name in (*CONDUCTORS, *COMPUTES):
            commands[name] = Placed(self.machines, name, self.directory).start()
        self.daemons.launch('api').wait_ready(self.user.answered)
        for name in CONDUCTORS:
            commands[name].wait_ready(lambda name=name: 'nova-conductor takes work' in commands[name].output)
        commands[COMPUTES[0]].wait_ready(lambda: self.daemons.hosts_up() == len(COMPUTES))
        flavor = {'id': daemons.FLAVOR, 'name': 'm1.nano', 'ram': 64, 'vcpus': 1, 'disk': 1}
        assert self.user.ask('POST', '/flavors', {'flavor': flavor}).ok

    def stop(self) -> list[int]:
        self.db.dispose()
        return list(self.daemons.stop().values())

    def kill(self) -> None:
        self.daemons.kill()
        self.broker.stop()

    def is_up(self, host: str) -> bool:
        """Whether the others think that a compute host is there."""
        found = self.user.get(f'/os-services?binary=nova-compute&host={host}')['services']
        return [service['state'] for service in found] == ['up']

    def hanging(self, machine: str, where: str) -> int:
        """The database connections of a machine for which something is true."""
        return int(self.postgresql.execute(
            f"SELECT count(*) FROM pg_stat_activity WHERE client_addr = '{self.machines.address(machine)}' "
            f'AND {where}')[0][0])


def _from_outside(url: str) -> str:
    return url.replace('127.0.0.1', namespaces.MIDDLE)


@dataclass
class Load:
    """Clients who ask for things until they are told to stop."""

    cloud: Spread
    clients: list[storm.Client]

    @classmethod
    def start(cls, cloud: Spread, seed: str) -> 'Load':
        """Begin."""
        clients = [storm.Client(cloud, seed, number, sys.maxsize) for number in range(CLIENTS)]
        for client in clients:
            client.pace, client.patience = 0.2, PATIENCE
            client.start()
        return cls(cloud, clients)

    def stop(self, problems: list[str]) -> tuple[list[storm.Asked], list[str]]:
        """What was asked for, and what went wrong."""
        for client in self.clients:
            client.stopping.set()
        for client in self.clients:
            client.join()
        return ([one for client in self.clients for one in client.asked],
                [problem for client in self.clients for problem in client.problems] + problems)

    def goes_on(self, number: int) -> None:
        """Wait until so many more requests have been answered well."""
        def done() -> int:
            return sum(one.answer == 'accepted' for client in self.clients for one in list(client.asked))

        wanted = done() + number
        processes.wait_until(lambda: done() >= wanted, 60, f'{number} more requests')


@contextlib.contextmanager
def cut_off(cloud: Spread, name: str, seconds: float) -> Iterator[None]:
    """Cut a machine off for so long, or until the end of the block if that is later."""
    end = time.monotonic() + seconds
    cloud.machines.cut(name)
    try:
        yield
        # The length of the cut is what is asked for, so there is no condition to wait for.
        threading.Event().wait(max(0.0, end - time.monotonic()))
    finally:
        cloud.machines.join(name)


def lose_compute(cloud: Spread, load: Load, seconds: float) -> str:
    """Cut a compute host off, bring its servers elsewhere, and let it come back."""
    host = COMPUTES[0]
    servers = [cloud.user.boot(f'there-{number}', availability_zone=f'nova:{host}') for number in range(EVACUATED)]
    with cut_off(cloud, host, seconds):
        processes.wait_until(lambda: not cloud.is_up(host), seconds, f'{host} to count as down')
        for server in servers:
            answer = cloud.user.ask('POST', f'/servers/{server}/action', {'evacuate': {}})
            assert answer.ok, answer.text
        # Nobody can say whether they ran.
        cloud.user.wait_for(servers, 'SHUTOFF', seconds)
        assert host not in {cloud.user.show(server)['OS-EXT-SRV-ATTR:host'] for server in servers}
        load.goes_on(10)
    processes.wait_until(lambda: cloud.is_up(host), 60, f'{host} to be back')
    load.goes_on(10)
    return f'{host} cut off for {seconds:.0f} s, {len(servers)} servers evacuated from it'


def lose_conductor(cloud: Spread, load: Load, seconds: float) -> str:
    """Cut a conductor off in the middle of a transaction, have others take over, and let it come back."""
    machine = CONDUCTORS[0]
    servers = [cloud.user.boot(f'held-{number}') for number in range(HELD)]
    with contextlib.closing(psycopg2.connect(cloud.url.replace('+psycopg2', ''))) as blocker:
        with blocker.cursor() as cursor:
            # Each delete waits for the quota now, with its operation and its server locked.
            cursor.execute('SELECT project_id FROM quota_usages FOR UPDATE')
        for server in servers:
            assert cloud.user.ask('DELETE', f'/servers/{server}').ok
        processes.wait_until(lambda: cloud.hanging(machine, "wait_event_type = 'Lock'"), 30, 'a conductor that waits')
        cloud.machines.cut(machine)
    with cut_off(cloud, machine, seconds):
        began = time.monotonic()
        processes.wait_until(lambda: cloud.hanging(machine, "state = 'idle in transaction'"), 30, 'one that holds')
        for server in servers:
            processes.wait_until(lambda server=server: cloud.user.ask('GET', f'/servers/{server}').status_code == 404,
                                 TAKEN_OVER, f'end of server {server}')
        taken = time.monotonic() - began
        load.goes_on(10)
    load.goes_on(10)
    return (f'{machine} cut off for {seconds:.0f} s in the middle of a transaction, {HELD} deletes done by the other '
            f'within {taken:.0f} s')


def play(cloud: Spread, seed: str, seconds: float) -> storm.Result:
    """Cut both off, one after the other, under load; what came of it."""
    began = time.monotonic()
    load = Load.start(cloud, seed)
    problems: list[str] = []
    try:
        load.goes_on(20)
        for lose in (lose_compute, lose_conductor):
            try:
                told = lose(cloud, load, seconds)
                print(f'{time.monotonic() - began:6.0f}  {told}', flush=True)
            except (AssertionError, TimeoutError) as error:
                problems.append(f'{lose.__name__}: {error}')
    finally:
        asked, problems = load.stop(problems)
    result = storm.Result(seed, asked, [], 0.0, problems=problems)
    storm.rest(cloud, result)
    storm.judge(cloud, result)
    doubled = cloud.rows('SELECT name, count(*) FROM servers GROUP BY name HAVING count(*) > 1')
    result.problems += [f'{number} servers are named {name}' for name, number in doubled]
    result.seconds = time.monotonic() - began
    return result


@contextlib.contextmanager
def database() -> Iterator[PostgreSQL]:
    """A PostgreSQL that the machines can reach."""
    with tempfile.TemporaryDirectory(prefix='nova-lite-partition-') as name:
        rules = Path(name) / 'pg_hba.conf'
        rules.write_text(f'host all all {namespaces.PREFIX}.0/24 trust\nhost all all 127.0.0.1/32 trust\n')
        for path in (rules, rules.parent):
            path.chmod(0o755)
        server = start_postgresql(settings={
            'listen_addresses': f'127.0.0.1,{namespaces.MIDDLE}', 'hba_file': str(rules)})
        try:
            yield server
        finally:
            server.stop()


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog='partition', description=__doc__)
    parser.add_argument('--seed', default='1')
    parser.add_argument('--seconds', type=float, default=CUT, help='how long each machine is cut off')
    options = parser.parse_args(argv)
    obstacle = namespaces.obstacle()
    if obstacle:
        print(f'SKIPPED, nothing was shown: {obstacle}.', file=sys.stderr)
        return int(os.environ.get('NOVA_LITE_NO_SKIP') == '1')
    namespaces.alone('tests.chaos.partition', sys.argv[1:] if argv is None else argv)
    machines = namespaces.Machines((*CONDUCTORS, *COMPUTES))
    with tempfile.TemporaryDirectory(prefix='nova-lite-partition-', ignore_cleanup_errors=True) as name, \
            database() as postgresql:
        cloud = Spread(Path(name), machines, postgresql)
        try:
            clouds.ready(cloud)
            result = play(cloud, options.seed, options.seconds)
            codes = cloud.stop()
        finally:
            cloud.kill()
    for problem in result.problems:
        print(problem)
    print(f'{cloud.label}: {result.line()}; exit codes {sorted(codes)}')
    return 1 if result.problems or any(codes) else 0


if __name__ == '__main__':
    sys.exit(main())
