# SPDX-License-Identifier: Apache-2.0
"""What a config drive holds, read back from the disc."""

import base64
import io
import json

import pytest

from nova_lite import errors
from nova_lite.virt import base, config_drive
from tests.fixtures.compute import make_conf, make_server

pycdlib = pytest.importorskip('pycdlib')

INTERFACE = {
    'slot': 's', 'port_id': '6f7cbe5c-53d7-4d4a-9e8a-4a7d4a9e53b7', 'network_id': 'n', 'network': 'private',
    'mac': 'fa:16:3e:00:00:01', 'mtu': 1500, 'tag': 'front', 'groups': [],
    'addresses': [{'addr': '10.20.0.5', 'version': 4, 'subnet_id': 's', 'prefix': 16, 'gateway': '10.20.0.1',
                   'dns': ['192.0.2.53'], 'floating': []}]}
FILE = {'path': '/etc/motd', 'contents': base64.b64encode(b'hello').decode()}


def seed(count):
    return b'\1' * count


@pytest.fixture
def conf(tmp_path):
    return make_conf(tmp_path)


def server(**known):
    return make_server(**{
        'name': '<b>web & "1"</b>', 'hostname': 'web-1', 'key_name': 'mine', 'public_key': 'ssh-ed25519 AAAA',
        'user_data': base64.b64encode(b'#!/bin/sh\n\xff').decode(), 'metadata': {'role': 'db', '../x': '/etc/passwd'},
        'admin_password': 'secret', 'interfaces': [INTERFACE], 'reservation_id': 'r-1', 'root_device_name': '/dev/vda',
        **known})


def read(path, kind='rr_path'):
    """The files of a disc by their paths, as one of the three ways of reading it shows them."""
    disc = pycdlib.PyCdlib()
    disc.open(str(path))
    found = {}
    for above, _, names in disc.walk(**{kind: '/'}):
        for name in names:
            data = io.BytesIO()
            whole = f'{above.rstrip("/")}/{name}'
            disc.get_file_from_iso_fp(data, **{kind: whole})
            found[whole] = data.getvalue()
    disc.close()
    return found


def build(conf, tmp_path, spec):
    path = tmp_path / 'disk.config'
    config_drive.build(conf, spec, path, seed)
    return path


def test_the_files_of_openstack_and_ec2(conf, tmp_path):
    path = build(conf, tmp_path, base.GuestSpec(server(), files=(FILE,)))
    files = read(path)
    assert files == read(path, 'joliet_path')
    latest = {name.removeprefix('/openstack/latest/') for name in files if name.startswith('/openstack/latest/')}
    assert latest == {'meta_data.json', 'network_data.json', 'user_data', 'vendor_data.json', 'vendor_data2.json'}
    assert {name.split('/')[2] for name in files if name.startswith('/openstack/')} >= {'2012-08-10', '2020-10-14',
                                                                                       'latest', 'content'}
    meta = json.loads(files['/openstack/latest/meta_data.json'])
    assert (meta['hostname'], meta['admin_pass'], meta['name']) == ('web-1.novalocal', 'secret', '<b>web & "1"</b>')
    assert meta['public_keys'] == {'mine': 'ssh-ed25519 AAAA'}
    assert meta['meta'] == {'role': 'db', '../x': '/etc/passwd'}
    assert files['/openstack/latest/user_data'] == b'#!/bin/sh\n\xff'
    assert [files['/openstack' + one['content_path']] for one in meta['files']] == [b'hello']
    network = json.loads(files['/openstack/latest/network_data.json'])
    assert network['networks'][0]['ip_address'] == '10.20.0.5'
    assert network['services'] == [{'type': 'dns', 'address': '192.0.2.53'}]
    ec2 = json.loads(files['/ec2/latest/meta-data.json'])
    assert ec2['public-keys'] == {'0': {'openssh-key': 'ssh-ed25519 AAAA', '_name': '0=mine'}}
    assert (ec2['hostname'], ec2['local-ipv4']) == ('web-1.novalocal', '10.20.0.5')
    assert files['/ec2/latest/user-data'] == b'#!/bin/sh\n\xff'
    assert files['/ec2/2009-04-04/meta-data.json'] == files['/ec2/latest/meta-data.json']


def test_the_disc_has_the_label_that_guests_look_for_and_is_for_its_owner_only(conf, tmp_path):
    path = build(conf, tmp_path, base.GuestSpec(server()))
    assert path.read_bytes()[0x8000:0x8000 + 72][40:].rstrip() == b'config-2'
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == [path.name]


def test_a_server_with_next_to_nothing(conf, tmp_path):
    bare = server(key_name=None, public_key=None, user_data=None, metadata={}, admin_password=None, interfaces=[],
                  reservation_id=None, root_device_name=None)
    files = read(build(conf, tmp_path, base.GuestSpec(bare)))
    assert '/openstack/latest/user_data' not in files
    assert 'admin_pass' not in json.loads(files['/openstack/latest/meta_data.json'])
    assert 'content' not in {name.split('/')[2] for name in files}


def test_vendor_data_is_on_it(conf, tmp_path):
    (tmp_path / 'vendor.json').write_text('{"ours": 1}')
    conf.set_override('vendordata_jsonfile_path', str(tmp_path / 'vendor.json'), 'api')
    files = read(build(conf, tmp_path, base.GuestSpec(server())))
    assert json.loads(files['/openstack/latest/vendor_data.json']) == {'ours': 1}
    assert json.loads(files['/openstack/latest/vendor_data2.json']) == {'static': {'ours': 1}}


@pytest.mark.parametrize('known', [
    {'user_data': base64.b64encode(b'x' * (8 << 20)).decode()}, {'metadata': {'bomb': 'x' * (8 << 20)}},
])
def test_a_bomb_is_refused_and_leaves_nothing(conf, tmp_path, known):
    with pytest.raises(errors.HypervisorError, match='at most 67108864 fit'):
        build(conf, tmp_path, base.GuestSpec(server(**known)))
    assert not [one for one in tmp_path.iterdir() if one.is_file()]


def test_who_gets_one(conf):
    assert not config_drive.wanted(conf, server())
    assert config_drive.wanted(conf, server(config_drive=True))
    conf.set_override('force_config_drive', True)
    assert config_drive.wanted(conf, server())
