# SPDX-License-Identifier: Apache-2.0
"""Carries bytes between a WebSocket and a socket until one of them ends, and holds no more than a little of them."""

import errno
import selectors
import socket
import ssl
from typing import Any

#: What is held for the guest; a client that sends faster than the guest reads has to wait.
LIMIT = 256 * 1024
#: The longest message of a client: what a person pastes.
MESSAGE = 2 * 1024 * 1024
_PIECE = 65536
_LATER = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Relay:
    """One console that is looked at. ``client`` is websockify's, and both ends do not block."""

    def __init__(self, client: Any, guest: socket.socket) -> None:
        self._client = client
        self._guest = guest
        self._to_guest = bytearray()
        self._to_client: bytes | None = None
        # A client's message may lie in a buffer, where no selector sees it.
        self._unread = True
        self._open = True

    def run(self) -> None:
        """Return when one end has closed; OSError if it broke."""
        with selectors.DefaultSelector() as selector:
            while self._open:
                ready = self._wait(selector)
                self._send_to_guest(bool(ready.get('guest', 0) & selectors.EVENT_WRITE))
                if ready.get('client', 0) & selectors.EVENT_WRITE:
                    self._send_to_client()
                if ready.get('client', 0) & selectors.EVENT_READ or self._unread:
                    self._read_client()
                if ready.get('guest', 0) & selectors.EVENT_READ or self._pending_of_guest():
                    self._read_guest()

    def _wait(self, selector: selectors.BaseSelector) -> dict[str, int]:
        full = len(self._to_guest) >= LIMIT
        wanted = {
            'client': (0 if full else selectors.EVENT_READ) | (selectors.EVENT_WRITE if self._to_client else 0),
            'guest': (0 if self._to_client else selectors.EVENT_READ)
            | (selectors.EVENT_WRITE if self._to_guest else 0)}
        for name, sock in (('client', self._client.socket), ('guest', self._guest)):
            known = selector.get_map().get(sock)
            if wanted[name] and known is None:
                selector.register(sock, wanted[name], name)
            elif known is not None and not wanted[name]:
                selector.unregister(sock)
            elif known is not None and known.events != wanted[name]:
                selector.modify(sock, wanted[name], name)
        at_once = (self._unread and not full) or self._pending_of_guest()
        return {key.data: events for key, events in selector.select(0 if at_once else None)}

    def _pending_of_guest(self) -> bool:
        return not self._to_client and hasattr(self._guest, 'pending') and self._guest.pending() > 0

    def _read_client(self) -> None:
        self._unread = True
        while len(self._to_guest) < LIMIT:
            try:
                message = self._client.recvmsg()
            except _LATER:
                self._unread = False
                if self._client.held > MESSAGE:
                    raise OSError(errno.EMSGSIZE, 'The client sends a message that is too long') from None
                return
            if message is None:
                self._open = False
                return
            self._to_guest += message
            self._send_to_guest(True)

    def _read_guest(self) -> None:
        if self._to_client:
            return
        try:
            piece = self._guest.recv(_PIECE)
        except _LATER:
            return
        if not piece:
            self._open = False
            return
        self._to_client = piece
        self._send_to_client()

    def _send_to_guest(self, may: bool) -> None:
        if may and self._to_guest:
            try:
                del self._to_guest[:self._guest.send(self._to_guest)]
            except _LATER:
                return

    def _send_to_client(self) -> None:
        if self._to_client:
            try:
                self._client.sendmsg(self._to_client)
            except _LATER:
                return
            self._to_client = None
