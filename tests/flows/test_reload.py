# SPDX-License-Identifier: Apache-2.0
"""SIGHUP: options that may change take effect, what is wrong changes nothing, and no request notices."""

import itertools
import os
import signal
import threading

import pytest
import requests

from tests.fixtures import processes
from tests.fixtures import service as services
from tests.fixtures.user import Load, User

NOAUTH = '[api]\nauth_strategy = noauth2\n[oslo_policy]\npolicy_file = {policy}\n[quota]\nkey_pairs = -1\n'


class Reloadable:
    """A nova-lite with a configuration of its own to change."""

    def __init__(self, directory):
        self.own = directory / 'own.conf'
        self.policy = directory / 'policy.yaml'
        self.policy.write_text('')
        self.write()
        self.service = services.Service(directory / 'state', '--config-file', str(self.own)).start()
        self.user = User(self.service.url, 'admin:project')
        self.member = User(self.service.url, 'somebody:project')

    def write(self, text=''):
        """Change the configuration file."""
        new = self.own.with_suffix('.new')
        new.write_text(NOAUTH.format(policy=self.policy) + text)
        os.replace(new, self.own)

    def reload(self, text=''):
        """Change the configuration file and tell the service."""
        self.write(text)
        self.service.send(signal.SIGHUP)

    def full_log(self):
        return (self.service.state_dir / 'nova-lite.log').read_text()

    def wait_for_workers(self, count):
        """Wait until there are so many processes below the launcher, and return them."""
        processes.wait_until(lambda: len(self.service.children()) == count, 20, f'{count} workers')
        return self.service.children()


@pytest.fixture(scope='module')
def reloadable(tmp_path_factory):
    one = Reloadable(tmp_path_factory.mktemp('reload'))
    yield one
    assert one.service.stop() == 0, one.service.log()


@pytest.fixture
def load(reloadable):
    """Requests that go on all the while; in the end none of them may have been lost."""
    made = []

    def ask():
        with GUARD:
            name = f'key-{next(NUMBERS)}'
        answer = reloadable.user.ask('POST', '/os-keypairs', {'keypair': {'name': name, 'public_key': KEY}})
        if answer.ok:
            made.append(name)
            answer = reloadable.user.ask('GET', f'/os-keypairs/{name}')
        return answer

    with Load(ask) as running:
        running.more(20)
        yield running
        running.more(20)
    assert running.errors == []
    kept = {entry['keypair']['name'] for entry in pages(reloadable.user, '/os-keypairs', 'keypairs')}
    assert set(made) <= kept
    assert len(made) == running.count


FLAVOR = {'flavor': {'name': 'own', 'ram': 1, 'vcpus': 1, 'disk': 0}}
NUMBERS = itertools.count()
GUARD = threading.Lock()
KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKtVPbFPOD5OXg2rqyXDYp8N5VOeGSoGcJNq3PuTfYlz me@here'


def pages(user, path, name):
    while path:
        body = user.get(path)
        yield from body[name]
        path = next((link['href'] for link in body.get(f'{name}_links', ())), None)


def test_the_log_level_changes(reloadable, load):
    def denials():
        """Lines at level DEBUG about a request that was refused after the call."""
        seen = len(reloadable.full_log())
        assert reloadable.member.ask('POST', '/flavors', FLAVOR).status_code == 403
        return [line for line in reloadable.full_log()[seen:].splitlines() if ' DEBUG ' in line and 'refuses' in line]

    workers = reloadable.service.children()
    assert not denials()
    reloadable.reload('[DEFAULT]\ndebug = true\n')
    processes.wait_until(denials, 20, 'debug lines')
    reloadable.reload()
    processes.wait_until(lambda: not denials(), 20, 'no debug lines')
    assert reloadable.service.children() == workers


def test_the_number_of_workers_changes(reloadable, load):
    before = reloadable.wait_for_workers(len(services.PARTS))
    reloadable.reload('[DEFAULT]\nosapi_compute_workers = 3\n[conductor]\nworkers = 2\n')
    more = reloadable.wait_for_workers(len(services.PARTS) + 3)
    assert set(before) < set(more)
    load.more(50)
    reloadable.user.boot_and_delete()
    reloadable.reload('[DEFAULT]\nosapi_compute_workers = 1\n[conductor]\nworkers = 1\n')
    assert set(reloadable.wait_for_workers(len(services.PARTS))) < set(more)
    load.more(50)
    reloadable.user.boot_and_delete()


def test_many_reloads_at_once_do_no_harm(reloadable, load):
    workers = reloadable.service.children()
    for _ in range(20):
        reloadable.service.send(signal.SIGHUP)
        load.more(3)
    assert reloadable.service.children() == workers


def test_the_policy_changes(reloadable, load):
    assert reloadable.member.ask('POST', '/flavors', FLAVOR).status_code == 403
    reloadable.policy.write_text('"os_compute_api:os-flavor-manage:create": "role:member"\n')
    reloadable.reload()
    processes.wait_until(lambda: reloadable.member.ask('POST', '/flavors', FLAVOR).status_code in (200, 409), 10)
    reloadable.policy.write_text('')
    reloadable.reload()
    processes.wait_until(lambda: reloadable.member.ask('POST', '/flavors', FLAVOR).status_code == 403, 10)


@pytest.mark.parametrize('text', [
    'nonsense', '[DEFAULT]\ndebug = perhaps\n', '[DEFAULT]\nosapi_compute_workers = -1\n'])
def test_a_configuration_that_cannot_be_read_changes_nothing(reloadable, load, text):
    workers = reloadable.service.children()
    seen = len(reloadable.full_log())
    reloadable.reload(text)
    processes.wait_until(lambda: ' ERROR ' in reloadable.full_log()[seen:], 20, 'an error in the log')
    load.more(50)
    assert reloadable.service.children() == workers
    # The next one is taken.
    reloadable.reload('[DEFAULT]\nosapi_compute_workers = 2\n')
    reloadable.wait_for_workers(len(services.PARTS) + 1)
    reloadable.reload()
    reloadable.wait_for_workers(len(services.PARTS))


def test_a_policy_that_cannot_be_read_changes_nothing(reloadable, load):
    reloadable.policy.write_text('"os_compute_api:servers:index": "!"\n')
    reloadable.reload()
    processes.wait_until(lambda: reloadable.user.ask('GET', '/servers').status_code == 403, 10)
    seen = len(reloadable.full_log())
    reloadable.policy.write_text('{')
    reloadable.reload()
    processes.wait_until(lambda: 'cannot be reloaded' in reloadable.full_log()[seen:], 20, 'an error in the log')
    load.more(50)
    assert reloadable.user.ask('GET', '/servers').status_code == 403
    reloadable.policy.write_text('')
    reloadable.reload()
    processes.wait_until(lambda: reloadable.user.ask('GET', '/servers').status_code == 200, 10)


def test_kept_connections_survive_a_reload(reloadable):
    with requests.Session() as session:
        assert reloadable.user.ask('GET', '/servers', session=session).ok
        connections = session.get_adapter('http://').poolmanager.pools
        for _ in range(3):
            seen = reloadable.full_log().count('Reloading')
            reloadable.reload()
            processes.wait_until(lambda seen=seen: reloadable.full_log().count('Reloading') >= seen + 3, 20)
            assert reloadable.user.ask('GET', '/servers', session=session).ok
        assert [connections[key].num_connections for key in connections.keys()] == [1]  # noqa: SIM118 - no mapping
