# SPDX-License-Identifier: Apache-2.0
"""The acceptor under the WSGI server: keep-alive, draining, TLS, trouble. Each test is a process of its own."""

import datetime
import textwrap

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.unit.test_concurrency import run

HEAD = """
from nova_lite import concurrency
concurrency.start('eventlet')
import logging, os, socket, ssl, sys, threading
from nova_lite.concurrency import green_http
from nova_lite.concurrency.green_http import HttpOptions, HttpServer
gate, entered = threading.Event(), threading.Event()
def app(environ, start_response):
    if environ['PATH_INFO'] == '/slow':
        entered.set()
        gate.wait(10)
    if environ['PATH_INFO'] == '/broken':
        raise LookupError('broken on purpose')
    body = environ['wsgi.input'].read() or environ['wsgi.url_scheme'].encode()
    start_response('200 OK', [('Content-Length', str(len(body)))])
    return [body]
listening = socket.create_server(('127.0.0.1', 0))
address = listening.getsockname()
class Client:
    def __init__(self, tls=None):
        self.sock = socket.create_connection(address, timeout=10)
        if tls:
            self.sock = tls.wrap_socket(self.sock)
    def send(self, path='/', body=''):
        lines = f'POST {path} HTTP/1.1', 'Host: x', f'Content-Length: {len(body)}', '', body
        self.sock.sendall('\\r\\n'.join(lines).encode())
    def receive(self):
        return self.sock.recv(65536).decode()
    def ask(self, *args):
        self.send(*args)
        return self.receive()
"""


def run_http(code: str) -> list[str]:
    return run(HEAD + textwrap.dedent(code)).splitlines()


def test_requests_follow_each_other_on_a_connection():
    assert run_http("""
        server = concurrency.http_server(listening, app)
        server.start()
        client = Client()
        for number in range(3):
            answer = client.ask('/', f'body {number}')
            assert answer.startswith('HTTP/1.1 200 OK') and answer.endswith(f'body {number}'), answer
        server.stop()
        server.wait()
        print(repr(client.receive()))
    """) == ["''"]


def test_a_stop_lets_requests_in_flight_finish_and_takes_no_more():
    assert run_http("""
        server = HttpServer(listening, app)
        server.start()
        slow, idle, late = Client(), Client(), Client()
        assert idle.ask().endswith('http') and late.ask().endswith('http')
        slow.send('/slow', 'slow')
        assert entered.wait(10)
        late.send('/', 'late')      # has arrived, but nobody has looked yet
        server.stop()
        try:
            Client()
        except ConnectionRefusedError:
            print('refused')
        gate.set()
        server.wait()
        print(late.receive()[-4:], slow.receive()[-4:], repr(idle.receive()))
    """) == ['refused', "late slow ''"]


def test_who_waits_at_the_last_stop_is_served_and_others_are_refused():
    assert run_http("""
        green_http.FIRST_GRACE = 1.0
        waiting = [Client() for _ in range(3)]
        server = concurrency.http_server(listening, app)
        server.start()
        server.leave()
        server.stop()
        try:
            Client()
        except ConnectionRefusedError:
            print('refused')
        # One of them never asks, which holds up nobody for long.
        for client in waiting[1:]:
            print(client.ask('/', 'late').splitlines()[0])
        server.wait()
        print(repr(waiting[0].receive()))
    """) == ['refused', 'HTTP/1.1 200 OK', 'HTTP/1.1 200 OK', "''"]


def test_an_idle_connection_is_closed_after_a_while():
    assert run_http("""
        server = HttpServer(listening, app, options=HttpOptions(keepalive=0.1))
        server.start()
        client = Client()
        assert client.ask().endswith('http')
        print(repr(client.receive()))
    """) == ["''"]


def test_connections_beyond_the_pool_wait():
    assert run_http("""
        server = HttpServer(listening, app, options=HttpOptions(pool_size=1))
        server.start()
        first, second = Client(), Client()
        first.send('/slow', 'first')
        assert entered.wait(10)
        second.send('/', 'second')
        gate.set()
        assert first.receive().endswith('first')
        first.sock.close()
        print(second.receive()[-6:])
    """) == ['second']


def test_what_an_application_raises_is_logged_and_not_shown():
    output = run_http("""
        logging.basicConfig(level=logging.INFO, stream=sys.stdout)
        server = HttpServer(listening, app)
        server.start()
        answer = Client().ask('/broken')
        assert answer.startswith('HTTP/1.1 500') and 'broken on purpose' not in answer, answer
        print('answered')
    """)
    assert any('broken on purpose' in line for line in output) and 'answered' in output


def test_it_survives_a_lack_of_files():
    output = run_http("""
        import resource
        logging.basicConfig(level=logging.ERROR, stream=sys.stdout)
        server = HttpServer(listening, app)
        server.start()
        free = os.dup(0)
        os.close(free)
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, limits[1]))
        waiting = Client()
        waiting.send('/', 'hello')
        concurrency.sleep(0.1)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        print(waiting.receive()[-5:])
    """)
    assert any('Too many open files' in line for line in output) and output[-1] == 'hello'


def test_tls_and_a_client_that_never_shakes_hands(tmp_path):
    certificate = tmp_path / 'server.pem'
    certificate.write_bytes(self_signed())
    assert run_http(f"""
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain({str(certificate)!r})
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        green_http.FIRST_GRACE = 1.0
        server = HttpServer(listening, app, tls=tls)
        server.start()
        silent, plain = Client(), Client()
        print(repr(plain.ask())[:1])
        client = Client(trusting)
        print(client.ask()[-5:], client.ask('/', 'again')[-5:])
        server.stop()
        server.wait()
        try:
            assert client.receive() == ''
        except ssl.SSLError as error:
            print('ended by', error.reason)
    """)[1:2] == ['https again']


def self_signed() -> bytes:
    """A key with its certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, 'localhost')])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
                   .serial_number(1).not_valid_before(now - datetime.timedelta(days=1))
                   .not_valid_after(now + datetime.timedelta(days=1)).sign(key, hashes.SHA256()))
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption()) + certificate.public_bytes(serialization.Encoding.PEM)
