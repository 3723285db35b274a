# SPDX-License-Identifier: Apache-2.0
"""The backend of green threads: eventlet, with the standard library patched."""

import contextlib
import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# The resolver of eventlet imports all of dnspython and cryptography, and does not know nsswitch.conf.
os.environ.setdefault('EVENTLET_NO_GREENDNS', 'yes')

import eventlet  # noqa: E402 - reads the variable above when it is imported
from eventlet import hubs, patcher, tpool  # noqa: E402

run_in_thread = tpool.execute
sleep = eventlet.sleep

# A native thread must not meet the patched ones.
_os = patcher.original('os')


def prepare() -> None:
    """Patch the standard library, and psycopg2 once somebody imports it."""
    eventlet.monkey_patch(psycopg=False)
    sys.meta_path.insert(0, _GreenPsycopg())


def run_beside(fn: Callable[..., None], *args: Any) -> None:
    """Start a green thread."""
    eventlet.spawn_n(fn, *args)


def start_native_thread(fn: Callable[[], None], name: str) -> None:
    """Start a thread of the operating system, in which nothing is green."""
    patcher.original('threading').Thread(target=fn, name=name, daemon=True).start()


class Signal:
    """A pipe: the one thing that a native thread can write to and a green one wait for."""

    def __init__(self) -> None:
        self._reader, self._writer = _os.pipe()
        for end in (self._reader, self._writer):
            _os.set_blocking(end, False)

    def set(self) -> None:
        # A full pipe says all that there is to say.
        with contextlib.suppress(BlockingIOError):
            _os.write(self._writer, b'!')

    def wait(self, timeout: float | None = None) -> bool:
        try:
            hubs.trampoline(self._reader, read=True, timeout=timeout, timeout_exc=TimeoutError)
        except TimeoutError:
            return False
        with contextlib.suppress(BlockingIOError):
            _os.read(self._reader, 4096)
        return True


class _GreenPsycopg(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Makes psycopg2 wait in green threads as soon as it is loaded.

    eventlet's own patching would load it at once: 5 MiB in a process that keeps its data in SQLite.
    """

    _loader: Any

    def find_spec(self, fullname: str, path: Sequence[str] | None,
                  target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname != 'psycopg2':
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None:
            self._loader, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        from eventlet.support import psycopg2_patcher

        psycopg2_patcher.make_psycopg_green()
