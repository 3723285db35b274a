# SPDX-License-Identifier: Apache-2.0
"""What drivers promise that can do more than they must. Each of them runs the same tests."""

import uuid

import pytest

from nova_lite import errors
from nova_lite.model.power import Power
from nova_lite.virt import base
from tests.fixtures import hypervisor, libvirtd

bench = hypervisor.bench_fixture(libvirtd.BENCHES)


def test_snapshot_is_a_file_and_changes_nothing(driver, guest, tmp_path):
    snapshot = driver.snapshot(guest, tmp_path / 'image')
    assert snapshot.path == tmp_path / 'image'
    assert snapshot.size == snapshot.path.stat().st_size > 0
    assert snapshot.disk_format
    assert driver.power_state(guest) is Power.RUNNING


def test_rescue_and_unrescue(driver, guest, spec):
    rescue = base.GuestSpec(spec.server, str(uuid.uuid4()))
    for _ in range(2):
        driver.rescue(rescue)
    assert driver.power_state(guest) is Power.RUNNING
    for _ in range(2):
        driver.unrescue(guest)
    assert driver.power_state(guest) is Power.RUNNING


def test_a_new_root_disk_runs(driver, guest, spec):
    driver.power_off(guest)
    for _ in range(2):
        driver.replace_root(spec)
    assert driver.guests() == {guest: Power.RUNNING}


def test_a_password_leaves_no_trace(bench, driver, guest):
    if not bench.has_agents:
        with pytest.raises(errors.HypervisorError):
            driver.set_password(guest, 'very secret')
        return
    driver.set_password(guest, 'very secret')
    assert b'secret' not in driver.console_output(guest)


def test_a_crash_dump_does_not_end_the_guest(driver, guest):
    driver.crash_dump(guest)
    assert guest in driver.guests()


def test_diagnostics_are_of_this_guest(driver, guest):
    found = driver.diagnostics(guest)
    assert (found.state, bool(found.driver)) == ('running', True)
    assert all(isinstance(value, (int, float)) for value in found.counters.values())


def test_a_console_has_an_address_that_stays(driver, guest):
    found = driver.console(guest, 'novnc')
    assert found.host and 0 < found.port < 65536
    assert driver.console(guest, 'novnc') == found
    with pytest.raises(errors.Invalid):
        driver.console(guest, 'teletype')


@pytest.mark.parametrize('call', [
    lambda driver, missing: driver.console(missing, 'novnc'),
    lambda driver, missing: driver.crash_dump(missing),
    lambda driver, missing: driver.diagnostics(missing),
    lambda driver, missing: driver.set_password(missing, 'x'),
    lambda driver, missing: driver.unrescue(missing),
], ids=['console', 'crash_dump', 'diagnostics', 'set_password', 'unrescue'])
def test_optional_ports_miss_a_guest_by_name(driver, call):
    missing = str(uuid.uuid4())
    with pytest.raises(errors.GuestNotFound, match=missing):
        call(driver, missing)


INTERFACE = {'slot': '000', 'port_id': '11111111-2222-4333-8444-555555555555', 'network_id': 'n', 'network': 'net',
             'mac': 'fa:16:3e:00:00:01', 'mtu': 1500, 'tag': None, 'groups': [], 'addresses': []}


def test_interfaces_come_and_go_however_often_they_are_asked_for(bench, driver, guest):
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
    spec.server.interfaces = [INTERFACE, {'slot': '001', 'wish': {'network_id': 'n'}, 'group_ids': []}]
    driver.spawn(spec)
    assert [nic['mac_address'] for nic in driver.diagnostics(spec.server.uuid).nics] == [INTERFACE['mac']]
    driver.destroy(spec.server.uuid)


def test_an_interface_needs_a_guest(driver):
    for change in (driver.attach_interface, driver.detach_interface):
        with pytest.raises(errors.GuestNotFound):
            change(str(uuid.uuid4()), INTERFACE)
