# SPDX-License-Identifier: Apache-2.0
"""Clouds to be hurt: one machine on ``local://`` and SQLite, or daemons on RabbitMQ and PostgreSQL.

Both have the same few words: their processes by role, their user, their database, and the guests that their fake
hosts really have.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from nova_lite.db.engine import Database
from tests.chaos.trapped import DIRECTORY
from tests.fixtures import daemons, processes
from tests.fixtures import service as services
from tests.fixtures.database import open_database
from tests.fixtures.postgresql import PostgreSQL, start_postgresql
from tests.fixtures.rabbitmq import start_rabbitmq
from tests.fixtures.user import User

ROOT = Path(__file__).resolve().parents[2]
ROLES = ('api', 'conductor', 'compute')
BIG = {'id': 'big', 'name': 'big', 'ram': 128, 'vcpus': 1, 'disk': 2}

#: Leases are short, so that a death is noticed soon; what is put aside by a delete stays until it is told to go.
SETTINGS: dict[str, dict[str, Any]] = {
    'DEFAULT': {'report_interval': 1, 'reclaim_instance_interval': 3600, 'shelved_offload_time': -1,
                'rpc_response_timeout': 10},
    'api': {'auth_strategy': 'noauth2'},
    'conductor': {'operation_lease': 2, 'sweep_interval': 0.3},
    'embedded': {'network': 'true', 'volume': 'true', 'volumes_per_project': -1, 'snapshots_per_project': -1},
    'fake': {'live_migration_seconds': 0.2},
    'quota': {'instances': -1, 'cores': -1, 'ram': -1},
}


def trapped_argv(module: str, *arguments: str) -> list[str]:
    """How a command with traps in it is run."""
    return [sys.executable, '-W', 'ignore', '-m', 'tests.chaos.trapped', f'nova_lite.cmd.{module}', *arguments]


def traps_in(directory: Path) -> dict[str, str]:
    """The environment of a command with traps in it."""
    return {DIRECTORY: str(directory), 'PYTHONPATH': str(ROOT)}


class Trapped(services.Service):
    """``nova-lite up`` with traps in it."""

    run_by = staticmethod(trapped_argv)


class TrappedCommand(services.Command):
    """A daemon with traps in it."""

    run_by = staticmethod(trapped_argv)


class TrappedDaemons(daemons.Daemons):
    """The daemons with traps in them."""

    command = TrappedCommand


class Cloud:
    """What the matrix and the storm do to a cloud, and what they see of it."""

    label = ''
    user: User
    url: str

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def workers(self, role: str) -> list[int]:
        """The processes that do the work of a role."""
        raise AssertionError('said by each kind of cloud')

    def pids(self) -> list[int]:
        """The first processes of all that belongs to it."""
        raise AssertionError('said by each kind of cloud')

    def stop(self) -> list[int]:
        """End in good order; the exit codes."""
        raise AssertionError('said by each kind of cloud')

    def kill(self) -> None:
        """Leave nothing running."""
        raise AssertionError('said by each kind of cloud')

    @property
    def state_dir(self) -> Path:
        """Where guests and images are."""
        return self.directory

    @property
    def db(self) -> Database:
        """The database, as a process beside the cloud sees it."""
        if not hasattr(self, '_db'):
            self._db = open_database(self.url)
        return self._db

    def rows(self, statement: str, *values: Any) -> list[Any]:
        """All rows of a query."""
        with self.db.read() as conn:
            return list(conn.execute(sa.text(statement), dict(zip('abc', values, strict=False))).all())

    def guests(self) -> dict[str, list[tuple[str, bool]]]:
        """Server → the hosts on which it has a guest, each with whether it is only set aside there."""
        # By their names alone: reading a store is the business of its host, and tidies up.
        found: dict[str, list[tuple[str, bool]]] = {}
        for suffix, aside in (('.json', False), ('.aside', True)):
            for path in sorted((self.state_dir / 'fake').glob(f'*/*{suffix}')):
                found.setdefault(path.stem, []).append((path.parent.name, aside))
        return found

    def kill_worker(self, role: str, choice: int = 0) -> int | None:
        """Kill one of the processes of a role, if there is any; its id."""
        pids = self.workers(role)
        if not pids:
            return None
        pid = pids[choice % len(pids)]
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return pid


class OneMachine(Cloud):
    """``nova-lite up`` on ``local://`` and SQLite."""

    label = 'local:// + SQLite'

    def __init__(self, directory: Path, settings: Mapping[str, Mapping[str, Any]], hosts: int = 2,
                 workers: int = 1, traps: bool = False) -> None:
        super().__init__(directory)
        more = directory / 'more.conf'
        more.write_text(''.join(f'[{group}]\n' + ''.join(f'{name} = {value}\n' for name, value in options.items())
                                for group, options in settings.items()))
        arguments = ('--computes', str(hosts), '--workers', str(workers), '--config-file', str(more))
        kind = Trapped if traps else services.Service
        self.service = kind(directory / 'state', *arguments, env=traps_in(directory) if traps else None).start()
        self.url = f'sqlite:///{directory}/state/nova.sqlite'
        self.user = User(self.service.url, 'admin:project')
        roles = ('api',) * workers + ('conductor', 'compute')
        # What comes after these does nothing for servers.
        children = self.service.children()
        self._roles = dict(zip(children, (*roles, *[''] * (len(children) - len(roles))), strict=True))
        self._next = ''

    @property
    def state_dir(self) -> Path:
        return self.directory / 'state'

    def workers(self, role: str) -> list[int]:
        """All have one parent and one name; a new one takes the place of the one that was killed last."""
        known = self.service.children()
        self._roles = {pid: self._roles.get(pid, self._next) for pid in known}
        return [pid for pid in known if self._roles[pid] == role]

    def kill_worker(self, role: str, choice: int = 0) -> int | None:
        pid = super().kill_worker(role, choice)
        self._next = role
        return pid

    def pids(self) -> list[int]:
        return [self.service.pid]

    def stop(self) -> list[int]:
        self.db.dispose()
        return [self.service.stop()]

    def kill(self) -> None:
        self.service.stop(signal.SIGKILL)


