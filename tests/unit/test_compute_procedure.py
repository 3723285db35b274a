# SPDX-License-Identifier: Apache-2.0
"""Steps run in order, are undone in reverse order, and errors are told truthfully but discreetly."""

import pytest

from nova_lite import errors
from nova_lite.compute.procedure import Job, Procedure, Step, run, undo
from tests.fixtures.compute import make_operation, make_server


@pytest.fixture
def job():
    server = make_server()
    return Job(conf=None, driver=None, operation=make_operation('build', server), server=server)


def note(log, name, error=None):
    def step(job):
        log.append(name)
        if error is not None:
            raise error
    return step


def test_steps_run_in_order(job):
    log = []
    steps = (Step(note(log, 'a'), undo=note(log, '-a')), Step(note(log, 'b')))
    result = run(Procedure('compute_x', steps), job)
    assert log == ['a', 'b']
    assert result.error is None
    [event] = result.events
    assert (event['event'], event['result'], event['traceback']) == ('compute_x', 'Success', None)
    assert event['start'] <= event['finish']


def test_failure_undoes_what_was_begun_last_first(job):
    log = []
    steps = (
        Step(note(log, 'a'), undo=note(log, '-a')),
        Step(note(log, 'b')),
        Step(note(log, 'c', OSError()), undo=note(log, '-c')),
        Step(note(log, 'd'), undo=note(log, '-d')))
    result = run(Procedure('compute_x', steps), job)
    assert log == ['a', 'b', 'c', '-c', '-a']
    assert result.events[0]['result'] == 'Error'
    assert 'OSError' in result.events[0]['traceback']


def test_an_undo_that_fails_does_not_stop_the_others(job, caplog):
    log = []
    undo((Step(note(log, 'a'), undo=note(log, '-a')),
          Step(note(log, 'b'), undo=note(log, '-b', OSError('disk'))),
          Step(note(log, 'c'))), job)
    assert log == ['-b', '-a']
    assert 'Could not undo build' in caplog.text


def test_an_error_raised_on_purpose_is_told_as_it_is(job):
    error = errors.HypervisorError(reason='No room for the disk.')
    result = run(Procedure('compute_x', (Step(note([], 'a', error)),)), job)
    assert result.error['code'] == 500
    assert result.error['message'] == 'No room for the disk.'
    assert 'HypervisorError' in result.error['details']


def test_another_error_shows_its_class_and_keeps_its_text_in_the_details(job):
    error = FileNotFoundError('/var/secret/path')
    result = run(Procedure('compute_x', (Step(note([], 'a', error)),)), job)
    assert result.error['message'] == 'The compute host could not build the server: FileNotFoundError.'
    assert '/var/secret/path' in result.error['details']
