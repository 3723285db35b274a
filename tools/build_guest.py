#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds the guest that tests boot: a small Linux on a disk image of about 14 MB, from Debian's packages only.

It needs no root: the packages are fetched and unpacked, never installed, and the file systems are written into plain
files.  What is in ``tools/guest`` becomes the first process and its helpers.  See docs/contributor/guests.rst.
"""

import argparse
import fcntl
import gzip
import hashlib
import lzma
import os
import re
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

PARTS = Path(__file__).parent / 'guest'
KERNEL = {'amd64': 'linux-image-cloud-amd64'}
PACKAGES = ('busybox-static', 'syslinux', 'syslinux-common', 'dosfstools', 'mtools')
#: What the kernel of the cloud has as modules, and a guest needs; what these need comes along.
MODULES = (
    'virtio_pci', 'virtio_blk', 'virtio_net', 'virtio_scsi', 'sd_mod', 'sr_mod', 'ata_piix', 'isofs', 'vfat',
    'nls_ascii', 'nls_cp437', 'nls_utf8', 'button', 'evdev', 'virtio_balloon', 'virtio_console')
COMMANDS = (
    'ifconfig route ip udhcpc nc sh mount umount mkdir cat cp echo sed grep head tail tee tr sort wc ls stty usleep '
    'sleep sync timeout insmod hostname chmod base64 acpid poweroff reboot halt setsid dd rm mv ln dmesg ps kill df '
    'free uname md5sum sha256sum blockdev fsfreeze mkpasswd passwd date env id mke2fs od cmp find vi clear '
    'touch').split()
# A host that is busy makes the check of the timer fail, which stops the kernel.
CMDLINE = ('console=tty0 console=ttyS0,115200 loglevel=4 no_timer_check mitigations=off random.trust_cpu=on '
           'cryptomgr.notests panic=10')

SECTOR = 512
MIB = 1 << 20
#: Sectors: where each partition begins, and where the disk ends.
BOOT_START, DATA_START, DISK_END = 2048, 2048 + 22 * MIB // SECTOR, 2048 + 26 * MIB // SECTOR
#: Types of partitions: FAT16, Linux.
FAT16, LINUX = 0x0e, 0x83
SYSLINUX_CFG = f'DEFAULT guest\nPROMPT 0\nLABEL guest\n  KERNEL vmlinuz\n  INITRD initrd\n  APPEND {CMDLINE}\n'


class BuildError(Exception):
    """The guest cannot be built here; the text says why."""


def run(*command: str, cwd: Path | None = None, path: str | None = None) -> str:
    """Run a program to its end; its output."""
    env = {**os.environ, 'LC_ALL': 'C', **({'PATH': path} if path else {})}
    try:
        done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=600, check=False)
    except FileNotFoundError:
        raise BuildError(f'{command[0]} is not installed') from None
    if done.returncode:
        raise BuildError(f'{" ".join(command[:3])} failed: {done.stderr.strip()[-500:]}')
    return done.stdout


# ------------------------------------------------------------------- packages

def packages() -> list[str]:
    """The packages to fetch, the kernel's with its present version in the name."""
    architecture = run('dpkg', '--print-architecture').strip()
    if architecture not in KERNEL:
        raise BuildError(f'there is no recipe for {architecture}, only for {", ".join(KERNEL)}')
    found = re.findall(r'Depends: (linux-image-\S+)', run('apt-cache', 'depends', KERNEL[architecture]))
    if not found:
        raise BuildError(f'apt knows no package {KERNEL[architecture]}; run apt-get update')
    return [found[0], *PACKAGES]


def unpack(names: Iterable[str], work: Path) -> Path:
    """Fetch the packages and unpack them beside each other."""
    root = work / 'root'
    run('apt-get', 'download', '-q', *names, cwd=work)
    for package in sorted(work.glob('*.deb')):
        run('dpkg-deb', '-x', str(package), str(root))
        package.unlink()
    return root


