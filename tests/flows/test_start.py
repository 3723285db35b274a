# SPDX-License-Identifier: Apache-2.0
"""``nova-lite up``: what it leaves behind, what the next start finds, and how it says that it cannot start."""

import os
import pwd
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures import service as services
from tests.fixtures.user import User, admin

KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKtVPbFPOD5OXg2rqyXDYp8N5VOeGSoGcJNq3PuTfYlz me@here'


def test_the_next_start_finds_everything(tmp_path):
    with services.running(tmp_path / 'state') as service:
        user = admin(service)
        server = user.boot('kept')
        assert user.ask('POST', '/os-keypairs', {'keypair': {'name': 'mine', 'type': 'ssh', 'public_key': KEY}}).ok
        assert user.ask('POST', '/flavors', {'flavor': {
            'name': 'odd', 'id': 'odd', 'ram': 64, 'vcpus': 1, 'disk': 1}}).ok
        assert user.ask('DELETE', '/flavors/4').status_code == 202
        image = user.ask('POST', f'{user.image_url}/v2/images', {
            'name': 'own', 'disk_format': 'raw', 'container_format': 'bare'}).json()['id']
        clouds = (tmp_path / 'state' / 'clouds.yaml').read_text()
    again = services.Service(tmp_path / 'state', port=service.port).start()
    try:
        old = User(again.url, user.token)
        assert old.show(server)['status'] == 'ACTIVE'
        assert old.get('/os-keypairs/mine')['keypair']['public_key'] == KEY
        flavors = {flavor['id'] for flavor in old.get('/flavors')['flavors']}
        assert {'odd', '42'} <= flavors and '4' not in flavors
        assert old.get(f'{old.image_url}/v2/images/{image}')['name'] == 'own'
        assert (tmp_path / 'state' / 'clouds.yaml').read_text() == clouds
        # The guest was found, too: it can be worked on.
        assert old.ask('POST', f'/servers/{server}/action', {'os-stop': None}).status_code == 202
        old.wait_for([server], 'SHUTOFF')
        old.delete(server)
    finally:
        assert again.stop() == 0


def test_nobody_else_can_read_the_state(tmp_path):
    with services.running(tmp_path / 'state') as service:
        admin(service).boot('one')
        found = [tmp_path / 'state', *(tmp_path / 'state').rglob('*')]
    open_to_others = [f'{path} {oct(mode)}' for path in found if not path.is_symlink() and path.exists()
                      and (mode := stat.S_IMODE(path.stat().st_mode)) != (0o700 if path.is_dir() else 0o600)
                      and not stat.S_ISSOCK(path.stat().st_mode)]
    assert not open_to_others
    assert len(found) > 10


def refused(*arguments, command='lite', env=None, argv=None):
    """Run a command that cannot start; what it says, which is one line and nothing else."""
    result = subprocess.run(argv or services.argv(command, *map(str, arguments)), capture_output=True, text=True,
                            timeout=120, check=False, env=services.environment(env))
    assert result.returncode == 1, result.stdout + result.stderr
    assert 'Traceback' not in result.stdout + result.stderr
    line, end, rest = result.stderr.partition('\n')
    assert end == '\n' and rest == '', result.stderr
    assert line[-1] == '.' and line.startswith('nova-'), line
    return line


def test_a_taken_port_is_named(tmp_path):
    with socket.socket() as other:
        other.bind(('127.0.0.1', 0))
        other.listen()
        port = other.getsockname()[1]
        said = refused('up', '--state-dir', tmp_path / 'state', '--port', port)
    assert str(port) in said and 'taken' in said


@pytest.mark.parametrize('where', ['a directory of others', 'a file', 'below a file', 'a place without directories'])
def test_an_unusable_state_directory_is_named(tmp_path, where):
    directory = tmp_path / 'theirs'
    if where == 'a directory of others':
        directory.mkdir(mode=0o555)
    elif where == 'a place without directories':
        directory = Path('/proc/nova-lite')
    else:
        directory.write_text('')
        directory = directory if where == 'a file' else directory / 'state'
    arguments = ('up', '--state-dir', directory, '--port', services.free_ports())
    said = refused(*arguments, argv=as_nobody(*arguments) if directory.is_dir() and os.geteuid() == 0 else None)
    assert str(directory) in said


def as_nobody(*arguments):
    """The command without root's right to write everywhere; imported before, as nobody may not even read it."""
    who = pwd.getpwnam('nobody')
    return [sys.executable, '-W', 'ignore', '-c', 'import os, sys\nfrom nova_lite.cmd import lite\n'
            f'os.setgroups([])\nos.setgid({who.pw_gid})\nos.setuid({who.pw_uid})\nsys.exit(lite.main(sys.argv[1:]))',
            *map(str, arguments)]


@pytest.mark.parametrize(('arguments', 'named'), [
    (['up', '--colour', 'red'], '--colour'),
    (['up', '--port', '70000'], '70000'),
    (['up', '--workers', 'many'], 'many'),
    (['down'], 'down'),
    ([], 'COMMAND'),
])
def test_a_wrong_option_is_named(arguments, named):
    assert named in refused(*arguments)


