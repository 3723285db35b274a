# SPDX-License-Identifier: Apache-2.0
"""nova-api as an operator arranges it: TLS, a paste file of his own, several APIs, another WSGI server."""

import contextlib
import datetime
import ipaddress
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.fixtures import daemons, processes
from tests.fixtures import service as services
from tests.fixtures.user import User

PASTE = Path(__file__).resolve().parents[2] / 'etc' / 'api-paste.ini'


def certificate(directory, name):
    """A certificate that signs itself for this machine; the files of it and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address('127.0.0.1'))])
    made = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1)).add_extension(address, False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), True).sign(key, hashes.SHA256()))
    files = directory / f'{name}.crt', directory / f'{name}.key'
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return files


def local(directory, *more):
    """Changes for one machine without any other server."""
    return daemons.merged(daemons.sqlite_and_sockets(directory), daemons.without_keystone(directory), *more)


def test_tls(tmp_path):
    chain, key = certificate(tmp_path, 'server')
    changes = local(tmp_path, {'DEFAULT': {'enabled_ssl_apis': 'osapi_compute'},
                               'wsgi': {'ssl_cert_file': chain, 'ssl_key_file': key}})
    one = daemons.Daemons(tmp_path, changes)
    one.user = User(f'https://127.0.0.1:{one.port}', 'admin:project', verify=str(chain))
    with contextlib.ExitStack() as stack:
        stack.callback(one.kill)
        one.start()
        # Who connects and says nothing holds nobody up, and neither does who speaks another language.
        for said in (b'', b'GET / HTTP/1.1\r\n\r\n'):
            stack.enter_context(socket.create_connection(('127.0.0.1', one.port))).sendall(said)
        server = one.user.boot('encrypted')
        assert all(link['href'].startswith('https://') for link in one.user.show(server)['links'])
        with pytest.raises(requests.exceptions.SSLError):
            User(f'https://127.0.0.1:{one.port}', 'admin:project').ask('GET', '/')
        one.user.delete(server)
        assert set(one.stop().values()) == {0}
    assert 'Traceback' not in one.outputs()


def test_tls_with_certificates_of_clients(tmp_path):
    (chain, key), (known, known_key) = (certificate(tmp_path, name) for name in ('server', 'client'))
    one = daemons.Daemons(tmp_path, local(tmp_path, {
        'DEFAULT': {'enabled_ssl_apis': 'osapi_compute'},
        'wsgi': {'ssl_cert_file': chain, 'ssl_key_file': key, 'ssl_ca_file': known}}))
    one.user = User(f'https://127.0.0.1:{one.port}', 'admin:project', verify=str(chain))
    try:
        one.launch('api')
        one.commands['api'].wait_ready(lambda: 'serves on port' in one.commands['api'].output)
        url = f'https://127.0.0.1:{one.port}/v2.1/'
        assert requests.get(url, verify=str(chain), cert=(str(known), str(known_key)), timeout=30).ok
        with pytest.raises(requests.exceptions.ConnectionError):
            requests.get(url, verify=str(chain), timeout=30)
    finally:
        one.kill()


OWN_COMPOSITE = """
[composite:metadata]
use = call:nova_lite.wsgi.urlmap:urlmap_factory
/: oscomputeversions
/v2.1/+: closed_network

[composite:closed_network]
use = call:nova_lite.wsgi.pipeline:pipeline_factory_v21
keystone = cors compute_req_id faultwrap stamp sizelimit authtoken keystonecontext osapi_compute_app_v21
noauth2 = cors compute_req_id faultwrap stamp sizelimit noauth2 osapi_compute_app_v21

[filter:stamp]
paste.filter_factory = stamp:factory
text = from the second door
"""
OWN_FILTER = """
def factory(global_conf, text):
    def stamp(app):
        def stamped(environ, start_response):
            return app(environ, lambda status, headers, *error: start_response(
                status, [*headers, ('X-Stamp', text)], *error))
        return stamped
    return stamp