def first(root: Path, *patterns: str) -> Path:
    """The file that one of the patterns finds."""
    for pattern in patterns:
        for path in sorted(root.glob(pattern)):
            return path
    raise BuildError(f'the packages hold no {patterns[0]}')


# ------------------------------------------------------------------- initramfs

def module(root: Path, name: str) -> bytes | None:
    """The object file of a kernel module, None if it is built in."""
    for path in root.glob(f'**/{name}.ko*'):
        data = path.read_bytes()
        return lzma.decompress(data) if path.suffix == '.xz' else data
    return None


def needs(data: bytes) -> list[str]:
    """The modules that a module wants before it, from the strings in it."""
    found = re.search(rb'\0depends=([^\0]*)\0', data)
    return [name.decode() for name in found.group(1).split(b',') if name] if found else []


def modules(root: Path) -> dict[str, bytes]:
    """All modules by name, in the order in which they can be loaded."""
    kernel = first(root, 'lib/modules/*', 'usr/lib/modules/*')
    ready: dict[str, bytes] = {}

    def add(name: str) -> None:
        data = None if name in ready else module(kernel, name) or module(kernel, name.replace('_', '-'))
        if data is not None:
            for other in needs(data):
                add(other)
            ready[name] = data

    for name in MODULES:
        add(name)
    return ready


def tree(root: Path) -> Iterator[tuple[str, int, bytes]]:
    """Path, mode and content of everything in the initramfs."""
    for directory in ('bin', 'dev', 'etc', 'etc/acpi', 'etc/acpi/PWRF', 'modules', 'proc', 'sys', 'root'):
        yield directory, 0o40755, b''
    busybox = first(root, 'bin/busybox', 'usr/bin/busybox')
    unknown = set(COMMANDS) - set(run(str(busybox), '--list').split())
    if unknown:
        raise BuildError(f'this busybox has no {", ".join(sorted(unknown))}')
    yield 'bin/busybox', 0o100755, busybox.read_bytes()
    for command in COMMANDS:
        yield f'bin/{command}', 0o120777, b'busybox'
    yield 'init', 0o100755, (PARTS / 'init').read_bytes()
    for helper in ('agent', 'count', 'dhcp'):
        yield f'bin/{helper}', 0o100755, (PARTS / helper).read_bytes()
    yield 'etc/acpi/PWRF/00000080', 0o100755, b'#!/bin/sh\nsync\npoweroff -f\n'
    yield 'etc/passwd', 0o100644, b'root:x:0:0:root:/root:/bin/sh\n'
    yield 'etc/shadow', 0o100600, b'root:*:19000:0:99999:7:::\n'
    yield 'etc/group', 0o100644, b'root:x:0:\n'
    found = modules(root)
    for name, data in found.items():
        yield f'modules/{name}.ko', 0o100644, data
    yield 'modules/order', 0o100644, ''.join(f'{name}.ko\n' for name in found).encode()


def cpio(entries: Iterable[tuple[str, int, bytes]]) -> bytes:
    """A newc archive; owner root, times zero, so that the same input gives the same bytes."""
    archive = bytearray()

    def pad() -> None:
        archive.extend(b'\0' * (-len(archive) % 4))

    number = 0
    for number, (name, mode, data) in enumerate([*entries, ('TRAILER!!!', 0, b'')], 1):
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        archive.extend(b'070701' + b''.join(b'%08x' % field for field in fields) + name.encode() + b'\0')
        pad()
        archive.extend(data)
        pad()
    return bytes(archive)


# ------------------------------------------------------------------- the disk

def partition_table(boot_code: bytes) -> bytes:
    """The first sector: boot code, and two partitions of which the first is active."""
    def entry(active: bool, kind: int, start: int, end: int) -> bytes:
        # Places by cylinder are out of use; these say so.
        nowhere = b'\xfe\xff\xff'
        return struct.pack('<B3sB3sII', 0x80 if active else 0, nowhere, kind, nowhere, start, end - start)

    table = entry(True, FAT16, BOOT_START, DATA_START) + entry(False, LINUX, DATA_START, DISK_END)
    return boot_code[:440].ljust(446, b'\0') + table.ljust(64, b'\0') + b'\x55\xaa'


