# SPDX-License-Identifier: Apache-2.0
"""The Linux guest alone: that it finds out who it is, over the network or from a drive, and keeps what it wrote."""

import base64
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from nova_lite.metadata import document, gather
from nova_lite.virt import base, config_drive
from nova_lite.virt.libvirt import qemu_img, user_network
from tests.fixtures import guests, processes
from tests.fixtures.compute import make_conf, make_server

KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE one@two'
USER_DATA = b'#!/bin/sh\necho "user data was here" > /data/user-data\n'
GIB = 1 << 30
ADDRESS = {'addr': '169.254.3.4', 'version': 4, 'prefix': 17, 'floating': [], 'gateway': '169.254.0.1',
           'dns': ['169.254.0.3']}


@pytest.fixture(scope='module')
def image() -> Path:
    if shutil.which(guests.EMULATOR) is None:
        processes.missing(guests.EMULATOR, 'qemu-system-x86')
    return guests.linux_image()


@pytest.fixture
def conf(tmp_path):
    conf = make_conf(tmp_path)
    conf.set_override('metadata_proxy_shared_secret', 'top', 'neutron')
    return conf


@pytest.fixture
def disk(image, tmp_path) -> Path:
    qemu_img.overlay(tmp_path / 'disk', image, 'qcow2', GIB)
    return tmp_path / 'disk'


def server(name: str):
    return make_server(
        name=name, hostname=name, key_name='mine', public_key=KEY, user_data=base64.b64encode(USER_DATA).decode(),
        reservation_id='r-1', root_device_name='/dev/vda', kernel_id=None, ramdisk_id=None, key_type='ssh',
        interfaces=[{'port_id': 'p1', 'network_id': 'n', 'network': 'private', 'mac': 'fa:16:3e:00:00:01', 'mtu': 1500,
                     'tag': None, 'groups': [], 'addresses': [ADDRESS]}])


class Api(ThreadingHTTPServer):
    """The metadata of servers by their ids; whoever does not say an id in the header gets nothing."""

    def __init__(self, *servers) -> None:
        self.facts = {one.uuid: gather.of_server(one, 'novalocal') for one in servers}
        super().__init__(('127.0.0.1', 0), _Handler)
        self._thread = threading.Thread(target=self.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self.shutdown()
        self._thread.join(30)
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Api

    def do_GET(self) -> None:
        facts = self.server.facts.get(self.headers.get('X-Instance-ID', ''))
        found = document.find(facts, self.path, lambda count: b'1' * count) if facts else None
        self.send_response(200 if found else 404)
        self.send_header('Content-Length', str(len(found.data) if found else 0))
        self.end_headers()
        self.wfile.write(found.data if found else b'')

    def log_message(self, *arguments: object) -> None:
        """The tests say what went wrong."""


def test_it_learns_over_the_network_who_it_is_and_keeps_its_disk(conf, disk, tmp_path):
    one, other = server('web-1'), server('other')
    api = Api(one, other)
    try:
        conf.set_override('metadata_address', f'127.0.0.1:{api.server_port}', 'libvirt')
        user_network.write_settings(conf, one, tmp_path)
        arguments = user_network.arguments(conf, one, tmp_path, 'pci.0')
        with guests.running(disk, arguments) as console:
            found = console.wait_ready()
            assert (found['source'], found['hostname'], found['key']) == ('metadata', 'web-1.novalocal', KEY)
            assert (found['boots'], found['addresses']) == ('1', 'eth0:169.254.3.4/16')
            assert guests.user_data_of(found) == USER_DATA
            assert console.run('cat /data/user-data') == 'user data was here'
            assert console.run('hostname') == 'web-1.novalocal'
            assert console.run('cat /etc/resolv.conf') == 'nameserver 169.254.0.3'
            # It says that it is another one, and is not believed.
            stolen = console.run("printf 'GET /latest/meta-data/hostname HTTP/1.0\\r\\nX-Instance-ID: "
                                 f"{other.uuid}\\r\\n\\r\\n' | timeout 20 nc 169.254.169.254 80")
            assert stolen.endswith('web-1.novalocal')
            console.run('echo kept > /data/file; sync')
    finally:
        api.close()
    with guests.running(disk) as console:
        found = console.wait_ready()
        assert (found['source'], found['boots']) == ('none', '2')
        assert console.run('cat /data/file') == 'kept'


def test_it_reads_a_config_drive(conf, disk, tmp_path):
    drive = tmp_path / 'drive'
    config_drive.build(conf, base.GuestSpec(server('web-2')), drive)
    arguments = ['-drive', f'file={drive},format=raw,if=ide,media=cdrom,readonly=on']
    with guests.running(disk, arguments) as console:
        found = console.wait_ready()
        assert (found['source'], found['hostname'], found['key']) == ('config-drive', 'web-2.novalocal', KEY)
        assert guests.user_data_of(found) == USER_DATA
        assert console.run('cat ~/.ssh/authorized_keys') == KEY
        # Numbers on its console, for tests that look for a lost one.
        console.run('(count &)')
        console.wait_for(lambda text: 'count 2' in text, guests.COMMAND_LIMIT)


def test_what_is_kept_in_the_cache_is_what_a_user_would_upload(image):
    found = qemu_img.info(image, 'qcow2')
    assert found.backing_file is None
    assert image.stat().st_size < 16 << 20
    subprocess.run(['qemu-img', 'check', '-q', str(image)], check=True, timeout=60)