@pytest.mark.parametrize(('text', 'named'), [
    (None, 'mine.conf'),
    ('nonsense', 'mine.conf'),
    ('[DEFAULT]\nosapi_compute_workers = many\n', 'osapi_compute_workers'),
    ('[DEFAULT]\nosapi_compute_listen_port = 99999\n', 'osapi_compute_listen_port'),
    ('[DEFAULT]\ntransport_url = pigeon://\n', 'transport_url'),
    ('[DEFAULT]\ncompute_driver = abacus\n', 'abacus'),
    ('[DEFAULT]\nenabled_ssl_apis = osapi_compute\n', 'ssl_cert_file'),
    ('[DEFAULT]\nosapi_compute_listen = 192.0.2.1\n', '192.0.2.1'),
    ('[database]\nconnection = oracle://here\n', '[database] connection'),
    ('[database]\nconnection = sqlite:////nowhere/at/all.sqlite\n', 'database'),
    ('[wsgi]\napi_paste_config = my-paste.ini\n', 'my-paste.ini'),
    ('[oslo_policy]\npolicy_file = {directory}/mine.conf\n', 'policy'),
])
def test_an_unusable_configuration_file_is_explained(tmp_path, text, named):
    file = tmp_path / 'mine.conf'
    if text is not None:
        file.write_text(text.format(directory=tmp_path))
    said = refused('up', '--state-dir', tmp_path / 'state', '--port', services.free_ports(), '--config-file', file)
    assert named in said


@pytest.mark.parametrize(('command', 'text', 'named'), [
    ('api', None, 'nova.conf'),
    ('conductor', '[DEFAULT]\nreport_interval = often\n', 'report_interval'),
    ('compute', '[DEFAULT]\ntransport_url = pigeon://\n', 'transport_url'),
])
def test_a_daemon_explains_an_unusable_configuration(tmp_path, command, text, named):
    file = tmp_path / 'nova.conf'
    if text is not None:
        file.write_text(text)
        with file.open('a') as more:
            more.write(f'osapi_compute_listen_port = {services.free_ports()}\nstate_path = {tmp_path}\n'
                       f'[database]\nconnection = sqlite:///{tmp_path}/nova.sqlite\n')
    assert named in refused('--config-file', file, command=command)


def test_a_backend_that_does_not_exist_is_named(tmp_path):
    said = refused('--config-file', tmp_path / 'x', command='conductor', env={'NOVA_LITE_BACKEND': 'asyncio'})
    assert 'asyncio' in said and 'eventlet' in said and 'threading' in said


def test_a_second_one_in_the_same_directory_is_refused(tmp_path):
    with services.running(tmp_path / 'state') as service:
        said = refused('up', '--state-dir', tmp_path / 'state', '--port', services.free_ports())
        assert 'Another nova-lite' in said and str(tmp_path / 'state') in said
        # The first one is none the worse.
        admin(service).boot_and_delete()


def test_a_directory_is_free_again_after_a_kill(tmp_path):
    service = services.Service(tmp_path / 'state').start()
    service.send(signal.SIGKILL)
    assert service.wait() == -signal.SIGKILL
    with services.running(tmp_path / 'state') as again:
        admin(again).boot_and_delete()
    service.stop()


@pytest.mark.parametrize('workers', [1, 2])
def test_computes_and_workers_are_as_many_as_asked_for(tmp_path, workers):
    with services.running(tmp_path / 'state', '--computes', '3', '--workers', str(workers)) as service:
        user = admin(service)
        hypervisors = user.get('/os-hypervisors')['hypervisors']
        assert [hypervisor['state'] for hypervisor in hypervisors] == ['up'] * 3
        assert len(service.children()) == len(services.PARTS) - 1 + workers
        servers = [user.create(f's{number}') for number in range(6)]
        user.wait_for(servers)
        assert {user.show(server)['OS-EXT-SRV-ATTR:host'] for server in servers} == {
            hypervisor['hypervisor_hostname'] for hypervisor in hypervisors}
        # No image, no flavor and no user has been made twice by workers that started at once.
        assert len(user.get(f'{user.image_url}/v2/images')['images']) == 1


def test_a_configuration_file_lies_over_the_defaults(tmp_path):
    own = tmp_path / 'own.conf'
    own.write_text('[api]\nauth_strategy = noauth2\nmax_limit = 2\n[fake]\nvcpus = 7\n')
    with services.running(tmp_path / 'state', '--config-file', str(own)) as service:
        user = User(service.url, 'admin:somewhere')
        assert not (tmp_path / 'state' / 'clouds.yaml').exists()
        assert 'No identity service' in service.output
        assert user.get('/os-hypervisors/detail', version='2.1')['hypervisors'][0]['vcpus'] == 7
        server = user.boot('nobody asked who')
        assert user.show(server)['tenant_id'] == 'somewhere'
        for name in 'abc':
            user.create(name)
        assert len(user.get('/servers')['servers']) == 2
