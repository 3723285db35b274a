# SPDX-License-Identifier: Apache-2.0
"""The bytes of volumes and snapshots: one file for each under the state directory, for its owner only.

A file appears under its name when it is complete, so that it can be made again and again.  Files are sparse: a volume
costs what was written to it.
"""

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from oslo_utils import units

from nova_lite import concurrency, errors
from nova_lite.embedded import files

VOLUME, SNAPSHOT = 'volume', 'snapshot'
PIECE = 4 * units.Mi
#: Copies up to this size are made while the caller waits.
QUICK = 32 * units.Mi
ABANDONED_AFTER = 3600
_QCOW2 = b'QFI\xfb'


class Turn(Protocol):
    """Whose file is made, and the right to make it."""

    kind: str
    uuid: str

    def renew(self) -> None:
        """Raises if somebody else makes it now."""

    def tick(self) -> None:
        """Called all the time during long work."""


class VolumeFiles:
    """The directory; it is made when the first file is."""

    def __init__(self, state_dir: str) -> None:
        self._dir = os.path.join(state_dir, 'volumes')

    def path(self, kind: str, uuid: str) -> str:
        """Where the bytes of a volume or snapshot are."""
        return os.path.join(self._dir, f'{kind}-{uuid}')

    def make(self, turn: Turn, gigabytes: int) -> None:
        """A file of zeros, unless there is a file."""
        files.private_dir(self._dir)
        path = self.path(turn.kind, turn.uuid)
        _create(path)
        _grow(path, gigabytes)

    def copy(self, source: str, turn: Turn, gigabytes: int | None) -> None:
        """Copy what was written to the file ``source``; without a size it stays as big as that."""
        with self._replacing(turn) as part:
            _create(part)
            _copy_data(source, part, turn.tick)
            if gigabytes is not None:
                _grow(part, gigabytes)
            _sync(part)

    def receive(self, turn: Turn, gigabytes: int | None, fetch: Callable[[str], None]) -> None:
        """Take the bytes that ``fetch`` puts into the file that it is given."""
        with self._replacing(turn) as part:
            fetch(part)
            os.chmod(part, 0o600)
            _check_alone(part)
            if gigabytes is not None:
                _grow(part, gigabytes)
            _sync(part)

    def grow(self, uuid: str, gigabytes: int) -> None:
        """A volume is at least so big."""
        _grow(self.path(VOLUME, uuid), gigabytes)

    def remove(self, kind: str, uuid: str) -> None:
        """There is no such file any more."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path(kind, uuid))

    def is_quick(self, path: str) -> bool:
        """Whether a copy of this file is made in no time."""
        try:
            return os.stat(path).st_blocks * 512 <= QUICK
        except FileNotFoundError:
            return True

    def strays(self, age: float) -> dict[str, list[str]]:
        """The ids in the names of files of at least so many seconds, by kind; half-made files are removed."""
        found: dict[str, list[str]] = {VOLUME: [], SNAPSHOT: []}
        with contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(self._dir):
                kind, _, uuid = entry.name.partition('-')
                with contextlib.suppress(FileNotFoundError):
                    if entry.stat().st_mtime > time.time() - age:
                        continue
                    if entry.name.endswith('.part'):
                        os.unlink(entry.path)
                    elif kind in found:
                        found[kind].append(uuid)
        return found

    @contextlib.contextmanager
    def _replacing(self, turn: Turn) -> Iterator[str]:
        files.private_dir(self._dir)
        path = self.path(turn.kind, turn.uuid)
        part = f'{path}.{secrets.token_hex(6)}.part'
        try:
            yield part
            # Somebody else may have come to the end, and a server may have written to the file since.
            turn.renew()
            os.replace(part, path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part)


def _create(path: str) -> None:
    os.close(files.private_opener(path, os.O_WRONLY | os.O_CREAT))


def _grow(path: str, gigabytes: int) -> None:
    if os.stat(path).st_size < gigabytes * units.Gi:
        os.truncate(path, gigabytes * units.Gi)


def _sync(path: str) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        concurrency.run_in_thread(os.fsync, fd)
    finally:
        os.close(fd)


def _copy_data(source: str, target: str, tick: Callable[[], None]) -> None:
    """Holes stay holes, as far as the file system tells where they are."""
    with open(source, 'rb') as reader, open(target, 'r+b') as writer:
        size = os.fstat(reader.fileno()).st_size
        writer.truncate(size)
        at = 0
        while at < size:
            try:
                at = os.lseek(reader.fileno(), at, os.SEEK_DATA)
            except OSError:
                return          # nothing but a hole up to the end
            end = os.lseek(reader.fileno(), at, os.SEEK_HOLE)
            while at < end:
                piece = os.pread(reader.fileno(), min(PIECE, end - at), at)
                if not piece:
                    return
                os.pwrite(writer.fileno(), piece, at)
                at += len(piece)
                # a long copy would otherwise keep a green worker for itself
                time.sleep(0)
                tick()


def _check_alone(path: str) -> None:
    """An image that leans on another file of this machine would show that file to its owner."""
    with open(path, 'rb') as file:
        head = file.read(80).ljust(80, b'\0')
    has_data_file = head[7] > 2 and head[79] & 4
    if head.startswith(_QCOW2) and (any(head[8:16]) or has_data_file):
        raise errors.Invalid(reason='The image is a qcow2 file that leans on another file.')
