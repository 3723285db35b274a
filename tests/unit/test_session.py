# SPDX-License-Identifier: Apache-2.0
"""How another service is asked: whose token goes out, what is asked again, what is told to it of the request."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from nova_lite import conf as options
from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.clients import session
from nova_lite.clients.cinder_wire import place_of
from nova_lite.clients.session import Service


class Cloud:
    """A Keystone and a Glance in one, which answer in turn what they are told to."""

    def __init__(self):
        self.statuses, self.asked = [], []
        self.server = ThreadingHTTPServer(('127.0.0.1', 0), self._handler())
        self.url = f'http://127.0.0.1:{self.server.server_port}'
        threading.Thread(target=self.server.serve_forever, kwargs={'poll_interval': 0.02}, daemon=True).start()

    def _handler(self):
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                cloud.answer(self)

            do_POST = do_PUT = do_DELETE = do_GET

            def log_message(self, *args):
                pass

        return Handler

    def answer(self, request):
        body = request.rfile.read(int(request.headers.get('Content-Length') or 0))
        if request.path == '/v3/auth/tokens':
            name = json.loads(body)['auth']['identity']['password']['user']['name']
            endpoints = [{'id': kind, 'interface': 'internal', 'region': 'R', 'region_id': 'R', 'url': url}
                         for kind, url in (('image', f'{self.url}/image'), ('volumev3', f'{self.url}/v3/ours'))]
            return self._send(request, 201, {'token': {
                'methods': ['password'], 'expires_at': '2999-01-01T00:00:00.000000Z', 'roles': [], 'catalog': [
                    {'type': one['id'], 'id': one['id'], 'name': one['id'], 'endpoints': [one]} for one in endpoints],
                'user': {'id': name, 'name': name, 'domain': {'id': 'd', 'name': 'D'}},
                'project': {'id': 'ours', 'name': 'service', 'domain': {'id': 'd', 'name': 'D'}}}}, name)
        if request.path.startswith('/v3/ours') or request.path.startswith('/image') or '/theirs' in request.path:
            self.asked.append((request.command, request.path, request.headers))
            return self._send(request, self.statuses.pop(0) if self.statuses else 200, {})
        version = {'id': 'v3.14', 'status': 'stable', 'links': [{'rel': 'self', 'href': f'{self.url}/v3/'}]}
        return self._send(request, 200, {'version': version})

    @staticmethod
    def _send(request, status, body, token=''):
        raw = json.dumps(body).encode()
        request.send_response(status)
        request.send_header('Content-Type', 'application/json')
        request.send_header('Content-Length', str(len(raw)))
        if token:
            request.send_header('X-Subject-Token', f'token of {token}')
        request.end_headers()
        request.wfile.write(raw)

    def tokens(self):
        """Of the last request: the token, and that of the service."""
        headers = self.asked[-1][2]
        return headers['X-Auth-Token'], headers['X-Service-Token']


@pytest.fixture
def cloud(monkeypatch):
    monkeypatch.setattr(session, '_PAUSE', 0.001)
    made = Cloud()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def make(cloud, tmp_path):
    """A service from the options of a file; it is closed in the end."""
    made = []

    def service(sections, group='glance', place=None, retries=0):
        lines = []
        for name, values in sections.items():
            lines += [f'[{name}]', *(f'{key} = {value}' for key, value in values.items())]
        path = tmp_path / 'nova.conf'
        path.write_text('\n'.join(lines) + '\n')
        conf = options.new()
        conf([], default_config_files=[str(path)], default_config_dirs=[])
        made.append(Service(conf, group, group.capitalize(), place and place(conf), retries))
        return made[-1]

    yield service
    for one in made:
        if one._session is not None:
            one._session.session.close()


def login(cloud, name='nova'):
    return {'auth_type': 'password', 'auth_url': f'{cloud.url}/v3', 'username': name, 'password': 'x',
            'project_name': 'service', 'user_domain_id': 'd', 'project_domain_id': 'd'}


def user(**known):
    return RequestContext(auth_token='mine', project_id='theirs', overwrite=False, **known)


NOBODY = RequestContext(overwrite=False)


def test_whose_token_goes_out(cloud, make):
    service = make({'glance': login(cloud)})
    service.request(user(), '/v2/images', 'GET')
    assert cloud.tokens() == ('mine', None)
    service.request(NOBODY, '/v2/images', 'GET')
    service.request(user(), '/v2/images', 'GET', own=True)
    assert [asked[2]['X-Auth-Token'] for asked in cloud.asked[1:]] == ['token of nova'] * 2


def test_the_token_of_the_service_goes_beside_it(cloud, make):
    service = make({'service_user': {**login(cloud, 'someone'), 'send_service_user_token': 'true'},
                    'glance': login(cloud)})
    service.request(user(), '/v2/images', 'GET')
    assert cloud.tokens() == ('mine', 'token of someone')
    service.request(NOBODY, '/v2/images', 'GET')
    assert cloud.tokens() == ('token of nova', 'token of someone')


@pytest.mark.parametrize('section', ['service_user', 'keystone_authtoken'])
def test_credentials_that_are_there_for_everything(cloud, make, section):
    make({section: login(cloud, 'all')}).request(NOBODY, '/v2/images', 'GET')
    assert cloud.tokens() == ('token of all', None)


def test_the_request_is_named(cloud, make):
    service = make({'glance': login(cloud)})
    service.request(user(request_id='req-1'), '/v2/images', 'GET')
    service.request(user(request_id='req-1', global_request_id='req-0'), '/v2/images', 'GET')
    assert [asked[2]['X-OpenStack-Request-ID'] for asked in cloud.asked] == ['req-1', 'req-0']


def test_a_proxy_whose_service_is_away_is_asked_again(cloud, make):
    service = make({'glance': login(cloud)}, retries=2)
    cloud.statuses[:] = [503, 502]
    assert service.request(user(), '/v2/images', 'GET').status_code == 200
    cloud.statuses[:] = [503] * 3
    with pytest.raises(errors.Unavailable, match='answered 503'):
        service.request(user(), '/v2/images', 'GET')
    assert len(cloud.asked) == 6


def test_what_could_be_done_twice_is_asked_once(cloud, make):
    service = make({'glance': login(cloud)}, retries=2)
    cloud.statuses[:] = [503]
    with pytest.raises(errors.Unavailable):
        service.request(user(), '/v2/images', 'POST', json={})
    assert len(cloud.asked) == 1


def test_the_path_of_a_project_is_that_of_the_token(cloud, make):
    service = make({'cinder': login(cloud)}, 'cinder', place=lambda conf: place_of(conf), retries=0)
    service._place = session.Place('volumev3', ('internal',), None, None)
    service.request(NOBODY, '/volumes', 'GET')
    service.request(user(), '/volumes', 'GET')
    assert [asked[1] for asked in cloud.asked] == ['/v3/ours/volumes', '/v3/theirs/volumes']


def test_a_catalogue_may_call_it_by_another_name(cloud, make):
    catalog = [{'type': 'block-storage', 'endpoints': [{'internalURL': f'{cloud.url}/v3/theirs', 'region': 'R'}]}]
    service = make({'cinder': {'catalog_info': 'volumev3::internalURL'}}, 'cinder', place=lambda conf: place_of(conf))
    service.request(user(service_catalog=catalog), '/volumes', 'GET')
    assert cloud.asked[-1][1] == '/v3/theirs/volumes'


@pytest.mark.parametrize(('change', 'says'), [
    ({}, None), ({'auth_type': ''}, 'auth_type is not set'), ({'region_name': 'S'}, 'region_name or valid_interfaces'),
    ({'endpoint_override': 'http://127.0.0.1:9'}, 'endpoint_override is http://127.0.0.1:9, which does not answer'),
    ({'auth_url': 'http://127.0.0.1:9/v3'}, 'auth_url = http://127.0.0.1:9/v3 does not let us log in'),
])
def test_what_is_wrong_with_it(cloud, make, change, says):
    told = make({'glance': {**login(cloud), **change}}).diagnose()
    assert told is None if says is None else says in told
