# SPDX-License-Identifier: Apache-2.0
"""What lies in the directory of a ``local://`` transport: sockets, and the names of the servers behind them."""

import contextlib
import errno
import hashlib
import itertools
import logging
import os
import re
import secrets
import socket
import time
from collections.abc import Iterator
from typing import NamedTuple

from oslo_messaging._drivers import base

LOG = logging.getLogger(__name__)

#: Longest path that fits into a socket address, with its closing zero byte.
_LONGEST_ADDRESS = 107
#: A directory's change time moves in ticks of the kernel's clock. One that was read within a few ticks after it
#: changed may have changed again under the same time.
_SETTLED_AFTER = 100_000_000
_PLAIN = re.compile(r'[A-Za-z0-9][A-Za-z0-9_.-]{0,99}')
_BACKLOG = 1024


class DirectoryError(base.TransportDriverError):
    """The directory cannot be used."""


class Entry(NamedTuple):
    """One server, as its name lies in the directory."""

    topic: str
    server: str
    name: str

    @property
    def socket_id(self) -> str:
        """The process behind it."""
        return self.name.rpartition('@')[2].partition('-')[0]


def key(name: str) -> str:
    """A topic's or server's name as a file name; one that is long or has odd characters is hashed."""
    if _PLAIN.fullmatch(name):
        return name
    return '_' + hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


class Directory:
    """The files of one transport."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self._topics: dict[str, _Topic] = {}
        self._numbers = itertools.count()
        self._fd: int | None = None

    def make(self) -> None:
        """Create the directory, or see to it that an existing one is closed to others."""
        try:
            os.makedirs(self.path, mode=0o700, exist_ok=True)
            found = os.stat(self.path)
        except OSError as error:
            raise DirectoryError(f'The directory {self.path} of local:// cannot be used: {error}') from error
        if found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise DirectoryError(f'The directory {self.path} of local:// must belong to user id {os.geteuid()} and '
                                 f'have mode 0700; it belongs to {found.st_uid} and has mode '
                                 f'{found.st_mode & 0o7777:04o}. Whoever can write there can command the service.')

    # ------------------------------------------------------------- sockets

    def _address(self, file_name: str) -> str:
        path = os.path.join(self.path, file_name)
        if len(os.fsencode(path)) <= _LONGEST_ADDRESS:
            return path
        if self._fd is None:
            self._fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return f'/proc/self/fd/{self._fd}/{file_name}'

    def listen(self) -> tuple[str, socket.socket]:
        """Make a listening socket; returns its id with it."""
        self.sweep()
        socket_id = secrets.token_hex(6)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # It gets its name when it listens, so that one which refuses a connection is dead for certain.
            sock.bind(self._address('new.' + socket_id))
            sock.listen(_BACKLOG)
            os.rename(os.path.join(self.path, 'new.' + socket_id), os.path.join(self.path, 's.' + socket_id))
        except OSError as error:
            sock.close()
            raise DirectoryError(f'Cannot listen in the directory {self.path} of local://: {error}') from error
        return socket_id, sock

    def connect(self, socket_id: str, timeout: float) -> socket.socket | None:
        """A connection to a process, or None if it is dead."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        try:
            sock.connect(self._address('s.' + socket_id))
        except (ConnectionRefusedError, FileNotFoundError):
            sock.close()
            return None
        except BaseException:
            sock.close()
            raise
        return sock

    def remove_socket(self, socket_id: str) -> None:
        """Forget a process."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.path, 's.' + socket_id))

    def sweep(self) -> None:
        """Remove what killed processes have left."""
        for file in self._scan(self.path):
            if file.name.startswith('s.'):
                self._remove_if_dead(file.name.removeprefix('s.'))
        for topic in self._scan(self.path):
            if topic.is_dir(follow_symlinks=False):
                for file in self._scan(topic.path):
                    if not os.path.exists(file.path):
                        _unlink(file.path)

    def _remove_if_dead(self, socket_id: str) -> None:
        try:
            sock = self.connect(socket_id, timeout=0.1)
        except OSError as error:
            LOG.debug('Socket %s does not answer now: %s', socket_id, error)
            return
        if sock is None:
            self.remove_socket(socket_id)
        else:
            sock.close()

    @staticmethod
    def _scan(path: str) -> Iterator[os.DirEntry[str]]:
        with contextlib.suppress(FileNotFoundError), os.scandir(path) as files:
            yield from files

    # --------------------------------------------------------------- names

    def entry(self, topic: str, server: str, socket_id: str) -> Entry:
        """A name for a server, not yet put where clients look."""
        return Entry(key(topic), key(server), f'{key(server)}@{socket_id}-{next(self._numbers)}')

    def publish(self, entry: Entry) -> None:
        """Put a server's name where clients look."""
        os.makedirs(os.path.join(self.path, entry.topic), mode=0o700, exist_ok=True)
        os.symlink(f'../s.{entry.socket_id}', self._entry_path(entry))

    def withdraw(self, entry: Entry) -> None:
        """Take a server's name away."""
        _unlink(self._entry_path(entry))

    def bury(self, entry: Entry) -> None:
        """Remove a dead server's name, and the socket of its process."""
        LOG.info('The %s server %s does not listen any more.', entry.topic, entry.name)
        self.withdraw(entry)
        self.remove_socket(entry.socket_id)

    def servers(self, topic: str, server: str | None) -> list[Entry]:
        """The servers of a topic, or those of one name; in no order."""
        view = self._topics.get(topic)
        if view is None:
            view = self._topics[topic] = _Topic(key(topic), os.path.join(self.path, key(topic)))
        by_server = view.read()
        return by_server.get(None if server is None else key(server), [])

    def _entry_path(self, entry: Entry) -> str:
        return os.path.join(self.path, entry.topic, entry.name)


class _Topic:
    """What was last seen in the folder of a topic; read again only when the folder has changed."""

    def __init__(self, topic: str, path: str) -> None:
        self._topic = topic
        self._path = path
        self._seen: tuple[int, bool, dict[str | None, list[Entry]]] = (0, False, {})

    def read(self) -> dict[str | None, list[Entry]]:
        """Entries by server; all of them under None."""
        try:
            changed = os.stat(self._path).st_mtime_ns
        except FileNotFoundError:
            return {}
        seen, settled, entries = self._seen
        if seen != changed or not settled:
            settled = time.time_ns() - changed > _SETTLED_AFTER
            entries = self._list()
            self._seen = (changed, settled, entries)
        return entries

    def _list(self) -> dict[str | None, list[Entry]]:
        found: dict[str | None, list[Entry]] = {None: []}
        for name in os.listdir(self._path):
            entry = Entry(self._topic, name.rpartition('@')[0], name)
            found[None].append(entry)
            found.setdefault(entry.server, []).append(entry)
        return found


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError as error:
        if error.errno != errno.ENOENT:
            LOG.warning('Cannot remove %s: %s', path, error)
