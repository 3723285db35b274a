# SPDX-License-Identifier: Apache-2.0
"""The files of guests: one directory for each, in which a file has its name only when it is complete.

A directory that a guest has left on a move lies beside it, under a name of its own, until it is forgotten.  The format
of a disk is in its name, because nobody may guess it from bytes that a guest wrote.
"""

import contextlib
import logging
import os
import shutil
import subprocess
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from oslo_config import cfg

from nova_lite import concurrency, errors
from nova_lite.virt import config_drive
from nova_lite.virt.base import GuestSpec, ImageRecord, ImageSource
from nova_lite.virt.libvirt import layout, qemu_img
from nova_lite.virt.libvirt.images import ImageCache
from nova_lite.virt.libvirt.layout import File, Layout

LOG = logging.getLogger(__name__)

ASIDE = '_aside'
PART = '.part'
CONSOLE_LOG = 'console.log'
GIB = 1 << 30
#: A BIOS does not see a disk that has less than a cylinder.
BOOTS_FROM = 1 << 20

#: File system: the program that makes one, and its option for a label.
_MAKERS = {'ext2': ('mkfs.ext2', '-q', '-F', '-L'), 'ext3': ('mkfs.ext3', '-q', '-F', '-L'),
           'ext4': ('mkfs.ext4', '-q', '-F', '-L'), 'vfat': ('mkfs.vfat', '-n'), 'xfs': ('mkfs.xfs', '-q', '-L'),
           'swap': ('mkswap', '-q', '-L')}
_MAKER_SECONDS = 300


class Disks:
    """The directories of one host's guests."""

    def __init__(self, conf: cfg.ConfigOpts, images: ImageSource | None) -> None:
        self._conf = conf
        self.root = Path(conf.instances_path).absolute()
        self.cache = ImageCache(conf, self.root / conf.image_cache.subdirectory_name, images or _NoImages(), self._all)

    def start(self) -> None:
        """Make the root, and remove what an earlier process left half-made."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in self.root.glob(f'*/*{PART}'):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise errors.StartError(reason=f'[DEFAULT] instances_path {self.root} cannot be written: '
                                           f'{error.strerror}.') from error
        self.cache.start()

    def _all(self) -> Iterator[Path]:
        return self.root.glob('*/*.qcow2')

    def directory(self, server_uuid: str) -> Path:
        """Where the files of a guest are."""
        return self.root / urllib.parse.quote(server_uuid, safe='')

    def aside(self, server_uuid: str) -> Path:
        """Where they are when it has left."""
        return self.root / (urllib.parse.quote(server_uuid, safe='') + ASIDE)

    def set_aside(self) -> frozenset[str]:
        """The servers of which something is set aside."""
        return frozenset(path.name.removesuffix(ASIDE) for path in self.root.glob(f'*{ASIDE}'))

    def remove(self, directory: Path) -> None:
        """There is no such directory."""
        if directory.exists():
            concurrency.run_in_thread(shutil.rmtree, directory, True)
        if directory.exists():
            raise errors.HypervisorError(reason=f'The files of guest {directory.name} cannot be removed.')

    # ----------------------------------------------------------------------- making

    def make(self, spec: GuestSpec, disks: Layout) -> None:
        """Every file of the layout is there; those that are already stay as they are."""
        if disks.files or disks.config:
            self.directory(spec.server.uuid).mkdir(mode=0o700, parents=True, exist_ok=True)
        for file in disks.files:
            if not file.path.exists():
                self.make_file(file, spec.boot_image)
        if disks.config:
            path = Path(disks.config.path)
            if not path.exists():
                config_drive.build(self._conf, spec, path)

    def make_file(self, file: File, image_id: str | None) -> None:
        """Make one disk: of an image, or empty."""
        if file.role in (layout.ROOT, layout.RESCUE):
            if image_id is None:
                raise errors.HypervisorError(reason='The server has neither an image nor a volume to boot from.')
            with complete(file.path) as part:
                self._of_image(part, file, image_id)
        else:
            with complete(file.path) as part:
                self._blank(part, file)

    def _of_image(self, part: Path, file: File, image_id: str) -> None:
        with self.cache.use(image_id, (file.size or 0) // GIB) as base:
            size = max(file.size or 0, base.virtual_size, BOOTS_FROM)
            if file.disk.disk_format == 'qcow2':
                qemu_img.overlay(part, base.path, base.disk_format, size)
                return
            qemu_img.convert(base.path, base.disk_format, part, 'raw')
        qemu_img.resize(part, 'raw', size)

    def _blank(self, part: Path, file: File) -> None:
        size = file.size or 0
        label = file.path.stem
        made_of = file.guest_format or self._conf.default_ephemeral_format
        raw = part.with_name(part.name + '.raw') if file.disk.disk_format != 'raw' else part
        try:
            with raw.open('wb') as empty:
                os.fchmod(empty.fileno(), 0o600)
                empty.truncate(size)
            _make_file_system(raw, made_of, label)
            if raw is not part:
                qemu_img.convert(raw, 'raw', part, file.disk.disk_format)
        finally:
            if raw is not part:
                raw.unlink(missing_ok=True)

    # ---------------------------------------------------------------------- copying

    def grow(self, disks: Layout) -> None:
        """Every file is as big as the layout says; none gets smaller."""
        for file in disks.files:
            if file.size and file.role != layout.RESCUE:
                qemu_img.resize(file.path, file.disk.disk_format, file.size)

    def lean_on(self, path: Path, base: str | None, fetch: Callable[[Path], None] | None) -> None:
        """A qcow2 disk that came from elsewhere finds its base here: ours of that name, or a copy of the other's."""
        if base is None:
            return
        own = self.cache_path(base)
        if not own.exists() and fetch is not None:
            own.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with complete(own) as part:
                fetch(part)
        # Younger than anything that is about to be removed as not needed.
        os.utime(own)
        qemu_img.move_base(path, own, own.suffix.removeprefix('.'))

    def cache_path(self, name: str) -> Path:
        """A base by the name of its file."""
        return self.root / self._conf.image_cache.subdirectory_name / name


