# SPDX-License-Identifier: Apache-2.0
"""What is remembered of a token ends with the token, and lends nothing to who writes headers of his own."""

import pytest

from tests.wire import conftest

SERVERS, HOSTS = '/v2.1/servers', '/v2.1/os-hypervisors'


@pytest.fixture(scope='module')
def there(request):
    return conftest.world(request.config)


@pytest.fixture
def token(there):
    """A token of the member's that no other test has."""
    answer = there.send('POST', f'{there.url}/identity/v3/auth/tokens', 'nobody', json={'auth': {
        'identity': {'methods': ['token'], 'token': {'id': there.tokens['member']}},
        'scope': {'project': {'id': there.facts['member_project']}}}})
    assert answer.status_code == 201, answer.text
    return answer.headers['X-Subject-Token']


def ask(there, token, path=SERVERS, **headers):
    return there.send('GET', there.url + path, 'nobody', headers={'X-Auth-Token': token, **headers}).status_code


def test_a_token_that_is_revoked_is_refused_at_once(there, token):
    # Several workers may answer, and each has a memory of its own.
    assert {ask(there, token) for _ in range(10)} == {200}
    gone = there.send('DELETE', f'{there.url}/identity/v3/auth/tokens', 'admin', headers={'X-Subject-Token': token})
    assert gone.status_code == 204
    assert {ask(there, token) for _ in range(10)} == {401}


@pytest.mark.parametrize('name', [
    'X-Roles', 'X-Service-Roles', 'X-User-Id', 'X-Identity-Status', 'OpenStack-System-Scope'])
def test_headers_that_a_client_makes_up_count_for_nothing(there, token, name):
    assert {ask(there, token, HOSTS) for _ in range(3)} == {403}
    value = {'X-Identity-Status': 'Confirmed', 'OpenStack-System-Scope': 'all'}.get(name, 'admin')
    assert {ask(there, token, HOSTS, **{name: value, 'X-Is-Admin-Project': 'True'}) for _ in range(3)} == {403}
    assert ask(there, 'nonsense', **{name: value}) == 401