class Cluster(Cloud):
    """Daemons on RabbitMQ and PostgreSQL.

    The broker is its own: queues are named after hosts, and another cluster has hosts of the same names.
    """

    label = 'RabbitMQ + PostgreSQL'

    def __init__(self, directory: Path, settings: Mapping[str, Mapping[str, Any]], postgresql: PostgreSQL,
                 hosts: int = 2, computes: int = 1, traps: bool = False) -> None:
        super().__init__(directory)
        self.postgresql = postgresql
        self.broker = start_rabbitmq()
        self.database = self.postgresql.create_database()
        self.url = self.postgresql.url(self.database)
        changes = daemons.merged(
            daemons.rabbit_and(self.url, self.broker), daemons.without_keystone(directory), settings,
            {'DEFAULT': {'osapi_compute_workers': 2}, 'fake': {'hosts': hosts},
             'conductor': {'workers': 2}})
        kind = TrappedDaemons if traps else daemons.Daemons
        self.daemons = kind(directory, changes, traps_in(directory) if traps else None)
        self.user = self.daemons.user
        try:
            self.daemons.start()
            for number in range(2, computes + 1):
                self._add_compute(number, hosts)
        except BaseException:
            self.kill()
            raise

    def _add_compute(self, number: int, hosts: int) -> None:
        """One more process, with hosts of its own."""
        own = self.directory / f'compute-{number}.conf'
        own.write_text(f'[DEFAULT]\nhost = other-{number}\n')
        command = services.Command(self.directory / f'compute-{number}.log', 'compute', '--config-file',
                                   str(self.daemons.file), '--config-file', str(own))
        self.daemons.commands[f'compute-{number}'] = command.start()
        command.wait_ready(lambda: self.daemons.hosts_up() >= number * hosts)

    def workers(self, role: str) -> list[int]:
        return [pid for name, command in self.daemons.commands.items() if name.split('-')[0] == role
                for pid in command.children()]

    def pids(self) -> list[int]:
        return [command.pid for command in self.daemons.commands.values()] + [self.broker.pid, self.postgresql.pid]

    def kill_connection(self, choice: int) -> None:
        """Have the database server end one of the connections to it."""
        pids = [pid for (pid,) in self.postgresql.execute(
            f"SELECT pid FROM pg_stat_activity WHERE datname = '{self.database}' ORDER BY pid")]
        if pids:
            self.postgresql.execute(f'SELECT pg_terminate_backend({pids[choice % len(pids)]})')

    def stop(self) -> list[int]:
        self.db.dispose()
        codes = self.daemons.stop()
        self.postgresql.drop_database(self.database)
        return list(codes.values())

    def kill(self) -> None:
        self.daemons.kill()
        self.broker.stop()


@contextlib.contextmanager
def database_server() -> Iterator[PostgreSQL]:
    """A PostgreSQL for the length of a block."""
    server = start_postgresql()
    try:
        yield server
    finally:
        server.stop()


def ready(cloud: Cloud) -> Cloud:
    """The cloud, once it has what the stories need."""
    answer = cloud.user.ask('POST', '/flavors', {'flavor': BIG})
    assert answer.ok, answer.text
    processes.wait_until(lambda: cloud.user.image, 30, 'an image')
    return cloud
