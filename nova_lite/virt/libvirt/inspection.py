# SPDX-License-Identifier: Apache-2.0
"""Whether the bytes of an image are what its record says, and harm nobody.

An image is what a stranger sent. Some formats name other files of the machine that opens them, and a guest
that boots from such an image would read what is in those; others say one size and unfold to another. So an image is
read by oslo.utils' inspector, which only looks at bytes, before any program that follows them opens it.
"""

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from oslo_utils import units
from oslo_utils.imageutils import format_inspector

from nova_lite import errors
from nova_lite.virt.base import ImageRecord
from nova_lite.virt.libvirt import qemu_img

#: ``disk_format`` of an image: what may be in it, in the inspector's words.
CONTENTS = {
    'raw': frozenset(('raw', 'gpt')), 'ami': frozenset(('raw', 'gpt')), 'aki': frozenset(('raw',)),
    'ari': frozenset(('raw',)), 'iso': frozenset(('iso', 'gpt')), 'qcow2': frozenset(('qcow2',)),
    'vmdk': frozenset(('vmdk',)), 'vhd': frozenset(('vhd',)), 'vhdx': frozenset(('vhdx',)), 'vdi': frozenset(('vdi',)),
}
#: What qemu calls them.
QEMU = {'vhd': 'vpc', 'ami': 'raw', 'aki': 'raw', 'ari': 'raw', 'iso': 'raw'}
#: Nobody but the guest reads what is inside of these.
OPAQUE = frozenset(('raw', 'gpt', 'iso'))

PIECE = 1 << 20
QCOW2 = b'QFI\xfb'
LONGEST_NAME = 1023


@dataclass(frozen=True)
class Content:
    """What an image turned out to be, in qemu's words."""

    disk_format: str
    virtual_size: int


def verify(path: Path, expected: ImageRecord) -> None:
    """``errors.ImageRefused`` unless the file is what the image service keeps. Blocks for as long as it reads."""
    size = path.stat().st_size
    if expected.size is not None and size != expected.size:
        raise errors.ImageRefused(image=expected.id, reason=f'its record says {expected.size} bytes, {size} came.')
    known = _digest_of(expected)
    if known is None:
        return
    algorithm, value = known
    with path.open('rb') as file:
        found = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
    if found != value.lower():
        raise errors.ImageRefused(image=expected.id, reason=f'its {algorithm} is not the one in its record.')


def _digest_of(expected: ImageRecord) -> tuple[str, str] | None:
    algorithm = (expected.hash_algo or '').lower()
    if expected.hash_value and algorithm in hashlib.algorithms_guaranteed and not algorithm.startswith('shake'):
        return algorithm, expected.hash_value
    return ('md5', expected.checksum) if expected.checksum else None


def inspect(path: Path, image_id: str, disk_format: str | None) -> str:
    """The format of an image in qemu's words; ``errors.ImageRefused`` if it is another one or leans on other files."""
    allowed = CONTENTS.get(disk_format or '')
    if allowed is None:
        raise errors.ImageRefused(image=image_id, reason=f'a guest does not boot from the format {disk_format}.')
    found = _inspectors(path, image_id, disk_format or '')
    names = {str(one) for one in found}
    if not names <= allowed:
        raise errors.ImageRefused(image=image_id, reason=f'it is said to be {disk_format}, and has the head of '
                                                         f'{" and ".join(sorted(names - allowed))}.')
    for one in found:
        if str(one) not in OPAQUE:
            _check(one, image_id)
    return QEMU.get(disk_format or '', disk_format or '')


def _inspectors(path: Path, image_id: str, disk_format: str) -> list[format_inspector.FileInspector]:
    with path.open('rb') as file:
        wrapper = format_inspector.InspectWrapper(file)
        # A vmdk may have its other head at the end; of all others the beginning is enough.
        while wrapper.read(PIECE) and (disk_format == 'vmdk' or wrapper.formats is None):
            pass
        wrapper.close()
        try:
            return wrapper.formats or []
        except format_inspector.ImageFormatError as error:
            raise errors.ImageRefused(image=image_id, reason=f'its format is not clear: {error}.') from error


def _check(found: format_inspector.FileInspector, image_id: str) -> None:
    try:
        found.safety_check()
    except format_inspector.SafetyCheckFailed as error:
        why = '; '.join(str(one).rstrip('.') for one in error.failures.values())
        raise errors.ImageRefused(image=image_id, reason=f'it is not safe: {why}.') from error
    except format_inspector.ImageFormatError as error:
        raise errors.ImageRefused(image=image_id, reason=f'its {found} head is damaged: {error}.') from error


def content(path: Path, image_id: str, disk_format: str) -> Content:
    """What qemu says of a file that was inspected: the second opinion, and the size that a guest sees."""
    try:
        info = qemu_img.info(path, disk_format)
    except errors.HypervisorError as error:
        raise errors.ImageRefused(image=image_id, reason=f'it cannot be read: {error}') from error
    if info.disk_format != disk_format or info.backing_file or info.data_file:
        raise errors.ImageRefused(image=image_id, reason='it is not safe: it leans on another file.')
    return Content(disk_format, info.virtual_size)


def check_fits(image_id: str, virtual_size: int, limit_gib: int) -> None:
    """``errors.ImageTooBig`` if a disk of so many GiB is too small; 0 is as big as the image is."""
    if limit_gib and virtual_size > limit_gib * units.Gi:
        needed = -(-virtual_size // units.Gi)
        raise errors.ImageTooBig(image=image_id, reason=f'it needs a disk of {needed} GiB, the flavor has '
                                                        f'{limit_gib} GiB.')


# ------------------------------------------------------- disks of our own making

def backing_file(path: Path) -> Path | None:
    """The file that one of our own disks leans on, if it is a qcow2 file that does."""
    try:
        with path.open('rb') as file:
            header = file.read(32)
            name = _name(file, header)
    except OSError:
        return None
    if not name:
        return None
    # Of two ways in which qemu writes a name, we use the plain one.
    return Path(name) if name.startswith('/') else path.parent / name


def _name(file: BinaryIO, header: bytes) -> str:
    if len(header) < 32 or not header.startswith(QCOW2):
        return ''
    offset, length = struct.unpack('>8xQI12x', header)
    if not offset or length > LONGEST_NAME:
        return ''
    file.seek(offset)
    return file.read(length).decode('utf-8', 'surrogateescape')


def size_of(path: Path, disk_format: str) -> int:
    """Bytes that a guest sees of a raw or qcow2 file of ours."""
    if disk_format == 'raw':
        return path.stat().st_size
    with path.open('rb') as file:
        header = file.read(32)
    if len(header) < 32 or not header.startswith(QCOW2):
        raise errors.HypervisorError(reason=f'{path.name} is damaged: it is not a qcow2 file any more.')
    return int(struct.unpack('>24xQ', header)[0])
