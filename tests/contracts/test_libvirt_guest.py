# SPDX-License-Identifier: Apache-2.0
"""What is true of guests of libvirt and of no other driver. The first tests are quick and always run; the others are
for ``make guests``.
"""

import contextlib
import json
import socket
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nova_lite import errors
from nova_lite.model import block_devices
from nova_lite.model.block_devices import VOLUME, Wish
from nova_lite.model.power import Power
from nova_lite.virt import base
from nova_lite.virt.libvirt import qemu_img, xml
from tests.fixtures import hypervisor
from tests.fixtures.processes import wait_until

LIMIT = 60
INTERFACE = {'slot': '000', 'port_id': '11111111-2222-4333-8444-555555555555', 'network_id': 'n', 'network': 'net',
             'mac': 'fa:16:3e:00:00:01', 'mtu': 1500, 'tag': None, 'groups': [], 'addresses': [
                 {'addr': '169.254.3.4', 'version': 4, 'prefix': 17, 'gateway': '169.254.0.1', 'dns': [],
                  'floating': [], 'subnet_id': 's'}]}


@pytest.fixture
def bench(tmp_path):
    made = hypervisor.LibvirtBench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def driver(bench):
    driver = bench.connect()
    yield driver
    driver.close()


def boots(driver, server_uuid, count=1):
    """Wait until the guest has booted so often."""
    wait_until(lambda: driver.console_output(server_uuid).count(hypervisor.READY) >= count, LIMIT,
               f'boot {count} of guest {server_uuid}')


def test_a_guest_boots_hears_its_power_button_and_leaves_nothing(bench, driver):
    spec = bench.guest_spec(name='</name>&"\x01', config_drive=True, interfaces=[INTERFACE])
    guest, instances = spec.server.uuid, bench.tmp_path / 'desk' / 'instances'
    driver.spawn(spec)
    boots(driver, guest)
    driver.reboot(guest, hard=False)
    boots(driver, guest, 2)
    driver.power_off(guest, grace=LIMIT)
    assert driver.power_state(guest) is Power.SHUTDOWN
    names = sorted(path.name for path in (instances / guest).iterdir())
    assert names == ['config.iso', 'console.log', 'disk.qcow2']
    assert {path.stat().st_mode & 0o77 for path in instances.rglob('*')} == {0}
    driver.destroy(guest)
    assert driver.guests() == {} and not (instances / guest).exists()
    assert [path.name for path in instances.iterdir()] == ['_base']


def test_domains_of_others_are_left_alone(driver):
    other = str(uuid.uuid4())
    text = (f'<domain type="qemu"><name>other-{other[:8]}</name><uuid>{other}</uuid><memory unit="MiB">16</memory>'
            '<os><type>hvm</type></os></domain>')
    driver._connection.run(lambda conn: conn.defineXML(text) and None)
    try:
        assert driver.guests() == {} and driver.power_state(other) is Power.NOSTATE
        driver.destroy(other)
        with pytest.raises(errors.GuestNotFound):
            driver.power_on(other)
    finally:
        driver._connection.run(lambda conn: conn.lookupByUUIDString(other).undefine() and None)


def test_what_libvirt_refuses_is_told_without_the_folders_of_the_host(bench, driver):
    spec = bench.guest_spec(image_properties={'hw_machine_type': 'typewriter'})
    with pytest.raises(errors.HypervisorError, match='libvirt refused') as caught:
        driver.spawn(spec)
    assert str(bench.tmp_path) not in str(caught.value)
    driver.destroy(spec.server.uuid)


# ------------------------------------------------------------------ for make guests

@pytest.mark.guests
def test_an_agent_is_reached_where_libvirts_own_path_would_be_too_long(bench, driver):
    spec = bench.guest_spec(image_properties={'hw_qemu_guest_agent': 'yes'})
    driver.spawn(spec)
    agent = driver._connection.root / 'agents' / spec.server.guest_name
    assert agent.is_socket()
    driver.power_off(spec.server.uuid)
    driver.power_on(spec.server.uuid)
    assert agent.is_socket()
    driver.destroy(spec.server.uuid)
    assert list(agent.parent.iterdir()) == []


