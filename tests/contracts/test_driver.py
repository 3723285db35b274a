# SPDX-License-Identifier: Apache-2.0
"""What every hypervisor driver promises. Each driver runs the same tests; a new one is added to BENCHES."""

import uuid

import pytest

from nova_lite import errors
from nova_lite.model.power import Power
from nova_lite.virt import base
from tests.fixtures import hypervisor

BENCHES = {'fake': hypervisor.FakeBench, 'libvirt': hypervisor.LibvirtBench, 'libvirt-mock': hypervisor.MockBench}
bench = hypervisor.bench_fixture(BENCHES)


def test_inventory_has_a_size_and_a_name(driver):
    inventory = driver.inventory()
    assert inventory.hypervisor_hostname
    assert inventory.hypervisor_type
    assert min(inventory.vcpus, inventory.memory_mb, inventory.local_gb, inventory.hypervisor_version) > 0


def test_spawned_guest_runs_and_is_listed(driver, guest):
    assert driver.power_state(guest) is Power.RUNNING
    assert driver.guests()[guest] is Power.RUNNING


def test_spawn_again_keeps_the_guest(driver, spec, guest):
    driver.spawn(spec)
    assert driver.guests() == {guest: Power.RUNNING}


def test_spawn_of_a_guest_that_is_off_turns_it_on(driver, spec, guest):
    driver.power_off(guest)
    driver.spawn(spec)
    assert driver.power_state(guest) is Power.RUNNING


def test_destroyed_guest_is_gone_and_may_be_destroyed_again(driver, guest):
    driver.destroy(guest)
    driver.destroy(guest)
    assert driver.power_state(guest) is Power.NOSTATE
    assert driver.guests() == {}


def test_destroy_of_a_guest_that_never_was(driver):
    driver.destroy(str(uuid.uuid4()))


def test_power_goes_off_and_on_any_number_of_times(driver, guest):
    for _ in range(2):
        driver.power_off(guest)
        driver.power_off(guest, grace=1)
        assert driver.power_state(guest) is Power.SHUTDOWN
        driver.power_on(guest)
        driver.power_on(guest)
        assert driver.power_state(guest) is Power.RUNNING


@pytest.mark.parametrize('hard', [True, False])
@pytest.mark.parametrize('off_before', [True, False])
def test_reboot_ends_running(driver, guest, hard, off_before):
    if off_before:
        driver.power_off(guest)
    driver.reboot(guest, hard=hard)
    assert driver.power_state(guest) is Power.RUNNING


def test_console_holds_bytes_and_not_too_many(driver, guest):
    output = driver.console_output(guest)
    assert isinstance(output, bytes)
    assert len(output) <= base.CONSOLE_LIMIT


@pytest.mark.parametrize('call', [
    lambda driver, missing: driver.power_on(missing),
    lambda driver, missing: driver.power_off(missing),
    lambda driver, missing: driver.reboot(missing),
    lambda driver, missing: driver.console_output(missing),
], ids=['power_on', 'power_off', 'reboot', 'console_output'])
def test_a_guest_that_must_be_there_is_missed_by_name(driver, call):
    missing = str(uuid.uuid4())
    with pytest.raises(errors.GuestNotFound, match=missing):
        call(driver, missing)


def test_guests_outlive_the_process(bench, driver, guest):
    driver.power_off(guest)
    driver.close()
    again = bench.connect()
    assert again.guests() == {guest: Power.SHUTDOWN}
    again.power_on(guest)
    assert again.power_state(guest) is Power.RUNNING


def test_two_guests_do_not_touch_each_other(bench, driver, guest):
    other = bench.guest_spec()
    driver.spawn(other)
    driver.power_off(guest)
    assert driver.guests() == {guest: Power.SHUTDOWN, other.server.uuid: Power.RUNNING}
    driver.destroy(other.server.uuid)
    assert driver.guests() == {guest: Power.SHUTDOWN}


def test_capabilities_name_known_ports_that_the_driver_has(driver):
    for name in driver.capabilities:
        assert isinstance(driver, base.OPTIONAL_PORTS[name])


def test_pause_and_unpause(driver, guest):
    for _ in range(2):
        driver.pause(guest)
    assert driver.power_state(guest) is Power.PAUSED
    for _ in range(2):
        driver.unpause(guest)
    assert driver.power_state(guest) is Power.RUNNING


def test_suspend_and_resume(driver, guest):
    for _ in range(2):
        driver.suspend(guest)
    assert driver.power_state(guest) is Power.SUSPENDED
    for _ in range(2):
        driver.resume(guest)
    assert driver.power_state(guest) is Power.RUNNING
