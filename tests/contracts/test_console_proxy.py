# SPDX-License-Identifier: Apache-2.0
"""The console proxy: who is let in, once, to which console, and until when."""

import contextlib
import socket
import ssl
import struct
import threading
import uuid
from types import SimpleNamespace

import pytest
import requests

from nova_lite import errors
from nova_lite.console import pages
from nova_lite.db.queries import consoles, servers
from nova_lite.model import states
from nova_lite.virt import fake_screen
from tests.fixtures.certificates import make_certificate
from tests.fixtures.processes import listens, wait_until
from tests.fixtures.proxy import HOST, Site
from tests.fixtures.websocket import CLOSE, PING, PONG, TEXT, Answer, WebSocket, ask_for_picture, picture, rfb


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path)
    yield site
    site.stop()
    site.db.dispose()


def refused(port, path='/', **headers):
    """The status and the reason with which a WebSocket is not opened; whoever expects frames must find none."""
    with pytest.raises(Answer) as caught:
        WebSocket(port, path, **headers)
    assert caught.value.text == ''
    return caught.value.status, caught.value.reason


def test_a_screen_is_shown_as_the_guest_has_written_it(site):
    server = site.boot('Booting.', 'web login:')
    with WebSocket(site.proxy(), f'/?token={site.open(server, "novnc")}') as web:
        width, height, _ = rfb(web)
        assert (width, height) == (fake_screen.WIDTH, fake_screen.HEIGHT)
        first = picture(web, width, height)
        assert first == fake_screen.draw(['Booting.', 'web login: '])
        site.screens[server] = ('Booting.', 'web login:', 'Panic!')
        assert picture(web, width, height, incremental=True) == fake_screen.draw(['Booting.', 'web login:', 'Panic! '])
    assert site.asked == [(HOST, server, 'novnc')] * 2


def test_keys_reach_the_guest(site):
    with WebSocket(site.proxy(), f'/?token={site.open(site.boot("login:"), "novnc")}') as web:
        width, height, _ = rfb(web)
        for key in b'root':
            for down in (1, 0):
                web.send(bytes((4, down, 0, 0, 0, 0, 0, key)))
        assert picture(web, width, height) == fake_screen.draw(['login: root'])


def test_a_serial_line_carries_both_ways(site):
    with WebSocket(site.proxy(), f'/?token={site.open(site.boot("web login:"), "serial")}',
                   **{'Sec-WebSocket-Protocol': 'binary'}) as web:
        assert web.headers['sec-websocket-protocol'] == 'binary'
        web.read_until(b'web login:\r\n')
        web.send(b'root\r')
        assert web.read_until(b'\n') == b'root\r\n'


def test_much_comes_through_in_order(site):
    sent = b''.join(b'%07d\n' % number for number in range(100_000))
    with WebSocket(site.proxy(), f'/?token={site.open(site.boot(), "serial")}') as web:
        sender = threading.Thread(target=web.send, args=(sent[:400_000],))
        sender.start()
        assert web.read(400_000) == sent[:400_000]
        sender.join()


def test_a_client_that_stays_alive_by_pings_is_answered(site):
    with WebSocket(site.proxy(), f'/?token={site.open(site.boot(), "serial")}') as web:
        web.send(b'are you there', PING)
        assert web.frame() == (PONG, b'are you there')


# ----------------------------------------------------------- who is let in

@pytest.mark.parametrize('path', ['/', '/?token=', '/?token={uuid}', '/?token={token}x', '/?token={TOKEN}',
                                  '/?token={token}&token={token}', '/?path=token%3D{token}', '/{token}'])
def test_only_a_token_opens_a_console(site, path):
    token = site.open(site.boot(), 'serial')
    port = site.proxy()
    status, text = refused(port, path.format(token=token, TOKEN=token.upper(), uuid=uuid.uuid4()))
    assert status == 403 and token not in text
    WebSocket(port, f'/?token={token}').leave()


