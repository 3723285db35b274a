# SPDX-License-Identifier: Apache-2.0
"""Notifications on their way to the broker, on each database: none is lost, whatever dies."""

import datetime
import threading
import time

import pytest

from nova_lite import errors
from nova_lite.db import tables
from nova_lite.db.queries import leases, outbox
from nova_lite.db.queries.outbox import Notification
from nova_lite.model import times
from nova_lite.notifications import sender
from nova_lite.notifications.sender import Sender
from nova_lite.ops import power
from tests.fixtures.cloud import Cloud, context
from tests.fixtures.compute import make_conf
from tests.fixtures.database import database, shared_database, sqlite_path
from tests.fixtures.notifications import check, events, listening, said

__all__ = ('database', 'shared_database', 'sqlite_path')


class Broker:
    """Takes messages, but not while it is ``away``; ``after`` is called when it has one."""

    def __init__(self):
        self.taken = []
        self.away = False
        self.closed = False
        self.after = None

    def send(self, message, context, versioned):
        if self.away:
            raise errors.Unavailable(reason='nobody is there')
        self.taken.append(message)
        if self.after:
            self.after()

    def close(self):
        self.closed = True

    @property
    def numbers(self):
        return [message['payload']['number'] for message in self.taken]


@pytest.fixture
def broker():
    return Broker()


@pytest.fixture
def conf(tmp_path):
    return make_conf(tmp_path)


def write(database, *numbers):
    said = [Notification('some.thing', 'INFO', 'nova-api:desk', {'number': number}, {}) for number in numbers]
    database.transaction(outbox.insert, said, times.utcnow())


def waiting(database):
    with database.read() as conn:
        return [row.payload['number'] for row in outbox.oldest(conn, 1000)]


def test_all_are_sent_in_their_order(database, conf, broker):
    write(database, *range(250))
    write(database, 250)
    one = Sender(conf, database, lambda: broker)
    assert one.deliver() == 251
    assert broker.numbers == list(range(251)) and waiting(database) == []
    assert one.deliver() == 0
    message = broker.taken[0]
    assert set(message) == {'message_id', 'publisher_id', 'event_type', 'priority', 'payload', 'timestamp'}
    assert len({message['message_id'] for message in broker.taken}) == 251


def test_what_the_broker_did_not_take_waits(database, conf, broker):
    write(database, 1, 2, 3)
    one = Sender(conf, database, lambda: broker)

    def leave():
        broker.away = len(broker.taken) == 2

    broker.after = leave
    with pytest.raises(errors.Unavailable):
        one.deliver()
    assert broker.numbers == [1, 2] and waiting(database) == [3]
    with pytest.raises(errors.Unavailable):
        one.deliver()
    write(database, 4)
    broker.away, broker.after = False, None
    assert one.deliver() == 2
    assert broker.numbers == [1, 2, 3, 4] and waiting(database) == []


def test_one_process_sends_at_a_time(database, conf, broker):
    one, other = Sender(conf, database, lambda: broker), Sender(conf, database, lambda: broker)
    write(database, 1)
    assert one.deliver() == 1
    write(database, 2)
    assert other.deliver() == 0 and waiting(database) == [2]
    assert one.deliver() == 1


def test_another_takes_over_from_one_that_died(database, conf, broker):
    one, other = Sender(conf, database, lambda: broker), Sender(conf, database, lambda: broker)
    write(database, 1)
    one.deliver()
    write(database, 2)
    database.transaction(_expire)
    assert other.deliver() == 1 and one.deliver() == 0
    assert broker.numbers == [1, 2]


def _expire(conn):
    past = times.utcnow() - datetime.timedelta(seconds=1)
    conn.execute(tables.leases.update().values(held_until=past))


def test_one_that_was_too_slow_takes_nothing_away(database, conf, broker):
    one, other = Sender(conf, database, lambda: broker), Sender(conf, database, lambda: broker)
    write(database, 1)

    def slow():
        broker.after = None
        database.transaction(_expire)
        assert other.deliver() == 1
        write(database, 2)

    broker.after = slow
    one.deliver()
    # The first was sent twice, and the second, which may have got its row number, not at all by now.
    assert broker.numbers == [1, 1] and waiting(database) == [2]
    assert other.deliver() == 1 and broker.numbers == [1, 1, 2]
    assert broker.taken[0]['message_id'] == broker.taken[1]['message_id']


def test_one_that_stops_lets_others_go_on_at_once(database, conf, broker, monkeypatch):
    monkeypatch.setattr(sender, 'INTERVAL', 0.01)
    one, other = Sender(conf, database, lambda: broker), Sender(conf, database, lambda: broker)
    write(database, 1)
    one.start()
    _until(lambda: waiting(database) == [])
    one.stop()
    one.wait()
    assert broker.closed
    write(database, 2)
    assert other.deliver() == 1


def test_a_thread_waits_for_the_broker(database, conf, broker, monkeypatch):
    monkeypatch.setattr(sender, 'INTERVAL', 0.01)
    monkeypatch.setattr(sender, 'FIRST_PAUSE', 0.01)
    broker.away = True
    write(database, 1)
    one = Sender(conf, database, lambda: broker)
    one.start()
    try:
        _until(lambda: database.transaction(leases.take, outbox.SENDER, 'somebody', times.utcnow(), times.utcnow())
               is False)
        broker.away = False
        _until(lambda: broker.numbers == [1] and waiting(database) == [])
    finally:
        one.stop()
        one.wait()


def _until(true):
    pause, end = threading.Event(), time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        pause.wait(0.01)


def test_the_oldest_go_if_there_are_too_many(database, conf, broker, caplog):
    conf.set_override('outbox_limit', 1000, group='notifications')
    write(database, *range(1003))
    one = Sender(conf, database, lambda: broker)
    assert one.deliver() == 1000
    assert broker.numbers == list(range(3, 1003))
    assert '3 notifications were dropped' in caplog.text


def test_what_is_rolled_back_is_not_told(database, conf, broker):
    def store(conn):
        outbox.insert(conn, [Notification('some.thing', 'INFO', 'nova-api:desk', {}, {})], times.utcnow())
        raise errors.Conflict(reason='no')

    with pytest.raises(errors.Conflict):
        database.transaction(store)
    assert Sender(conf, database, lambda: broker).deliver() == 0


def test_the_life_of_a_server(database, tmp_path, broker):
    cloud = listening(Cloud(database, tmp_path), 'both', notify_on_state_change='vm_state')
    server = cloud.create(tags=('t',))
    power.stop(cloud.deps, context(), power.StopServer(server))
    assert [event for event in events(cloud) if event.startswith('instance')] == [
        'instance.update', 'instance.create.start', 'instance.update', 'instance.create.end',
        'instance.power_off.start', 'instance.update', 'instance.power_off.end']
    for row in said(cloud):
        check(row)
    assert Sender(cloud.conf, database, lambda: broker).deliver() == 14
