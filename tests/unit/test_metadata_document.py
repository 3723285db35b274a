# SPDX-License-Identifier: Apache-2.0
"""The files that a server finds about itself, version by version."""

import base64
import dataclasses
import json

import pytest

from nova_lite.metadata import document
from nova_lite.metadata.document import Address, Facts, Key, Port

FACTS = Facts(
    uuid='d8e02d56-2648-49a3-bf97-6be8f1204f38', number=42, name='Web 1', hostname='web-1.novalocal', project_id='red',
    flavor='m1.tiny', availability_zone='nova', launch_index=1, reservation_id='r-abc',
    image='70a599e0-31e7-49b7-b260-868f441e862b', root_device='/dev/vda', key=Key('mine', 'ssh-ed25519 AAAA'),
    metadata={'role': 'db'}, user_data=b'#!/bin/sh\n\xff',
    ports=(Port('fa:16:3e:00:00:01', 'private', (Address('10.0.0.5'), Address('192.0.2.9', floating=True),
                                                 Address('fd00::5'))),))
BARE = Facts(uuid=FACTS.uuid, number=1, name='one', hostname='one', project_id='red', flavor='m1.tiny')


def seed(count):
    return b'\x01' * count


def read(path, facts=FACTS):
    found = document.find(facts, path, seed)
    assert found is not None, path
    return found.data.decode()


def loaded(path, facts=FACTS):
    return json.loads(read(path, facts))


# ---------------------------------------------------------------- listings

@pytest.mark.parametrize('path', ['', '/', '//'])
def test_the_root_lists_the_versions_of_ec2(path):
    assert read(path).split() == ['1.0', '2007-01-19', '2007-03-01', '2007-08-29', '2007-10-10', '2007-12-15',
                                  '2008-02-01', '2008-09-01', '2009-04-04', 'latest']


@pytest.mark.parametrize('path', ['/openstack', '/openstack/', 'openstack'])
def test_the_versions_of_openstack(path):
    assert read(path).split() == ['2012-08-10', '2013-04-04', '2013-10-17', '2015-10-15', '2016-06-30', '2016-10-06',
                                  '2017-02-22', '2018-08-27', '2020-10-14', 'latest']


@pytest.mark.parametrize(('version', 'files'), [
    ('2012-08-10', 'meta_data.json user_data'),
    ('2013-10-17', 'meta_data.json user_data vendor_data.json'),
    ('2015-10-15', 'meta_data.json network_data.json user_data vendor_data.json'),
    ('2016-10-06', 'meta_data.json network_data.json user_data vendor_data.json vendor_data2.json'),
    ('latest', 'meta_data.json network_data.json user_data vendor_data.json vendor_data2.json'),
])
def test_the_files_of_a_version(version, files):
    assert read(f'/openstack/{version}') == read(f'/openstack/{version}/') == files.replace(' ', '\n')
    assert all(document.find(FACTS, f'/openstack/{version}/{name}', seed) for name in files.split())


def test_what_a_server_does_not_have_is_not_listed():
    assert 'user_data' not in read('/openstack/latest', BARE)
    assert read('/latest', BARE) == 'meta-data/'
    assert document.find(BARE, '/latest/user-data', seed) is None


@pytest.mark.parametrize(('version', 'entries'), [
    ('1.0', 'ami-id ami-launch-index ami-manifest-path hostname instance-id local-ipv4 public-keys/ reservation-id '
            'security-groups'),
    ('2009-04-04', 'ami-id ami-launch-index ami-manifest-path block-device-mapping/ hostname instance-action '
                   'instance-id instance-type local-hostname local-ipv4 placement/ public-hostname public-ipv4 '
                   'public-keys/ reservation-id security-groups'),
])
def test_the_entries_of_ec2(version, entries):
    assert read(f'/{version}/meta-data/').split('\n') == entries.split()
    assert read(f'/{version}/').split('\n') == ['meta-data/', 'user-data']


@pytest.mark.parametrize('path', [
    '/2011-01-01', '/openstack/2011-01-01', '/openstack/latest/nothing', '/openstack/latest/meta_data.json/more',
    '/latest/meta-data/nothing', '/latest/meta-data/public-keys/1', '/openstack/1.0', '/2012-08-10/meta-data',
    '/openstack/latest/password', '/latest/../openstack', '/LATEST', '/latest/meta-data/hostname/x'])
def test_nothing_else_is_there(path):
    assert document.find(FACTS, path, seed) is None


# ------------------------------------------------------------------- contents

def test_the_newest_meta_data():
    assert loaded('/openstack/latest/meta_data.json') == loaded('/openstack/2020-10-14/meta_data.json') == {
        'uuid': FACTS.uuid, 'name': 'Web 1', 'hostname': 'web-1.novalocal', 'launch_index': 1,
        'availability_zone': 'nova', 'project_id': 'red', 'meta': {'role': 'db'}, 'devices': [], 'dedicated_cpus': [],
        'public_keys': {'mine': 'ssh-ed25519 AAAA'},
        'keys': [{'name': 'mine', 'type': 'ssh', 'data': 'ssh-ed25519 AAAA'}],
        'random_seed': base64.b64encode(b'\x01' * 512).decode()}


@pytest.mark.parametrize(('version', 'new'), [
    ('2012-08-10', set()), ('2013-04-04', {'random_seed'}), ('2015-10-15', {'random_seed', 'project_id'}),
    ('2018-08-27', {'random_seed', 'project_id', 'devices'}),
])
def test_older_meta_data(version, new):
    assert set(loaded(f'/openstack/{version}/meta_data.json', BARE)) == {
        'uuid', 'name', 'hostname', 'launch_index', 'availability_zone'} | new