class _NoImages:
    """Where nobody told of an image service."""

    def describe(self, image_id: str) -> ImageRecord:
        raise errors.Unavailable(reason='This compute host knows no image service.')

    def download(self, image_id: str, path: str) -> None:
        self.describe(image_id)


@contextlib.contextmanager
def complete(path: Path) -> Iterator[Path]:
    """A name to write to that becomes ``path`` if all goes well; for its owner only."""
    part = path.with_name(path.name + PART)
    part.unlink(missing_ok=True)
    try:
        yield part
        os.chmod(part, 0o600)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def copy(source: Path, target: Path) -> None:
    """Copy a file; what was never written takes no room, and where the file system can, nothing is copied at all."""
    _run(['cp', '--sparse=always', '--reflink=auto', '--', str(source), str(target)], None)


def fetch(transport: str, address: str, source: str, target: Path) -> None:
    """Copy a file from another host."""
    remote = f'[{address}]:{source}' if ':' in address else f'{address}:{source}'
    if transport == 'rsync':
        _run(['rsync', '--archive', '--sparse', '--', remote, str(target)], None)
    else:
        _run(['scp', '-B', '-C', '-p', '--', remote, str(target)], None)


def _make_file_system(path: Path, kind: str, label: str) -> None:
    maker = _MAKERS.get(kind)
    program = shutil.which(maker[0], path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin') if maker else None
    if maker is None or program is None:
        LOG.warning('A disk stays without a file system: nothing on this host makes a %s.', kind)
        return
    _run([program, *maker[1:], label, str(path)], _MAKER_SECONDS)


def _run(command: Sequence[str], seconds: float | None) -> None:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False)
    except FileNotFoundError as error:
        raise errors.HypervisorError(reason=f'This host has no {command[0]}.') from error
    except subprocess.TimeoutExpired as error:
        raise errors.HypervisorError(reason=f'{Path(command[0]).name} was not done after {seconds} seconds.') from error
    if done.returncode:
        LOG.warning('%s ended with status %d: %s', command, done.returncode, done.stderr.decode('utf-8', 'replace'))
        raise errors.HypervisorError(reason=f'{Path(command[0]).name} ended with status {done.returncode}.')


def tail(path: Path, limit: int) -> bytes:
    """The end of a file, nothing if there is none."""
    def read() -> bytes:
        try:
            with path.open('rb') as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - limit))
                return file.read(limit)
        except FileNotFoundError:
            return b''

    found: bytes = concurrency.run_in_thread(read)
    return found
