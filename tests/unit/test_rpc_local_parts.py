# SPDX-License-Identifier: Apache-2.0
"""The parts of ``local://`` for themselves: frames, the directory, the pool."""

import datetime
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_lite.rpc.local import frames, pool
from nova_lite.rpc.local.directory import Directory, DirectoryError, Entry, key

# ------------------------------------------------------------------ frames

@pytest.fixture
def pair() -> Iterator[tuple[frames.Stream, frames.Stream]]:
    one, other = socket.socketpair()
    with one, other:
        yield frames.Stream(one), frames.Stream(other)


@pytest.mark.parametrize('value', [None, 0, '', [], {'a': [1, 'ü']}, 'x' * 65532, 'x' * 65533, 'x' * 300_000])
def test_what_is_sent_is_received(pair, value):
    sender = threading.Thread(target=pair[0].send, args=(frames.encode(value),))
    sender.start()
    assert pair[1].receive() == value
    sender.join()


def test_frames_that_arrive_together_are_kept_apart(pair):
    pair[0].sock.sendall(b''.join(frames.encode(number) for number in range(100)))
    assert [pair[1].receive() for _ in range(100)] == list(range(100))


def test_a_frame_that_arrives_in_crumbs(pair):
    def crumble() -> None:
        for byte in frames.encode({'a': 'b'}):
            pair[0].sock.sendall(bytes([byte]))

    sender = threading.Thread(target=crumble)
    sender.start()
    assert pair[1].receive() == {'a': 'b'}
    sender.join()


@pytest.mark.parametrize('data', [b'', b'\0', b'\0\0\0\x05{"a"', b'\0\x01\x86\xa0' + b'x' * 70_000])
def test_an_end_in_the_middle(pair, data):
    pair[0].sock.sendall(data)
    pair[0].sock.shutdown(socket.SHUT_WR)
    with pytest.raises(EOFError):
        pair[1].receive()


@pytest.mark.parametrize('data', [b'\xff\xff\xff\xff', b'\0\0\0\x03{}}', b'\0\0\0\0'])
def test_what_is_no_frame(pair, data):
    pair[0].sock.sendall(data)
    with pytest.raises(frames.FrameError):
        pair[1].receive()


def test_what_json_does_not_know_becomes_what_it_is_on_other_transports():
    sent = frames.encode({'when': datetime.datetime(2026, 1, 2, 3, 4, 5), 'which': {1, 2}, 3: 4, 'n': 1 << 70})
    assert frames.decode(sent[4:]) == {'when': '2026-01-02T03:04:05.000000', 'which': [1, 2], '3': 4, 'n': 1 << 70}


def test_a_full_connection_is_busy_and_stays_good(pair):
    pair[0].sock.settimeout(0.05)
    frame = frames.encode('x' * 1000)
    sent = 0
    with pytest.raises(frames.Busy):
        while True:
            pair[0].send(frame)
            sent += 1
    received = [pair[1].receive() for _ in range(sent)]
    pair[0].send(frames.encode('next'))
    assert len(received) == sent > 10 and pair[1].receive() == 'next'


# --------------------------------------------------------------- directory

def publish(directory: Directory, topic: str, server: str, socket_id: str = 'c0ffee') -> Entry:
    entry = directory.entry(topic, server, socket_id)
    directory.publish(entry)
    return entry


@pytest.mark.parametrize('name', ['conductor', 'host-1.example.com', 'A_b'])
def test_a_plain_name_is_its_own_key(name):
    assert key(name) == name


@pytest.mark.parametrize('name', ['', '.', '..', 'a/b', 'a@b', 'ü', 'x' * 101, '_hidden', '\0'])
def test_any_other_name_is_hashed(name):
    assert key(name) != name and len(key(name)) == 33 and '/' not in key(name) and '@' not in key(name)


