# SPDX-License-Identifier: Apache-2.0
"""One HTTP API as a service that a launcher runs in any number of worker processes.

The socket is bound before the workers are forked, so they share it and a taken port ends the start
with one sentence.
"""

import errno
import logging
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from oslo_service.backend.base import ServiceBase
from paste import deploy

from nova_lite import concurrency, errors, telemetry

LOG = logging.getLogger(__name__)

BACKLOG = 4096
# What an API is called in a trace, where that is not its name.
ROLES = {'osapi_compute': 'api'}


def load_app(path: Path, name: str) -> Any:
    """The application called ``name`` of a paste file; errors.StartError names what is wrong in it."""
    try:
        return deploy.loadapp(f'config:{path}', name=name)
    except (LookupError, ImportError, AttributeError, TypeError, ValueError) as error:
        raise errors.StartError(reason=f'The paste file {path} has no usable application {name!r}: {error}') from error


def listen(address: str, port: int, keepidle: int = 600) -> socket.socket:
    """A listening socket; errors.StartError says when the port is taken or the address is not ours."""
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, keepidle)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    try:
        sock.bind((address, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise errors.StartError(reason=f'Port {port} of {address} is taken by another program; '
                                           'stop that program or choose another port.') from error
        raise errors.StartError(reason=f'Cannot listen on port {port} of {address}: {error.strerror}.') from error
    return sock


class HttpService(ServiceBase):
    """Serves one application; ``reload`` is called on SIGHUP."""

    def __init__(self, name: str, app: Any, sock: socket.socket, conf: Any, tls: bool = False,
                 reload: Callable[[], None] = lambda: None) -> None:
        self.name = name
        # Loaded here so that all workers share it; there is none where another server runs the application.
        from nova_lite.concurrency.green_http import HttpOptions
        self._app = app
        self._sock = sock
        self._options = HttpOptions(
            pool_size=conf.wsgi.default_pool_size, keepalive=conf.wsgi.keep_alive,
            socket_timeout=conf.wsgi.client_socket_timeout or None, max_request_line=conf.wsgi.max_header_line)
        self._tls = _tls_context(conf.wsgi) if tls else None
        self._reload = reload
        self._server: Any = None

    def start(self) -> None:
        """Serve; called in the worker process."""
        telemetry.name_process(ROLES.get(self.name, self.name))
        self._server = concurrency.http_server(self._sock.dup(), self._app, options=self._options, tls=self._tls,
                                               log=LOG)
        self._server.start()
        LOG.info('%s serves on port %d', self.name, self._sock.getsockname()[1])

    def leave(self) -> None:
        """No other worker goes on with the socket, so it must not take what nobody would answer."""
        if self._server is not None:
            self._server.leave()

    def stop(self) -> None:
        """Accept nothing more; requests in flight finish."""
        if self._server is not None:
            self._server.stop()

    def wait(self) -> None:
        """Wait for the requests in flight."""
        if self._server is not None:
            self._server.wait()
            telemetry.flush()

    def reset(self) -> None:
        """Take over what changed in the configuration and the policy files."""
        self._reload()


def _tls_context(options: Any) -> ssl.SSLContext:
    if not options.ssl_cert_file or not options.ssl_key_file:
        raise errors.StartError(reason='enabled_ssl_apis needs [wsgi] ssl_cert_file and ssl_key_file.')
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(options.ssl_cert_file, options.ssl_key_file)
        if options.ssl_ca_file:
            context.load_verify_locations(options.ssl_ca_file)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise errors.StartError(reason=f'The certificate of [wsgi] cannot be used: {error}') from error
    return context
