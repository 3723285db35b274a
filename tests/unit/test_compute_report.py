# SPDX-License-Identifier: Apache-2.0
"""The heartbeat: what it says, when it comes, and what the answer makes a host do."""

import pytest

from nova_lite import concurrency, virt
from nova_lite.compute import report
from nova_lite.compute.manager import ComputeManager
from nova_lite.compute.worker import Worker
from nova_lite.model.power import Power
from nova_lite.virt.base import EventPort, GuestSpec
from nova_lite.virt.fake import FakeDriver
from tests.fixtures.compute import RecordingConductor, make_conf, make_operation, make_server


@pytest.fixture
def conductor():
    return RecordingConductor()


class RecordingListener:
    """Stands for the RPC server of a host."""

    def __init__(self, log, host, endpoint):
        self._log, self._host, self.endpoint = log, host, endpoint

    def start(self):
        self._log.append(('start', self._host))

    def listening(self):
        return True

    def stop(self):
        self._log.append(('stop', self._host))

    def wait(self):
        self._log.append(('wait', self._host))


def make_hosts(conf, conductor):
    hosts = []
    for name in virt.host_names(conf):
        driver = virt.load_driver(conf, name)
        driver.start()
        hosts.append(report.Host(name, driver, Worker(conf, name, driver, conductor)))
    return hosts


def test_report_holds_inventory_reserve_ratios_and_guests(tmp_path):
    conf = make_conf(tmp_path, vcpus=4, memory_mb=8192, disk_gb=100)
    conf.set_override('my_ip', '192.0.2.7')
    conf.set_override('reserved_host_disk_mb', 1025)
    conf.set_override('cpu_allocation_ratio', 2.0)
    [host] = make_hosts(conf, None)
    running, off = make_server(), make_server()
    for server in (running, off):
        host.driver.spawn(GuestSpec(server))
    host.driver.power_off(off.uuid)

    assert report.host_report(conf, host, 7).operations is False
    host.worker.fresh = False
    told = report.host_report(conf, host, 7)

    assert (told.host, told.hypervisor_hostname, told.host_ip) == ('desk', 'desk', '192.0.2.7')
    assert (told.vcpus, told.memory_mb, told.local_gb, told.version) == (4, 8192, 100, 7)
    assert told.reserved == {'vcpus': 0, 'memory_mb': 512, 'local_gb': 2}
    assert told.ratios == {'vcpus': 2.0, 'memory_mb': 1.0, 'local_gb': 1.0}
    assert told.guests == {running.uuid: Power.RUNNING, off.uuid: Power.SHUTDOWN}
    assert told.operations == []


def test_every_host_reports_at_once_and_not_again_before_its_time(tmp_path, conductor):
    conf = make_conf(tmp_path, hosts=50)
    heartbeat = report.Heartbeat(conf, conductor, make_hosts(conf, conductor), 1)
    heartbeat.start()
    conductor.wait_until(lambda: len(conductor.hosts) == 50)
    heartbeat.stop()
    assert {told.host for told in conductor.hosts} == set(virt.host_names(conf))


def test_hosts_report_again_and_again(tmp_path, conductor):
    conf = make_conf(tmp_path, hosts=3)
    conf.set_override('report_interval', 1)
    heartbeat = report.Heartbeat(conf, conductor, make_hosts(conf, conductor), 1)
    heartbeat.start()
    conductor.wait_until(lambda: len(conductor.hosts) >= 6)
    heartbeat.stop()


def test_a_host_that_could_not_report_tries_again_soon(tmp_path, conductor, monkeypatch):
    monkeypatch.setattr(report, 'FIRST_RETRY', 0.001)
    conf = make_conf(tmp_path)
    conductor.failures_left = 4
    heartbeat = report.Heartbeat(conf, conductor, make_hosts(conf, conductor), 1)
    heartbeat.start()
    conductor.wait_until(lambda: conductor.hosts)
    heartbeat.stop()


