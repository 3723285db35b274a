# SPDX-License-Identifier: Apache-2.0
"""Small private files shared by several processes.

Every writer replaces a file as a whole, so a reader needs no lock and a killed
writer leaves the old content.  Only a writer that first reads takes the lock.
"""

import contextlib
import os
import secrets
import threading
from collections.abc import Iterator
from typing import Any

import fasteners
import orjson

# The lock between processes does not hold between threads of one process.
_THREADS = threading.Lock()


def private_dir(path: str) -> str:
    """Make ``path`` (mode 0700) if it is missing."""
    os.makedirs(path, mode=0o700, exist_ok=True)
    return path


@contextlib.contextmanager
def locked(path: str) -> Iterator[None]:
    """Hold the lock file ``path``; not re-entrant, so keep what is inside short."""
    with _THREADS, fasteners.InterProcessLock(path):
        yield


def write(path: str, data: bytes) -> None:
    """Replace ``path`` (mode 0600) by ``data``, all or nothing, also over a power cut."""
    part = f'{path}.{secrets.token_hex(6)}.part'
    try:
        with open(part, 'xb', opener=private_opener) as file:
            file.write(data)
            flush(file)
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
        raise
    sync_dir(os.path.dirname(path))


def private_opener(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def flush(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


def sync_dir(path: str) -> None:
    """Make a rename inside ``path`` last."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_json(path: str, value: Any) -> None:
    write(path, orjson.dumps(value, option=orjson.OPT_INDENT_2) + b'\n')


def read_json(path: str) -> Any:
    with open(path, 'rb') as file:
        return orjson.loads(file.read())


def signature(path: str) -> tuple[int, int, int] | None:
    """Tells whether ``path`` was replaced since it was last read; None if it is missing."""
    try:
        stat = os.stat(path)
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
