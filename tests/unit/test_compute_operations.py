# SPDX-License-Identifier: Apache-2.0
"""What a host does when it is asked to build, delete, start, stop and reboot, and what it says afterwards."""

import threading

import pytest

from nova_lite import concurrency, virt
from nova_lite.auth.context import service_context
from nova_lite.clients.image import EmbeddedImages
from nova_lite.compute import delivery
from nova_lite.compute.operations import PROCEDURES
from nova_lite.compute.procedure import Procedure, Step
from nova_lite.compute.service import ComputeService
from nova_lite.compute.worker import Worker
from nova_lite.model.power import Power
from nova_lite.virt.base import GuestSpec
from tests.fixtures.compute import RecordingConductor, make_conf, make_operation, make_server


class Desk:
    """A host, its conductor, and one server to try things with."""

    def __init__(self, tmp_path, **fake):
        self.conf = make_conf(tmp_path, **fake)
        self.driver = virt.load_driver(self.conf, 'desk')
        self.driver.start()
        self.conductor = RecordingConductor()
        self.service = ComputeService(self.conf, 'desk', self.driver, self.conductor, EmbeddedImages(str(tmp_path)))
        self.context = service_context()
        self.server = make_server()

    def run(self, kind, **params):
        """Run an operation; its report, and the power state that is left."""
        operation = make_operation(kind, self.server, **params)
        self.service.run_operation(self.context, operation, self.server)
        report = self.conductor.reports[-1]
        assert (report.operation_id, report.server_uuid, report.attempt, report.host) == (
            operation.id, self.server.uuid, operation.attempt, 'desk')
        return report, self.driver.power_state(self.server.uuid)


@pytest.fixture
def make_desk(tmp_path):
    return lambda **fake: Desk(tmp_path, **fake)


@pytest.fixture(autouse=True)
def no_long_pauses(monkeypatch):
    monkeypatch.setattr(delivery, 'FIRST_PAUSE', 0.001)
    monkeypatch.setattr(delivery, 'LONGEST_PAUSE', 0.002)


@pytest.mark.parametrize(('kinds', 'state', 'event'), [
    (['build'], Power.RUNNING, 'compute__do_build_and_run_instance'),
    (['build', 'build'], Power.RUNNING, 'compute__do_build_and_run_instance'),
    (['build', 'stop'], Power.SHUTDOWN, 'compute_stop_instance'),
    (['build', 'stop', 'start'], Power.RUNNING, 'compute_start_instance'),
    (['build', 'reboot'], Power.RUNNING, 'compute_reboot_instance'),
    (['build', 'delete'], Power.NOSTATE, 'compute_terminate_instance'),
    (['delete'], Power.NOSTATE, 'compute_terminate_instance'),
])
def test_operation_reaches_its_state_and_reports_it(make_desk, kinds, state, event):
    desk = make_desk()
    for kind in kinds:
        report, left = desk.run(kind)
    assert report.outcome == 'succeeded'
    assert report.error is None
    assert report.changes == {'power_state': state}
    assert left == state
    assert [entry['event'] for entry in report.events] == [event]


@pytest.mark.parametrize(('params', 'line'), [
    ({'type': 'SOFT'}, 'Restarting'), ({'type': 'HARD'}, 'Reset'), ({}, 'Reset')])
def test_reboot_is_done_in_the_manner_that_was_asked_for(make_desk, params, line):
    desk = make_desk()
    desk.run('build')
    desk.run('reboot', **params)
    assert line in desk.driver.console_output(desk.server.uuid).decode()


@pytest.mark.parametrize('kind', ['start', 'stop', 'reboot'])
def test_without_a_guest_the_report_says_so(make_desk, kind):
    report, _ = make_desk().run(kind)
    assert report.outcome == 'failed'
    assert 'Host desk has no guest of server' in report.error['message']


