# SPDX-License-Identifier: Apache-2.0
"""What happens to messages while the broker is away, and when it is back."""

import time

import pytest

from nova_lite import errors
from nova_lite.rpc.client import Client
from tests.fixtures.processes import wait_until

# amqp drops the sockets of a broker that went away without closing them.
pytestmark = pytest.mark.filterwarnings('ignore::ResourceWarning', 'ignore::pytest.PytestUnraisableExceptionWarning')


def test_a_restarted_broker(rabbit_rpc, rabbitmq):
    """Senders fail soon instead of hanging; everybody finds it again without a restart of his own."""
    rpc = rabbit_rpc
    worker = rpc.server()
    client = rpc.client(rpc_response_timeout=3)
    fresh = rpc.client(rpc_response_timeout=3)
    assert client.call(rpc.context, '1.0', 'who', to=worker.name) == worker.name
    rabbitmq.terminate()
    try:
        for away in (client, fresh):
            started = time.monotonic()
            with pytest.raises(errors.Unavailable):
                away.cast(rpc.context, '1.0', 'note', token=rpc.token, number=1)
            assert time.monotonic() - started < 6
        started = time.monotonic()
        with pytest.raises(errors.Unavailable):
            fresh.call(rpc.context, '1.0', 'who')
        assert time.monotonic() - started < 6
    finally:
        rabbitmq.start()

    def answers(asker: Client) -> bool:
        try:
            return asker.call(rpc.context, '1.0', 'who', to=worker.name) == worker.name
        except errors.Unavailable:
            return False

    for asker in (client, fresh):
        wait_until(lambda asker=asker: answers(asker), 20)
    client.cast(rpc.context, '1.0', 'note', to=worker.name, token=rpc.token, number=2)
    assert worker.wait_for_notes(rpc.token, 1) == [2]
