# SPDX-License-Identifier: Apache-2.0
"""What is remembered of a token is what auth_token found out, for a bounded time, until it is revoked."""

import os
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from nova_lite.wsgi.middleware.token_memory import Stamp, TokenCache, remembering
from tests.fixtures import processes

OPTIONS = {'token_cache_time': 300, 'memcached_servers': []}


class Guard:
    """An auth_token that knows every token, and counts what it is asked."""

    def __init__(self):
        self.asked, self.settings = 0, None
        self.status = 'Confirmed'
        self.token = {'expires': datetime.now(UTC) + timedelta(hours=1), 'bind': None,
                      'application_credential_access_rules': None}
        self.meanwhile = lambda: None

    def filter_of(self, settings):
        self.settings = settings
        return lambda app: lambda environ, start_response: self.pass_on(app, environ, start_response)

    def pass_on(self, app, environ, start_response):
        self.asked += 1
        self.meanwhile()
        environ.pop('HTTP_X_SERVICE_ROLES', None)
        environ |= {'HTTP_X_USER_ID': 'ann', 'HTTP_X_ROLES': 'reader', 'HTTP_X_IDENTITY_STATUS': self.status,
                    'keystone.token_auth': SimpleNamespace(user=SimpleNamespace(**self.token))}
        return app(environ, start_response)


@pytest.fixture
def guard():
    return Guard()


@pytest.fixture
def revocations(tmp_path):
    return tmp_path


@pytest.fixture
def ask(guard, revocations):
    """Send a request through; the environment that the application sees."""
    conf = SimpleNamespace(keystone_authtoken=SimpleNamespace(**OPTIONS),
                           embedded=SimpleNamespace(revocations=str(revocations)))
    entry = remembering(guard.filter_of, {}, conf)(lambda environ, start_response: environ)

    def send(token='t', **headers):
        return entry({'PATH_INFO': '/', **({'HTTP_X_AUTH_TOKEN': token} if token else {}), **headers}, None)
    return send


def revoke(directory):
    was = os.stat(directory).st_mtime_ns
    os.utime(directory, ns=(was + 1, was + 1))


def test_the_second_request_sees_the_same(guard, ask):
    first, second = ask(), ask(REQUEST_METHOD='GET')
    assert guard.asked == 1
    assert second == {**first, 'REQUEST_METHOD': 'GET'}
    assert ask('other')['HTTP_X_USER_ID'] == 'ann' and guard.asked == 2


@pytest.mark.parametrize('header', ['HTTP_X_SERVICE_TOKEN', 'HTTP_X_SERVICE_ROLES', 'HTTP_X_USER_ID', 'HTTP_X_ROLE',
                                    'HTTP_X_TENANT_ID', 'HTTP_OPENSTACK_SYSTEM_SCOPE'])
def test_headers_that_are_not_the_clients_to_send(guard, ask, header):
    ask()
    ask(**{header: 'admin'})
    assert guard.asked == 2
    assert 'HTTP_X_SERVICE_ROLES' not in ask(HTTP_X_SERVICE_ROLES='admin')


def test_without_a_token(guard, ask):
    ask('')
    ask('')
    assert guard.asked == 2


@pytest.mark.parametrize('more', [
    {'bind': {'kerberos': 'ann'}}, {'application_credential_access_rules': []},
    {'expires': datetime.now(UTC) - timedelta(seconds=1)}])
def test_an_answer_that_is_not_the_tokens_alone(guard, ask, more):
    guard.token |= more
    ask()
    ask()
    assert guard.asked == 2


def test_a_decision_that_was_left_to_others(guard, ask):
    guard.status = 'Invalid'
    ask()
    ask()
    assert guard.asked == 2


def test_a_revocation_ends_it(guard, ask, revocations):
    ask()
    revoke(revocations)
    ask()
    assert guard.asked == 2
    guard.meanwhile = lambda: revoke(revocations)
    ask('new')
    guard.meanwhile = lambda: None
    ask('new')
    assert guard.asked == 4
    ask('new')
    assert guard.asked == 4


def test_it_does_not_outlive_the_token(guard, ask):
    guard.token['expires'] = datetime.now(UTC) + timedelta(milliseconds=20)
    ask()
    processes.wait_until(lambda: ask() and guard.asked == 2, 5, 'end of the token')


@pytest.mark.parametrize(('configured', 'theirs', 'asked'), [
    ('300', '290', 1), ('7', '4', 1), ('-1', '-1', 2), ('0', '0', 2)])
def test_both_memories_together_are_as_old_as_allowed(guard, configured, theirs, asked, tmp_path):
    conf = SimpleNamespace(keystone_authtoken=SimpleNamespace(token_cache_time=1, memcached_servers=['there']),
                           embedded=SimpleNamespace(revocations=str(tmp_path)))
    entry = remembering(guard.filter_of, {'token_cache_time': configured}, conf)(lambda environ, _: environ)
    assert guard.settings == {'token_cache_time': theirs}
    entry({'HTTP_X_AUTH_TOKEN': 't'}, None)
    entry({'HTTP_X_AUTH_TOKEN': 't'}, None)
    assert guard.asked == asked


def test_what_was_asked_before_a_revocation_is_not_stored_after_it(revocations):
    cache = TokenCache(Stamp(str(revocations)))
    assert cache.get('a') is None
    cache.set('a', b'A')
    assert cache.get('a') == b'A'
    revoke(revocations)
    assert cache.get('a') is None
    revoke(revocations)
    cache.set('a', b'old')
    assert cache.get('a') is None
    cache.set('a', b'A', time=-1)
    assert cache.get('a') is None