def test_servers_are_found_as_they_come_and_go(tmp_path):
    directory = Directory(str(tmp_path / 'rpc'))
    directory.make()
    assert directory.servers('compute', None) == []
    first = publish(directory, 'compute', 'a')
    assert directory.servers('compute', None) == [first]
    second, third = publish(directory, 'compute', 'b'), publish(directory, 'compute', 'b')
    assert set(directory.servers('compute', None)) == {first, second, third}
    assert set(directory.servers('compute', 'b')) == {second, third}
    assert directory.servers('compute', 'c') == directory.servers('conductor', None) == []
    directory.withdraw(second)
    assert directory.servers('compute', 'b') == [third]
    assert third.socket_id == 'c0ffee'


def test_a_quiet_topic_is_not_read_again(tmp_path):
    directory = Directory(str(tmp_path))
    publish(directory, 'compute', 'a')
    os.utime(tmp_path / 'compute', ns=(1, 1))
    known = directory.servers('compute', None)
    assert directory.servers('compute', None) is known
    publish(directory, 'compute', 'b')
    assert len(directory.servers('compute', None)) == 2


def test_a_topic_that_has_just_changed_is_read_again(tmp_path):
    """Two changes within one tick of the clock leave the same time on the folder."""
    directory = Directory(str(tmp_path))
    publish(directory, 'compute', 'a')
    assert len(directory.servers('compute', None)) == 1
    changed = (tmp_path / 'compute').stat().st_mtime_ns
    publish(directory, 'compute', 'b')
    os.utime(tmp_path / 'compute', ns=(changed, changed))
    assert len(directory.servers('compute', None)) == 2


def test_the_dead_are_swept_and_the_living_stay(tmp_path):
    directory = Directory(str(tmp_path))
    living, sock = directory.listen()
    dead, corpse = directory.listen()
    corpse.close()
    entries = [publish(directory, 'compute', 'a', socket_id) for socket_id in (living, dead)]
    directory.sweep()
    sock.close()
    assert directory.servers('compute', 'a') == entries[:1]
    assert [path.name for path in tmp_path.glob('s.*')] == [f's.{living}']


@pytest.mark.parametrize('mode', [0o755, 0o770, 0o701])
def test_an_open_directory_is_refused(tmp_path, mode):
    (tmp_path / 'rpc').mkdir(mode=0o700)
    (tmp_path / 'rpc').chmod(mode)
    with pytest.raises(DirectoryError, match=f'0{mode:o}'):
        Directory(str(tmp_path / 'rpc')).make()


def test_a_file_is_no_directory(tmp_path: Path):
    (tmp_path / 'rpc').write_text('')
    with pytest.raises(DirectoryError, match='cannot be used'):
        Directory(str(tmp_path / 'rpc')).make()


# -------------------------------------------------------------------- pool

class FakeStream:
    closed = False

    def close(self) -> None:
        self.closed = True


def test_the_last_used_connection_comes_first():
    idle, one, two = pool.Pool(), FakeStream(), FakeStream()
    idle.keep('a', one)
    idle.keep('a', two)
    assert [idle.take('a'), idle.take('a'), idle.take('a'), idle.take('b')] == [two, one, None, None]


def test_no_more_than_some_are_kept_for_a_server():
    idle, streams = pool.Pool(), [FakeStream() for _ in range(pool.PER_SERVER + 3)]
    for stream in streams:
        idle.keep('a', stream)
    assert [stream.closed for stream in streams] == [False] * pool.PER_SERVER + [True] * 3


def test_the_longest_unused_give_way():
    idle, streams = pool.Pool(), [FakeStream() for _ in range(pool.IN_TOTAL + 2)]
    for number, stream in enumerate(streams):
        idle.keep(f'host-{number}', stream)
        if number:
            idle.keep('host-0', idle.take('host-0'))
    assert [number for number, stream in enumerate(streams) if stream.closed] == [1, 2]
    idle.close()
    assert all(stream.closed for stream in streams)