def test_a_host_is_not_reported_before_it_can_be_given_work(tmp_path, conductor, monkeypatch):
    monkeypatch.setattr(report, 'FIRST_RETRY', 0.001)
    conf = make_conf(tmp_path)
    [host] = make_hosts(conf, conductor)
    asked = []

    def listening():
        asked.append(len(conductor.hosts))
        return len(asked) > 3

    host.listening = listening
    heartbeat = report.Heartbeat(conf, conductor, [host], 1)
    heartbeat.start()
    conductor.wait_until(lambda: conductor.hosts)
    heartbeat.stop()
    assert asked[:4] == [0, 0, 0, 0]


def test_the_answer_may_name_guests_to_remove(tmp_path, conductor):
    conf = make_conf(tmp_path)
    conf.set_override('report_interval', 1)
    hosts = make_hosts(conf, conductor)
    stray, good = make_server(), make_server()
    for server in (stray, good):
        hosts[0].driver.spawn(GuestSpec(server))
    conductor.answer = {'unknown_guests': [stray.uuid], 'something_newer': True}
    heartbeat = report.Heartbeat(conf, conductor, hosts, 1)
    heartbeat.start()
    conductor.wait_until(lambda: len(conductor.hosts) == 2)
    heartbeat.stop()
    assert set(conductor.hosts[1].guests) == {good.uuid}


def test_manager_listens_before_it_reports_and_runs_each_host(tmp_path, conductor):
    conf = make_conf(tmp_path, hosts=2)
    log, listeners = [], []

    def listen(host, endpoint):
        listeners.append(RecordingListener(log, host, endpoint))
        return listeners[-1]

    manager = ComputeManager(conf, conductor, None, listen, 1)
    assert log == []
    manager.start()
    assert sorted(log) == [('start', 'desk-1'), ('start', 'desk-2')]
    conductor.wait_until(lambda: len(conductor.hosts) == 2)

    server = make_server()
    listeners[1].endpoint.run_operation(None, make_operation('build', server), server)
    assert [told.host for told in conductor.reports] == ['desk-2']

    manager.stop()
    manager.wait()
    assert log[2:] == [('stop', 'desk-1'), ('stop', 'desk-2'), ('wait', 'desk-1'), ('wait', 'desk-2')]


def test_manager_starts_again_after_a_reload(tmp_path, conductor):
    conf = make_conf(tmp_path)
    log, endpoints = [], []

    def listen(host, endpoint):
        endpoints.append(endpoint)
        return RecordingListener(log, host, endpoint)

    manager = ComputeManager(conf, conductor, None, listen, 1)
    for round_number in (1, 2):
        manager.start()
        conductor.wait_until(lambda wanted=round_number: len(conductor.hosts) == wanted)
        server = make_server()
        conductor.failures_left = 1
        endpoints[-1].run_operation(None, make_operation('build', server), server)
        manager.stop()
        manager.wait()
    assert len(conductor.reports) == 2
    assert endpoints[0] is endpoints[1]


class Nervous(FakeDriver, EventPort):
    """A fake driver that says when a guest has changed by itself."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.changed = concurrency.Signal()

    def wait_for_change(self, timeout):
        return self.changed.wait(timeout)


def test_a_guest_that_stops_by_itself_is_told_of_at_once(tmp_path, conductor, monkeypatch):
    monkeypatch.setattr(report, 'LEAST_PAUSE', 0.001)
    conf = make_conf(tmp_path)
    conf.set_override('report_interval', 3600)
    [host] = make_hosts(conf, conductor)
    host.driver = Nervous(conf, 'desk')
    server = make_server()
    host.driver.spawn(GuestSpec(server))
    heartbeat = report.Heartbeat(conf, conductor, [host], 1)
    heartbeat.start()
    conductor.wait_until(lambda: conductor.hosts)
    host.driver.power_off(server.uuid)
    host.driver.changed.set()
    conductor.wait_until(lambda: conductor.hosts[-1].guests == {server.uuid: Power.SHUTDOWN})
    heartbeat.stop()