def test_a_token_opens_a_console_once(site):
    path = f'/?token={site.open(site.boot(), "serial")}'
    port = site.proxy()
    with WebSocket(port, path):
        assert refused(port, path)[0] == 403
    assert refused(port, path)[0] == 403


def test_of_several_with_one_token_one_is_let_in(site):
    path = f'/?token={site.open(site.boot(), "serial")}'
    port, start, opened = site.proxy(), threading.Barrier(4), []

    def go():
        start.wait()
        with contextlib.suppress(Answer):
            opened.append(WebSocket(port, path))

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 1
    opened[0].leave()


def test_an_old_token_opens_nothing(site):
    site.conf.set_override('token_ttl', 0, 'consoleauth')
    assert refused(site.proxy(), f'/?token={site.open(site.boot(), "serial")}')[0] == 403


@pytest.mark.parametrize(('kinds', 'kind'), [(['novnc'], 'serial'), (['serial'], 'novnc')])
def test_a_proxy_opens_consoles_of_its_kinds(site, kinds, kind):
    token = site.open(site.boot(), kind)
    assert refused(site.proxy(kinds), f'/?token={token}')[0] == 403
    WebSocket(site.proxy(), f'/?token={token}').leave()


@pytest.mark.parametrize('origin', ['http://evil.example', 'https://evil.example:6080', 'null', '', 'file://',
                                    'http://127.0.0.1.evil.example', 'http://[::1', 'http://127.0.0.1@evil.example'])
def test_a_page_of_somebody_else_opens_nothing_and_spends_nothing(site, origin):
    path = f'/?token={site.open(site.boot(), "serial")}'
    port = site.proxy()
    status, text = refused(port, path, Origin=origin)
    assert (status, 'origin' in text) == (403, True)
    WebSocket(port, path, Origin='http://127.0.0.1:1').leave()


def test_a_page_of_a_known_dashboard_may(site):
    site.conf.set_override('allowed_origins', ['Dash.example'], 'console')
    WebSocket(site.proxy(), f'/?token={site.open(site.boot(), "serial")}', Origin='https://dash.example').leave()


@pytest.mark.parametrize('headers', [{'Host': None, 'Origin': ''}, {'Host': '', 'Origin': 'null'}])
def test_an_origin_that_is_nothing_is_not_the_host_that_is_nothing(site, headers):
    assert refused(site.proxy(), f'/?token={site.open(site.boot(), "serial")}', **headers)[0] == 403


# ---------------------------------------------------- bound to the server

@pytest.mark.parametrize('change', [
    {'deleted': True, 'vm_state': states.DELETED}, {'task_state': states.DELETING}, {'host': 'h2'}, {'host': None},
    {'vm_state': states.SOFT_DELETED}])
def test_a_token_ends_with_the_server_and_with_its_stay(site, change):
    server = site.boot()
    token = site.open(server, 'serial')
    site.db.transaction(servers.update, server, **change)
    if change == {'host': 'h2'}:
        site.elsewhere = SimpleNamespace(host='127.0.0.1', port=1)
    assert refused(site.proxy(), f'/?token={token}')[0] == 403


def test_a_port_that_another_guest_listens_at_by_now_is_not_opened(site):
    token = site.open(site.boot(), 'serial')
    site.elsewhere = site.consoles.address(site.boot(), 'serial')
    status, text = refused(site.proxy(), f'/?token={token}')
    assert status == 403 and 'new one' in text


def test_a_token_is_not_made_for_a_host_that_the_server_is_leaving(site):
    server = site.boot()
    before = site.get_console

    def moves(*args):
        site.db.transaction(servers.update, server, host='h2')
        return before(*args)

    site.get_console = moves
    with pytest.raises(errors.Conflict, match='leaving'):
        site.open(server, 'serial')


