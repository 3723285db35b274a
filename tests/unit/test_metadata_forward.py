# SPDX-License-Identifier: Apache-2.0
"""The program that carries a guest's request to the metadata API: what it lets through and what it adds."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading

import pytest

from nova_lite.virt.libvirt import metadata_forward, user_network
from tests.fixtures.compute import make_conf, make_server

HEADERS = {'Host': '169.254.169.254', 'X-Instance-ID': 'u', 'X-Tenant-ID': 'p', 'X-Instance-ID-Signature': 's'}


def rewritten(request: bytes) -> list[bytes]:
    return metadata_forward.rewritten(request, HEADERS).split(b'\r\n')


def test_the_request_gets_our_headers_and_keeps_its_own():
    assert rewritten(b'GET /latest HTTP/1.1\r\nHost: x\r\nAccept: */*\r\nUser-Agent: Cloud\r\n\r\n') == [
        b'GET /latest HTTP/1.1', b'Accept: */*', b'User-Agent: Cloud', b'Host: 169.254.169.254', b'X-Instance-ID: u',
        b'X-Tenant-ID: p', b'X-Instance-ID-Signature: s', b'Connection: close', b'', b'']


@pytest.mark.parametrize('line', [
    b'X-Instance-ID: other', b'x-instance-id:other', b'X_Instance_ID: other', b'X-Instance-ID-Signature: other',
    b'X-Tenant-ID : other', b' folded: other', b'\tfolded', b'X-Forwarded-For: 10.0.0.1', b'Content-Length: 5',
    b'Transfer-Encoding: chunked', b'no colon at all\rX-Instance-ID: other'[:15], b''])
def test_what_a_guest_says_of_who_it_is_does_not_count(line):
    found = rewritten(b'GET / HTTP/1.0\r\n' + line + b'\r\n\r\n')
    assert not [one for one in found if b'other' in one or b'chunked' in one or b'10.0.0.1' in one]


def test_lines_may_end_in_newlines_alone():
    assert rewritten(b'HEAD /a HTTP/1.0\nAccept: x\n\n')[:2] == [b'HEAD /a HTTP/1.1', b'Accept: x']


@pytest.mark.parametrize(('request_line', 'status'), [
    (b'POST / HTTP/1.1', '405'), (b'GET http://10.0.0.1/ HTTP/1.1', '400'), (b'GET /', '400'), (b'', '400'),
    (b'GET / HTTP/1.1 more', '400'),
])
def test_other_requests_are_refused(request_line, status):
    with pytest.raises(metadata_forward.Refused, match=status):
        rewritten(request_line + b'\r\n\r\n')


class Upstream:
    """Takes one request, and answers it."""

    def __init__(self) -> None:
        self._listener = socket.create_server(('127.0.0.1', 0))
        self.port = self._listener.getsockname()[1]
        self.request = b''
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            while b'\r\n\r\n' not in self.request:
                self.request += connection.recv(4096)
            connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi')

    def close(self) -> None:
        self._thread.join(10)
        self._listener.close()


@pytest.fixture
def upstream():
    upstream = Upstream()
    yield upstream
    upstream.close()


def ask(port: int, tmp_path, request: bytes) -> bytes:
    """What a guest gets over the program as QEMU runs it."""
    conf = make_conf(tmp_path)
    conf.set_override('metadata_proxy_shared_secret', 'top', 'neutron')
    conf.set_override('metadata_address', f'127.0.0.1:{port}', 'libvirt')
    user_network.write_settings(conf, make_server(uuid='6f7cbe5c-53d7-4d4a-9e8a-4a7d4a9e53b7'), tmp_path)
    ours, theirs = socket.socketpair()
    with ours, theirs, subprocess.Popen(
            [sys.executable, '-I', '-S', str(user_network.FORWARDER), str(tmp_path / user_network.SETTINGS)],
            stdin=theirs, stdout=theirs, cwd='/') as done:
        theirs.close()
        ours.settimeout(30)
        ours.sendall(request)
        answer = b''
        # Who ends with a part of a request unread resets the connection, behind the answer.
        with contextlib.suppress(ConnectionResetError):
            while piece := ours.recv(4096):
                answer += piece
        assert done.wait(30) == 0
    return answer


def test_the_program_answers_a_guest(upstream, tmp_path):
    assert ask(upstream.port, tmp_path, b'GET /latest HTTP/1.0\r\n\r\n').endswith(b'\r\n\r\nhi')
    assert b'X-Instance-ID: 6f7cbe5c-53d7-4d4a-9e8a-4a7d4a9e53b7\r\nX-Tenant-ID: p\r\n' in upstream.request
    settings = tmp_path / user_network.SETTINGS
    assert settings.stat().st_mode & 0o777 == 0o600
    assert 'top' not in settings.read_text()


def test_the_program_says_when_the_service_is_away(tmp_path):
    with socket.socket() as unused:
        unused.bind(('127.0.0.1', 0))
        answer = ask(unused.getsockname()[1], tmp_path, b'GET / HTTP/1.0\r\n\r\n')
    assert answer.startswith(b'HTTP/1.1 503 ')


def test_an_endless_head_is_refused(tmp_path):
    answer = ask(1, tmp_path, b'GET / HTTP/1.0\r\nA: ' + b'x' * (metadata_forward.HEAD_LIMIT + 4096))
    assert answer.startswith(b'HTTP/1.1 431 ')


# ------------------------------------------------------------- the arguments

def interface(addr: str, prefix: int, gateway: str | None = None, dns: tuple[str, ...] = ()) -> dict:
    return {'port_id': 'b2d2', 'mac': 'fa:16:3e:00:00:01', 'addresses': [
        {'addr': addr, 'version': 6 if ':' in addr else 4, 'prefix': prefix, 'gateway': gateway, 'dns': list(dns)}]}


def backend(tmp_path, *addresses, secret: str | None = 'top') -> dict[str, str]:
    conf = make_conf(tmp_path)
    if secret:
        conf.set_override('metadata_proxy_shared_secret', secret, 'neutron')
    found = user_network.arguments(conf, make_server(interfaces=list(addresses)), tmp_path, 'pci.0')
    words = found[1].split(',')
    return {'kind': words[0], 'sandbox': found[-1].rpartition('=')[2], 'device': found[3],
            **dict(word.partition('=')[::2] for word in words[1:])}


def test_the_guest_gets_the_address_of_its_port(tmp_path):
    found = backend(tmp_path, interface('10.20.3.4', 16, '10.20.0.1', ('192.0.2.53', '10.20.0.53')))
    assert found == {'kind': 'user', 'sandbox': 'deny', 'id': 'nic-b2d2-net', 'ipv6': 'off', 'net': '10.20.0.0/16',
                     'host': '10.20.0.1', 'dns': '10.20.0.53', 'dhcpstart': '10.20.3.4',
                     'device': 'virtio-net-pci,id=nic-b2d2,netdev=nic-b2d2-net,mac=fa:16:3e:00:00:01,bus=pci.0,'
                               'addr=0x18'}


@pytest.mark.parametrize(('one', 'expected'), [
    (interface('10.0.0.5', 24), ('10.0.0.0/24', '10.0.0.254', '10.0.0.253')),
    (interface('10.0.0.254', 24), ('10.0.0.0/24', '10.0.0.253', '10.0.0.252')),
    (interface('10.0.0.1', 32), ('10.0.0.0/29', '10.0.0.6', '10.0.0.5')),
    (interface('10.0.0.2', 30, '10.0.0.1'), ('10.0.0.0/29', '10.0.0.1', '10.0.0.6')),
    (interface('10.0.0.5', 24, '192.0.2.1'), ('10.0.0.0/24', '10.0.0.254', '10.0.0.253')),
])
def test_qemu_has_two_addresses_that_nobody_else_has(tmp_path, one, expected):
    found = backend(tmp_path, one)
    assert (found['net'], found['host'], found['dns']) == expected


def test_metadata_is_where_its_address_is_in_the_network(tmp_path):
    found = backend(tmp_path, interface('169.254.3.4', 17, '169.254.0.1'))
    assert (found['net'], found['host'], found['dhcpstart']) == ('169.254.0.0/16', '169.254.0.1', '169.254.3.4')
    assert found['guestfwd'].startswith('tcp:169.254.169.254:80-cmd:')
    assert found['sandbox'] == 'allow'
    found = backend(tmp_path, interface('169.254.3.4', 17, '169.254.0.1'), secret=None)
    assert 'guestfwd' not in found
    assert found['sandbox'] == 'deny'


def test_a_port_without_an_address_has_a_network_all_the_same(tmp_path):
    assert backend(tmp_path, interface('2001:db8::5', 64))['id'] == 'nic-b2d2-net'
    assert 'net' not in backend(tmp_path, {**interface('10.0.0.5', 24), 'addresses': []})


def test_who_needs_a_config_drive(tmp_path):
    conf = make_conf(tmp_path)
    near, far = (make_server(interfaces=[interface(addr, 17)]) for addr in ('169.254.3.4', '10.0.0.5'))
    assert user_network.needs_config_drive(conf, near)
    conf.set_override('metadata_proxy_shared_secret', 'top', 'neutron')
    assert not user_network.needs_config_drive(conf, near)
    assert user_network.needs_config_drive(conf, far)
    assert user_network.needs_config_drive(conf, make_server())


@pytest.mark.skipif(not os.path.exists('/usr/bin/qemu-system-x86_64'), reason='qemu-system-x86 is not installed')
def test_qemu_takes_the_arguments(tmp_path):
    conf = make_conf(tmp_path)
    conf.set_override('metadata_proxy_shared_secret', 'top', 'neutron')
    directory = tmp_path / 'a, "b" c'
    directory.mkdir()
    server = make_server(interfaces=[
        {**interface('169.254.3.4', 17, '169.254.0.1'), 'port_id': 'p1'},
        {**interface('10.0.0.5', 24), 'port_id': 'p2'}])
    user_network.write_settings(conf, server, directory)
    done = subprocess.run(
        ['qemu-system-x86_64', '-M', 'pc,accel=tcg', '-nodefaults', '-display', 'none', '-S', '-m', '16', '-qmp',
         'stdio',
         *user_network.arguments(conf, server, directory, 'pci.0')],
        input='{"execute": "qmp_capabilities"}{"execute": "query-rx-filter"}{"execute": "quit"}', capture_output=True,
        text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    filters = next(one['return'] for one in answers if isinstance(one.get('return'), list))
    assert sorted(one['name'] for one in filters) == ['nic-p1', 'nic-p2']