@pytest.mark.guests
def test_a_guest_that_ends_by_itself_is_noticed(bench, driver):
    spec = bench.guest_spec()
    driver.spawn(spec)
    boots(driver, spec.server.uuid)
    while driver.wait_for_change(0.1):
        pass

    def told():
        # It says that it is ready a moment before it listens to its button.
        with contextlib.suppress(errors.HypervisorError):
            driver._domains.run(spec.server.uuid, lambda domain: domain.shutdown() and None)
        return driver.wait_for_change(2)

    wait_until(told, LIMIT, 'the end of the guest to be told')
    wait_until(lambda: driver.power_state(spec.server.uuid) is Power.SHUTDOWN, LIMIT, 'the end of the guest')


@pytest.mark.guests
def test_a_guest_that_went_on_without_us_is_met_again(bench, driver):
    spec = bench.guest_spec()
    driver.spawn(spec)
    driver.close()
    again = bench.connect()
    assert again.power_state(spec.server.uuid) is Power.RUNNING
    boots(again, spec.server.uuid)


@pytest.mark.guests
def test_a_half_made_guest_is_taken_up(bench, driver):
    spec = bench.guest_spec()
    found = driver._layout(spec.server)
    driver._disks.make(spec, found)
    found.files[0].path.with_name('disk.qcow2.part').write_bytes(b'half')
    again = bench.connect()
    assert not list(found.files[0].path.parent.glob('*.part'))
    again.spawn(spec)
    boots(again, spec.server.uuid)


@pytest.mark.guests
@pytest.mark.parametrize('images_type', ['qcow2', 'raw'])
def test_all_kinds_of_disks(tmp_path, images_type):
    bench = hypervisor.LibvirtBench(tmp_path, images_type=images_type)
    try:
        driver = bench.connect()
        spec = bench.guest_spec(flavor={**hypervisor.TINY, 'disk': 1, 'ephemeral': 1, 'swap': 16})
        driver.spawn(spec)
        boots(driver, spec.server.uuid)
        directory = tmp_path / 'desk' / 'instances' / spec.server.uuid
        sizes = {path.name: qemu_img.info(path, images_type).virtual_size
                 for path in directory.glob(f'*.{images_type}')}
        assert sizes == {f'disk.{images_type}': 1 << 30, f'ephemeral0.{images_type}': 1 << 30,
                         f'swap.{images_type}': 16 << 20}
        assert driver.inventory().disk_available_least < driver.inventory().local_gb
    finally:
        bench.close()


@pytest.mark.guests
def test_a_snapshot_boots(bench, driver, tmp_path):
    spec = bench.guest_spec(flavor={**hypervisor.TINY, 'disk': 1})
    driver.spawn(spec)
    boots(driver, spec.server.uuid)
    live = driver.snapshot(spec.server.uuid, tmp_path / 'live')
    driver.power_off(spec.server.uuid)
    cold = driver.snapshot(spec.server.uuid, tmp_path / 'cold')
    for taken in (live, cold):
        info = qemu_img.info(taken.path, taken.disk_format)
        assert (info.disk_format, info.virtual_size, info.backing_file) == ('qcow2', 1 << 30, None)
        raw = tmp_path / 'raw'
        qemu_img.convert(taken.path, 'qcow2', raw, 'raw')
        with raw.open('rb') as file:
            assert file.read(512) == hypervisor.boot_disk()[:512]


@pytest.mark.guests
def test_a_serial_console_can_be_written_to_and_is_logged_all_the_same(bench):
    conf = bench.conf('desk')
    conf.set_override('enabled', True, 'serial_console')
    driver = bench.connect('desk', conf)
    spec = bench.guest_spec()
    driver.spawn(spec)
    boots(driver, spec.server.uuid)
    found = driver.console(spec.server.uuid, 'serial')
    socket.create_connection((found.host, found.port), 10).close()
    driver.power_off(spec.server.uuid)
    with pytest.raises(errors.Conflict):
        driver.console(spec.server.uuid, 'novnc')
    driver.power_on(spec.server.uuid)
    assert driver.console(spec.server.uuid, 'serial') == found
    driver.power_off(spec.server.uuid)
    with socket.create_server((found.host, found.port)):
        driver.power_on(spec.server.uuid)
        assert driver.console(spec.server.uuid, 'serial').port > found.port