@pytest.mark.parametrize('more', ['&host=127.0.0.1&port={port}', '&target=127.0.0.1:{port}', '&path=127.0.0.1:{port}'])
def test_where_a_console_is_is_not_for_clients_to_say(site, more):
    with socket.create_server(('127.0.0.1', 0)) as other:
        other.setblocking(False)
        path = f'/?token={site.open(site.boot("mine"), "serial")}{more.format(port=other.getsockname()[1])}'
        with WebSocket(site.proxy(), path, **{'X-Forwarded-Host': f'127.0.0.1:{other.getsockname()[1]}'}) as web:
            web.read_until(b'mine\r\n')
        with pytest.raises(BlockingIOError):
            other.accept()


@pytest.mark.parametrize('change', [{'deleted': True}, {'host': 'h2'}, {'vm_state': states.SOFT_DELETED}])
def test_an_open_console_is_closed_when_its_server_is_gone(site, change):
    server, other = site.boot('one'), site.boot('other')
    port = site.proxy()
    with WebSocket(port, f'/?token={site.open(server, "serial")}') as web, (
            WebSocket(port, f'/?token={site.open(other, "serial")}')) as stays:
        web.read_until(b'one\r\n')
        site.db.transaction(servers.update, server, **change)
        code, reason = web.until_closed()
        assert (code, 'moved' in reason) == (1008, True)
        stays.read_until(b'other\r\n')
        stays.send(b'x')
        assert stays.read(1) == b'x'


def test_a_guest_that_ends_closes_its_console(site):
    server = site.boot('one')
    with WebSocket(site.proxy(), f'/?token={site.open(server, "serial")}') as web:
        web.read_until(b'one\r\n')
        del site.screens[server]
        web.send(b'x')
        assert web.until_closed()[0] == 1000


def test_a_proxy_that_stops_says_so_and_is_refused_then(site):
    port = site.proxy()
    with WebSocket(port, f'/?token={site.open(site.boot("one"), "serial")}') as web:
        web.read_until(b'one\r\n')
        site.stop()
        assert web.until_closed()[0] == 1001
    wait_until(lambda: not listens(port))


# ------------------------------------------------------------ what breaks

def test_a_console_that_does_not_listen_is_a_bad_gateway(site):
    server = site.boot()
    token = site.open(server, 'serial')
    address = site.consoles.address(server, 'serial')
    site.consoles.close(server)
    site.elsewhere = address
    status, text = refused(site.proxy(), f'/?token={token}')
    assert (status, str(address.port) in text) == (502, False)


def test_what_a_host_says_is_no_header(site):
    token = site.open(site.boot(), 'serial')
    site.elsewhere = errors.Unavailable(reason='odd\r\nSet-Cookie: a=b\r\n\r\n\u20ac')
    assert refused(site.proxy(), f'/?token={token}') == (502, 'odd Set-Cookie: a=b ?')


def test_a_host_that_does_not_answer_is_a_bad_gateway(site):
    token = site.open(site.boot(), 'serial')
    site.elsewhere = errors.Unavailable(reason='nova-compute on h1 does not answer.')
    assert refused(site.proxy(), f'/?token={token}') == (502, 'nova-compute on h1 does not answer.')


@pytest.mark.parametrize(('data', 'kind', 'masked'), [(b'text', TEXT, True), (b'bare', 2, False)])
def test_a_client_that_breaks_the_protocol_is_told(site, data, kind, masked):
    with WebSocket(site.proxy(), f'/?token={site.open(site.boot(), "serial")}') as web:
        web.send(data, kind, masked)
        assert web.until_closed()[0] in (1002, 1003)


def test_a_client_that_announces_too_much_is_left(site):
    with WebSocket(site.proxy(), f'/?token={site.open(site.boot(), "serial")}') as web:
        with contextlib.suppress(OSError):
            web._sock.sendall(b'\x82\xff\x7f' + b'\xff' * 7 + b'mask' + bytes(4 << 20))
        assert web.until_closed()


def test_a_client_that_closes_is_let_go(site):
    with WebSocket(site.proxy(), f'/?token={site.open(site.boot("one"), "serial")}') as web:
        web.read_until(b'one\r\n')
        web.send(b'\x03\xe8', CLOSE)
        assert web.until_closed()[0] == 1000