@pytest.mark.parametrize(('operation', 'kind', 'state'), [
    ('power_off', 'stop', Power.RUNNING), ('power_on', 'start', Power.SHUTDOWN),
    ('reboot', 'reboot', Power.RUNNING), ('destroy', 'delete', Power.RUNNING)])
def test_a_failure_tells_the_state_that_is_left(make_desk, operation, kind, state):
    desk = make_desk(fail_at=[f'{operation}:*'])
    desk.run('build')
    if kind == 'start':
        desk.run('stop')
    report, _ = desk.run(kind)
    assert report.outcome == 'failed'
    assert report.changes == {'power_state': state}
    assert report.error['code'] == 500
    assert f'call 1 of {operation}' in report.error['message']
    assert 'HypervisorError' in report.error['details']


def test_a_build_that_fails_half_way_leaves_nothing(make_desk):
    desk = make_desk()

    def break_down(job):
        raise RuntimeError('half way')

    steps = (*PROCEDURES['build'].steps, Step(break_down))
    worker = Worker(desk.conf, 'desk', desk.driver, desk.conductor, {'build': Procedure('x', steps)})
    worker.run(desk.context, make_operation('build', desk.server), desk.server)
    [report] = desk.conductor.reports
    assert report.outcome == 'failed'
    assert report.changes == {'power_state': Power.NOSTATE}
    assert desk.driver.guests() == {}


def test_a_guest_that_dies_at_once_is_not_built(make_desk):
    desk = make_desk()
    steps = PROCEDURES['build'].steps
    dying = (steps[0], Step(lambda job: job.driver.destroy(job.server.uuid)), *steps[1:])
    worker = Worker(desk.conf, 'desk', desk.driver, desk.conductor, {'build': Procedure('x', dying)})
    worker.run(desk.context, make_operation('build', desk.server), desk.server)
    [report] = desk.conductor.reports
    assert report.error['message'].endswith('its power state was NOSTATE.')


def test_a_refused_build_is_destroyed_again(make_desk):
    desk = make_desk()
    desk.conductor.refuse = True
    report, left = desk.run('build')
    assert report.outcome == 'succeeded'
    assert left is Power.NOSTATE


def test_a_refused_stop_changes_nothing_more(make_desk):
    desk = make_desk()
    desk.run('build')
    desk.conductor.refuse = True
    _, left = desk.run('stop')
    assert left is Power.SHUTDOWN


def test_an_unknown_kind_is_reported_with_the_known_ones(make_desk):
    report, _ = make_desk().run('levitate')
    assert report.outcome == 'failed'
    assert 'does not know operation levitate. It knows attach_port, backup, build,' in report.error['message']


def test_the_same_attempt_is_run_once(make_desk):
    desk = make_desk()
    operation = make_operation('build', desk.server)
    for _ in range(2):
        desk.service.run_operation(desk.context, operation, desk.server)
    assert len(desk.conductor.reports) == 1


def test_an_attempt_after_a_failed_one_is_run(make_desk):
    desk = make_desk(fail_at=['spawn:1'])
    operation = make_operation('build', desk.server)
    for attempt in (1, 2):
        operation.attempt = attempt
        desk.service.run_operation(desk.context, operation, desk.server)
    assert [(told.attempt, told.outcome) for told in desk.conductor.reports] == [(1, 'failed'), (2, 'succeeded')]


def test_a_later_attempt_of_what_is_settled_is_left_alone(make_desk):
    desk = make_desk()
    stop = make_operation('stop', desk.server)
    desk.run('build')
    desk.service.run_operation(desk.context, stop, desk.server)
    desk.run('start')
    stop.attempt = 2
    desk.service.run_operation(desk.context, stop, desk.server)
    assert desk.driver.power_state(desk.server.uuid) is Power.RUNNING
    assert [report.attempt for report in desk.conductor.reports] == [1, 1, 1]


def test_the_worker_tells_which_operations_it_is_at(make_desk):
    desk = make_desk()
    at = []

    def look(job):
        at.append(worker.busy())

    worker = Worker(desk.conf, 'desk', desk.driver, desk.conductor, {'look': Procedure('l', (Step(look),))})
    operation = make_operation('look', desk.server)
    worker.run(desk.context, operation, desk.server)
    assert at == [[operation.id]]
    assert worker.busy() == []


