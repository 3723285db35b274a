# SPDX-License-Identifier: Apache-2.0
"""The fake guests survive whatever happens to the process that keeps them."""

import dataclasses
import os
import signal
import subprocess
import sys

import pytest

from nova_lite.virt.fake_store import FakeGuest, GuestStore

GUEST = FakeGuest(
    uuid='a', name='web', power_state=1, vcpus=1, memory_mb=1, disk_gb=1, console=('one', 'two'))

# Writes guests as fast as it can; a line on its output says that the guest named there is on disk.
WRITER = """
import itertools, pathlib, sys
from nova_lite.virt.fake_store import FakeGuest, GuestStore
store = GuestStore(pathlib.Path(sys.argv[1]))
for number in itertools.count():
    for state in (1, 4):
        store.put(FakeGuest(uuid=f'guest-{number}', name='web', power_state=state, vcpus=1, memory_mb=1,
                            disk_gb=1, console=('x' * 100,) * 200))
    if number % 3 == 2:
        store.drop(f'guest-{number}')
    sys.stdout.write(f'{number}\\n')
    sys.stdout.flush()
"""


@pytest.fixture
def store(tmp_path):
    return GuestStore(tmp_path / 'host')


def test_what_was_put_is_loaded(store):
    store.put(GUEST)
    changed = dataclasses.replace(GUEST, power_state=4)
    store.put(changed)
    other = dataclasses.replace(GUEST, uuid='b')
    store.put(other)
    assert GuestStore(store.directory).load() == {'a': changed, 'b': other}


def test_what_was_dropped_is_not_loaded_and_dropping_twice_is_fine(store):
    store.put(GUEST)
    store.drop('a')
    store.drop('a')
    assert store.load() == {}


def test_no_directory_means_no_guests(store):
    assert store.load() == {}
    store.drop('a')
    assert not store.directory.exists()


def test_directory_is_private(store):
    store.put(GUEST)
    assert store.directory.stat().st_mode & 0o777 == 0o700


def test_remains_of_a_write_are_removed(store):
    store.put(GUEST)
    (store.directory / 'b.part').write_text('{"uuid": "b"')
    assert store.load() == {'a': GUEST}
    assert [path.name for path in store.directory.iterdir()] == ['a.json']


@pytest.mark.parametrize('text', ['', '{', '[]', '{"uuid": "b"}', 'null'])
def test_a_damaged_record_is_left_out_aloud(store, caplog, text):
    store.put(GUEST)
    (store.directory / 'b.json').write_text(text)
    assert store.load() == {'a': GUEST}
    assert 'b.json' in caplog.text


def test_a_record_of_a_newer_release_is_read(store):
    store.put(GUEST)
    path = store.directory / 'a.json'
    path.write_text(path.read_text().replace('{', '{"colour": "blue", ', 1))
    assert store.load() == {'a': GUEST}


@pytest.mark.parametrize('guests_before_death', [1, 40, 200])
def test_a_killed_writer_loses_nothing_that_it_had_finished(store, caplog, guests_before_death):
    writer = subprocess.Popen(
        [sys.executable, '-c', WRITER, str(store.directory)], stdout=subprocess.PIPE, text=True)
    try:
        for _ in range(guests_before_death):
            assert writer.stdout.readline()
    finally:
        os.kill(writer.pid, signal.SIGKILL)
        finished = guests_before_death + len(writer.stdout.read().split())
        writer.wait()
        writer.stdout.close()

    guests = store.load()

    kept = {f'guest-{number}' for number in range(finished) if number % 3 != 2}
    in_flight = {f'guest-{finished}'}
    assert kept <= set(guests) <= kept | in_flight
    assert {guests[uuid].power_state for uuid in kept} <= {4}
    assert 'damaged' not in caplog.text
    assert not list(store.directory.glob('*.part'))
