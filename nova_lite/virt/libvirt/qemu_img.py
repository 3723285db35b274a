# SPDX-License-Identifier: Apache-2.0
"""The tool qemu-img, run so that a disk which was made to do harm does none.

Whatever reads a disk of somebody else's gets limits of memory, processor time and file size from the kernel, and the
format of each file is said and never guessed: a guest may write anything into its disk, the head of another format too.
The programs are awaited as the running backend of threads does it, so call these functions where it is at home.
"""

import json
import logging
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oslo_utils import units

from nova_lite import errors

LOG = logging.getLogger(__name__)

PROGRAM = 'qemu-img'
LIMITER = 'prlimit'

#: A look at the head of a file.
LOOK_CPU, LOOK_SECONDS = 30, 60
#: A copy, however big.
COPY_SECONDS = 6 * 3600
#: qemu-img needs a few hundred MiB of address space for itself.
MEMORY = units.Gi
#: Each thread of it would otherwise take a piece of that for what it never allocates.
_ONE_ARENA = {'MALLOC_ARENA_MAX': '1'}
#: What a format adds to the bytes of a disk: tables, 1/8192 of it for qcow2, and headers.
OVERHEAD = 64 * units.Mi

GROWING = frozenset(('raw', 'qcow2'))


@dataclass(frozen=True)
class Info:
    """What the head of a disk's file says; sizes are bytes."""

    disk_format: str
    virtual_size: int
    actual_size: int
    backing_file: str | None = None
    data_file: str | None = None


def is_there() -> bool:
    """Whether the programs are installed."""
    return bool(shutil.which(PROGRAM) and shutil.which(LIMITER))


def info(path: Path, disk_format: str) -> Info:
    """Read the head of a file that is in this format; a guest may be using it."""
    text = _run(['info', '-U', '--output=json', '-f', disk_format, _plain(path)], LOOK_SECONDS, cpu=LOOK_CPU)
    try:
        found = json.loads(text)
        return Info(found['format'], int(found['virtual-size']), int(found.get('actual-size', 0)),
                    found.get('full-backing-filename') or found.get('backing-filename'), _data_file(found))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise errors.HypervisorError(reason=f'qemu-img says something strange of {path.name}: {error!r}.') from error


def _data_file(found: dict[str, Any]) -> str | None:
    return ((found.get('format-specific') or {}).get('data') or {}).get('data-file')


def create(path: Path, disk_format: str, size: int) -> None:
    """An empty disk."""
    _run(['create', '-q', '-f', disk_format, _plain(path), str(size)], LOOK_SECONDS)


def overlay(path: Path, base: Path, base_format: str, size: int | None = None) -> None:
    """A disk that begins as ``base`` and keeps what is written to it for itself."""
    _run(['create', '-q', '-f', 'qcow2', '-b', str(base.absolute()), '-F', base_format, _plain(path),
          *([str(size)] if size is not None else [])], LOOK_SECONDS)


def convert(source: Path, source_format: str, target: Path, target_format: str, *, compressed: bool = False,
            shared: bool = False) -> None:
    """Write all of a disk to another file; ``shared``: a guest is using it, which has to be paused or frozen."""
    size = info(source, source_format).virtual_size
    _run(['convert', '-q', '-f', source_format, '-O', target_format, *(['-c'] if compressed else []),
          *(['-U'] if shared else []), _plain(source), _plain(target)],
         COPY_SECONDS, file_size=size + size // 1024 + OVERHEAD)


def resize(path: Path, disk_format: str, size: int) -> None:
    """A disk that no guest uses is at least so big."""
    if disk_format not in GROWING:
        raise errors.HypervisorError(reason=f'A disk of format {disk_format} cannot grow.')
    if info(path, disk_format).virtual_size < size:
        _run(['resize', '-q', '-f', disk_format, _plain(path), str(size)], LOOK_SECONDS)


def rebase(path: Path, base: Path | None, base_format: str | None = None) -> None:
    """Let a qcow2 disk lean on another base, or on none: then it gets all that it took from the old one."""
    where = ['-b', str(base.absolute()), '-F', base_format] if base and base_format else ['-b', '']
    size = info(path, 'qcow2').virtual_size
    _run(['rebase', '-q', '-f', 'qcow2', *where, _plain(path)], COPY_SECONDS,
         file_size=size + size // 1024 + OVERHEAD)


def move_base(path: Path, base: Path, base_format: str) -> None:
    """A qcow2 disk finds its base, which is the same byte for byte, in another place. Nothing is copied."""
    _run(['rebase', '-q', '-u', '-f', 'qcow2', '-b', str(base.absolute()), '-F', base_format, _plain(path)],
         LOOK_SECONDS)


def _plain(path: Path) -> str:
    """A name that is nothing but a file's: qemu takes ``nbd:`` and ``json:`` for more."""
    return str(path.absolute())


def _run(arguments: Sequence[str], seconds: int, cpu: int | None = None, file_size: int | None = None) -> str:
    limits = {'--as': MEMORY, '--core': 0, '--cpu': cpu, '--fsize': file_size}
    command = [LIMITER, *(f'{name}={value}' for name, value in limits.items() if value is not None), '--',
               PROGRAM, *arguments]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False,
                              env={**os.environ, 'LC_ALL': 'C', **_ONE_ARENA})
    except FileNotFoundError as error:
        raise errors.HypervisorError(reason='This host has no prlimit, which is in the package util-linux.') from error
    except subprocess.TimeoutExpired as error:
        raise errors.HypervisorError(
            reason=f'qemu-img {arguments[0]} was not done after {seconds} seconds.') from error
    if done.returncode:
        raise errors.HypervisorError(reason=_why(arguments[0], done))
    return done.stdout.decode('utf-8', 'replace')


def _why(verb: str, done: 'subprocess.CompletedProcess[bytes]') -> str:
    text = done.stderr.decode('utf-8', 'replace').strip()
    LOG.warning('qemu-img %s ended with status %d: %s', verb, done.returncode, text[-2000:])
    # The owner of a server need not know the folders of a host.
    said = re.sub(r"(?<![\w.])/[^\s':]*/", '', text.splitlines()[-1])[:300] if text else 'it said nothing'
    if done.returncode == 127 or 'failed to execute' in said:
        return 'This host has no qemu-img, which is in the package qemu-utils.'
    ended = f'signal {-done.returncode}' if done.returncode < 0 else f'status {done.returncode}'
    return f'qemu-img {verb} ended with {ended}: {said}.'
