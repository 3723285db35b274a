# SPDX-License-Identifier: Apache-2.0
"""The storm: clients ask for random operations while a random process is killed every few seconds.

What is asked for and who is killed follow from the seed.  In the end every request that was accepted must have come
to its end, done or with a reason; and everything that ``books`` looks at has to be right.
"""

import argparse
import contextlib
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from benchmarks import accounting
from tests.chaos import books, clouds
from tests.chaos.clouds import Cloud
from tests.fixtures import processes

CLIENTS, HOSTS, PAUSE = 8, 10, 3.0
#: From the last kill to the moment when nothing is left to be done.
QUIET = 60.0
#: Then, until what is left over on hosts is removed: its grace and some heartbeats.
LEFT_OVER = 90.0
#: A client has at most so many servers.
MOST = 6
BUSY = 'busy'

SETTINGS: dict[str, dict[str, Any]] = {
    'DEFAULT': {'report_interval': 2, 'shelved_offload_time': 0, 'rpc_response_timeout': 10, 'service_down_time': 60},
    'api': {'auth_strategy': 'noauth2'},
    'conductor': {'operation_lease': 3, 'sweep_interval': 1},
    # Steps on hosts take a while, so that deaths come in the middle.
    'fake': {'live_migration_seconds': 0.3, 'delay': 0.05},
    'quota': {'instances': -1, 'cores': -1, 'ram': -1},
}

_STOP, _START = {'os-stop': None}, {'os-start': None}
_REBOOT = {'reboot': {'type': 'HARD'}}
_RESIZE, _MIGRATE = {'resize': {'flavorRef': 'big'}}, {'migrate': None}
_LIVE = {'os-migrateLive': {'host': None, 'block_migration': 'auto'}}
_SHELVE, _UNSHELVE = {'shelve': None}, {'unshelve': None}
_SNAPSHOT = {'createImage': {'name': 'storm'}}
DELETE = 'delete'
#: What may be asked of a server, by its status; what comes more often stands there more often.
MOVES: dict[str, tuple[Any, ...]] = {
    'ACTIVE': (_STOP, _REBOOT, _REBOOT, _RESIZE, _MIGRATE, _LIVE, _LIVE, _SHELVE, {'pause': None}, {'suspend': None},
               _SNAPSHOT, {'rescue': None}, DELETE),
    'SHUTOFF': (_START, _START, _MIGRATE, DELETE),
    'VERIFY_RESIZE': ({'confirmResize': None}, {'confirmResize': None}, {'revertResize': None}),
    'SHELVED_OFFLOADED': (_UNSHELVE, _UNSHELVE, _UNSHELVE, DELETE),
    'PAUSED': ({'unpause': None},),
    'SUSPENDED': ({'resume': None},),
    'RESCUE': ({'unrescue': None},),
    'ERROR': (_REBOOT, DELETE),
    BUSY: (DELETE,),
}


@dataclass(frozen=True)
class Asked:
    """A request, and what was answered; the request's id only if it was accepted."""

    what: str
    server: str
    answer: str
    request_id: str = ''


