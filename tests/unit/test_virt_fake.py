# SPDX-License-Identifier: Apache-2.0
"""What is particular to the fake driver: its knobs, its choice by name, its scale."""

import time

import pytest

from nova_lite import errors, virt
from nova_lite.model.power import Power
from nova_lite.virt import base
from nova_lite.virt.fake import CONSOLE_LINES, FakeDriver
from tests.fixtures.compute import make_conf, make_server


def start(conf, host='desk'):
    driver = virt.load_driver(conf, host)
    driver.start()
    return driver


def spawn(driver):
    server = make_server()
    driver.spawn(base.GuestSpec(server))
    return server.uuid


@pytest.mark.parametrize('name', ['fake', 'fake.FakeDriver'])
def test_driver_is_chosen_by_name(tmp_path, name):
    conf = make_conf(tmp_path)
    conf.set_override('compute_driver', name)
    assert isinstance(virt.load_driver(conf, 'desk'), FakeDriver)


def test_unknown_driver_names_the_known_ones(tmp_path):
    conf = make_conf(tmp_path)
    conf.set_override('compute_driver', 'vmware')
    with pytest.raises(errors.StartError, match="'vmware' is unknown. Known drivers: fake, fake.FakeDriver"):
        virt.load_driver(conf, 'desk')


def test_one_host_bears_the_name_of_the_process_and_more_are_numbered(tmp_path):
    assert virt.host_names(make_conf(tmp_path)) == ['desk']
    assert virt.host_names(make_conf(tmp_path, hosts=3)) == ['desk-1', 'desk-2', 'desk-3']


def test_size_comes_from_the_options(tmp_path):
    driver = start(make_conf(tmp_path, vcpus=2, memory_mb=4096, disk_gb=10))
    spawn(driver)
    inventory = driver.inventory()
    assert (inventory.vcpus, inventory.memory_mb, inventory.local_gb) == (2, 4096, 10)
    assert inventory.disk_available_least == 9


def test_only_the_chosen_call_fails_and_leaves_nothing(tmp_path):
    driver = start(make_conf(tmp_path, fail_at=['spawn:2']))
    first = spawn(driver)
    with pytest.raises(errors.HypervisorError, match='call 2 of spawn'):
        spawn(driver)
    third = spawn(driver)
    assert set(driver.guests()) == {first, third}


def test_every_call_fails_by_star(tmp_path):
    driver = start(make_conf(tmp_path, fail_at=['power_off:*', 'reboot:1']))
    server_uuid = spawn(driver)
    for _ in range(3):
        with pytest.raises(errors.HypervisorError):
            driver.power_off(server_uuid)
    assert driver.power_state(server_uuid) is Power.RUNNING


@pytest.mark.parametrize('entry', ['spawn', 'spawn:0', 'spawn:x', 'fly:1', ''])
def test_a_wrong_fault_is_refused_at_start(tmp_path, entry):
    with pytest.raises(errors.StartError, match='fail_at'):
        virt.load_driver(make_conf(tmp_path, fail_at=[entry]), 'desk')


def test_delay_is_waited_for(tmp_path):
    driver = start(make_conf(tmp_path, delay=0.05))
    start_time = time.monotonic()
    spawn(driver)
    assert time.monotonic() - start_time >= 0.05


def test_console_tells_name_and_uuid_and_stays_short(tmp_path):
    driver = start(make_conf(tmp_path))
    server_uuid = spawn(driver)
    console = driver.console_output(server_uuid).decode()
    assert 'web' in console
    assert server_uuid in console
    for _ in range(CONSOLE_LINES):
        driver.reboot(server_uuid)
    assert driver.console_output(server_uuid).count(b'\n') == CONSOLE_LINES


def test_hosts_do_not_share_guests(tmp_path):
    conf = make_conf(tmp_path, hosts=2)
    one, two = (start(conf, host) for host in virt.host_names(conf))
    spawn(one)
    assert len(one.guests()) == 1
    assert two.guests() == start(conf, 'desk-2').guests() == {}


def test_an_idle_host_leaves_no_trace_on_disk(tmp_path):
    conf = make_conf(tmp_path, hosts=2000)
    for host in virt.host_names(conf):
        start(conf, host).inventory()
    assert list(tmp_path.iterdir()) == []


def test_a_change_writes_one_file_however_many_guests_there_are(tmp_path):
    driver = start(make_conf(tmp_path))
    directory = tmp_path / 'fake' / 'desk'
    for _ in range(50):
        spawn(driver)
    before = {path.name: path.stat().st_mtime_ns for path in directory.iterdir()}
    spawn(driver)
    after = {path.name: path.stat().st_mtime_ns for path in directory.iterdir()}
    assert len(set(after.items()) - set(before.items())) == 1