def boot_partition(root: Path, work: Path) -> bytes:
    """A FAT16 file system with the boot loader, the kernel and the initramfs."""
    path = work / 'boot'
    with path.open('wb') as file:
        file.truncate((DATA_START - BOOT_START) * SECTOR)
    tools = os.pathsep.join([*(str(root / name) for name in ('usr/bin', 'sbin', 'usr/sbin')), os.environ['PATH']])
    run('mkfs.fat', '-F', '16', '-h', str(BOOT_START), '-n', 'BOOT', '--invariant', str(path), path=tools)
    kernel = first(root, 'boot/vmlinuz-*')
    (work / 'initrd').write_bytes(gzip.compress(cpio(tree(root)), 9, mtime=0))
    (work / 'syslinux.cfg').write_text(SYSLINUX_CFG)
    for source, name in ((kernel, 'vmlinuz'), (work / 'initrd', 'initrd'), (work / 'syslinux.cfg', 'syslinux.cfg')):
        run('mcopy', '-i', str(path), str(source), f'::{name}', path=tools)
    run('syslinux', '--install', str(path), path=tools)
    return path.read_bytes()


def data_partition(work: Path) -> bytes:
    """An empty ext4 file system, small and without a journal."""
    path = work / 'data'
    with path.open('wb') as file:
        file.truncate((DISK_END - DATA_START) * SECTOR)
    tools = os.environ['PATH'] + ':/sbin:/usr/sbin'
    run('mke2fs', '-q', '-t', 'ext4', '-O', '^has_journal', '-m', '0', '-L', 'nlroot', str(path), path=tools)
    return path.read_bytes()


def build(output: Path) -> None:
    """Build the image; it appears under its name when it is complete."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='nova-lite-guest-') as folder:
        work = Path(folder)
        root = unpack(packages(), work)
        disk = work / 'disk'
        with disk.open('wb') as file:
            file.write(partition_table(first(root, 'usr/lib/syslinux/mbr/mbr.bin',
                                             'usr/lib/SYSLINUX/mbr.bin').read_bytes()))
            file.seek(BOOT_START * SECTOR)
            file.write(boot_partition(root, work))
            file.write(data_partition(work))
        part = output.with_name(f'.{output.name}.{os.getpid()}.part')
        try:
            run('qemu-img', 'convert', '-q', '-f', 'raw', '-O', 'qcow2', '-c', str(disk), str(part))
            os.replace(part, output)
        finally:
            part.unlink(missing_ok=True)


# ------------------------------------------------------------------- the cache

def recipe() -> str:
    """A name for what is built: the same recipe makes the same guest, but for newer packages."""
    digest = hashlib.sha256()
    for path in sorted((Path(__file__), *PARTS.iterdir())):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def cache_directory() -> Path:
    """Where built images are kept between two runs."""
    return Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'nova-lite'


def cached() -> Path:
    """The image of this recipe, built now if it was not before; those of earlier recipes go."""
    directory = cache_directory()
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f'guest-{recipe()}.qcow2'
    with open(directory / '.lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            build(path)
            for other in directory.glob('guest-*.qcow2'):
                if other != path:
                    other.unlink()
    return path


def main() -> int:
    """Build into a file, or into the cache; say where it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--output', type=Path, metavar='FILE', help='the image to write (default: one in the cache)')
    options = parser.parse_args()
    try:
        path = options.output
        if path is None:
            path = cached()
        else:
            build(path)
    except BuildError as error:
        print(f'The guest cannot be built: {error}.', file=sys.stderr)
        return 1
    print(path)
    return 0


if __name__ == '__main__':
    sys.exit(main())
