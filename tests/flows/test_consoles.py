# SPDX-License-Identifier: Apache-2.0
"""Consoles from the URL that the API gives to what a guest shows, and their end."""

import contextlib
import ssl
import urllib.parse

import pytest

from nova_lite.virt import fake_screen
from tests.fixtures import service as services
from tests.fixtures.certificates import make_certificate
from tests.fixtures.user import admin
from tests.fixtures.websocket import Answer, WebSocket, picture, rfb

HIDDEN = "import sys\nsys.modules['websockify'] = None\n"


def open_console(user, server, kind='novnc'):
    """The port and the path of the WebSocket that a browser would open for a console's URL."""
    protocol = {'novnc': 'vnc', 'serial': 'serial'}[kind]
    answer = user.ask('POST', f'/servers/{server}/remote-consoles',
                      {'remote_console': {'protocol': protocol, 'type': kind}})
    assert answer.status_code == 200, answer.text
    url = urllib.parse.urlsplit(answer.json()['remote_console']['url'])
    query = urllib.parse.parse_qs(url.query)
    return url.port, '/' + (query['path'][0] if kind == 'novnc' else f'?{url.query}')


def refused(port, path):
    """The status with which a WebSocket is not opened."""
    with pytest.raises(Answer) as caught:
        WebSocket(port, path)
    return caught.value.status


def written(user, server):
    """What the screen of a fake guest shows before anybody types."""
    text = user.ask('POST', f'/servers/{server}/action', {'os-getConsoleOutput': {}}).json()['output']
    *lines, last = text.rstrip('\n').split('\n')
    return [*lines, f'{last} ']


def test_a_console_from_the_url_to_the_end(tmp_path):
    with services.running(tmp_path / 'state', '--driver', 'fake', '--computes', '2') as service:
        user = admin(service)
        server, other = user.boot('web'), user.boot('other')
        port, path = open_console(user, server)
        assert port == service.port + 2
        with WebSocket(port, path, Origin=f'http://127.0.0.1:{port}') as web:
            width, height, _ = rfb(web)
            assert picture(web, width, height) == fake_screen.draw(written(user, server))
            assert refused(port, path) == 403
            unused = open_console(user, server)
            assert user.ask('POST', f'/servers/{server}/action', {
                'os-migrateLive': {'host': None, 'block_migration': 'auto'}}).status_code == 202
            user.wait_for([server])
            assert web.until_closed()[0] in (1000, 1008)
            assert refused(*unused) == 403

        unused = open_console(user, server)
        with WebSocket(*open_console(user, server, 'serial')) as web, (
                WebSocket(*open_console(user, other, 'serial'))) as stays:
            web.read_until(b'web login:\r\n')
            stays.read_until(b'other login:\r\n')
            user.delete(server)
            assert web.until_closed()[0] in (1000, 1008)
            assert refused(*unused) == 403
            service.stop()
            # The proxy goes, or the console that it has open goes first.
            assert stays.until_closed()[0] in (1000, 1001)
        tokens = [path.rpartition('=')[2] for _, path in (unused, (port, path))]
        assert not any(token in service.state_dir.joinpath('nova-lite.log').read_text() for token in tokens)


def test_the_daemons_serve_a_kind_each(tmp_path):
    with services.running(tmp_path / 'state', '--driver', 'fake') as service, contextlib.ExitStack() as stack:
        user, port = admin(service), services.free_ports(2)
        server = user.boot('web')
        more = tmp_path / 'more.conf'
        certificate = make_certificate(tmp_path)
        more.write_text(f'[DEFAULT]\ncert = {certificate}\n'
                        f'[vnc]\nnovncproxy_host = 127.0.0.1\nnovncproxy_port = {port}\n'
                        f'[serial_console]\nserialproxy_host = 127.0.0.1\nserialproxy_port = {port + 1}\n')
        for name, of_kind in (('novncproxy', port), ('serialproxy', port + 1)):
            daemon = services.Command(tmp_path / f'{name}.log', name, '--config-file', f'{service.state_dir}/nova.conf',
                                      '--config-file', str(more)).start()
            stack.callback(daemon.stop)
            daemon.wait_ready(lambda of_kind=of_kind: services.answers(of_kind))
        vnc, serial = (open_console(user, server, kind)[1] for kind in ('novnc', 'serial'))
        assert (refused(port, serial), refused(port + 1, vnc)) == (403, 403)
        with WebSocket(port, vnc, tls=ssl.create_default_context(cafile=certificate)) as web:
            width, height, name = rfb(web)
            assert name == 'nova-lite fake guest'
            assert picture(web, width, height) == fake_screen.draw(written(user, server))
        with WebSocket(port + 1, serial) as web:
            web.read_until(b'web login:\r\n')


def test_without_the_library_everything_else_works_and_it_is_said_what_is_missing(tmp_path):
    (tmp_path / 'hidden').mkdir()
    (tmp_path / 'hidden' / 'sitecustomize.py').write_text(HIDDEN)
    env = {'PYTHONPATH': str(tmp_path / 'hidden')}
    with services.running(tmp_path / 'state', '--driver', 'fake', env=env) as service:
        user = admin(service)
        answer = user.ask('POST', f'/servers/{user.boot("web")}/remote-consoles', {
            'remote_console': {'protocol': 'vnc', 'type': 'novnc'}})
        assert (answer.status_code, 'switched off' in answer.text) == (400, True)
        assert 'nova-lite[consoles]' in service.output
        command = services.Command(tmp_path / 'proxy.log', 'novncproxy', '--config-file',
                                   f'{service.state_dir}/nova.conf', env=env).start()
        assert command.wait() == 1 and 'nova-lite[consoles]' in command.output
