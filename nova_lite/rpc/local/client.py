# SPDX-License-Identifier: Apache-2.0
"""The sending side of ``local://``: finds a server, keeps connections to it, waits for its answer."""

import itertools
import logging
import random
import time
from dataclasses import dataclass
from typing import Any

import oslo_messaging
from oslo_messaging._drivers import common

from nova_lite.rpc.local import frames
from nova_lite.rpc.local.directory import Directory, Entry
from nova_lite.rpc.local.pool import Pool

LOG = logging.getLogger(__name__)

#: Seconds that a cast looks for a server when the caller says nothing, and for each retry when he does.
CAST_PATIENCE = 5.0
RETRY_PATIENCE = 1.0
#: Looks in any case, as a busy machine may let a whole second pass between two of them.
_LOOKS = 3
#: A server that does not take what is sent to it for that long is passed over.
SEND_TIMEOUT = 2.0
_FIRST_PAUSE = 0.002
_LONGEST_PAUSE = 0.1


class ServerGone(oslo_messaging.MessagingTimeout):
    """The server died before it answered; whether it did what it was asked to is not known."""


@dataclass(frozen=True)
class Request:
    """A message and how long its sender waits."""

    topic: str
    server: str | None
    frame: bytes
    method: str
    timeout: float | None = None
    monitor: float | None = None

    def __str__(self) -> str:
        return f'{self.method} to {self.server or "any server"} of {self.topic}'


class Client:
    """Sends requests. Safe to use from any thread, and in a child process that was forked after it was made."""

    def __init__(self, directory: Directory, allowed_remote_exmods: list[str]) -> None:
        self._directory = directory
        self._allowed_remote_exmods = allowed_remote_exmods
        self._turn = itertools.count(random.randrange(1000))
        self._pool = Pool()

    # --------------------------------------------------------------- sending

    def cast(self, request: Request, patience: float) -> None:
        """Hand a message to one server; MessageDeliveryFailure if none takes it in time."""
        entry, stream = self._deliver(request, patience)
        self._pool.keep(entry.name, stream)

    def call(self, request: Request) -> Any:
        """Hand a message to one server and return what it answers."""
        patience = min(filter(None, (request.timeout, request.monitor)), default=CAST_PATIENCE)
        started = time.monotonic()
        try:
            entry, stream = self._deliver(request, patience)
        except oslo_messaging.MessageDeliveryFailure as error:
            raise oslo_messaging.MessagingTimeout(str(error)) from error
        try:
            answer = self._await(request, entry, stream, started)
        except BaseException:
            # An answer may still come; it must not be taken for that of another call.
            stream.close()
            raise
        self._pool.keep(entry.name, stream)
        if 'failure' in answer:
            raise common.deserialize_remote_exception(answer['failure'], self._allowed_remote_exmods)
        return answer['result']

    def fanout(self, request: Request) -> None:
        """Hand a message to every server there is now; one that does not take it misses it."""
        for entry in self._directory.servers(request.topic, None):
            stream = self._deliver_to(entry, request)
            if stream is not None:
                self._pool.keep(entry.name, stream)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._pool.close()

    # ------------------------------------------------------------ delivering

    def _deliver(self, request: Request, patience: float) -> tuple[Entry, frames.Stream]:
        """Give the request to a server; returns it, and the connection that was used."""
        give_up = time.monotonic() + patience
        pause, looks = _FIRST_PAUSE, 0
        while True:
            entries = self._directory.servers(request.topic, request.server)
            for entry in self._in_turn(entries):
                stream = self._deliver_to(entry, request)
                if stream is not None:
                    return entry, stream
            left, looks = give_up - time.monotonic(), looks + 1
            if left <= 0 and (looks >= _LOOKS or not patience):
                raise oslo_messaging.MessageDeliveryFailure(
                    f'{request}: none of {len(entries)} took it within {patience:g} seconds.')
            time.sleep(min(pause, max(left, _FIRST_PAUSE)))
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _in_turn(self, entries: list[Entry]) -> list[Entry]:
        if len(entries) < 2:
            return entries
        first = next(self._turn) % len(entries)
        return entries[first:] + entries[:first]

    def _deliver_to(self, entry: Entry, request: Request) -> frames.Stream | None:
        """Give the request to one server. None if it did not take it; then it will never act on it."""
        try:
            while (stream := self._pool.take(entry.name) or self._connect(entry)) is not None:
                try:
                    stream.send(request.frame)
                    return stream
                except frames.Busy:
                    # Not closed: a new connection would only be one more that waits to be read.
                    self._pool.keep(entry.name, stream)
                    LOG.warning('%s: server %s is too busy to take it.', request, entry.name)
                    return None
                except (BrokenPipeError, ConnectionResetError):
                    # It closed this connection while nobody used it; another may still be good.
                    stream.close()
                except BaseException:
                    stream.close()
                    raise
        except OSError as error:
            LOG.warning('%s: server %s did not take it: %s', request, entry.name, error)
        return None

    def _connect(self, entry: Entry) -> frames.Stream | None:
        sock = self._directory.connect(entry.socket_id, SEND_TIMEOUT)
        if sock is None:
            self._directory.bury(entry)
            self._pool.drop(entry.name)
            return None
        stream = frames.Stream(sock)
        try:
            stream.send(frames.encode({'to': entry.name}))
            if stream.receive() == {'ok': True}:
                return stream
        except (EOFError, BrokenPipeError, ConnectionResetError) as error:
            LOG.debug('Server %s stops: %r', entry.name, error)
        except BaseException:
            stream.close()
            raise
        stream.close()
        return None

    # --------------------------------------------------------------- waiting

    def _await(self, request: Request, entry: Entry, stream: frames.Stream, started: float) -> dict[str, Any]:
        end = started + request.timeout if request.timeout else None
        alive_until = time.monotonic() + request.monitor if request.monitor else None
        while True:
            until = min(filter(None, (end, alive_until)), default=None)
            try:
                stream.sock.settimeout(None if until is None else max(until - time.monotonic(), 0.001))
                answer = stream.receive()
            except TimeoutError:
                silent = until == alive_until
                raise oslo_messaging.MessagingTimeout(
                    f'{request}: {entry.name} ' + (f'gave no sign of life for {request.monitor:g} seconds.' if silent
                                                   else f'did not answer within {request.timeout:g} seconds.')
                ) from None
            except (EOFError, ConnectionResetError):
                raise ServerGone(f'{request}: {entry.name} died before it answered.') from None
            if 'heartbeat' not in answer:
                stream.sock.settimeout(SEND_TIMEOUT)
                return answer
            alive_until = time.monotonic() + request.monitor if request.monitor else None
