# SPDX-License-Identifier: Apache-2.0
"""The table of states: what may be done when, and what a server is called meanwhile."""

import datetime
from types import SimpleNamespace

import pytest

from nova_lite import errors
from nova_lite.model import states


def server(vm_state='active', task_state=None, launched=True, locked=False):
    launched_at = datetime.datetime(2026, 1, 1) if launched else None
    return SimpleNamespace(uuid='u', vm_state=vm_state, task_state=task_state, launched_at=launched_at, locked=locked)


@pytest.mark.parametrize(('vm_state', 'task_state', 'shown'), [
    ('active', None, 'ACTIVE'), ('active', 'deleting', 'ACTIVE'), ('building', 'spawning', 'BUILD'),
    ('stopped', 'powering-on', 'SHUTOFF'), ('active', 'rebooting', 'REBOOT'),
    ('active', 'rebooting_hard', 'HARD_REBOOT'),
    ('resized', None, 'VERIFY_RESIZE'), ('resized', 'resize_reverting', 'REVERT_RESIZE'),
    ('stopped', 'resize_prep', 'RESIZE'), ('error', 'rebuilding', 'REBUILD'), ('error', None, 'ERROR'),
    ('paused', 'migrating', 'MIGRATING'), ('rescued', None, 'RESCUE'), ('soft-delete', None, 'SOFT_DELETED'),
    ('deleted', None, 'DELETED'), ('shelved_offloaded', None, 'SHELVED_OFFLOADED'),
    ('active', 'updating_password', 'PASSWORD'), ('nonsense', None, 'UNKNOWN')])
def test_status(vm_state, task_state, shown):
    assert states.status(vm_state, task_state) == shown


def test_every_status_is_found_by_what_it_is_called():
    for vm_state, words in states.STATUSES.items():
        for task_state, word in words.items():
            pairs = dict(states.states_of_status(word.lower()))
            tasks = pairs[vm_state]
            assert tasks is None or task_state in tasks


def test_states_of_status():
    assert states.states_of_status('error') == [('error', None)]
    assert states.states_of_status('REVERT_RESIZE') == [('resized', frozenset(('resize_reverting',)))]
    assert states.states_of_status('nonsense') == []
    assert [vm_state for vm_state, _ in states.states_of_status('active', 'shutoff')] == ['active', 'stopped']


def test_check_tells_what_is_wanted_and_what_is_there():
    with pytest.raises(errors.WrongState) as caught:
        states.check('pause', server('stopped'))
    assert str(caught.value) == 'pause needs vm_state active; server u has vm_state stopped.'
    with pytest.raises(errors.WrongState, match='needs task_state none; server u has task_state powering-off'):
        states.check('stop', server(task_state='powering-off'))
    with pytest.raises(errors.NotLaunched):
        states.check('stop', server('error', launched=False))


def test_check_gives_the_row():
    assert states.check('reboot_hard', server('paused', 'rebooting')).task == 'rebooting_hard'
    assert states.check('delete', server('building', 'spawning', launched=False)).vm_state == 'deleted'


def test_locks():
    states.check_lock('stop', server())
    states.check_lock('stop', server(locked=True), override=True)
    states.check_lock('tags', server(locked=True))
    with pytest.raises(errors.ServerLocked):
        states.check_lock('stop', server(locked=True))


@pytest.mark.parametrize('name', sorted(states.TRANSITIONS))
def test_rows_use_known_words(name):
    row = states.TRANSITIONS[name]
    words = {value for key, value in vars(states).items() if key.isupper() and isinstance(value, str)}
    assert (row.vm_states or frozenset()) <= set(states.STATUSES)
    assert row.vm_state is None or row.vm_state in states.STATUSES
    assert row.task is None or row.task in words
    assert {task for task in row.task_states or () if task} <= words