"""


def test_a_paste_file_with_a_second_door(tmp_path):
    """A second API that drops one filter (the line per request) and adds another."""
    shipped = PASTE.read_text()
    end = shipped.index('[composite:osapi_compute]')
    (tmp_path / 'own-paste.ini').write_text(OWN_COMPOSITE + shipped[end:])
    (tmp_path / 'stamp.py').write_text(OWN_FILTER)
    second = services.free_ports()
    changes = local(tmp_path, {'wsgi': {'api_paste_config': 'own-paste.ini'}, 'DEFAULT': {
        'enabled_apis': 'osapi_compute,metadata', 'metadata_listen_port': second, 'osapi_compute_workers': 1,
        'metadata_workers': 2}})
    with daemons.running(tmp_path, changes, {'PYTHONPATH': f'{tmp_path}:{PASTE.parents[1]}'}) as one:
        assert len(one.commands['api'].children()) == 3
        other = User(f'http://127.0.0.1:{second}', 'admin:project', image_url=f'http://127.0.0.1:{one.port}/image')
        server = other.boot('by the other door')
        assert 'X-Stamp' not in one.user.ask('GET', f'/servers/{server}').headers
        assert other.ask('GET', f'/servers/{server}').headers['X-Stamp'] == 'from the second door'
        seen = one.commands['api'].output
        assert f'GET /v2.1/servers/{server}' in seen and 'POST /v2.1/servers"' not in seen
        other.delete(server)


def test_an_auth_strategy_of_an_operators_own(tmp_path):
    (tmp_path / 'own-paste.ini').write_text(PASTE.read_text().replace('\nnoauth2 = ', '\ntrusting = '))
    changes = local(tmp_path, {'wsgi': {'api_paste_config': tmp_path / 'own-paste.ini'},
                               'api': {'auth_strategy': 'trusting'}})
    with daemons.running(tmp_path, changes) as one:
        one.user.boot_and_delete()


def test_an_auth_strategy_that_does_not_exist_is_refused(tmp_path):
    one = daemons.Daemons(tmp_path, local(tmp_path, {'api': {'auth_strategy': 'kerberos'}}))
    result = subprocess.run(services.argv('api', '--config-file', str(one.file)), capture_output=True, text=True,
                            timeout=120, check=False, env=services.environment())
    assert result.returncode == 1 and 'Traceback' not in result.stderr
    line = result.stderr.splitlines()[-1]
    assert all(name in line for name in ('kerberos', 'keystone', 'noauth2')), line


WSGIREF = """
import socketserver, sys
from wsgiref import simple_server
from nova_lite.wsgi import application

class Server(socketserver.ThreadingMixIn, simple_server.WSGIServer):
    daemon_threads = True

class Quiet(simple_server.WSGIRequestHandler):
    def log_message(self, *args):
        pass

assert 'eventlet' not in sys.modules or sys.modules['eventlet'] is None
with simple_server.make_server('127.0.0.1', int(sys.argv[1]), application, Server, Quiet) as server:
    server.serve_forever()
"""


def test_the_api_as_a_callable_under_another_server(tmp_path):
    """With Keystone's pipeline, so that the server asks itself while it answers."""
    from nova_lite.embedded import directory
    identity = directory.ensure_identity(str(tmp_path))
    port = services.free_ports()
    url = f'http://127.0.0.1:{port}'
    changes = local(tmp_path, {'api': {'auth_strategy': 'keystone'}, 'embedded': {'identity': 'true'}, 'DEFAULT': {
        'osapi_compute_listen_port': port}, 'keystone_authtoken': daemons.login(url, identity)})
    one = daemons.Daemons(tmp_path, changes, {'NOVA_LITE_BACKEND': 'threading'})
    api = processes.Daemon([sys.executable, '-W', 'ignore', '-c', WSGIREF, str(port)], tmp_path / 'wsgiref.log',
                           services.environment({'NOVA_LITE_CONFIG_FILES': str(one.file)}))
    try:
        api.start()
        api.wait_ready(lambda: services.answers(port))
        for name in ('conductor', 'compute'):
            one.launch(name)
        service = services.Service(tmp_path, port=port)
        user = User(url, service.token())
        assert user.ask('POST', '/flavors', {'flavor': {
            'id': '42', 'name': 'm1.nano', 'ram': 64, 'vcpus': 1, 'disk': 1}}).ok
        processes.wait_until(lambda: user.get('/os-services?binary=nova-compute')['services'], 60, 'a host')
        user.boot_and_delete()
        assert user.ask('GET', '/servers/detail').headers['X-OpenStack-Request-ID']
    finally:
        api.end()
        one.kill()
    assert 'Traceback' not in one.outputs() + api.tail(200)
