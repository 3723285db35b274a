# SPDX-License-Identifier: Apache-2.0
"""What a driver promises whose guests can have volumes. Each such driver runs the same tests."""

import pytest

from nova_lite import errors
from nova_lite.model import block_devices
from nova_lite.model.block_devices import VOLUME, Wish
from nova_lite.model.power import Power
from tests.fixtures import hypervisor
from tests.fixtures.compute import FLAVOR, make_server

bench = hypervisor.bench_fixture({'fake': hypervisor.FakeBench, 'libvirt': hypervisor.LibvirtBench})


@pytest.fixture
def device(tmp_path):
    def make(name='/dev/vdb', letter=None, **known):
        volume_id = f'volume-{letter or name[-1]}'
        path = tmp_path / volume_id
        if not path.exists():
            path.write_bytes(hypervisor.boot_disk().ljust(1 << 20, b'\0'))
        # A guest that knows nothing of plugs lets go of disks on this bus only.
        made = block_devices.device(Wish(VOLUME, VOLUME, volume_id, size=1, device=name, disk_bus='scsi'))
        return {**made, 'connection': {'driver_volume_type': 'local', 'data': {
            'device_path': str(path), 'format': 'raw'}}, **known}

    return make


@pytest.fixture
def guest(bench, driver):
    spec = bench.guest_spec()
    driver.spawn(spec)
    return spec.server.uuid


def test_it_says_what_it_can_do(driver):
    assert {'volume', 'volume_rescue'} <= driver.capabilities


@pytest.mark.parametrize('power', [Power.RUNNING, Power.SHUTDOWN])
def test_attach_and_detach_twice_is_once(bench, driver, guest, device, power):
    if power is Power.SHUTDOWN:
        driver.power_off(guest)
    first, second = device(), device('/dev/vdc')
    for one in (first, first, second):
        driver.attach_volume(guest, one)
    assert driver.disks_of(guest) == {'/dev/vdb': 'volume-b', '/dev/vdc': 'volume-c'}
    assert bench.connect().disks_of(guest) == driver.disks_of(guest)
    for _ in range(2):
        driver.detach_volume(guest, first)
    assert driver.disks_of(guest) == {'/dev/vdc': 'volume-c'}
    assert driver.power_state(guest) is power


def test_a_guest_sees_how_big_its_volume_is(bench, driver, guest, device):
    if 'volume_extend' not in driver.capabilities:
        pytest.skip('this driver says that it cannot')
    one = device()
    driver.attach_volume(guest, one)
    for _ in range(2):
        driver.extend_volume(guest, {**one, 'size': 3})
    assert bench.connect().sizes_of(guest) == {'/dev/vdb': 3}
    with pytest.raises(errors.HypervisorError):
        driver.extend_volume(guest, device('/dev/vdc'))
    with pytest.raises(errors.GuestNotFound):
        driver.extend_volume(make_server().uuid, one)


def test_swap_twice_is_once(driver, guest, device):
    old = device()
    new = {**device(letter='x'), 'id': old['id']}
    driver.attach_volume(guest, old)
    for _ in range(2):
        driver.swap_volume(guest, old, new)
    assert driver.disks_of(guest) == {'/dev/vdb': 'volume-x'}
    driver.swap_volume(guest, new, old)
    assert driver.disks_of(guest) == {'/dev/vdb': 'volume-b'}


def test_a_guest_that_is_gone_loses_nothing_and_gets_nothing(driver, device):
    nobody = make_server().uuid
    driver.detach_volume(nobody, device())
    with pytest.raises(errors.GuestNotFound):
        driver.attach_volume(nobody, device())
    with pytest.raises(errors.GuestNotFound):
        driver.swap_volume(nobody, device(), device())


def test_a_volume_without_a_way_to_it_is_an_error(driver, guest, device):
    with pytest.raises(errors.HypervisorError):
        driver.attach_volume(guest, device(connection=None))
    assert driver.disks_of(guest) == {}


def test_a_new_guest_has_the_volumes_of_its_server(bench, driver, device):
    flavor = {**FLAVOR, 'ram': 16, 'disk': 7000, block_devices.ON_VOLUME: True}
    spec = bench.guest_spec(flavor=flavor, block_devices=[device('/dev/vda', boot_index=0), device()])
    server = spec.server
    before = driver.inventory().disk_available_least
    driver.spawn(spec)
    assert driver.disks_of(server.uuid) == {'/dev/vda': 'volume-a', '/dev/vdb': 'volume-b'}
    # The root disk is not on the host.
    assert driver.inventory().disk_available_least > before - 100


def test_a_guest_that_arrives_has_the_volumes_of_its_server(bench, driver, device):
    spec = bench.guest_spec()
    guest = spec.server.uuid
    driver.spawn(spec)
    driver.attach_volume(guest, device())
    there = bench.connect('there')
    spec.server.block_devices = [device('/dev/vdc')]
    there.arrive(spec, driver.leave(guest), Power.RUNNING)
    assert there.disks_of(guest) == {'/dev/vdc': 'volume-c'}
    there.withdraw(guest)
    driver.come_back(guest, Power.RUNNING)
    assert driver.disks_of(guest) == {'/dev/vdb': 'volume-b'}
