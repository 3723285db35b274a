# SPDX-License-Identifier: Apache-2.0
"""Operations on one server take turns, and an attempt is run once."""

import threading

import pytest

from nova_lite import concurrency
from nova_lite.compute.turns import Attempts, Turns


def test_one_server_one_at_a_time():
    turns = Turns()
    inside, most = [], []

    def work():
        with turns.take('a'):
            inside.append(1)
            most.append(len(inside))
            concurrency.sleep(0.002)
            inside.pop()

    for future in [concurrency.spawn(work) for _ in range(10)]:
        future.result(10)
    assert most == [1] * 10


def test_another_server_does_not_wait():
    turns = Turns()
    with turns.take('a'), turns.take('b'):
        pass


def test_nothing_is_kept_of_a_server_that_is_done_with():
    turns = Turns()
    with pytest.raises(ZeroDivisionError), turns.take('a'):
        raise ZeroDivisionError
    assert turns.servers == 0


def test_take_if_free():
    turns = Turns()
    with turns.take_if_free('a') as free:
        assert free
        assert turns.servers == 1
        with turns.take_if_free('a') as again:
            assert not again
    with turns.take('a'), turns.take_if_free('a') as free:
        assert not free
    assert turns.servers == 0


def test_who_waits_gets_it_after_take_if_free():
    turns = Turns()
    got = threading.Event()

    def work():
        with turns.take('a'):
            got.set()

    with turns.take_if_free('a'):
        future = concurrency.spawn(work)
        assert not got.is_set()
    future.result(10)
    assert got.is_set()


def test_an_attempt_is_new_once():
    attempts = Attempts()
    assert attempts.is_new('operation', 1)
    assert not attempts.is_new('operation', 1)
    assert attempts.is_new('other', 1)


def test_an_attempt_is_not_new_after_its_successor():
    attempts = Attempts()
    assert attempts.is_new('operation', 2)
    assert not attempts.is_new('operation', 1)
    assert attempts.is_new('operation', 3)


def test_memory_is_bounded_and_forgets_the_oldest():
    attempts = Attempts(memory=2)
    for operation in ('a', 'b', 'c'):
        assert attempts.is_new(operation, 1)
    assert not attempts.is_new('c', 1)
    assert not attempts.is_new('b', 1)
    assert attempts.is_new('a', 1)
