# SPDX-License-Identifier: Apache-2.0
"""Whether this machine can have real guests without any set-up, found out without loading anything."""

import importlib.util
import os
import platform
import shutil
from pathlib import Path

#: The library keeps its drivers beside itself.
_DRIVER_DIRECTORIES = ('/usr/lib/*/libvirt/connection-driver', '/usr/lib/libvirt/connection-driver',
                       '/usr/lib64/libvirt/connection-driver', '/usr/local/lib*/libvirt/connection-driver')
_DRIVER = 'libvirt_driver_qemu.so'
#: Longest path of a Unix socket, less what libvirt puts behind the name of its directory.
LONGEST_ROOT = 107 - len('/lib/domain-99999-instance-00000000/monitor.sock') - 4

PACKAGES = 'apt-get install libvirt-daemon-driver-qemu qemu-system-x86 qemu-utils libvirt-dev pkgconf gcc'
EXTRA = "pip install 'nova-lite[libvirt]'"


def emulator() -> str:
    """The program that runs guests of the machine's own architecture."""
    machine = platform.machine()
    return f'qemu-system-{"arm" if machine.startswith("armv") else machine}'


def missing() -> list[str]:
    """What is not installed; empty if guests can be had."""
    found = [name for name in (emulator(), 'qemu-img', 'prlimit') if shutil.which(name) is None]
    if not _has_driver():
        found.append("libvirt's QEMU driver")
    found += [package for package, module in (('libvirt-python', 'libvirt'), ('pycdlib', 'pycdlib'))
              if importlib.util.find_spec(module) is None]
    return found


def why_not(state_path: Path) -> str | None:
    """One sentence on why there can be no real guests, with what to do about it; None if there can."""
    lacking = missing()
    if lacking:
        return f'{_and(lacking)} {"is" if len(lacking) == 1 else "are"} not installed. {PACKAGES}; {EXTRA}'
    root = state_path / 'libvirt'
    if len(os.fsencode(root)) > LONGEST_ROOT:
        return f'the path of {root} is too long for the sockets in it; choose a shorter state directory'
    return None


def _has_driver() -> bool:
    said = os.environ.get('LIBVIRT_DRIVER_DIR')
    places = [Path(said)] if said else [place for pattern in _DRIVER_DIRECTORIES
                                        for place in Path('/').glob(pattern.lstrip('/'))]
    return any((place / _DRIVER).exists() for place in places)


def _and(names: list[str]) -> str:
    return ' and '.join(filter(None, (', '.join(names[:-1]), names[-1])))
