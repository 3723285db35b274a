# SPDX-License-Identifier: Apache-2.0
"""Real consoles of fake guests: a VNC screen that shows what the guest has written, and a serial line that echoes.

They listen once somebody asks where they are, and until nobody has come for as long as a token is good.
"""

import contextlib
import logging
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence

from oslo_config import cfg

from nova_lite import concurrency, errors
from nova_lite.virt import base
from nova_lite.virt.fake_screen import HEIGHT, WIDTH, PixelFormat, draw

LOG = logging.getLogger(__name__)

KINDS = ('novnc', 'serial')
#: Seconds between looks at whether a guest is still there and what it has written.
TICK = 1.0

_RFB = b'RFB 003.008\n'
_BACKSPACE, _RETURN = 0xFF08, 0xFF0D

#: What a guest has written; None once it does not run here any more.
Lines = Callable[[str], Sequence[str] | None]


class FakeConsoles:
    """The consoles of one fake host."""

    def __init__(self, conf: cfg.ConfigOpts, lines: Lines) -> None:
        self._conf = conf
        self._lines = lines
        self._open: dict[tuple[str, str], socket.socket] = {}
        self._lock = threading.Lock()

    def address(self, server_uuid: str, kind: str) -> base.ConsoleAddress:
        """Where a console listens: from now on, if it did not yet."""
        with self._lock:
            sock = self._open.get((server_uuid, kind))
            if sock is None:
                sock = self._open[server_uuid, kind] = self._listen(kind)
                concurrency.spawn(self._accept, server_uuid, kind, sock)
        host = self._conf.vnc.server_proxyclient_address if kind == 'novnc' else None
        return base.ConsoleAddress(host or self._conf.serial_console.proxyclient_address, sock.getsockname()[1])

    def close(self, server_uuid: str | None = None) -> None:
        """Listen no more for a guest, or for any."""
        with self._lock:
            for key in [key for key in self._open if server_uuid in (None, key[0])]:
                with contextlib.suppress(OSError):
                    self._open.pop(key).shutdown(socket.SHUT_RDWR)

    def _listen(self, kind: str) -> socket.socket:
        if kind == 'novnc':
            return socket.create_server((self._conf.vnc.server_listen, 0))
        first, last = map(int, self._conf.serial_console.port_range.split(':'))
        # Hosts on one machine share the range.
        for port in random.sample(range(first, last + 1), min(100, last + 1 - first)):
            with contextlib.suppress(OSError):
                return socket.create_server((self._conf.serial_console.proxyclient_address, port))
        raise errors.HypervisorError(reason=f'No port of [serial_console] port_range {first}:{last} is free.')

    def _accept(self, server_uuid: str, kind: str, sock: socket.socket) -> None:
        sock.settimeout(TICK)
        patience = max(self._conf.consoleauth.token_ttl, 2 * TICK)
        end = time.monotonic() + patience
        with sock:
            while time.monotonic() < end and self._lines(server_uuid) is not None:
                try:
                    client, _ = sock.accept()
                except TimeoutError:
                    continue
                except OSError:
                    break
                end = time.monotonic() + patience
                concurrency.spawn(self._serve, server_uuid, kind, client)
        with self._lock:
            if self._open.get((server_uuid, kind)) is sock:
                del self._open[server_uuid, kind]

    def _serve(self, server_uuid: str, kind: str, client: socket.socket) -> None:
        with client:
            try:
                _Line(client, lambda: self._lines(server_uuid)).run(kind)
            except (OSError, ValueError) as error:
                LOG.debug('The %s console of %s was left: %s', kind, server_uuid, error)


class _Line:
    """One client of a console."""

    def __init__(self, client: socket.socket, lines: Callable[[], Sequence[str] | None]) -> None:
        self._client = client
        self._lines = lines
        self._typed = ''
        self._format = PixelFormat()
        self._shown: Sequence[str] | None = None
        self._wanted = False

    def run(self, kind: str) -> None:
        """Until the client leaves or the guest is gone."""
        self._client.settimeout(TICK)
        if kind == 'serial':
            self._echo()
        else:
            self._agree()
            while self._heard(self._one_message) and self._show():
                pass

    def _heard(self, listen: Callable[[], None]) -> bool:
        """Whether the guest still runs, after a moment of listening."""
        with contextlib.suppress(TimeoutError):
            listen()
        return self._lines() is not None

    def _echo(self) -> None:
        self._client.sendall(''.join(f'{line}\r\n' for line in self._lines() or ()).encode())
        while self._heard(self._echo_once):
            pass

    def _echo_once(self) -> None:
        data = self._client.recv(4096)
        if not data:
            raise ConnectionResetError('the client has closed')
        self._client.sendall(data.replace(b'\r', b'\r\n'))

    def _agree(self) -> None:
        """RFB 3.8 without security."""
        self._client.sendall(_RFB)
        self._read(len(_RFB))
        self._client.sendall(b'\1\1')
        self._read(1)
        self._client.sendall(b'\0\0\0\0')
        self._read(1)
        name = b'nova-lite fake guest'
        self._client.sendall(struct.pack('!HH', WIDTH, HEIGHT) + self._format.pack()
                             + struct.pack('!I', len(name)) + name)

    def _one_message(self) -> None:
        kind = self._read(1, TICK)[0]
        if kind == 0:
            self._format = PixelFormat.unpack(self._read(19)[3:])
        elif kind == 2:
            self._read(4 * struct.unpack('!xH', self._read(3))[0])
        elif kind == 3:
            self._wanted = True
            if not self._read(9)[0]:
                self._shown = None
        elif kind == 4:
            self._type(*struct.unpack('!BxxI', self._read(7)))
        elif kind == 5:
            self._read(5)
        elif kind == 6:
            self._read(struct.unpack('!xxxI', self._read(7))[0])
        else:
            raise ValueError(f'message of kind {kind}')

    def _type(self, down: int, key: int) -> None:
        if down and 0x20 <= key < 0x7F:
            self._typed += chr(key)
        elif down and key == _BACKSPACE:
            self._typed = self._typed[:-1]
        elif down and key == _RETURN:
            self._typed = ''

    def _show(self) -> bool:
        """Send the picture if the client waits for one that differs; whether the guest still runs."""
        lines = self._lines()
        if lines is None or self._format.bits not in (8, 16, 32) or not self._format.true_colour:
            return False
        now = [*lines[:-1], (lines[-1] if lines else '') + f' {self._typed}']
        if self._wanted and now != self._shown:
            self._client.sendall(struct.pack('!BxHHHHHi', 0, 1, 0, 0, WIDTH, HEIGHT, 0) + draw(now, self._format))
            self._wanted, self._shown = False, now
        return True

    def _read(self, count: int, patience: float = 30.0) -> bytes:
        data = b''
        self._client.settimeout(patience)
        while len(data) < count:
            piece = self._client.recv(min(65536, count - len(data)))
            if not piece:
                raise ConnectionResetError('the client has closed')
            data += piece
        return data
