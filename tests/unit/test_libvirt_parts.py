# SPDX-License-Identifier: Apache-2.0
"""Parts of the libvirt driver that need no libvirt: where it is, what the host has, logs, ports, names, copies."""

import logging
import socket
import sys
import uuid
from pathlib import Path
from types import SimpleNamespace

import pytest

from nova_lite import errors
from nova_lite.cmd import lite_driver
from nova_lite.virt import base
from nova_lite.virt.libvirt import connection, disks, driver, interfaces, inventory, layout, moves, ports, usable, xml
from tests.fixtures.compute import make_conf, make_server

CAPABILITIES = """
<capabilities>
  <host>
    <cpu><arch>x86_64</arch><model>EPYC</model><vendor>AMD</vendor><topology sockets='1' cores='2' threads='2'/>
      <feature name='avx2'/><feature name='sse4.1'/><feature name='bmi1'/><feature name='perfctr_core'/></cpu>
    <topology><cells num='1'><cell id='0'><memory unit='KiB'>4194304</memory><cpus num='4'/></cell></cells></topology>
  </host>
  <guest><os_type>hvm</os_type><arch name='x86_64'><domain type='qemu'/><domain type='kvm'/></arch></guest>
</capabilities>
"""


@pytest.fixture
def conf(tmp_path):
    return make_conf(tmp_path)


# --------------------------------------------------------------------- connection

@pytest.mark.parametrize(('uri', 'kind'), [
    ('qemu:///embed?root=/x', 'embed'), ('qemu:///system', 'system'), ('qemu+unix:///session?socket=/x', 'session'),
    ('test:///default', 'test')])
def test_the_kind_of_a_uri(uri, kind):
    assert connection.kind_of(uri) == kind


def test_without_a_uri_libvirt_lives_in_the_process(conf, tmp_path):
    assert connection.uri_of(conf) == f'qemu:///embed?root={tmp_path}/libvirt'
    conf.set_override('connection_uri', 'qemu:///system', 'libvirt')
    assert connection.uri_of(conf) == 'qemu:///system'


@pytest.mark.parametrize(('flags', 'there', 'found'), [
    ('fpu vmx', True, True), ('fpu svm', True, True), ('fpu', True, False), ('vmx', False, False)])
def test_a_device_alone_is_no_proof_of_kvm(tmp_path, monkeypatch, flags, there, found):
    monkeypatch.setattr(connection.os, 'uname', lambda: SimpleNamespace(machine='x86_64'))
    (tmp_path / 'cpuinfo').write_text(f'processor : 0\nflags : {flags}\n')
    if there:
        (tmp_path / 'kvm').touch()
    assert connection.has_kvm(str(tmp_path / 'cpuinfo'), str(tmp_path / 'kvm')) is found


def test_a_library_that_is_missing_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, 'libvirt', None)
    with pytest.raises(errors.StartError, match=r'nova-lite\[libvirt\]'):
        connection.library()


# ---------------------------------------------------------------------- inventory

def test_what_a_host_has():
    found = inventory.describe(xml.parse(CAPABILITIES), 'qemu')
    assert (found['arch'], found['model'], found['vendor']) == ('x86_64', 'EPYC', 'AMD')
    assert found['topology'] == {'sockets': 1, 'cores': 2, 'threads': 2}
    assert found['numa'] == {'cells': [{'vcpus': 4, 'memory_mb': 4096}]}
    assert found['supported_instances'] == [['x86_64', 'qemu', 'hvm']]
    assert inventory.traits(found['features']) == ('HW_CPU_X86_AVX2', 'HW_CPU_X86_BMI', 'HW_CPU_X86_SSE41')
    assert ['x86_64', 'kvm', 'hvm'] in inventory.describe(xml.parse(CAPABILITIES), 'kvm')['supported_instances']


def test_how_long_a_host_is_up(tmp_path):
    (tmp_path / 'uptime').write_text('180000.55 1.0\n')
    (tmp_path / 'loadavg').write_text('0.50 0.25 0.10 1/100 4242\n')
    assert inventory.uptime(tmp_path) == 'up 2 days,  2:00,  0 users,  load average: 0.50, 0.25, 0.10'
    assert inventory.uptime(tmp_path / 'nothing') is None


# -------------------------------------------------------------------- console logs