def test_the_report_is_sent_until_a_conductor_takes_it(make_desk):
    desk = make_desk()
    desk.conductor.failures_left = 5
    _, left = desk.run('build')
    assert len(desk.conductor.reports) == 1
    assert left is Power.RUNNING


def test_a_stopping_service_gives_up_aloud_and_keeps_the_guest(make_desk, caplog):
    desk = make_desk()
    desk.service.worker.stop()
    desk.conductor.failures_left = 5
    desk.service.run_operation(desk.context, make_operation('build', desk.server), desk.server)
    assert desk.conductor.reports == []
    assert desk.conductor.failures_left == 4
    assert 'is given up' in caplog.text
    assert desk.driver.power_state(desk.server.uuid) is Power.RUNNING


def test_a_stop_ends_the_wait_for_a_conductor(make_desk, monkeypatch):
    monkeypatch.setattr(delivery, 'FIRST_PAUSE', 3600)
    desk = make_desk()
    desk.conductor.failures_left = 1_000
    future = concurrency.spawn(
        desk.service.run_operation, desk.context, make_operation('build', desk.server), desk.server)
    desk.conductor.wait_until(lambda: desk.conductor.failures_left < 1_000)
    desk.service.worker.stop()
    future.result(10)
    assert desk.conductor.failures_left == 998


def test_operations_on_one_server_never_overlap_and_those_on_others_do(make_desk):
    desk = make_desk()
    both_inside = threading.Barrier(2)
    inside, most = [], []

    def meet(job):
        both_inside.wait(10)

    def count(job):
        inside.append(1)
        most.append(len(inside))
        concurrency.sleep(0.002)
        inside.pop()

    worker = Worker(desk.conf, 'desk', desk.driver, desk.conductor, {
        'meet': Procedure('m', (Step(meet),)), 'count': Procedure('c', (Step(count),))})

    def run(kind, server):
        return concurrency.spawn(worker.run, desk.context, make_operation(kind, server), server)

    for future in [run('meet', make_server()), run('meet', make_server())]:
        future.result(10)
    for future in [run('count', desk.server) for _ in range(5)]:
        future.result(10)
    assert most == [1] * 5
    assert {report.outcome for report in desk.conductor.reports} == {'succeeded'}


def test_unknown_guests_are_destroyed_but_not_busy_ones(make_desk):
    desk = make_desk()
    stray = make_server()
    desk.driver.spawn(GuestSpec(stray))

    def tidy(job):
        desk.service.worker.remove_unknown([stray.uuid, desk.server.uuid])

    steps = (*PROCEDURES['build'].steps, Step(tidy))
    desk.service.worker._procedures = {'build': Procedure('compute_build', steps)}
    desk.run('build')
    assert set(desk.driver.guests()) == {desk.server.uuid}


@pytest.mark.parametrize(('wanted', 'expected'), [
    (None, 'one\r\n\ntwo\nthree\n'), (-1, 'one\r\n\ntwo\nthree\n'), (0, ''), (1, 'three'),
    (3, '\ntwo\nthree'), (99, 'one\r\n\ntwo\nthree')])
def test_console_output_gives_whole_lines_from_the_end(make_desk, monkeypatch, wanted, expected):
    desk = make_desk()
    monkeypatch.setattr(desk.driver, 'console_output', lambda uuid: b'one\r\n\ntwo\nthree\n')
    assert desk.service.get_console_output(desk.context, desk.server, wanted) == expected


def test_console_output_survives_bytes_that_are_no_text(make_desk, monkeypatch):
    desk = make_desk()
    monkeypatch.setattr(desk.driver, 'console_output', lambda uuid: b'\xff\xfe login:')
    assert desk.service.get_console_output(desk.context, desk.server, 1).endswith(' login:')
