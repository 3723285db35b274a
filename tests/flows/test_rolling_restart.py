# SPDX-License-Identifier: Apache-2.0
"""Every process is restarted in turn under 50 requests a second: none is lost, and all that was accepted is done."""

import contextlib
import itertools
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.fixtures import daemons, processes
from tests.fixtures.balancer import Balancer
from tests.fixtures.service import Command, answers, free_ports
from tests.fixtures.user import FLAVOR, User

RATE, THREADS = 50, 10
UNLIMITED = {'quota': {'instances': -1, 'cores': -1, 'ram': -1},
             'fake': {'hosts': 2, 'vcpus': 10000, 'memory_mb': 1 << 20},
             'conductor': {'operation_lease': 5, 'sweep_interval': 1}}


class Paced:
    """Requests at a steady rate: one in five makes a server, one in ten deletes one, the others look."""

    def __init__(self, user):
        self.user = user
        self.image = user.image
        self.answers = Counter()
        self.lost = []
        self.made, self.deleted = [], []
        self._numbers = itertools.count()
        self._stopping = threading.Event()
        self._guard = threading.Lock()
        self._pool = ThreadPoolExecutor(THREADS)

    def __enter__(self):
        self._began = time.monotonic()
        self._running = [self._pool.submit(self._run) for _ in range(THREADS)]
        return self

    def __exit__(self, *error):
        self._stopping.set()
        self._pool.shutdown()
        for one in self._running:
            one.result()
        self.seconds = time.monotonic() - self._began

    def more(self, number):
        """Return when so many more were answered."""
        wanted = self.answers.total() + number
        processes.wait_until(lambda: self.answers.total() >= wanted, 60, f'{number} more answers')

    def _run(self):
        while not self._stopping.is_set():
            number = next(self._numbers)
            if self._stopping.wait(max(0.0, self._began + number / RATE - time.monotonic())):
                return
            try:
                answer = self._ask(number)
            except requests.RequestException as error:
                self.lost.append(f'{number}: {error!r}')
                continue
            self.answers[answer.status_code] += 1
            if not answer.ok:
                self.lost.append(f'{number}: {answer.status_code} {answer.text}')

    def _ask(self, number):
        if number % 5 == 0:
            answer = self.user.ask('POST', '/servers', {'server': {
                'name': f'rolling-{number}', 'imageRef': self.image, 'flavorRef': FLAVOR, 'networks': 'none'}})
            if answer.ok:
                self.made.append(answer.json()['server']['id'])
            return answer
        with self._guard:
            victim = self.made[len(self.deleted)] if number % 10 == 1 and len(self.deleted) < len(self.made) else None
            if victim:
                self.deleted.append(victim)
        return self.user.ask('DELETE', f'/servers/{victim}') if victim else self.user.ask('GET', '/servers?limit=10')


class Site:
    """The daemons, with a second API, behind a balancer."""

    def __init__(self, directory, changes):
        self.daemons = daemons.Daemons(
            directory, daemons.merged(changes, daemons.without_keystone(directory), UNLIMITED))
        self.port = free_ports()
        self._own = directory / 'second.conf'
        self._own.write_text(f'[DEFAULT]\nosapi_compute_listen_port = {self.port}\n')

    def start(self):
        self.daemons.start()
        self.launch('second')

    def launch(self, name):
        """Start one of them and wait until it works."""
        if name == 'second':
            command = Command(self.daemons.directory / 'second.log', 'api', '--config-file', str(self.daemons.file),
                              '--config-file', str(self._own))
            self.daemons.commands['second'] = command.start()
            command.wait_ready(lambda: answers(self.port))
            return
        self.daemons.launch(name)
        self.daemons.wait_ready()

    def restart(self, name):
        """Stop in good order, start."""
        assert self.daemons.commands[name].stop() == 0
        self.launch(name)


@pytest.mark.parametrize('kind', ['one machine', pytest.param('cluster', marks=pytest.mark.live)])
def test_no_request_is_lost(tmp_path, kind, request, capsys):
    changes = daemons.sqlite_and_sockets(tmp_path) if kind == 'one machine' else daemons.rabbit_and(
        request.getfixturevalue('postgresql_url'), request.getfixturevalue('rabbitmq'))
    site = Site(tmp_path, changes)
    with contextlib.ExitStack() as stack:
        stack.callback(site.daemons.kill)
        site.start()
        balancer = stack.enter_context(Balancer([site.daemons.port, site.port]))
        user = User(f'http://127.0.0.1:{balancer.port}', 'admin:project', f'http://127.0.0.1:{site.port}/image')
        with Paced(user) as paced:
            paced.more(RATE)
            site.daemons.signal(signal.SIGHUP)
            paced.more(RATE)
            for name in ('api', 'second', 'conductor', 'compute'):
                site.restart(name)
                paced.more(RATE // 2)
        told = ', '.join(f'{number} × {code}' for code, number in sorted(paced.answers.items()))
        with capsys.disabled():
            print(f'\n  {kind}: {told} in {paced.seconds:.1f} s, {len(paced.lost)} lost', end='', flush=True)
        assert paced.lost == []
        left = set(paced.made) - set(paced.deleted)
        user.wait_for(left)
        for server in paced.deleted:
            processes.wait_until(lambda server=server: user.ask('GET', f'/servers/{server}').status_code == 404, 60)
        assert {server['id'] for server in user.get('/servers')['servers']} == left
        assert set(site.daemons.stop().values()) == {0}, site.daemons.outputs()
        assert 'Traceback' not in site.daemons.outputs(), site.daemons.outputs()
