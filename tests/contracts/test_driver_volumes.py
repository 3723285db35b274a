# SPDX-License-Identifier: Apache-2.0
"""What a driver promises whose guests can have volumes. Each such driver runs the same tests."""

import pytest

from nova_lite import errors, virt
from nova_lite.model import block_devices
from nova_lite.model.block_devices import VOLUME, Wish
from nova_lite.model.power import Power
from nova_lite.virt import base
from tests.fixtures.compute import FLAVOR, make_conf, make_server


class FakeBench:
    """A fake host that can be left and met again."""

    def __init__(self, tmp_path):
        self._conf = make_conf(tmp_path, live_migration_seconds=0)

    def connect(self, host='here'):
        """A driver of the host, started."""
        driver = virt.load_driver(self._conf, host)
        driver.start()
        return driver


BENCHES = {'fake': FakeBench}


@pytest.fixture(params=sorted(BENCHES))
def bench(request, tmp_path):
    return BENCHES[request.param](tmp_path)


@pytest.fixture
def driver(bench):
    return bench.connect()


def device(name='/dev/vdb', **known):
    made = block_devices.device(Wish(VOLUME, VOLUME, f'volume-{name[-1]}', size=1, device=name))
    return {**made, 'connection': {'driver_volume_type': 'local', 'data': {}}, **known}


@pytest.fixture
def guest(driver):
    server = make_server()
    driver.spawn(base.GuestSpec(server))
    return server.uuid


def test_it_says_what_it_can_do(driver):
    assert {'volume', 'volume_rescue'} <= driver.capabilities


@pytest.mark.parametrize('power', [Power.RUNNING, Power.SHUTDOWN])
def test_attach_and_detach_twice_is_once(bench, driver, guest, power):
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


def test_swap_twice_is_once(driver, guest):
    old = device()
    new = {**old, 'volume_id': 'other'}
    driver.attach_volume(guest, old)
    for _ in range(2):
        driver.swap_volume(guest, old, new)
    assert driver.disks_of(guest) == {'/dev/vdb': 'other'}
    driver.swap_volume(guest, new, old)
    assert driver.disks_of(guest) == {'/dev/vdb': 'volume-b'}


def test_a_guest_that_is_gone_loses_nothing_and_gets_nothing(driver):
    nobody = make_server().uuid
    driver.detach_volume(nobody, device())
    with pytest.raises(errors.GuestNotFound):
        driver.attach_volume(nobody, device())
    with pytest.raises(errors.GuestNotFound):
        driver.swap_volume(nobody, device(), device())


def test_a_volume_without_a_way_to_it_is_an_error(driver, guest):
    with pytest.raises(errors.HypervisorError):
        driver.attach_volume(guest, device(connection=None))
    assert driver.disks_of(guest) == {}


def test_a_new_guest_has_the_volumes_of_its_server(driver):
    flavor = {**FLAVOR, 'disk': 7, block_devices.ON_VOLUME: True}
    server = make_server(flavor=flavor, block_devices=[device('/dev/vda', boot_index=0), device()])
    before = driver.inventory().disk_available_least
    driver.spawn(base.GuestSpec(server))
    assert driver.disks_of(server.uuid) == {'/dev/vda': 'volume-a', '/dev/vdb': 'volume-b'}
    # The root disk is not on the host.
    assert driver.inventory().disk_available_least == before


def test_a_guest_that_arrives_has_the_volumes_of_its_server(bench, driver, guest):
    driver.attach_volume(guest, device())
    there = bench.connect('there')
    server = make_server(uuid=guest, block_devices=[device('/dev/vdc')])
    there.arrive(base.GuestSpec(server), driver.leave(guest), Power.RUNNING)
    assert there.disks_of(guest) == {'/dev/vdc': 'volume-c'}
    driver.come_back(guest, Power.RUNNING)
    assert driver.disks_of(guest) == {'/dev/vdb': 'volume-b'}
