# SPDX-License-Identifier: Apache-2.0
"""eventlet's WSGI machinery under an acceptor of our own.

``eventlet.wsgi.server`` stops for good when ``accept`` fails once, makes TLS handshakes in the accepting loop, and
cuts off a request that arrived on an idle connection just before the stop.
"""

import contextlib
import errno
import logging
import socket
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import eventlet
import eventlet.wsgi

LOG = logging.getLogger(__name__)

HANDSHAKE_TIMEOUT = 30.0
#: Seconds that a connection is left open after its requests when the server stops.
GRACE = 0.5
#: Seconds that the first request of a connection may take to arrive then: whoever has just connected will send one.
FIRST_GRACE = 5.0
#: The state of such a connection; eventlet knows the others.
STATE_NEW = 'new'


@dataclass(frozen=True)
class HttpOptions:
    """How connections are treated.

    ``pool_size`` connections are served at a time; an idle one is closed after ``keepalive`` seconds (False: after
    each request); ``socket_timeout`` bounds each wait for a client that neither sends nor reads.
    """

    pool_size: int = 1000
    keepalive: float | bool = 75.0
    socket_timeout: float | None = 900.0
    max_request_line: int = 16384


class _ProtocolLog(logging.LoggerAdapter):
    """eventlet tells at INFO whatever an application raised, and also that a client had gone."""

    def info(self, msg: object, *args: object, **kwargs: Any) -> None:
        gone = isinstance(sys.exc_info()[1], OSError)
        self.log(logging.DEBUG if gone else logging.ERROR, msg, *args, **kwargs)


class HttpServer:
    """Serves a WSGI application on a listening socket until it is stopped; requests in flight finish."""

    def __init__(self, sock: socket.socket, app: Callable[..., Any], *, options: HttpOptions = HttpOptions(),
                 tls: ssl.SSLContext | None = None, log: logging.Logger = LOG) -> None:
        self._sock = sock
        self._tls = tls
        self._options = options
        self._log = log
        self._pool = eventlet.GreenPool(options.pool_size)
        self._connections: dict[int, list[Any]] = {}
        self._acceptor: Any = None
        self._protocol = eventlet.wsgi.Server(
            sock, sock.getsockname(), app, log_output=False, debug=False, keepalive=options.keepalive,
            socket_timeout=options.socket_timeout, url_length_limit=options.max_request_line,
            environ={'wsgi.url_scheme': 'https', 'HTTPS': 'on'} if tls else None)
        # log_output=False switches off the line per request, which is a filter's business, but also what
        # eventlet says about a request that broke.
        self._protocol.log = _ProtocolLog(log, {})

    def start(self) -> None:
        """Begin to accept."""
        self._acceptor = eventlet.spawn(self._accept)

    def leave(self) -> None:
        """Serve whoever has connected by now, and have everybody else refused.

        Without this the socket would go on taking connections as long as any process holds it, and drop them with
        the last one.  A client that is refused can safely go elsewhere.
        """
        if self._acceptor is not None:
            self._acceptor.kill()
        self._sock.setblocking(False)
        try:
            self._accept_waiting()
            self._sock.shutdown(socket.SHUT_RD)
        except OSError as error:
            self._log.debug('Another worker has shut the socket: %s', error)

    def _accept_waiting(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                client, address = self._sock.accept()
                # Without waiting, eventlet hands out the bare socket, on which a read would stop everything.
                self._begin(eventlet.greenio.GreenSocket(client), address)

    def stop(self) -> None:
        """Accept nothing new, and close each connection after what it has already received."""
        if self._acceptor is not None:
            self._acceptor.kill()
        self._sock.close()
        self._close(eventlet.wsgi.STATE_REQUEST)
        # A request may be on its way on a connection that was accepted just now.
        eventlet.spawn_after(GRACE, self._close, eventlet.wsgi.STATE_REQUEST, eventlet.wsgi.STATE_IDLE)
        eventlet.spawn_after(FIRST_GRACE, self._close, eventlet.wsgi.STATE_REQUEST, eventlet.wsgi.STATE_IDLE, STATE_NEW)

    def _close(self, *states: str) -> None:
        for connection in list(self._connections.values()):
            state = connection[2]
            if state in states:
                connection[2] = eventlet.wsgi.STATE_CLOSE
                if state is not eventlet.wsgi.STATE_REQUEST:
                    _stop_reading(connection[1])

    def wait(self) -> None:
        """Wait for the connections to finish."""
        self._pool.waitall()

    def _accept(self) -> None:
        while True:
            try:
                client, address = self._sock.accept()
            except OSError as error:
                if error.errno == errno.EINVAL:
                    # Another worker has shut the socket for all of them.
                    return
                # Such as too many open files: that passes, and the worker must still be there then.
                self._log.error('Cannot accept a connection: %s', error)
                eventlet.sleep(0.5)
                continue
            self._begin(client, address)

    def _begin(self, client: Any, address: Any) -> None:
        self._pool.spawn_n(self._serve, [address, client, STATE_NEW])

    def _serve(self, connection: list[Any]) -> None:
        self._connections[id(connection)] = connection
        try:
            if self._tls:
                connection[1].settimeout(HANDSHAKE_TIMEOUT)
                connection[1] = self._tls.wrap_socket(connection[1], server_side=True, do_handshake_on_connect=False)
                connection[1].do_handshake()
            connection[1].settimeout(self._options.socket_timeout)
            self._protocol.process_request(connection)
        except OSError as error:
            self._log.debug('The connection of %s broke: %s', connection[0], error)
        except Exception:
            self._log.exception('The connection of %s broke', connection[0])
        finally:
            del self._connections[id(connection)]
            connection[1].close()


def _stop_reading(client: Any) -> None:
    """Let a connection end after what has arrived; a TLS socket would forget that it is one if it were asked itself."""
    try:
        with socket.fromfd(client.fileno(), client.family, client.type) as connection:
            connection.shutdown(socket.SHUT_RD)
    except OSError as error:
        LOG.debug('A connection was gone before it was closed: %s', error)