def test_a_console_log_that_is_too_big_is_cut_and_its_end_kept(tmp_path):
    log = tmp_path / disks.CONSOLE_LOG
    log.write_bytes(b'x' * base.CONSOLE_LIMIT + b'the end')
    driver.cut(log, most=base.CONSOLE_LIMIT * 2)
    assert log.stat().st_size > base.CONSOLE_LIMIT
    driver.cut(log, most=base.CONSOLE_LIMIT)
    kept = (tmp_path / driver.CONSOLE_BEFORE).read_bytes()
    assert log.stat().st_size == 0 and len(kept) == base.CONSOLE_LIMIT and kept.endswith(b'the end')


# -------------------------------------------------------------------------- ports

class Domains:
    """What ports ask of domains."""

    def __init__(self, *texts):
        self.texts = texts

    def in_use(self):
        return iter([xml.parse(text) for text in self.texts])


def serial(uuid, port):
    return (f'<domain><uuid>{uuid}</uuid><devices><serial type="tcp"><source mode="bind" service="{port}"/></serial>'
            '</devices></domain>')


def test_a_serial_console_keeps_its_port_and_takes_nobody_elses(conf):
    server = make_server()
    with socket.socket() as other:
        other.bind(('127.0.0.1', 0))
        other.listen()
        taken = other.getsockname()[1]
        conf.set_override('port_range', f'{taken}:{taken + 50}', 'serial_console')
        [(host, port)] = ports.listeners(conf, Domains(), server)
        assert host == '127.0.0.1' and port > taken
        [(_, next_port)] = ports.listeners(conf, Domains(serial('other', port)), server)
        assert next_port > port
        assert ports.listeners(conf, Domains(serial(server.uuid, 7)), server) == [('127.0.0.1', 7)]
        conf.set_override('port_range', f'{taken}:{taken}', 'serial_console')
        with pytest.raises(errors.HypervisorError, match='port_range'):
            ports.listeners(conf, Domains(), server)


# --------------------------------------------------------------------- interfaces

def test_cards_that_are_arguments_are_found_and_taken_out():
    text = f"""<domain xmlns:q='{xml.QEMU_NS}'><q:commandline>
        <q:arg value='-netdev'/><q:arg value='user,id=nic-1-net,ipv6=off'/>
        <q:arg value='-device'/><q:arg value='virtio-net-pci,id=nic-1,netdev=nic-1-net,mac=FA:16:3e:00:00:01'/>
        <q:arg value='-sandbox'/><q:arg value='on'/></q:commandline></domain>"""
    domain = xml.parse(text)
    assert interfaces.wired(domain) == ['fa:16:3e:00:00:01']
    assert [one.get('value') for one in interfaces._without(domain, 'nic-1').iter() if one.get('value')] == [
        '-sandbox', 'on']


# -------------------------------------------------------------------------- files

def test_a_file_has_its_name_only_when_it_is_complete(tmp_path):
    with pytest.raises(ZeroDivisionError), disks.complete(tmp_path / 'disk') as part:
        part.write_bytes(b'half')
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    with disks.complete(tmp_path / 'disk') as part:
        part.write_bytes(b'whole')
    [path] = tmp_path.iterdir()
    assert (path.name, path.stat().st_mode & 0o777) == ('disk', 0o600)


@pytest.mark.parametrize(('transport', 'program', 'remote'), [
    ('ssh', 'scp', '192.0.2.1:/there/disk'), ('rsync', 'rsync', '192.0.2.1:/there/disk')])
def test_a_disk_is_fetched_from_another_host(tmp_path, monkeypatch, transport, program, remote):
    (tmp_path / program).write_text('#!/bin/sh\nfor last; do :; done\necho "$@" > "$last"\n')
    (tmp_path / program).chmod(0o755)
    monkeypatch.setenv('PATH', str(tmp_path), prepend=':')
    disks.fetch(transport, '192.0.2.1', '/there/disk', tmp_path / 'disk')
    assert (tmp_path / 'disk').read_text().split()[-2:] == [remote, str(tmp_path / 'disk')]


@pytest.mark.parametrize('name', ['../disk', '/etc/passwd', '', '.', '..', 'a/b'])
def test_another_host_cannot_name_a_file_elsewhere(name):
    with pytest.raises(errors.HypervisorError):
        moves._checked(name)


def test_a_disk_nobody_can_format_stays_as_it_is(tmp_path, caplog):
    path = tmp_path / 'disk'
    path.write_bytes(b'')
    with caplog.at_level(logging.WARNING):
        disks._make_file_system(path, 'zfs', 'label')
    assert 'zfs' in caplog.text and path.read_bytes() == b''


