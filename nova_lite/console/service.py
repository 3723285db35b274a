# SPDX-License-Identifier: Apache-2.0
"""A proxy as a service: accepts clients, and tells TLS from plain connections."""

import contextlib
import errno
import importlib.util
import logging
import selectors
import socket
import ssl
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oslo_config import cfg
from oslo_service.backend.base import ServiceBase

from nova_lite import concurrency, errors
from nova_lite.console.sessions import INTERVAL, Sessions
from nova_lite.db.engine import Database
from nova_lite.ops.console import Compute

LOG = logging.getLogger(__name__)

#: Connections at a time, pages included.
CONNECTIONS = 1000
_HANDSHAKE = b'\x16'
#: Seconds that clients have to be told of the end.
_TOLD = 2.0
_PAUSE = 0.5
_VERSIONS = {'tlsv1_1': ssl.TLSVersion.TLSv1_1, 'tlsv1_2': ssl.TLSVersion.TLSv1_2, 'tlsv1_3': ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True)
class Deps:
    """What a proxy works with."""

    db: Database
    conf: cfg.ConfigOpts
    compute: Compute


def available() -> bool:
    """Whether the library for WebSockets is installed."""
    return importlib.util.find_spec('websockify') is not None


def check_available() -> None:
    """errors.StartError if it is not."""
    if not available():
        raise errors.StartError(reason="Consoles need the library websockify: pip install 'nova-lite[consoles]'.")


class ConsoleService(ServiceBase):
    """Lets clients to consoles of some kinds; ``web`` is the directory of noVNC for a proxy with pages."""

    def __init__(self, deps: Deps, kinds: Collection[str], sock: socket.socket, web: Path | None = None,
                 interval: float = INTERVAL) -> None:
        self.deps = deps
        self.kinds = frozenset(kinds)
        self.web = web
        self.sessions = Sessions(deps.db, interval)
        self._sock = sock
        self._tls = _tls_context(deps.conf)
        self._running: concurrency.Pool | None = None
        self._wake: socket.socket | None = None

    def start(self) -> None:
        """Serve; called in the worker process."""
        self._running = concurrency.Pool(CONNECTIONS)
        self._wake, woken = socket.socketpair()
        concurrency.spawn(self._accept, self._sock.dup(), woken)
        LOG.info('Consoles of kind %s are served on port %d', ', '.join(sorted(self.kinds)),
                 self._sock.getsockname()[1])

    def leave(self) -> None:
        """No other worker goes on with the socket, so clients are refused from now on."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RD)

    def stop(self) -> None:
        """Accept nobody more, and close what is open: a console would not end by itself."""
        if self._wake is not None:
            self._wake.close()
        self.sessions.stop()

    def wait(self) -> None:
        """Wait until those whose consoles were closed have been told."""
        if self._running is not None:
            self._running.wait(_TOLD)

    def reset(self) -> None:
        """Nothing is kept of the options that may change."""

    def _accept(self, sock: socket.socket, woken: socket.socket) -> None:
        assert self._running is not None
        with sock, woken, selectors.DefaultSelector() as selector:
            # A client may have gone before it is accepted. From a socket that does not wait at all, eventlet would hand
            # out bare sockets, on which a read stops everything.
            sock.settimeout(_PAUSE)
            selector.register(sock, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            while woken not in [key.fileobj for key, _ in selector.select()]:
                try:
                    client, address = sock.accept()
                except TimeoutError:
                    continue
                except OSError as error:
                    if error.errno == errno.EINVAL:
                        return
                    # Such as too many open files: that passes.
                    LOG.error('Cannot accept a connection: %s', error)
                    concurrency.sleep(_PAUSE)
                    continue
                self._running.spawn(self._serve, client, address)

    def _serve(self, client: socket.socket, address: Any) -> None:
        from nova_lite.console import request
        client.settimeout(request.PATIENCE)
        try:
            secured = self._secured(client)
            if secured is not None:
                client = secured
                request.Request(client, address, self)
        except OSError as error:
            LOG.debug('The connection of %s broke: %s', address, error)
        except Exception:
            LOG.exception('The connection of %s broke', address)
        finally:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            client.close()

    def _secured(self, client: socket.socket) -> socket.socket | None:
        """The socket to speak with: TLS if the client begins with it; None for one that has to and does not."""
        if self._tls is not None and client.recv(1, socket.MSG_PEEK) == _HANDSHAKE:
            return self._tls.wrap_socket(client, server_side=True)
        return None if self.deps.conf.ssl_only else client


def _tls_context(conf: cfg.ConfigOpts) -> ssl.SSLContext | None:
    if not conf.cert:
        if conf.ssl_only:
            raise errors.StartError(reason='ssl_only needs a certificate: set cert and key.')
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(conf.cert, conf.key or None)
        if conf.console.ssl_minimum_version != 'default':
            context.minimum_version = _VERSIONS[conf.console.ssl_minimum_version]
        if conf.console.ssl_ciphers:
            context.set_ciphers(conf.console.ssl_ciphers)
    except (OSError, ssl.SSLError) as error:
        raise errors.StartError(reason=f'The certificate {conf.cert} and the ciphers of the console proxies cannot be '
                                       f'used: {error}') from error
    return context
