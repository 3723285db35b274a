# SPDX-License-Identifier: Apache-2.0
"""Notifications outlive the broker: whatever is told while it comes and goes arrives once or more, none is missing."""

import json

import kombu
import pytest
import sqlalchemy as sa

from tests.fixtures import daemons, processes, rabbitmq
from tests.fixtures.database import open_database

pytestmark = pytest.mark.live

SENT_WITHIN = 60.0
LIFE = ['instance.create.start', 'instance.create.end', 'instance.delete.start', 'instance.delete.end']


class Listener:
    """Reads what lies in the queues of some topics."""

    def __init__(self, url, topics):
        self._url = url.replace('rabbit:', 'amqp:')
        self._queues = [f'{topic}.{level}' for topic in topics for level in ('info', 'error')]
        self.messages = []

    def read(self):
        """Take what is there."""
        with kombu.Connection(self._url) as connection:
            for queue in self._queues:
                # A queue that nobody has sent to is not there, which ends the channel.
                with connection.channel() as channel:
                    try:
                        channel.queue_declare(queue, passive=True)
                    except connection.channel_errors:
                        continue
                    while (message := channel.basic_get(queue)) is not None:
                        self.messages.append(json.loads(json.loads(message.body)['oslo.message']))
                        channel.basic_ack(message.delivery_tag)

    def of(self, server):
        """The types of what was told of a server, each at its first arrival."""
        seen, found = set(), []
        for message in self.messages:
            payload = message['payload']
            uuid = payload['nova_object.data'].get('uuid') if 'nova_object.data' in payload else None
            if uuid == server and message['message_id'] not in seen:
                seen.add(message['message_id'])
                found.append(message['event_type'])
        return found


@pytest.fixture
def broker():
    """A broker of its own, since its queues are not like those of other tests."""
    one = rabbitmq.start_rabbitmq()
    yield one
    one.stop()


@pytest.fixture
def cluster(tmp_path, broker, postgresql_url):
    changes = daemons.merged(
        daemons.rabbit_and(postgresql_url, broker), daemons.without_keystone(tmp_path), {
            'DEFAULT': {'control_exchange': tmp_path.name},
            'conductor': {'workers': 2},
            # A quorum queue of RabbitMQ 3.10 may find no leader any more after its only node was killed.
            'oslo_messaging_rabbit': {'rabbit_quorum_queue': 'false', 'amqp_durable_queues': 'true'},
            'oslo_messaging_notifications': {'driver': 'messagingv2', 'topics': f'{tmp_path.name}_flat'},
            'notifications': {'notification_format': 'both',
                              'versioned_notifications_topics': f'{tmp_path.name}_versioned'}})
    one = daemons.Daemons(tmp_path, changes)
    yield one
    one.kill()


@pytest.fixture
def waiting(postgresql_url):
    """How many notifications wait for the broker."""
    db = open_database(postgresql_url)

    def count():
        with db.read() as conn:
            return conn.execute(sa.text('SELECT count(*) FROM notifications')).scalar()

    yield count
    db.dispose()


def test_none_is_missing_after_the_broker_was_killed(cluster, broker, waiting, tmp_path):
    listener = Listener(broker.url, [f'{tmp_path.name}_versioned', f'{tmp_path.name}_flat'])
    cluster.start()
    user = cluster.user
    before = user.boot('before')
    processes.wait_until(lambda: waiting() == 0, SENT_WITHIN, 'the outbox is empty')
    locks = 30
    for number in range(locks):
        if number == locks // 3:
            # While some are on their way.
            broker.kill()
        for action in ('lock', 'unlock'):
            assert user.ask('POST', f'/servers/{before}/action', {action: None}).status_code == 202
    meanwhile = [user.create(f'meanwhile-{number}') for number in range(2)]
    assert waiting() > 0
    broker.start()
    user.wait_for(meanwhile, limit=SENT_WITHIN)
    user.delete(before, *meanwhile)
    processes.wait_until(lambda: waiting() == 0, SENT_WITHIN, 'the outbox is empty')
    listener.read()
    assert [listener.of(server) for server in meanwhile] == [LIFE, LIFE]
    assert listener.of(before) == [*LIFE[:2], *['instance.lock', 'instance.unlock'] * locks, *LIFE[2:]]
    flat = {message['event_type'] for message in listener.messages if 'instance_id' in message['payload']}
    assert flat == {f'compute.{event}' for event in LIFE}
    assert set(cluster.stop().values()) == {0}, cluster.outputs()
    assert 'Traceback' not in cluster.outputs(), cluster.outputs()
