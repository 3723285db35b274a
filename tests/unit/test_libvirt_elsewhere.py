# SPDX-License-Identifier: Apache-2.0
"""A guest's domain as another host gets it, and which hosts cannot have it."""

from pathlib import Path

import pytest

from nova_lite import errors
from nova_lite.virt import base
from nova_lite.virt.libvirt import elsewhere, live_migration, xml
from nova_lite.virt.libvirt.driver import LibvirtDriver
from nova_lite.virt.libvirt.elsewhere import There
from nova_lite.virt.libvirt.migration_job import progress
from tests.fixtures.compute import make_conf

DOMAIN = """
<domain type='kvm'><metadata><g:guest xmlns:g='urn:nova-lite:guest:1' host='left'/></metadata>
<cpu mode='host-passthrough'/><devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/here/s/disk.qcow2' index='1'>
<seclabel model='dac'/></source><backingStore type='file'><source file='/here/_base/x.raw'/></backingStore>
<target dev='vda' bus='virtio'/></disk>
<disk type='file' device='disk'><source file='/volumes/v'/><target dev='vdb'/><alias name='ua-v1'/></disk>
<disk type='file' device='cdrom'><source file='/here/s/config.iso'/><target dev='hda'/></disk>
<disk type='file' device='cdrom'><target dev='hdb'/></disk>
<interface type='bridge'><source bridge='br-here'/></interface>
<serial type='tcp'><source mode='bind' host='10.0.0.1' service='10000'/><log file='/here/s/console.log'/>
<target port='0'/></serial><serial type='pty'><target port='1'/></serial>
<console type='tcp'><source mode='bind' host='10.0.0.1' service='10000'/><log file='/here/s/console.log'/>
<target type='serial' port='0'/></console>
<graphics type='vnc' port='5900' autoport='yes' websocket='5700' listen='10.0.0.1'>
<listen type='address' address='10.0.0.1'/></graphics></devices></domain>"""
THERE = There(host='right', directory='/there/s', log='/there/s/console.log', kind='kvm', version=7, vnc='10.0.0.2',
              cpu={'features': ['avx', 'sse']}, serial=(('10.0.0.2', 10007),), bridge='br-there',
              files={'disk.qcow2': (1, 'x')})
HERE = base.HostInventory('left', 'QEMU', 7, 2, 2, 2, cpu_info={'features': ['sse']})


def test_what_belongs_to_a_place_is_in_the_new_one():
    volume = xml.Disk(path='/dev/v', target='vdb', block=True)
    made = elsewhere.remade(xml.parse(DOMAIN), Path('/here/s'), THERE, {'ua-v1': volume})
    text = xml.render(made)
    for here in ('/here', 'left', '10.0.0.1', '10000', '5900', '5700', 'br-here', '/volumes', 'backingStore', 'dac'):
        assert here not in text, here
    root, disk, config, empty = made.iterfind('devices/disk')
    assert root.find('source').attrib == {'file': '/there/s/disk.qcow2', 'index': '1'}
    assert (disk.get('type'), disk.find('source').attrib) == ('block', {'dev': '/dev/v'})
    assert config.find('source').get('file') == '/there/s/config.iso' and empty.find('source') is None
    for tag in ('serial', 'console'):
        port = made.find(f'devices/{tag}')
        assert port.find('source').attrib == {'mode': 'bind', 'host': '10.0.0.2', 'service': '10007'}
        assert port.find('log').get('file') == '/there/s/console.log'
    assert made.find('devices/graphics').get('autoport') == 'yes'
    assert made.find('devices/graphics/listen').get('address') == '10.0.0.2'
    assert made.find('devices/interface/source').get('bridge') == 'br-there'


def test_a_host_that_says_little_changes_little():
    there = There(host='right', directory='/there/s', log='/there/s/console.log')
    made = elsewhere.remade(xml.parse(DOMAIN), Path('/here/s'), there, {})
    assert made.find('devices/interface/source').get('bridge') == 'br-here'
    assert made.find('devices/serial/source').get('service') == '10000'
    assert made.find('devices/graphics').get('listen') == '10.0.0.1'


@pytest.mark.parametrize(('change', 'words'), [
    ({'kind': 'qemu'}, 'on host right: the guest runs on kvm, and the host has qemu'), ({'version': 6}, 'older'),
    ({'cpu': {'features': ['avx']}}, 'lacks sse')])
def test_a_host_that_cannot_have_it(change, words):
    domain = xml.parse(DOMAIN)
    live_migration.check_host(domain, THERE, HERE)
    with pytest.raises(errors.HypervisorError, match=words):
        live_migration.check_host(domain, There(**{**vars(THERE), **change}), HERE)
    domain.find('cpu').set('mode', 'custom')            # libvirt knows what that needs
    live_migration.check_host(domain, There(**{**vars(THERE), 'cpu': {}}), HERE)


def test_what_libvirt_counts():
    found = progress({'memory_total': 4, 'memory_processed': 3, 'memory_remaining': 1, 'disk_total': 9})
    assert found == base.Progress(4, 3, 1, 9, 0, 0)


@pytest.mark.parametrize(('uri', 'can'), [('', False), ('qemu:///embed?root=/x', False), ('qemu:///system', True),
                                          ('qemu+unix:///system?socket=/x', True)])
def test_only_a_daemon_lets_guests_in_from_elsewhere(tmp_path, uri, can):
    conf = make_conf(tmp_path)
    conf.set_override('connection_uri', uri, group='libvirt')
    able = LibvirtDriver(conf, 'host').capabilities
    assert ('live_migration' in able) is can and 'move' in able
