# SPDX-License-Identifier: Apache-2.0
"""What answers in the transport contracts: inside the test, or as a process of its own.

``python -m tests.contracts.transport_worker BACKEND URL NAME`` says ``ready``, works until SIGTERM, drains, and
prints what it has noted.
"""

import collections
import json
import os
import signal
import sys
import threading
from typing import Any

from nova_lite import concurrency, errors

TOPIC = 'conductor'


class Worker:
    """The endpoint. Notes carry a token, so that one test does not count those of another."""

    def __init__(self, name: str, transport: Any = None) -> None:
        self.name = name
        self.gate = threading.Event()
        self._transport = transport
        self._notes: dict[str, list[int]] = collections.defaultdict(list)
        self._noted = threading.Condition()

    def echo(self, context: Any, value: Any) -> Any:
        """The same again."""
        return value

    def who(self, context: Any) -> str:
        """Which server answers."""
        return self.name

    def context(self, context: Any) -> dict[str, Any]:
        """What has arrived of the context."""
        return {'type': type(context).__name__, **context.to_dict()}

    def note(self, context: Any, token: str, number: int) -> None:
        """Remember a number."""
        with self._noted:
            self._notes[token].append(number)
            self._noted.notify_all()

    def note_behind_gate(self, context: Any, token: str, number: int) -> None:
        """Remember a number once the gate is open."""
        self.gate.wait(30)
        self.note(context, token, number)

    def notes(self, context: Any, token: str) -> list[int]:
        """What was remembered."""
        return self._notes[token]

    def wait_for_notes(self, token: str, count: int, timeout: float = 20) -> list[int]:
        """For the test itself: wait until that many were remembered."""
        with self._noted:
            self._noted.wait_for(lambda: len(self._notes[token]) >= count, timeout)
            return list(self._notes[token])

    def fail(self, context: Any, kind: str) -> None:
        """Raise one of our errors, or something else."""
        if kind == 'ours':
            raise errors.WrongState(operation='reboot', attribute='vm_state', wanted='active', server='c0ffee',
                                    found='error')
        raise LookupError(kind)

    def hang(self, context: Any, seconds: float) -> str:
        """Work for that long."""
        threading.Event().wait(seconds)
        return 'done'

    def relay(self, context: Any, other: str, value: Any) -> Any:
        """Ask another server for an echo."""
        from nova_lite.rpc.conductor import ConductorClient

        return ConductorClient(self._transport).call(context, '1.0', 'echo', to=other, value=value)

    def _secret(self, context: Any) -> str:
        return 'must not be callable'


def main(backend: str, url: str, name: str) -> None:
    concurrency.start(backend)
    from nova_lite import conf as our_conf
    from nova_lite.rpc import server, transport

    conf = our_conf.new()
    conf([])
    worker = Worker(name, transport.get_transport(conf, url))
    service = server.Server(worker._transport, TOPIC, name, [worker])
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: concurrency.spawn(ended.set))
    service.start()
    print('ready', flush=True)
    while not ended.is_set():
        ended.wait(60)
    service.stop()
    service.wait()
    print(json.dumps(worker._notes), flush=True)
    sys.stdout.flush()
    os._exit(0)


if __name__ == '__main__':
    main(*sys.argv[1:])
