# SPDX-License-Identifier: Apache-2.0
"""oslo.messaging's RabbitMQ driver, for a service that has to answer its own clients while the broker is away.

The driver waits for a broker for as long as it takes.  That is right for a worker, which has nothing to do without
one, and wrong for the API: a request must be accepted now, and its work is found again in the database.
"""

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import kombu.exceptions
import kombu.messaging
import oslo_messaging
from oslo_config import cfg
from oslo_messaging._drivers import amqpdriver, base, common, impl_rabbit

LOG = logging.getLogger(__name__)

#: How often a sender tries again to reach the broker: two to three seconds.
RETRIES = 1
#: Seconds that the broker may take to confirm a message; its heartbeats come every ten and would hide a longer wait.
CONFIRMED_WITHIN = 5


def set_defaults() -> None:
    """Change what the driver's options are when nobody sets them."""
    cfg.set_defaults(
        impl_rabbit.rabbit_opts,
        # A queue that is neither replicated nor on disk loses accepted messages with its node.
        rabbit_quorum_queue=True,
        # Back within five seconds once the broker is; half a minute stops a whole cluster for as long.
        rabbit_retry_backoff=1,
        rabbit_interval_max=5,
        # This also bounds how long a sender is held up by a broker that is cut off without a word.
        heartbeat_timeout_threshold=20)


@contextlib.contextmanager
def _delivery() -> Iterator[None]:
    try:
        yield
    except kombu.exceptions.OperationalError as error:
        raise oslo_messaging.MessageDeliveryFailure(f'The broker cannot be reached: {error}') from error


class _Producer(kombu.messaging.Producer):
    """Gives up on a message that the broker does not confirm.

    A broker that has just come back may forget one that it took before its queues were ready, and then the sender
    would wait for ever.
    """

    def publish(self, *args: Any, **kwargs: Any) -> Any:
        """Send a message and wait until the broker has it."""
        kwargs.setdefault('confirm_timeout', CONFIRMED_WITHIN)
        return super().publish(*args, **kwargs)


class _Connection(impl_rabbit.Connection):
    """Sends with our producer."""

    def _set_current_channel(self, new_channel: Any) -> None:
        before = self.channel
        super()._set_current_channel(new_channel)
        if new_channel not in (None, before):
            self._producer = _Producer(new_channel, on_return=self.on_return)


class _Listener(amqpdriver.RpcAMQPListener):
    """Hands back to the broker what arrives after a stop.

    The driver stops reading, but its consumers stay. What they are sent is read after all while the connection is
    being closed, acknowledged, and then forgotten.
    """

    def __call__(self, message: Any) -> None:
        """Take one message."""
        if self._shutoff.is_set():
            message.requeue()
        else:
            super().__call__(message)

    def stop(self) -> None:
        """Read no more, and let the broker send no more."""
        super().stop()
        try:
            for consumer, tag in self.conn._consumers.items():
                consumer.cancel(tag)
        except Exception as error:
            LOG.info('The broker cannot be told that this server stops: %s', error)


class Driver(impl_rabbit.RabbitDriver):
    """Senders give up after a few seconds, servers go on trying; a server that stops loses nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # There is no parameter for it, and nothing is connected by now.
        self._connection_pool.connection_cls = _Connection

    def send(self, *args: Any, **kwargs: Any) -> Any:
        """Send a message; MessageDeliveryFailure if the broker cannot be reached."""
        with _delivery():
            return super().send(*args, **kwargs)

    def send_notification(self, *args: Any, **kwargs: Any) -> Any:
        """Send a notification and wait until the broker has it; MessageDeliveryFailure if it cannot be reached."""
        with _delivery():
            return super().send_notification(*args, **kwargs)

    def listen(self, target: Any, batch_size: int, batch_timeout: float | None) -> base.Listener:
        """What arrives for one server, for anyone of its topic, and for all of them."""
        connection = self._get_connection(common.PURPOSE_LISTEN)
        listener = _Listener(self, connection)
        exchange = self._get_exchange(target)
        for queue in (target.topic, f'{target.topic}.{target.server}'):
            connection.declare_topic_consumer(exchange_name=exchange, topic=queue, callback=listener)
        connection.declare_fanout_consumer(target.topic, listener)
        return base.PollStyleListenerAdapter(listener, batch_size, batch_timeout)

    def _get_connection(self, purpose: str = common.PURPOSE_SEND, retry: int | None = None) -> Any:
        context = super()._get_connection(purpose, retry)
        if purpose == common.PURPOSE_SEND:
            # Its heartbeats reconnect under a lock that senders wait for, and by default do so without end.
            context.connection.max_retries = RETRIES
        return context

    def _get_reply_q(self) -> Any:
        if self._reply_q is None:
            # The first call opens a connection for answers and never gives up on it; so look first, with a
            # connection that is new: those of the pool may not know yet that the broker is gone.
            self._connection_pool.create(common.PURPOSE_LISTEN, retry=RETRIES).close()
        return super()._get_reply_q()
