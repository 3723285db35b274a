# SPDX-License-Identifier: Apache-2.0
"""One connection, seen as a sequence of JSON frames."""

import socket
from typing import Any

import orjson
from oslo_messaging._drivers import base
from oslo_serialization import jsonutils

#: Nothing that is sent comes near; a length beyond it means that the other side speaks something else.
MAX_FRAME = 64 * 1024 * 1024
_CHUNK = 65536
_HEADER = 4


class FrameError(base.TransportDriverError):
    """A frame is larger than allowed or no JSON."""


def encode(value: Any) -> bytes:
    """One value as a frame."""
    try:
        body = orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS)
    except TypeError:
        # What orjson does not know becomes what it would be on every other transport.
        body = jsonutils.dump_as_bytes(value)
    if len(body) > MAX_FRAME:
        raise FrameError(f'A message of {len(body)} bytes is larger than the {MAX_FRAME} bytes that are allowed.')
    return len(body).to_bytes(_HEADER, 'big') + body


def decode(body: bytes | bytearray) -> Any:
    """The value of a frame's body."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise FrameError(f'A frame of {len(body)} bytes is no JSON: {error}') from error


class Busy(TimeoutError):
    """The peer does not read, and what it has not read fills the connection."""


class Stream:
    """Frames over a connected socket. Not for two readers or two writers at a time."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._ahead = b''

    def send(self, frame: bytes) -> None:
        """Hand a whole frame to the kernel, or raise OSError: then the peer will not get it as a whole.

        Busy means that the peer has got nothing of it, so the connection is still good.
        """
        try:
            sent = self.sock.send(frame)
        except TimeoutError:
            raise Busy from None
        if sent < len(frame):
            self.sock.sendall(memoryview(frame)[sent:])

    def receive(self) -> Any:
        """The next value; EOFError if the peer is gone, TimeoutError as the socket is set."""
        head, ahead = self._take(_HEADER, self._ahead)
        size = int.from_bytes(head, 'big')
        if size > MAX_FRAME:
            raise FrameError(f'A frame of {size} bytes is larger than the {MAX_FRAME} bytes that are allowed.')
        body, self._ahead = self._take(size, ahead)
        return decode(body)

    def _take(self, size: int, data: bytes) -> tuple[bytes | bytearray, bytes]:
        """``size`` bytes, and what was read beyond them."""
        while len(data) < size:
            if size > _CHUNK:
                return self._take_much(size, data), b''
            more = self.sock.recv(_CHUNK)
            if not more:
                raise EOFError
            data = data + more if data else more
        return data[:size], data[size:]

    def _take_much(self, size: int, data: bytes) -> bytearray:
        body = bytearray(size)
        body[:len(data)] = data
        view, filled = memoryview(body), len(data)
        while filled < size:
            count = self.sock.recv_into(view[filled:], size - filled)
            if not count:
                raise EOFError
            filled += count
        return body

    def close(self) -> None:
        """Let the connection go."""
        self.sock.close()