@pytest.mark.guests
def test_an_interface_of_qemu_alone_goes_when_the_guest_is_off(bench, driver):
    spec = bench.guest_spec(interfaces=[INTERFACE])
    driver.spawn(spec)
    assert [nic['mac_address'] for nic in driver.diagnostics(spec.server.uuid).nics] == [INTERFACE['mac']]
    driver.attach_interface(spec.server.uuid, INTERFACE)
    driver.power_off(spec.server.uuid)
    for _ in range(2):
        driver.detach_interface(spec.server.uuid, INTERFACE)
        assert driver.diagnostics(spec.server.uuid).nics == ()
    driver.power_on(spec.server.uuid)


@pytest.mark.guests
def test_a_guest_that_does_not_let_go_keeps_what_it_has(bench):
    conf = bench.conf('desk')
    conf.set_override('device_detach_attempts', 1, 'libvirt')
    conf.set_override('device_detach_timeout', 1, 'libvirt')
    driver = bench.connect('desk', conf)
    spec = bench.guest_spec()
    driver.spawn(spec)
    driver.attach_interface(spec.server.uuid, INTERFACE)
    with pytest.raises(errors.HypervisorError, match='did not let go'):
        driver.detach_interface(spec.server.uuid, INTERFACE)
    # The undo of the step.
    driver.attach_interface(spec.server.uuid, INTERFACE)
    assert [nic['mac_address'] for nic in driver.diagnostics(spec.server.uuid).nics] == [INTERFACE['mac']]


@pytest.mark.guests
def test_a_server_on_a_volume_is_rescued(bench, driver, tmp_path):
    path = tmp_path / 'volume'
    path.write_bytes(hypervisor.boot_disk().ljust(1 << 20, b'\0'))
    root = {**block_devices.device(Wish(VOLUME, VOLUME, 'volume-a', size=1, device='/dev/vda', boot_index=0)),
            'connection': {'driver_volume_type': 'local', 'data': {'device_path': str(path), 'format': 'raw'}}}
    spec = bench.guest_spec(block_devices=[root], image_ref=None)
    driver.spawn(spec)
    boots(driver, spec.server.uuid)
    driver.rescue(base.GuestSpec(spec.server, str(uuid.uuid4())))
    boots(driver, spec.server.uuid, 2)
    found = xml.disks(driver._domains.description(spec.server.uuid))
    assert {target: Path(disk.find('source').get('file')).name for target, disk in found.items()
            if disk.get('device') == 'disk'} == {'vda': 'rescue.qcow2', 'vdb': 'volume'}
    driver.unrescue(spec.server.uuid)
    boots(driver, spec.server.uuid, 3)
    assert driver.disks_of(spec.server.uuid) == {'/dev/vda': 'volume-a'}


@pytest.mark.guests
def test_a_guest_takes_its_image_along_and_grows(bench, driver):
    spec = bench.guest_spec(flavor={**hypervisor.TINY, 'disk': 1, 'ephemeral': 1})
    driver.spawn(spec)
    told = json.loads(json.dumps(driver.leave(spec.server.uuid)))
    there = bench.connect('there')
    spec.server.flavor = {**spec.server.flavor, 'disk': 2, 'vcpus': 2, 'swap': 16}
    there.arrive(spec, told, Power.RUNNING)
    boots(there, spec.server.uuid, 1)
    instances = bench.tmp_path / 'there' / 'instances'
    info = qemu_img.info(instances / spec.server.uuid / 'disk.qcow2', 'qcow2')
    assert info.virtual_size == 2 << 30
    assert Path(info.backing_file).parent == instances / '_base'
    assert (instances / spec.server.uuid / 'swap.qcow2').exists()


@pytest.mark.guests
def test_guests_that_are_made_at_once_have_ports_of_their_own(bench):
    conf = bench.conf('desk')
    conf.set_override('enabled', True, 'serial_console')
    driver = bench.connect('desk', conf)
    specs = [bench.guest_spec() for _ in range(5)]
    with ThreadPoolExecutor(len(specs)) as pool:
        list(pool.map(driver.spawn, specs))
    for kind in ('serial', 'novnc'):
        assert len({driver.console(spec.server.uuid, kind).port for spec in specs}) == len(specs)
