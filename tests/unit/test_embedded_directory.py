# SPDX-License-Identifier: Apache-2.0
"""The identity file: made once, private, read again when edited, robust against a bad edit."""

import json
import os
import stat
import threading

import pytest

from nova_lite import errors
from nova_lite.embedded.directory import FILE, KEY_FILE, Directory, ensure_identity
from nova_lite.embedded.passwords import hash_password, matches


@pytest.fixture
def state(tmp_path):
    return str(tmp_path / 'state')


def edit(state, change):
    path = os.path.join(state, FILE)
    with open(path) as file:
        content = json.load(file)
    change(content)
    with open(path + '.new', 'w') as file:
        json.dump(content, file)
    os.replace(path + '.new', path)


def test_the_files_are_private_and_hold_no_password(state):
    known = ensure_identity(state)
    for name in (FILE, KEY_FILE):
        path = os.path.join(state, name)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        with open(path, 'rb') as file:
            content = file.read()
        assert not any(password.encode() in content for password in known.passwords.values())
    assert not any(password in repr(known) for password in known.passwords.values())


def test_the_second_start_finds_everything_again(state):
    first = ensure_identity(state)
    second = ensure_identity(state)
    assert (first.created, second.created) == (True, False)
    assert first.passwords == second.passwords
    assert set(first.passwords) == {'admin', 'demo', 'nova'}


def test_two_states_have_different_passwords(tmp_path):
    first, second = ensure_identity(str(tmp_path / 'a')), ensure_identity(str(tmp_path / 'b'))
    assert not set(first.passwords.values()) & set(second.passwords.values())


def test_starts_at_the_same_moment_agree(state):
    found = []
    threads = [threading.Thread(target=lambda: found.append(ensure_identity(state))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [one.created for one in found].count(True) == 1
    assert all(one.passwords == found[0].passwords for one in found)


def test_an_own_password_replaces_the_generated_one(state):
    ensure_identity(state)
    directory = Directory(state)
    directory.load()
    edit(state, lambda content: content['users'][0].update(password=hash_password('swordfish', 10)))
    assert 'admin' not in ensure_identity(state).passwords
    admin = directory.load().named('users', 'admin', 'default')
    assert matches('swordfish', admin['password'])


def test_a_bad_edit_leaves_the_last_good_content_in_force(state):
    ensure_identity(state)
    directory = Directory(state)
    before = directory.load()
    edit(state, lambda content: content.pop('users'))
    assert directory.load() is before
    with pytest.raises(errors.StartError, match='cannot be read'):
        Directory(state).load()


def test_an_assignment_of_nothing_is_refused(state):
    ensure_identity(state)
    edit(state, lambda content: content['assignments'].append({'user': 'x', 'role': 'y', 'project': 'z'}))
    with pytest.raises(errors.StartError, match='cannot be read'):
        Directory(state).load()


def test_a_lost_key_is_said_and_not_replaced(state):
    ensure_identity(state)
    os.unlink(os.path.join(state, KEY_FILE))
    with pytest.raises(errors.StartError, match=KEY_FILE):
        ensure_identity(state)


def test_the_default_users_have_the_roles_that_policy_asks_for(state):
    ensure_identity(state)
    snapshot = Directory(state).load()

    def roles(user, project):
        user_id = snapshot.named('users', user, 'default')['id']
        project_id = snapshot.named('projects', project, 'default')['id']
        return {role['name'] for role in snapshot.roles_on(user_id, 'project', project_id)}

    assert roles('admin', 'admin') == {'admin', 'manager', 'member', 'reader'}
    assert roles('demo', 'demo') == {'member', 'reader'}
    assert 'service' in roles('nova', 'service')
    assert roles('demo', 'admin') == set()