class Client(threading.Thread):
    """One of those who use the cloud; its servers are its own."""

    def __init__(self, cloud: Cloud, seed: str, number: int, count: int) -> None:
        super().__init__(name=f'client-{number}')
        self.asked: list[Asked] = []
        self.problems: list[str] = []
        self._cloud = cloud
        self._random = random.Random(f'{seed}/{number}')
        self._number = number
        self._count = count
        self._servers: list[str] = []
        #: Set for one that is to ask no more.
        self.stopping = threading.Event()
        #: Seconds between two requests, and until some server has to be idle.
        self.pace, self.patience = 0.0, QUIET

    def run(self) -> None:
        for turn in range(self._count):
            if self.stopping.wait(self.pace):
                return
            try:
                self._once(turn)
            except requests.RequestException as error:
                self.asked.append(Asked('look', '', f'no answer ({type(error).__name__})'))
            except Exception as error:
                self.problems.append(f'{self.name}: {type(error).__name__}: {error}')
                return

    def _once(self, turn: int) -> None:
        if not self._servers or (len(self._servers) < MOST and self._random.random() < 0.35):
            self._create(f'storm-{self._number}-{turn}')
            return
        server, status = self._pick()
        move = self._random.choice(MOVES[status])
        if move == DELETE:
            self._tell('delete', server, self._cloud.user.ask, 'DELETE', f'/servers/{server}')
        else:
            self._tell(next(iter(move)), server, self._cloud.user.ask, 'POST', f'/servers/{server}/action', move)

    def _pick(self) -> tuple[str, str]:
        """A server to which something can be done, and its status; now and then one to which something is done."""
        impatient = self._random.random() < 0.05
        found: list[tuple[str, str]] = []

        def idle() -> bool:
            for server in self._random.sample(self._servers, len(self._servers)):
                answer = self._cloud.user.ask('GET', f'/servers/{server}')
                if answer.status_code == 404:
                    self._servers.remove(server)
                    continue
                if not answer.ok:
                    continue
                seen = answer.json()['server']
                busy = seen['OS-EXT-STS:task_state'] is not None or seen['status'] not in MOVES
                if impatient or not busy:
                    found.append((server, BUSY if busy else seen['status']))
                    return True
            return not self._servers

        processes.wait_until(idle, self.patience, 'a server to which nothing is being done')
        if not found:
            self._create(f'storm-{self._number}-again-{len(self.asked)}')
            return self._pick()
        return found[0]

    def _create(self, name: str) -> None:
        user = self._cloud.user
        answer = self._tell('create', name, user.ask, 'POST', '/servers', {'server': {
            'name': name, 'imageRef': user.image, 'flavorRef': '42', 'networks': 'none'}})
        if answer is not None and answer.status_code == 202:
            self._servers.append(answer.json()['server']['id'])
            self.asked[-1] = Asked('create', self._servers[-1], 'accepted', self.asked[-1].request_id)

    def _tell(self, what: str, server: str, ask: Callable[..., requests.Response], *how: Any) -> Any:
        try:
            answer = ask(*how)
        except requests.RequestException:
            # It may have been accepted; what it did is seen like everything else.
            self.asked.append(Asked(what, server, 'no answer'))
            return None
        word = {True: 'accepted', False: str(answer.status_code)}[answer.ok]
        self.asked.append(Asked(what, server, word, answer.headers.get('X-OpenStack-Request-ID', '')))
        if answer.status_code >= 500 and (answer.status_code != 503 or 'Retry-After' not in answer.headers):
            self.problems.append(f'{what} of {server}: {answer.status_code} {answer.text}')
        return answer


class Killer(threading.Thread):
    """Kills something every few seconds."""

    def __init__(self, cloud: Cloud, seed: str, pause: float) -> None:
        super().__init__(name='killer')
        self.killed: list[str] = []
        self.problems: list[str] = []
        self._victims = victims(cloud)
        self._random = random.Random(f'{seed}/killer')
        self._pause = pause
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.wait(self._pause):
            name = self._random.choice(sorted(self._victims))
            try:
                self._victims[name](self._random.randrange(1000))
            except Exception as error:
                self.problems.append(f'killing {name}: {type(error).__name__}: {error}')
                return
            self.killed.append(name)

    def stop(self) -> None:
        """Kill nothing more."""
        self._stopping.set()
        self.join()


def victims(cloud: Cloud) -> dict[str, Callable[[int], object]]:
    """What can be killed, given a number that chooses one of several."""
    found: dict[str, Callable[[int], object]] = {
        role: lambda choice, role=role: cloud.kill_worker(role, choice) for role in clouds.ROLES}
    if isinstance(cloud, clouds.Cluster):
        found['broker'] = lambda choice: (cloud.broker.kill(), cloud.broker.start())
        found['database connection'] = cloud.kill_connection
    return found


@dataclass
class Result:
    """What a storm left."""

    seed: str
    asked: list[Asked]
    killed: list[str]
    seconds: float
    words: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def line(self) -> str:
        """One line of counts."""
        answers = Counter(one.answer for one in self.asked)
        told = ', '.join(f'{number} {word}' for word, number in answers.most_common())
        killed = ', '.join(f'{number} {name}' for name, number in Counter(self.killed).most_common()) or 'none'
        return (f'storm {self.seed}: {len(self.asked)} requests ({told}); {len(self.killed)} kills ({killed}); of what '
                f'was accepted {self.words["done"]} done, {self.words["ended with a reason"]} ended with a reason, '
                f'{self.words["lost"]} lost, {self.words["stuck"]} stuck; {len(self.problems)} problems; '
                f'{self.seconds:.0f} s')