def test_names_of_disks_go_on_after_z():
    taken = [f'vd{letter}' for letter in 'abcdefghijklmnopqrstuvwxyz']
    assert layout.free_target(taken, {'disk_bus': 'virtio'}) == 'vdaa'
    assert layout.free_target([], {'disk_bus': 'ide'}) == 'hda'
    assert layout.free_target(['sda'], {'disk_bus': 'usb', 'device': '/dev/sda'}) == 'sdb'


# -------------------------------------------------------------------- nova-lite up

@pytest.fixture
def state(monkeypatch):
    """A state directory on a machine whose libvirt can be loaded."""
    monkeypatch.setattr(lite_driver.connection, 'library', lambda: None)
    return Path('/s')


def test_pretended_guests_where_somebody_says_so(state):
    assert lite_driver.choose('fake', 3, state).name == 'fake'


def test_real_guests_where_they_can_be_had(state, monkeypatch):
    monkeypatch.setattr(usable, 'missing', lambda: [])
    chosen = lite_driver.choose('auto', 1, state)
    assert (chosen.name, chosen.compute_driver) == ('libvirt', 'libvirt.LibvirtDriver')
    assert 'real guests' in chosen.said[0]
    assert lite_driver.choose('auto', 2, state).name == 'fake'
    options = chosen.options('secret', 1)
    assert options['neutron']['metadata_proxy_shared_secret'] not in ('', 'secret')


def test_pretended_guests_with_advice_where_something_is_missing(state, monkeypatch):
    monkeypatch.setattr(usable, 'missing', lambda: ['qemu-img', 'pycdlib'])
    chosen = lite_driver.choose('auto', 1, state)
    assert chosen.name == 'fake'
    assert 'qemu-img and pycdlib are not installed' in chosen.said[1] and 'apt-get install' in chosen.said[1]
    with pytest.raises(errors.StartError, match='qemu-img and pycdlib'):
        lite_driver.choose('libvirt', 1, state)


def test_a_library_that_cannot_be_loaded_is_as_good_as_none(state, monkeypatch):
    def fail():
        raise errors.StartError(reason='libvirt.so.0 is not there.')

    monkeypatch.setattr(usable, 'missing', lambda: [])
    monkeypatch.setattr(lite_driver.connection, 'library', fail)
    assert lite_driver.choose('auto', 1, state).said[1] == '  libvirt.so.0 is not there.'
    with pytest.raises(errors.StartError, match='libvirt.so.0'):
        lite_driver.choose('libvirt', 1, state)


def test_real_guests_are_not_followed_by_pretended_ones(state, tmp_path, monkeypatch):
    (tmp_path / 'instances' / '_base').mkdir(parents=True)
    monkeypatch.setattr(usable, 'missing', lambda: ['qemu-img'])
    assert lite_driver.choose('auto', 1, tmp_path).name == 'fake'
    (tmp_path / 'instances' / str(uuid.uuid4())).mkdir()
    with pytest.raises(errors.StartError, match='There are real guests in .*qemu-img'):
        lite_driver.choose('auto', 1, tmp_path)
    assert lite_driver.choose('fake', 1, tmp_path).name == 'fake'


def test_pretended_guests_where_there_are_such_already(state, tmp_path, monkeypatch):
    monkeypatch.setattr(usable, 'missing', lambda: [])
    (tmp_path / 'fake' / 'nova-lite').mkdir(parents=True)
    assert lite_driver.choose('auto', 1, state).name == 'libvirt'
    (tmp_path / 'fake' / 'nova-lite' / 'guest.json').touch()
    assert lite_driver.choose('auto', 1, tmp_path).name == 'fake'


def test_real_guests_need_a_short_path_and_one_host(state, monkeypatch):
    monkeypatch.setattr(usable, 'missing', lambda: [])
    with pytest.raises(errors.StartError, match='too long'):
        lite_driver.choose('libvirt', 1, Path('/s' * 60))
    with pytest.raises(errors.StartError, match='--computes'):
        lite_driver.choose('libvirt', 2, state)


def test_an_installation_without_the_library_lacks_it(monkeypatch):
    monkeypatch.setattr(usable.importlib.util, 'find_spec', lambda name: None)
    assert {'libvirt-python', 'pycdlib'} <= set(usable.missing())
