# SPDX-License-Identifier: Apache-2.0
"""oslo.messaging's RabbitMQ driver, for a service that has to answer its own clients while the broker is away.

The driver waits for a broker for as long as it takes.  That is right for a worker, which has nothing to do without
one, and wrong for the API: a request must be accepted now, and its work is found again in the database.
"""

from typing import Any

import kombu.exceptions
import oslo_messaging
from oslo_config import cfg
from oslo_messaging._drivers import common, impl_rabbit

#: How often a sender tries again to reach the broker: two to three seconds.
RETRIES = 1


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


class Driver(impl_rabbit.RabbitDriver):
    """Senders give up after a few seconds; servers and open connections go on trying."""

    def send(self, *args: Any, **kwargs: Any) -> Any:
        """Send a message; MessageDeliveryFailure if the broker cannot be reached."""
        try:
            return super().send(*args, **kwargs)
        except kombu.exceptions.OperationalError as error:
            raise oslo_messaging.MessageDeliveryFailure(f'The broker cannot be reached: {error}') from error

    def _get_connection(self, purpose: str = common.PURPOSE_SEND, retry: int | None = None) -> Any:
        context = super()._get_connection(purpose, retry)
        if purpose == common.PURPOSE_SEND:
            # Its heartbeats reconnect under a lock that senders wait for, and by default do so without end.
            context.connection.max_retries = RETRIES
        return context

    def _get_reply_q(self) -> Any:
        if self._reply_q is None:
            # The first call opens a connection for answers and never gives up on it; so look first.
            with self._get_connection(retry=RETRIES):
                pass
        return super()._get_reply_q()
