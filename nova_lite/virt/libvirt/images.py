# SPDX-License-Identifier: Apache-2.0
"""The images of a host: each is fetched once, checked, and then the base that the disks of many guests lean on.

A base appears under its name when it is complete and checked, and is never changed, so a name is all that there is to
know of it.  Who makes a disk of a base holds a shared lock on it meanwhile; who removes one takes the lock for himself
first, so hosts that share a folder do not take bases away from each other.
"""

import concurrent.futures
import contextlib
import fcntl
import logging
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from oslo_config import cfg
from oslo_utils import units

from nova_lite import concurrency, errors
from nova_lite.virt.base import ImageSource
from nova_lite.virt.libvirt import inspection, qemu_img

LOG = logging.getLogger(__name__)

#: Formats that a disk can lean on as they are.
FORMATS = ('raw', 'qcow2')
PART = '.part'
#: A download that has not grown for so long has nobody who is at it.
ABANDONED = 3600
MANAGER_INTERVAL = 2400
_ID = re.compile(r'[0-9a-zA-Z][0-9a-zA-Z_-]{0,254}')


@dataclass(frozen=True)
class Base:
    """A file that disks lean on; ``virtual_size`` is bytes."""

    path: Path
    disk_format: str
    virtual_size: int


class ImageCache:
    """The images in one folder. ``disks`` names every disk that may lean on one of them, of all hosts that share it."""

    def __init__(self, conf: cfg.ConfigOpts, directory: Path, source: ImageSource,
                 disks: Callable[[], Iterable[Path]]) -> None:
        self._conf = conf
        self._directory = directory.absolute()
        self._source = source
        self._disks = disks
        self._guard = threading.Lock()
        self._flights: dict[str, concurrent.futures.Future[None]] = {}
        self._stopped = threading.Event()

    def start(self) -> None:
        """Look for images that nobody needs, now and then, until ``stop``."""
        interval = self._conf.image_cache.manager_interval or MANAGER_INTERVAL
        self._stopped.clear()
        if interval > 0:
            concurrency.spawn(self._sweep_again_and_again, interval)

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    @contextlib.contextmanager
    def use(self, image_id: str, limit_gib: int = 0) -> Iterator[Base]:
        """The base of an image for a disk of at most ``limit_gib`` (0: as big as it is), safe until the block ends."""
        if not _ID.fullmatch(image_id):
            raise errors.ImageNotFound(image=image_id)
        while True:
            base = self._find(image_id)
            if base is None:
                self._fetch_together(image_id, limit_gib)
                continue
            held = _hold(base.path)
            if held is None:
                continue
            with held:
                inspection.check_fits(image_id, base.virtual_size, limit_gib)
                os.utime(held.fileno())
                yield base
                return

    def prefetch(self, image_id: str) -> None:
        """Have the image ready."""
        with self.use(image_id):
            LOG.debug('Image %s is ready on this host.', image_id)

    # ------------------------------------------------------------------ fetch

    def _find(self, image_id: str) -> Base | None:
        for disk_format in FORMATS:
            path = self._path(image_id, disk_format)
            with contextlib.suppress(FileNotFoundError):
                return Base(path, disk_format, inspection.size_of(path, disk_format))
        return None

    def _path(self, image_id: str, disk_format: str) -> Path:
        return self._directory / f'{image_id}.{disk_format}'

    def _fetch_together(self, image_id: str, limit_gib: int) -> None:
        """Fetch the image, or wait for who is at it."""
        with self._guard:
            flight = self._flights.get(image_id)
            if flight is None:
                mine = self._flights[image_id] = concurrent.futures.Future()
        if flight is not None:
            try:
                flight.result()
            except errors.ImageTooBig:
                # It was too big for the other's flavor.
                return
            return
        try:
            self._fetch(image_id, limit_gib)
        except BaseException as error:
            self._land(image_id)
            mine.set_exception(error)
            # The future keeps it for those who wait, and nobody may.
            raise
        self._land(image_id)
        mine.set_result(None)

    def _land(self, image_id: str) -> None:
        with self._guard:
            del self._flights[image_id]

    def _fetch(self, image_id: str, limit_gib: int) -> None:
        if self._find(image_id):
            return
        expected = self._source.describe(image_id)
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self._part(image_id)
        try:
            began = time.monotonic()
            self._source.download(image_id, str(part))
            os.chmod(part, 0o600)
            concurrency.run_in_thread(inspection.verify, part, expected)
            disk_format = concurrency.run_in_thread(inspection.inspect, part, image_id, expected.disk_format)
            found = inspection.content(part, image_id, disk_format)
            inspection.check_fits(image_id, found.virtual_size, limit_gib)
            self._keep(image_id, part, found)
            LOG.info('Image %s was fetched in %.1f seconds.', image_id, time.monotonic() - began)
        finally:
            part.unlink(missing_ok=True)
        self.shrink()

    def _keep(self, image_id: str, part: Path, found: inspection.Content) -> None:
        """Make the file a base, in a format that disks can lean on."""
        wanted = self._format_for(found)
        if wanted == found.disk_format:
            os.replace(part, self._path(image_id, wanted))
            return
        converted = self._part(image_id)
        try:
            qemu_img.convert(part, found.disk_format, converted, wanted)
            os.chmod(converted, 0o600)
            os.replace(converted, self._path(image_id, wanted))
        finally:
            converted.unlink(missing_ok=True)

    def _format_for(self, found: inspection.Content) -> str:
        if found.disk_format == 'raw' or (found.disk_format == 'qcow2' and not self._conf.force_raw_images):
            return found.disk_format
        # A small file can unfold to a raw one that fills the host.
        fits = shutil.disk_usage(self._directory).free > found.virtual_size
        return 'raw' if self._conf.force_raw_images and fits else 'qcow2'

    def _part(self, image_id: str) -> Path:
        return self._directory / f'{image_id}.{secrets.token_hex(6)}{PART}'

    # ------------------------------------------------------------------ remove

    def _sweep_again_and_again(self, interval: int) -> None:
        while not self._stopped.wait(interval):
            try:
                self.sweep()
            except OSError as error:
                LOG.warning('Images that nobody needs could not be removed: %s', error)

    def sweep(self) -> None:
        """Remove images that no disk needs and that were not used for long, and downloads that nobody is at."""
        options = self._conf.image_cache
        for path in self._files():
            if path.name.endswith(PART) and _age(path) > ABANDONED:
                path.unlink(missing_ok=True)
        if options.remove_unused_base_images:
            for path in self._unused():
                if _age(path) > options.remove_unused_original_minimum_age_seconds:
                    _remove(path)
        self.shrink()

    def shrink(self) -> None:
        """Remove images that no disk needs until all together are no bigger than they may be."""
        limit = self._conf.image_cache.size_limit_gb * units.Gi
        taken = {path: _taken(path) for path in self._bases()}
        over = sum(taken.values()) - limit
        if not limit or over <= 0:
            return
        for path in sorted(self._unused(), key=_age, reverse=True):
            if over > 0 and _remove(path):
                over -= taken.get(path, 0)

    def _unused(self) -> list[Path]:
        leaned_on = {base for disk in self._disks() if (base := inspection.backing_file(disk))}
        return [path for path in self._bases() if path not in leaned_on]

    def _bases(self) -> list[Path]:
        return [path for path in self._files() if path.suffix.removeprefix('.') in FORMATS]

    def _files(self) -> list[Path]:
        try:
            return list(self._directory.iterdir())
        except FileNotFoundError:
            return []


def _hold(path: Path) -> BinaryIO | None:
    """The file, open and locked against its removal; None if it was removed a moment ago."""
    with contextlib.ExitStack() as undo:
        try:
            file = undo.enter_context(path.open('rb'))
            fcntl.flock(file, fcntl.LOCK_SH)
            if not os.path.samestat(path.stat(), os.fstat(file.fileno())):
                return None
        except FileNotFoundError:
            return None
        undo.pop_all()
        return file


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0


def _taken(path: Path) -> int:
    try:
        return path.stat().st_blocks * 512
    except FileNotFoundError:
        return 0


def _remove(path: Path) -> bool:
    """Remove a base unless somebody makes a disk of it right now."""
    try:
        with path.open('rb') as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    except (BlockingIOError, FileNotFoundError):
        return False
    LOG.info('Image %s was removed from this host.', path.stem)
    return True