@pytest.mark.parametrize('more', [b'RFB 003.003\n', b'RFB 003.008\n\2'])
def test_a_client_that_does_not_speak_vnc_is_left(site, more):
    with WebSocket(site.proxy(), f'/?token={site.open(site.boot(), "novnc")}') as web:
        web.send(more)
        assert web.until_closed()
        wait_until(lambda: not site.services[0][0].sessions._open)


# ----------------------------------------------------------- TLS, VeNCrypt

@pytest.fixture
def certificate(tmp_path):
    return make_certificate(tmp_path)


def test_tls_and_plain_on_one_port(site, certificate):
    port = site.proxy(cert=str(certificate))
    trusting = ssl.create_default_context(cafile=certificate)
    for tls in (trusting, None):
        with WebSocket(port, f'/?token={site.open(site.boot("one"), "serial")}', tls=tls) as web:
            web.read_until(b'one\r\n')
            web.send(b'x' * 100_000)
            assert web.read(100_000) == b'x' * 100_000


@pytest.mark.parametrize('secure', [True, False])
def test_a_client_that_reads_late_misses_nothing(site, certificate, secure):
    tls = ssl.create_default_context(cafile=certificate) if secure else None
    port = site.proxy(cert=str(certificate), buffer=4096)
    with WebSocket(port, f'/?token={site.open(site.boot("one"), "novnc")}', tls=tls, receive_buffer=4096) as web:
        width, height, _ = rfb(web)
        for _ in range(3):
            ask_for_picture(web, width, height)
        for number in range(3):
            # Each is far more than what lies between the two, so the proxy has to stop and to go on.
            web.send(struct.pack('!BBxxI', 4, 1, 0x61 + number))
            assert len(picture(web, width, height, asked=True)) == width * height * 4
        now = picture(web, width, height)
        assert now == fake_screen.draw(['one abc'])


def test_without_tls_nobody_is_let_in_where_it_has_to_be(site, certificate):
    port = site.proxy(cert=str(certificate), ssl_only=True)
    token = site.open(site.boot(), 'serial')
    with pytest.raises(ConnectionError):
        WebSocket(port, f'/?token={token}')
    WebSocket(port, f'/?token={token}', tls=ssl.create_default_context(cafile=certificate)).leave()


@pytest.mark.parametrize(('changes', 'said'), [
    ({'ssl_only': True}, 'needs a certificate'), ({'cert': '/nowhere.pem'}, 'nowhere.pem')])
def test_a_wrong_certificate_ends_the_start(site, changes, said):
    with pytest.raises(errors.StartError, match=said):
        site.proxy(**changes)


def serve_vencrypt(sock, certificate, schemes, agrees=True):
    """One client of a VNC server that speaks VeNCrypt with a certificate, as far as the picture's size."""
    client, _ = sock.accept()
    with client:
        client.sendall(b'RFB 003.008\n')
        client.recv(12)
        client.sendall(bytes((len(schemes), *schemes)))
        if client.recv(1) == b'\x13':
            client.sendall(b'\0\2')
            client.recv(2)
            client.sendall(b'\0\1' + (260).to_bytes(4, 'big'))
            client.recv(4)
            client.sendall(b'\1' if agrees else b'\0')
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            with contextlib.suppress(OSError), context.wrap_socket(client, server_side=True) as secure:
                secure.sendall(b'\0\0\0\0')
                secure.recv(1)
                secure.sendall(b'\0\1\0\1' + bytes(16) + b'\0\0\0\4safe')
                secure.recv(1)


@pytest.mark.parametrize(('offered', 'allowed', 'trusted', 'opens'), [
    ((19,), ['vencrypt'], True, True), ((1, 19), ['vencrypt', 'none'], True, True),
    ((19,), ['vencrypt'], False, False), ((19,), ['none'], True, False), ((1,), ['vencrypt'], True, False)])
