# SPDX-License-Identifier: Apache-2.0
"""What happens to messages while the broker is away, and when it is back."""

import functools
import time

import pytest

from nova_lite import errors
from nova_lite.rpc import server
from nova_lite.rpc.client import Client
from tests.fixtures.processes import wait_until

# amqp drops the sockets of a broker that went away without closing them.
pytestmark = pytest.mark.filterwarnings('ignore::ResourceWarning', 'ignore::pytest.PytestUnraisableExceptionWarning')


def test_what_arrives_while_a_server_ends_is_left_to_the_next(rabbit_rpc):
    """oslo.messaging alone reads it while it closes the connection, and forgets it."""
    rpc = rabbit_rpc
    ending = rpc.server()
    client = rpc.client()
    ending.service.stop()
    for number in range(5):
        client.cast(rpc.context, '1.0', 'note', to=ending.name, token=rpc.token, number=number)
    ending.service.wait()
    following = rpc.server(ending.name)
    assert sorted(following.wait_for_notes(rpc.token, 5)) == list(range(5))
    assert not ending.notes(None, rpc.token)


def test_a_restarted_broker(rabbit_rpc, rabbitmq, monkeypatch):
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
        # A service starts without it, too, and works once it is there.
        monkeypatch.setattr(server, 'PATIENCE', 0.2)
        early = rpc.server()
    finally:
        rabbitmq.start()

    def answers(asker: Client, name: str) -> bool:
        try:
            return asker.call(rpc.context, '1.0', 'who', to=name) == name
        except errors.Unavailable:
            return False

    for asker, name in ((client, worker.name), (fresh, worker.name), (client, early.name)):
        wait_until(functools.partial(answers, asker, name), 20)
    client.cast(rpc.context, '1.0', 'note', to=worker.name, token=rpc.token, number=2)
    assert worker.wait_for_notes(rpc.token, 1) == [2]
