# SPDX-License-Identifier: Apache-2.0
"""A mistake in our own code, or in a driver's report, is an attempt like any other: it cannot go on for ever."""

import pytest

from nova_lite import errors
from nova_lite.conductor.build import Build
from nova_lite.conductor.runner import KINDS, Runner
from nova_lite.objects.operation import OperationReport
from nova_lite.ops.delete import DeleteServer, delete
from tests.fixtures.cloud import Cloud, context

ATTEMPTS = 3


@pytest.fixture
def cloud(db, tmp_path):
    made = Cloud(db, tmp_path)
    made.conf.set_override('operation_attempts', ATTEMPTS, group='conductor')
    return made


class Broken(Build):
    """A build with mistakes in it, each of them made so many times."""

    def __init__(self, **mistakes):
        self.mistakes = mistakes
        self.asked = 0

    def _may_fail(self, name):
        self.asked += 1
        if self.mistakes.get(name, 0) > 0:
            self.mistakes[name] -= 1
            raise KeyError(name)

    def assign(self, work):
        self._may_fail('assign')
        return super().assign(work)

    def succeeded(self, work, report):
        self._may_fail('succeeded')
        super().succeeded(work, report)

    def give_up(self, work, error):
        self._may_fail('give_up')
        super().give_up(work, error)


def break_builds(cloud, **mistakes):
    broken = Broken(**mistakes)
    runner = Runner(cloud.conductor_deps, {**KINDS, 'build': broken})
    cloud.conductor.endpoint._runner = cloud.sweeper._runner = runner
    return broken


def sweep(cloud, times):
    for _ in range(times):
        cloud.age('operations', lease_until=1000)
        cloud.sweeper.sweep()


@pytest.mark.parametrize('mistakes', [{'assign': 99}, {'succeeded': 99}, {'assign': 99, 'give_up': 99}])
def test_a_mistake_ends_in_an_error_with_a_reason(cloud, mistakes):
    broken = break_builds(cloud, **mistakes)
    server = cloud.create()
    sweep(cloud, ATTEMPTS + 2)
    ended = cloud.server(server.uuid)
    assert (ended.vm_state, ended.task_state) == ('error', None)
    assert 'KeyError' in ended.fault['message'] and f'{ATTEMPTS} attempts' in ended.fault['message']
    (operation,) = cloud.rows('operations')
    assert operation.state == 'failed' and 'KeyError' in operation.error['message']
    (action,) = cloud.rows('server_actions')
    assert action.finish_time and action.message == 'Error'
    asked = broken.asked
    sweep(cloud, 1)
    assert broken.asked == asked
    cloud.check_books()
    delete(cloud.deps, context(), DeleteServer(ended))
    assert cloud.server(server.uuid).deleted and cloud.usage() == (0, 0, 0)
    cloud.check_books()


@pytest.mark.parametrize('where,state', [('assign', 'pending'), ('succeeded', 'running')])
def test_a_mistake_that_passes_costs_an_attempt(cloud, where, state):
    break_builds(cloud, **{where: 1})
    server = cloud.create()
    (operation,) = cloud.rows('operations')
    assert (operation.state, operation.attempt, operation.owner) == (state, 1, cloud.server(server.uuid).host)
    assert 'KeyError' in operation.error['message'] and 'Traceback' in operation.error['details']
    sweep(cloud, 1)
    assert cloud.server(server.uuid).vm_state == 'active'
    (operation,) = cloud.rows('operations')
    assert (operation.state, operation.attempt, operation.error) == ('done', 2, None)
    cloud.check_books()


def test_a_report_that_nobody_understands_is_taken_for_failed_in_the_end(cloud):
    for name in cloud.drivers:
        cloud.compute.hold(name)
    broken = break_builds(cloud, succeeded=99)
    server = cloud.create()
    host = cloud.server(server.uuid).host
    (sent,) = cloud.compute.sent
    report = OperationReport(operation_id=sent[1].id, server_uuid=server.uuid, attempt=1, host=host,
                             outcome='succeeded', changes={}, error=None, events=[])
    for _ in range(ATTEMPTS - 1):
        with pytest.raises(KeyError):
            cloud.conductor.report_operation(context(), report)
    assert cloud.server(server.uuid).vm_state == 'building'
    # Not taken, so that the host removes what it made.
    assert cloud.conductor.report_operation(context(), report) is False
    assert broken.mistakes['succeeded'] == 99 - ATTEMPTS
    ended = cloud.server(server.uuid)
    assert ended.vm_state == 'error' and 'KeyError' in ended.fault['message']
    assert not cloud.rows('allocations')
    cloud.check_books()


def test_a_database_that_is_away_costs_nothing(cloud, monkeypatch):
    cloud.conductor.held = []
    cloud.create()
    (operation,) = cloud.rows('operations')

    def away(*args):
        raise errors.Unavailable(reason='away')

    with monkeypatch.context() as patched:
        patched.setattr(cloud.db, 'transaction', away)
        with pytest.raises(errors.Unavailable):
            cloud.runner.run(context(), operation.id)
    assert cloud.rows('operations')[0].attempt == 0
