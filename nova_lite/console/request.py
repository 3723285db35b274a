# SPDX-License-Identifier: Apache-2.0
"""One connection of a client: pages of noVNC, and the WebSocket of a console.

Imported with the first connection, because websockify brings much that an idle proxy does not need.
"""

import contextlib
import logging
import socket
import ssl
import sys
import warnings
from collections.abc import Iterator
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler
from typing import Any

from nova_lite.console import pages, rfb
from nova_lite.console.gate import Refused, admit
from nova_lite.console.relay import Relay

LOG = logging.getLogger(__name__)

#: Seconds that a client may be silent before its console is opened, and that a host may take to accept a connection.
PATIENCE = 30.0
_CONNECT = 10.0


@contextlib.contextmanager
def _without_numpy() -> Iterator[None]:
    """websockify would load numpy, 20 MiB, to unmask what a person types a little faster."""
    known = sys.modules.get('numpy')
    sys.modules['numpy'] = known  # type: ignore[assignment]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        if known is None:
            del sys.modules['numpy']


with _without_numpy():
    from websockify import websocketserver
    from websockify.websocket import WebSocketWantWriteError

_PONG = 0xA


class ClientSocket(websocketserver.HttpWebSocket):  # type: ignore[misc]
    """websockify's WebSocket, which would lose its place when a pong and a message are both on their way."""

    def select_subprotocol(self, protocols: list[str]) -> str:
        """Older clients ask for one."""
        return 'binary' if 'binary' in protocols else ''

    def handle_ping(self, data: bytes) -> None:
        """Answer; what cannot be sent now goes before the next message."""
        with contextlib.suppress(WebSocketWantWriteError):
            self._sendmsg(_PONG, data)

    def _flush(self) -> None:
        """TLS has errors of its own for what cannot be sent now; websockify would send the message twice."""
        try:
            super()._flush()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            raise WebSocketWantWriteError from error

    @property
    def held(self) -> int:
        """How much of a message has come that is not yet complete."""
        return len(self._recv_buffer)

    def read(self, count: int, held: bytearray) -> bytes:
        """So many bytes, as from a socket that blocks; ``held`` keeps what has come beyond them."""
        while len(held) < count:
            with contextlib.suppress(websocketserver.WebSocketWantReadError):
                message = self.recvmsg()
                if message is None:
                    raise ConnectionResetError('The client has left')
                held += message
            if self.held + len(held) > PAGE_LIMIT:
                raise OSError('The client sends more than was asked for')
        data = bytes(held[:count])
        del held[:count]
        return data


#: What a client may send before its console is opened to it.
PAGE_LIMIT = 65536


class Request(websocketserver.WebSocketRequestHandlerMixIn, SimpleHTTPRequestHandler):  # type: ignore[misc]
    """Answers the requests of one connection; ``server`` is the ``service.ConsoleService`` that accepted it."""

    protocol_version = 'HTTP/1.1'
    SocketClass = ClientSocket
    timeout = PATIENCE
    # Headers and content are written one after the other.
    disable_nagle_algorithm = True
    server: Any

    def setup(self) -> None:
        """Files come from the directory of noVNC, and from nowhere if the proxy has no pages."""
        self.directory = str(self.server.web) if self.server.web else '/nonexistent'
        super().setup()

    def version_string(self) -> str:
        """Nobody needs to know versions."""
        return 'nova-lite'

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: an address has a token in it."""

    def end_headers(self) -> None:
        """The address of a page has a token in it, which is for no other host, and answers are what they say."""
        self.send_header('Referrer-Policy', 'no-referrer')
        self.send_header('X-Content-Type-Options', 'nosniff')
        super().end_headers()

    def do_GET(self) -> None:
        """A page, or a file of noVNC."""
        page = pages.instead(self.server.web, self.path)
        if page is None:
            super().do_GET()
        else:
            self._answer(page.status, page.text, page.kind, page.location)

    def do_HEAD(self) -> None:
        """Like GET without the content."""
        self.do_GET()

    def list_directory(self, path: Any) -> None:
        """There is nothing to look around for."""
        self._answer(HTTPStatus.NOT_FOUND, 'There is no such page.\n')

    def _answer(self, status: HTTPStatus, text: str, kind: str = 'text/plain', location: str | None = None) -> None:
        content = text.encode()
        self.send_response(status)
        if location is not None:
            self.send_header('Location', location)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(content)))
        self.send_header('Cache-Control', 'no-store')
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(content)

    def handle_upgrade(self) -> None:
        """Let the client to a console, or tell it why not."""
        self.close_connection = True
        try:
            admission = admit(self.server.deps, self.server.kinds, self.path, self.headers)
            guest = self._connect(admission)
        except Refused as refused:
            self._refuse(refused)
            return
        with contextlib.closing(guest), self.server.sessions.opened(admission, guest) as session:
            self._session = session
            super().handle_upgrade()

    def _refuse(self, refused: Refused) -> None:
        """Say why in the first line; some clients take whatever comes behind the headers for frames of a console."""
        reason = ' '.join(str(refused).encode('ascii', 'replace').decode().split())
        self.send_response(refused.status, reason)
        self.send_header('Content-Length', '0')
        self.send_header('Cache-Control', 'no-store')
        self.end_headers()

    def _connect(self, admission: Any) -> socket.socket:
        LOG.info('A client at %s opens the %s console of server %s', self.client_address[0], admission.kind,
                 admission.server_uuid)
        try:
            guest = socket.create_connection((admission.host, admission.port), _CONNECT)
            try:
                return rfb.secure(guest, self.server.deps.conf.vnc) if admission.kind == 'novnc' else guest
            except BaseException:
                guest.close()
                raise
        except OSError as error:
            LOG.warning('The %s console of server %s at %s port %d cannot be opened: %s', admission.kind,
                        admission.server_uuid, admission.host, admission.port, error)
            raise Refused(HTTPStatus.BAD_GATEWAY, 'The console of the server cannot be reached now.') from error

    def handle_websocket(self) -> None:
        """Carry bytes until one side ends."""
        session, client = self._session, self.request
        try:
            if session.admission.kind == 'novnc':
                held = bytearray()
                rfb.welcome(lambda count: client.read(count, held), client.sendmsg)
            for sock in (client.socket, session.guest):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                sock.setblocking(False)
            Relay(client, session.guest).run()
        except (OSError, ValueError) as error:
            LOG.debug('The console of server %s broke: %s', session.admission.server_uuid, error)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR, *session.farewell)
        LOG.info('The %s console of server %s is closed', session.admission.kind, session.admission.server_uuid)
