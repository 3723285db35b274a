# SPDX-License-Identifier: Apache-2.0
"""The consoles that are open, and their end when the server is deleted or has moved."""

import contextlib
import logging
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from nova_lite import concurrency, errors
from nova_lite.db.engine import Database
from nova_lite.db.queries import servers
from nova_lite.ops.console import Admission

LOG = logging.getLogger(__name__)

#: Seconds between looks at the servers whose consoles are open.
INTERVAL = 2.0
# Codes of RFC 6455.
_NORMAL, _GOING_AWAY, _POLICY = 1000, 1001, 1008


@dataclass(eq=False)
class Session:
    """An open console; ``farewell`` is the code and the reason with which the client is left."""

    admission: Admission
    guest: socket.socket
    farewell: tuple[int, str] = field(default=(_NORMAL, 'The console has closed'))

    def end(self, code: int, reason: str) -> None:
        """Close the side of the guest; whoever carries its bytes notices."""
        self.farewell = (code, reason)
        with contextlib.suppress(OSError):
            self.guest.shutdown(socket.SHUT_RDWR)


class Sessions:
    """All open consoles of a process. They are looked after only while there are any."""

    def __init__(self, db: Database, interval: float = INTERVAL) -> None:
        self._db = db
        self._interval = interval
        self._open: set[Session] = set()
        self._lock = threading.Lock()
        self._watched = False
        self._stopping = False

    @contextlib.contextmanager
    def opened(self, admission: Admission, guest: socket.socket) -> Iterator[Session]:
        """For as long as a console is open."""
        session = Session(admission, guest)
        with self._lock:
            self._open.add(session)
            begin, self._watched = not self._watched, True
        if begin:
            concurrency.spawn(self._watch)
        if self._stopping:
            self.stop()
        try:
            yield session
        finally:
            with self._lock:
                self._open.discard(session)

    def stop(self) -> None:
        """End all, and those that begin later."""
        self._stopping = True
        with self._lock:
            sessions = list(self._open)
        for session in sessions:
            session.end(_GOING_AWAY, 'The proxy stops; open the console anew')

    def _watch(self) -> None:
        while True:
            concurrency.sleep(self._interval)
            with self._lock:
                sessions = list(self._open)
                if not sessions:
                    self._watched = False
                    return
            try:
                self._look(sessions)
            except errors.Error as error:
                LOG.warning('It is not known whether open consoles may stay open: %s', error)

    def _look(self, sessions: list[Session]) -> None:
        with self._db.read() as conn:
            places = servers.places(conn, {session.admission.server_uuid for session in sessions})
        for session in sessions:
            server_uuid = session.admission.server_uuid
            if places.get(server_uuid) != session.admission.on:
                LOG.info('Server %s has left %s, and its console is closed', server_uuid, session.admission.on)
                session.end(_POLICY, 'The server is gone, or has moved: open the console anew')
