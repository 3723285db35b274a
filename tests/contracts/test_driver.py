# SPDX-License-Identifier: Apache-2.0
"""What every hypervisor driver promises. Each driver runs the same tests; a new one is added to BENCHES."""

import uuid

import pytest

from nova_lite import errors, virt
from nova_lite.model.power import Power
from nova_lite.virt import base
from tests.fixtures.compute import make_conf, make_server


class FakeBench:
    """A fake host that can be left and met again, as a nova-compute that restarts would."""

    def __init__(self, tmp_path):
        self._conf = make_conf(tmp_path)

    def connect(self):
        """A driver of the host, started."""
        driver = virt.load_driver(self._conf, 'desk')
        driver.start()
        return driver

    def guest_spec(self):
        """What a new guest could be made from."""
        return base.GuestSpec(make_server())


BENCHES = {'fake': FakeBench}


@pytest.fixture(params=sorted(BENCHES))
def bench(request, tmp_path):
    return BENCHES[request.param](tmp_path)


@pytest.fixture
def driver(bench):
    driver = bench.connect()
    yield driver
    driver.close()


@pytest.fixture
def spec(bench):
    return bench.guest_spec()


@pytest.fixture
def guest(driver, spec):
    """The uuid of a guest that runs."""
    driver.spawn(spec)
    yield spec.server.uuid
    driver.destroy(spec.server.uuid)


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


def _needs(driver, capability):
    if capability not in driver.capabilities:
        pytest.skip(f'this driver has no {capability} here')


def test_snapshot_is_a_file_and_changes_nothing(driver, guest, tmp_path):
    _needs(driver, 'snapshot')
    snapshot = driver.snapshot(guest, tmp_path / 'image')
    assert snapshot.path == tmp_path / 'image'
    assert snapshot.size == snapshot.path.stat().st_size > 0
    assert snapshot.disk_format
    assert driver.power_state(guest) is Power.RUNNING


def test_pause_and_unpause(driver, guest):
    _needs(driver, 'pause')
    for _ in range(2):
        driver.pause(guest)
    assert driver.power_state(guest) is Power.PAUSED
    for _ in range(2):
        driver.unpause(guest)
    assert driver.power_state(guest) is Power.RUNNING


def test_suspend_and_resume(driver, guest):
    _needs(driver, 'suspend')
    for _ in range(2):
        driver.suspend(guest)
    assert driver.power_state(guest) is Power.SUSPENDED
    for _ in range(2):
        driver.resume(guest)
    assert driver.power_state(guest) is Power.RUNNING


def test_rescue_and_unrescue(driver, guest, spec):
    _needs(driver, 'rescue')
    rescue = base.GuestSpec(spec.server, str(uuid.uuid4()))
    for _ in range(2):
        driver.rescue(rescue)
    assert driver.power_state(guest) is Power.RUNNING
    for _ in range(2):
        driver.unrescue(guest)
    assert driver.power_state(guest) is Power.RUNNING


def test_a_new_root_disk_runs(driver, guest, spec):
    _needs(driver, 'ephemeral')
    driver.power_off(guest)
    for _ in range(2):
        driver.replace_root(spec)
    assert driver.guests() == {guest: Power.RUNNING}


def test_a_password_leaves_no_trace(driver, guest):
    _needs(driver, 'password')
    driver.set_password(guest, 'very secret')
    assert b'secret' not in driver.console_output(guest)


def test_a_crash_dump_does_not_end_the_guest(driver, guest):
    _needs(driver, 'crash_dump')
    driver.crash_dump(guest)
    assert guest in driver.guests()


def test_diagnostics_are_of_this_guest(driver, guest):
    _needs(driver, 'diagnostics')
    found = driver.diagnostics(guest)
    assert (found.state, bool(found.driver)) == ('running', True)
    assert all(isinstance(value, (int, float)) for value in found.counters.values())


def test_a_console_has_an_address_that_stays(driver, guest):
    _needs(driver, 'console')
    found = driver.console(guest, 'novnc')
    assert found.host and 0 < found.port < 65536
    assert driver.console(guest, 'novnc') == found
    with pytest.raises(errors.Invalid):
        driver.console(guest, 'teletype')


@pytest.mark.parametrize(('capability', 'call'), [
    ('console', lambda driver, missing: driver.console(missing, 'novnc')),
    ('crash_dump', lambda driver, missing: driver.crash_dump(missing)),
    ('diagnostics', lambda driver, missing: driver.diagnostics(missing)),
    ('password', lambda driver, missing: driver.set_password(missing, 'x')),
    ('rescue', lambda driver, missing: driver.unrescue(missing)),
])
def test_optional_ports_miss_a_guest_by_name(driver, capability, call):
    _needs(driver, capability)
    missing = str(uuid.uuid4())
    with pytest.raises(errors.GuestNotFound, match=missing):
        call(driver, missing)


INTERFACE = {'slot': '000', 'port_id': '11111111-2222-4333-8444-555555555555', 'network_id': 'n', 'network': 'net',
             'mac': 'fa:16:3e:00:00:01', 'mtu': 1500, 'tag': None, 'groups': [], 'addresses': []}


def test_interfaces_come_and_go_however_often_they_are_asked_for(bench, driver, guest):
    _needs(driver, 'interface')
    for _ in range(2):
        driver.attach_interface(guest, INTERFACE)
    assert [nic['mac_address'] for nic in driver.diagnostics(guest).nics] == [INTERFACE['mac']]
    driver.power_off(guest)
    other = {**INTERFACE, 'mac': 'fa:16:3e:00:00:02'}
    driver.attach_interface(guest, other)
    again = bench.connect()
    for _ in range(2):
        again.detach_interface(guest, INTERFACE)
    assert [nic['mac_address'] for nic in again.diagnostics(guest).nics] == [other['mac']]
    again.close()


def test_a_new_guest_has_the_interfaces_of_its_server(driver, spec):
    _needs(driver, 'interface')
    spec.server.interfaces = [INTERFACE, {'slot': '001', 'wish': {'network_id': 'n'}, 'group_ids': []}]
    driver.spawn(spec)
    assert [nic['mac_address'] for nic in driver.diagnostics(spec.server.uuid).nics] == [INTERFACE['mac']]
    driver.destroy(spec.server.uuid)


def test_an_interface_needs_a_guest(driver):
    _needs(driver, 'interface')
    for change in (driver.attach_interface, driver.detach_interface):
        with pytest.raises(errors.GuestNotFound):
            change(str(uuid.uuid4()), INTERFACE)