def storm(cloud: Cloud, seed: str, count: int, pause: float = PAUSE, clients: int = CLIENTS) -> Result:
    """Let the clients ask for ``count`` operations together while things are killed, and see what came of it."""
    began = time.monotonic()
    users = [Client(cloud, seed, number, count // clients) for number in range(clients)]
    killer = Killer(cloud, seed, pause)
    for thread in (*users, killer):
        thread.start()
    for thread in users:
        thread.join()
    killer.stop()
    result = Result(seed, [one for user in users for one in user.asked], killer.killed, 0.0)
    result.problems += [problem for thread in (*users, killer) for problem in thread.problems]
    rest(cloud, result)
    judge(cloud, result)
    result.seconds = time.monotonic() - began
    return result


def rest(cloud: Cloud, result: Result) -> None:
    """Wait until nothing is left to be done, and then until nothing is left over."""
    wrong: list[str] = []

    def clean(guests: bool) -> bool:
        wrong[:] = [text for text in books.problems(cloud) if guests or 'guests' not in text]
        return not wrong

    for guests, limit in ((False, QUIET), (True, LEFT_OVER)):
        with contextlib.suppress(TimeoutError):
            processes.wait_until(lambda guests=guests: clean(guests), limit)
    result.problems += wrong


def judge(cloud: Cloud, result: Result) -> None:
    """What became of everything that was accepted."""
    for one in result.asked:
        if one.answer != 'accepted' or one.what == 'look':
            continue
        rows = cloud.rows('SELECT finish_time, message FROM server_actions WHERE request_id = :a AND server_uuid = :b',
                          one.request_id, one.server)
        if not rows:
            # A second delete joins the first one.
            word = 'done' if one.what == 'delete' and _is_deleted(cloud, one.server) else 'lost'
        else:
            word = 'stuck' if rows[0][0] is None else 'done' if rows[0][1] is None else 'ended with a reason'
        result.words[word] += 1
        if word in ('lost', 'stuck'):
            result.problems.append(f'{word}: {one.what} of {one.server} ({one.request_id})')


def _is_deleted(cloud: Cloud, server: str) -> bool:
    return bool(cloud.rows('SELECT deleted FROM servers WHERE uuid = :a', server)[0][0])


@dataclass(frozen=True)
class Boots:
    """How quickly servers become ACTIVE when nothing is killed."""

    per_second: float
    cpu_ms: float

    def line(self) -> str:
        """One line."""
        return (f'{self.per_second:.1f} boots per second without kills, {self.cpu_ms:.1f} ms of processor time each '
                f'on {os.cpu_count()} processors')


def boots(cloud: Cloud, count: int, clients: int = CLIENTS) -> Boots:
    """Ask for servers as fast as the clients can, and wait for all of them."""
    user = cloud.user
    wanted = {'imageRef': user.image, 'flavorRef': '42', 'networks': 'none'}

    def ask(names: Sequence[str]) -> None:
        with requests.Session() as session:
            for name in names:
                answer = user.ask('POST', '/servers', {'server': {'name': name, **wanted}}, session=session)
                assert answer.status_code == 202, answer.text

    names = [f'fast-{number}' for number in range(count)]
    cpu, began = accounting.cpu_ms(cloud.pids()), time.monotonic()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(ask, [names[first::clients] for first in range(clients)]))
    processes.wait_until(lambda: cloud.rows(
        "SELECT count(*) FROM servers WHERE vm_state = 'active' AND name LIKE 'fast-%'")[0][0] == count, 120, 'ACTIVE')
    return Boots(count / (time.monotonic() - began), (accounting.cpu_ms(cloud.pids()) - cpu) / count)


@contextlib.contextmanager
def cloud_of(kind: str, database: Any = None, settings: Mapping[str, Any] = SETTINGS) -> Iterator[Cloud]:
    """A cloud of ten hosts that leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix='nova-lite-storm-', ignore_cleanup_errors=True) as name:
        directory = Path(name)
        cloud = (clouds.OneMachine(directory, settings, hosts=HOSTS, workers=2) if kind == 'embedded'
                 else clouds.Cluster(directory, settings, database, hosts=HOSTS // 2, computes=2))
        try:
            yield clouds.ready(cloud)
        finally:
            cloud.kill()


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog='storm', description=__doc__)
    parser.add_argument('--seed', default='1')
    parser.add_argument('--count', type=int, default=1000, help='operations')
    parser.add_argument('--pause', type=float, default=PAUSE, help='seconds between two kills')
    parser.add_argument('--embedded', action='store_true', help='on local:// and SQLite')
    parser.add_argument('--boots', type=int, default=400, help='servers for the measure without kills')
    options = parser.parse_args(argv)
    wrong = 0
    with contextlib.nullcontext(None) if options.embedded else clouds.database_server() as database:
        kind = 'embedded' if options.embedded else 'cluster'
        codes: list[int] = []
        if options.boots:
            with cloud_of(kind, database, {name: SETTINGS[name] for name in ('api', 'quota')}) as cloud:
                print(f'{cloud.label}: {boots(cloud, options.boots).line()}')
                codes += cloud.stop()
        with cloud_of(kind, database) as cloud:
            result = storm(cloud, options.seed, options.count, options.pause)
            codes += cloud.stop()
        for problem in result.problems:
            print(problem)
        wrong += len(result.problems) + sum(code != 0 for code in codes)
        print(f'{cloud.label}: {result.line()}; exit codes {sorted(codes)}')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
