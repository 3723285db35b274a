# SPDX-License-Identifier: Apache-2.0
"""The receiving side of ``local://``: one listening socket for all the RPC servers of a process."""

import logging
import os
import socket
import threading
from collections.abc import Callable
from typing import Any

from oslo_messaging._drivers import base, common

from nova_lite import concurrency
from nova_lite.rpc.local import frames
from nova_lite.rpc.local.directory import Directory, Entry

LOG = logging.getLogger(__name__)

#: Messages that one server has read and not finished. What is beyond waits in the sockets, where its senders see it.
MAX_UNFINISHED = 1024


class Incoming(base.RpcIncomingMessage):
    """One message, with the way back to its sender."""

    def __init__(self, listener: 'Listener', connection: 'Connection', frame: dict[str, Any]) -> None:
        super().__init__(frame['ctxt'], frame['message'], frame['id'])
        self.client_timeout = frame.get('monitor')
        self._listener = listener
        self._connection: Connection | None = connection
        self._wants_answer = frame['call']

    def reply(self, reply: Any = None, failure: Any = None) -> None:
        """Send the result or the error, if it was a call, and make room for the next message."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            if self._wants_answer:
                connection.answer(self.msg_id, _frame(reply, failure))
        finally:
            connection.done()
            self._listener.finished()

    def heartbeat(self) -> None:
        """Tell the caller that its call is still worked on."""
        connection = self._connection
        if connection is None:
            raise BrokenPipeError(f'Message {self.msg_id} is answered.')
        connection.stream.send(frames.encode({'heartbeat': True}))

    def requeue(self) -> None:
        """Give the message to this server once more."""
        self._listener.deliver(self)


def _frame(reply: Any, failure: Any) -> bytes:
    if not failure:
        try:
            return frames.encode({'result': reply})
        except Exception as error:
            # The caller would wait in vain for an answer that cannot be sent.
            LOG.exception('A result cannot be sent')
            failure = (type(error), error, error.__traceback__)
    return frames.encode({'failure': common.serialize_remote_exception(failure)})


class Connection:
    """A client's connection to one server. It is closed when nothing is read any more and all is answered."""

    def __init__(self, stream: frames.Stream) -> None:
        self.stream = stream
        self._users = 1
        self._guard = threading.Lock()

    def begin(self) -> None:
        """One more user."""
        with self._guard:
            self._users += 1

    def done(self) -> None:
        """One user less; the last one closes."""
        with self._guard:
            self._users -= 1
            last = not self._users
        if last:
            self.stream.close()

    def answer(self, message_id: str, frame: bytes) -> None:
        """Send the answer to a call."""
        try:
            self.stream.send(frame)
        except OSError as error:
            LOG.info('Nobody waits for the answer to message %s any more: %s', message_id, error)

    def stop_reading(self) -> None:
        """What was sent before can still be read; sending more fails at the client."""
        try:
            self.stream.sock.shutdown(socket.SHUT_RD)
        except OSError as error:
            LOG.debug('The client was gone first: %s', error)


class Listener(base.Listener):
    """What arrives for one RPC server."""

    def __init__(self, hub: 'Hub', topic: str, server: str) -> None:
        super().__init__(batch_size=1, batch_timeout=None)
        self._hub = hub
        self._names = (topic, server)
        self._room = threading.Semaphore(MAX_UNFINISHED)
        self._guard = threading.Condition()
        self._connections: set[Connection] = set()
        self._stopped = False
        self.entry: Entry | None = None

    def start(self, on_incoming_callback: Callable[[list[Incoming]], None]) -> None:
        """Let clients find this server."""
        super().start(on_incoming_callback)
        self.entry = self._hub.add(self, *self._names)

    def stop(self) -> None:
        """Take nothing new. What was sent before this has been handed on when it returns."""
        with self._guard:
            self._stopped = True
            connections = list(self._connections)
        self._hub.withdraw(self)
        for connection in connections:
            connection.stop_reading()
        with self._guard:
            while self._connections:
                self._guard.wait()
        super().stop()

    def cleanup(self) -> None:
        """All is answered."""
        self._hub.remove(self)

    def serve(self, connection: Connection) -> None:
        """Read what a client sends, until one of the two sides ends it."""
        with self._guard:
            if self._stopped:
                return
            self._connections.add(connection)
        try:
            connection.stream.send(frames.encode({'ok': True}))
            while True:
                incoming = Incoming(self, connection, connection.stream.receive())
                self._room.acquire()
                connection.begin()
                self.deliver(incoming)
        except (EOFError, OSError) as error:
            LOG.debug('A client of %s is gone: %r', self._names, error)
        finally:
            with self._guard:
                self._connections.remove(connection)
                self._guard.notify_all()

    def deliver(self, incoming: Incoming) -> None:
        """Hand one message to the server."""
        if self.on_incoming_callback is not None:
            self.on_incoming_callback([incoming])

    def finished(self) -> None:
        """One message is done with."""
        self._room.release()


class Hub:
    """The listening socket of this process, and who is behind it."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._guard = threading.Lock()
        self._listeners: dict[str, Listener] = {}
        self._socket_id = ''
        self._sock: socket.socket | None = None
        self._pid = 0

    def add(self, listener: Listener, topic: str, server: str) -> Entry:
        """Make a server known; the first one opens the socket."""
        with self._guard:
            if self._pid != os.getpid():
                # What a parent process listens on is not ours.
                self._pid, self._sock, self._listeners = os.getpid(), None, {}
            if self._sock is None:
                self._directory.make()
                self._socket_id, self._sock = self._directory.listen()
                concurrency.spawn(self._accept, self._sock)
            entry = self._directory.entry(topic, server, self._socket_id)
            self._listeners[entry.name] = listener
            self._directory.publish(entry)
            return entry

    def withdraw(self, listener: Listener) -> None:
        """Let no new client find a server."""
        if listener.entry is not None and self._pid == os.getpid():
            self._directory.withdraw(listener.entry)

    def remove(self, listener: Listener) -> None:
        """Forget a server; the last one closes the socket."""
        with self._guard:
            if listener.entry is None or self._pid != os.getpid():
                return
            self._listeners.pop(listener.entry.name, None)
            if not self._listeners and self._sock is not None:
                sock, self._sock = self._sock, None
                self._directory.remove_socket(self._socket_id)
                # Closing alone would not wake the thread in accept().
                sock.shutdown(socket.SHUT_RDWR)
                sock.close()

    def close(self) -> None:
        """Stop whatever still listens."""
        for listener in list(self._listeners.values()):
            listener.stop()
            listener.cleanup()

    def _accept(self, sock: socket.socket) -> None:
        while self._sock is sock:
            try:
                client, _ = sock.accept()
            except OSError as error:
                if self._sock is sock:
                    LOG.error('Cannot accept a connection: %s', error)
                    concurrency.sleep(0.5)
                continue
            concurrency.spawn(self._serve, client)

    def _serve(self, sock: socket.socket) -> None:
        connection = Connection(frames.Stream(sock))
        try:
            hello = connection.stream.receive()
            listener = self._listeners.get(hello['to'])
            if listener is not None:
                listener.serve(connection)
        except (EOFError, OSError) as error:
            LOG.debug('A client left before it said what it wants: %r', error)
        except Exception:
            LOG.exception('A client sent what is no message')
        finally:
            connection.done()