def test_the_way_to_the_console_is_as_safe_as_the_operator_wants(site, tmp_path, certificate, offered, allowed, trusted,
                                                                 opens):
    (tmp_path / 'other').mkdir()
    authority = certificate if trusted else make_certificate(tmp_path / 'other')
    site.conf.set_override('auth_schemes', allowed, 'vnc')
    site.conf.set_override('vencrypt_ca_certs', str(authority), 'vnc')
    with socket.create_server(('127.0.0.1', 0)) as sock:
        sock.settimeout(30)
        thread = threading.Thread(target=serve_vencrypt, args=(sock, certificate, offered))
        thread.start()
        site.elsewhere = SimpleNamespace(host='127.0.0.1', port=sock.getsockname()[1])
        path = f'/?token={site.open(site.boot(), "novnc")}'
        if opens:
            with WebSocket(site.proxy(), path) as web:
                assert rfb(web) == (1, 1, 'safe')
        else:
            assert refused(site.proxy(), path)[0] == 502
        thread.join(30)


# ------------------------------------------------------------------ pages

def get(port, path, method='GET'):
    """Status, headers and text of an answer over HTTP."""
    answer = requests.request(method, f'http://127.0.0.1:{port}{path}', timeout=30, allow_redirects=False)
    return answer.status_code, answer.headers, answer.text


@pytest.fixture
def web(tmp_path):
    """A directory like that of noVNC."""
    web = tmp_path / 'novnc'
    (web / 'core').mkdir(parents=True)
    (web / 'core' / 'rfb.js').write_text('export default 1;')
    (tmp_path / 'secret').write_text('secret')
    return web


def test_files_of_novnc_are_served_and_no_others(site, web):
    port = site.proxy(web=web)
    status, headers, text = get(port, '/core/rfb.js')
    assert (status, 'javascript' in headers['Content-Type'], text) == (200, True, 'export default 1;')
    assert (headers['Referrer-Policy'], headers['X-Content-Type-Options']) == ('no-referrer', 'nosniff')
    assert 'Python' not in headers['Server'] and 'WebSockify' not in headers['Server']
    for path in ('/../secret', '/%2e%2e/secret', '/core/', '/core/none.js', '/..%2fsecret'):
        assert get(port, path)[0] == 404, path
    assert get(port, '/core/rfb.js', 'HEAD')[2] == ''
    assert get(port, '/core/rfb.js', 'POST')[0] == 501


def test_a_novnc_without_pages_gets_ours(site, web):
    status, headers, text = get(site.proxy(web=web), '/vnc_auto.html?path=%3Ftoken%3Dx')
    assert (status, headers['Content-Type']) == (200, 'text/html; charset=utf-8')
    assert "from './core/rfb.js'" in text


@pytest.mark.parametrize(('auto', 'asked', 'to'), [
    (True, '/vnc_auto.html?path=x', '/vnc_auto.html?path=x&autoconnect=true'),
    (True, '/', '/vnc_auto.html?autoconnect=true'),
    (False, '/vnc_auto.html?path=x', '/vnc.html?path=x&autoconnect=true')])
def test_the_page_that_connects_by_itself_does(web, auto, asked, to):
    for name in ('vnc.html', *(['vnc_auto.html'] if auto else [])):
        (web / name).write_text('')
    assert pages.instead(web, asked).location == to
    assert pages.instead(web, to) is None


def test_where_there_is_no_novnc_the_page_says_what_to_do(site, tmp_path):
    status, _, text = get(site.proxy(web=tmp_path / 'none'), '/vnc_auto.html')
    assert (status, 'Install the package novnc' in text, str(tmp_path) in text) == (404, True, True)
    assert get(site.proxy(['serial']), '/')[0] == 404


def test_expired_tokens_do_not_stay(site):
    server = site.boot()
    site.conf.set_override('token_ttl', 0, 'consoleauth')
    site.open(server, 'serial')
    site.open(server, 'serial')
    with site.db.read() as conn:
        assert len(conn.execute(consoles.TOKENS.select()).all()) == 1