def test_the_password_is_told_only_where_it_is_given():
    assert 'admin_pass' not in loaded('/openstack/latest/meta_data.json')
    facts = dataclasses.replace(FACTS, admin_password='secret')
    assert loaded('/openstack/latest/meta_data.json', facts)['admin_pass'] == 'secret'


@pytest.mark.parametrize('path', ['/openstack/2012-08-10/user_data', '/latest/user-data', '/1.0/user-data'])
def test_user_data_are_bytes(path):
    found = document.find(FACTS, path, seed)
    assert found.data == FACTS.user_data and found.kind == 'application/octet-stream'


def test_what_the_operator_adds():
    facts = dataclasses.replace(FACTS, vendor_data={'ntp': 'ntp.example.org'})
    assert loaded('/openstack/latest/vendor_data.json', facts) == {'ntp': 'ntp.example.org'}
    assert loaded('/openstack/latest/vendor_data2.json', facts) == {'static': {'ntp': 'ntp.example.org'}}
    assert loaded('/openstack/latest/vendor_data.json') == {}


def test_kinds_of_content():
    kinds = {path: document.find(FACTS, path, seed).kind for path in (
        '/openstack/latest/meta_data.json', '/openstack/latest', '/latest/meta-data/hostname')}
    assert list(kinds.values()) == ['application/json', 'text/plain; charset=UTF-8', 'text/plain; charset=UTF-8']


@pytest.mark.parametrize(('path', 'text'), [
    ('instance-id', 'i-0000002a'), ('ami-id', 'ami-70a599e0'), ('ami-launch-index', '1'),
    ('hostname', 'web-1.novalocal'), ('local-hostname', 'web-1.novalocal'), ('local-ipv4', '10.0.0.5'),
    ('public-ipv4', '192.0.2.9'), ('instance-type', 'm1.tiny'), ('reservation-id', 'r-abc'),
    ('instance-action', 'none'), ('placement/', 'availability-zone'), ('placement/availability-zone', 'nova'),
    ('block-device-mapping', 'ami\nroot'), ('block-device-mapping/ami', 'vda'),
    ('block-device-mapping/root', '/dev/vda'), ('public-keys/', '0=mine'), ('public-keys/0', 'openssh-key'),
    ('public-keys/0/openssh-key', 'ssh-ed25519 AAAA')])
def test_ec2_meta_data(path, text):
    assert read(f'/2009-04-04/meta-data/{path}') == text == read(f'/latest/meta-data/{path}')


def test_a_server_of_kernel_and_ramdisk():
    facts = dataclasses.replace(BARE, kernel='0a' * 16, ramdisk='0b' * 16)
    assert read('/latest/meta-data/kernel-id', facts) == 'aki-0a0a0a0a'
    assert read('/latest/meta-data/ramdisk-id', facts) == 'ari-0b0b0b0b'
    assert read('/latest/meta-data/ami-id', facts) == 'ami-00000000'


# -------------------------------------------------------------------- networks

def test_addresses_that_dhcp_gives():
    assert loaded('/openstack/latest/network_data.json') == {
        'links': [{'id': 'link0', 'type': 'phy', 'ethernet_mac_address': 'fa:16:3e:00:00:01', 'mtu': None}],
        'networks': [{'id': 'network0', 'link': 'link0', 'network_id': 'private', 'type': 'ipv4_dhcp'},
                     {'id': 'network1', 'link': 'link0', 'network_id': 'private', 'type': 'ipv6_dhcp'}],
        'services': []}


def test_addresses_that_are_known_in_full():
    facts = dataclasses.replace(BARE, name_servers=('192.0.2.53',), ports=(
        Port('fa:16:3e:00:00:01', 'n1', (Address('10.0.0.5', 23, '10.0.0.1'),), 1450, 'cd9f6d46-4a3a-43ab'),
        Port('fa:16:3e:00:00:02', 'n2', (Address('fd00::5', 64),))))
    assert loaded('/openstack/latest/network_data.json', facts) == {
        'links': [{'id': 'tapcd9f6d46-4a', 'type': 'phy', 'ethernet_mac_address': 'fa:16:3e:00:00:01', 'mtu': 1450,
                   'vif_id': 'cd9f6d46-4a3a-43ab'},
                  {'id': 'link1', 'type': 'phy', 'ethernet_mac_address': 'fa:16:3e:00:00:02', 'mtu': None}],
        'networks': [
            {'id': 'network0', 'link': 'tapcd9f6d46-4a', 'network_id': 'n1', 'type': 'ipv4', 'ip_address': '10.0.0.5',
             'netmask': '255.255.254.0',
             'routes': [{'network': '0.0.0.0', 'netmask': '0.0.0.0', 'gateway': '10.0.0.1'}]},
            {'id': 'network1', 'link': 'link1', 'network_id': 'n2', 'type': 'ipv6', 'ip_address': 'fd00::5',
             'netmask': 'ffff:ffff:ffff:ffff::', 'routes': []}],
        'services': [{'type': 'dns', 'address': '192.0.2.53'}]}


def test_a_server_without_networks():
    assert loaded('/openstack/latest/network_data.json', BARE) == {'links': [], 'networks': [], 'services': []}
    assert read('/latest/meta-data/local-ipv4', BARE) == ''


def test_disks_with_a_tag_are_told():
    facts = dataclasses.replace(BARE, disks=(
        document.Disk('data', 'virtio', '/dev/vdb', 'the-volume'), document.Disk('scratch', 'scsi')))
    assert loaded('/openstack/latest/meta_data.json', facts)['devices'] == [
        {'type': 'disk', 'bus': 'virtio', 'tags': ['data'], 'path': '/dev/vdb', 'serial': 'the-volume'},
        {'type': 'disk', 'bus': 'scsi', 'tags': ['scratch']}]
