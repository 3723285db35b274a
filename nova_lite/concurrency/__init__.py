# SPDX-License-Identifier: Apache-2.0
"""The switch between green and native threads, and the only package that imports eventlet.

Everybody else writes ordinary blocking code on ``threading``, ``socket`` and ``time``; what differs between the
two backends is asked for here.  A command calls ``start`` before it imports anything else of ours, because patching
the standard library works only for modules that have not yet taken what they need from it.
"""

import concurrent.futures
import importlib
import os
import threading
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

from nova_lite.concurrency import native

ENVIRONMENT_VARIABLE = 'NOVA_LITE_BACKEND'
BACKENDS = {'eventlet': 'nova_lite.concurrency.green', 'threading': 'nova_lite.concurrency.native'}

_backend: str | None = None
_impl: ModuleType = native


def start(backend: str | None = None) -> str:
    """Choose the backend of this process for good, and return its name.

    Without an argument the environment variable NOVA_LITE_BACKEND decides, and without that it is eventlet.
    """
    global _backend, _impl
    chosen = backend or os.environ.get(ENVIRONMENT_VARIABLE) or 'eventlet'
    if chosen not in BACKENDS:
        raise ValueError(f'The concurrency backend must be one of {", ".join(BACKENDS)}, not {chosen!r}.')
    if _backend is not None:
        if chosen != _backend:
            raise RuntimeError(f'The concurrency backend is {_backend} already, it cannot become {chosen}.')
        return _backend
    # Each start of a command would print that eventlet has a successor; who runs it cannot act on that.
    warnings.filterwarnings('ignore', message=r'\s*Eventlet is deprecated')
    impl = importlib.import_module(BACKENDS[chosen])
    impl.prepare()
    _init_oslo_service(chosen)
    _backend, _impl = chosen, impl
    return chosen


def _init_oslo_service(name: str) -> None:
    from oslo_service import backend as oslo_backend

    oslo_backend.init_backend(oslo_backend.BackendType(name))


def backend() -> str:
    """Name of the running backend; ``threading`` as long as none was started."""
    return _backend or 'threading'


def executor_name() -> str:
    """Which executor of oslo.messaging fits the running backend."""
    return backend()


def run_in_thread(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run blocking work where it does not hold up green threads, and return its result."""
    return _impl.run_in_thread(fn, *args, **kwargs)


def spawn(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> 'concurrent.futures.Future[Any]':
    """Run a function beside this one; the process does not wait for it at its end."""
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()
    _impl.run_beside(native.fulfil, future, fn, args, kwargs)
    return future


def sleep(seconds: float) -> None:
    """Let others run for that long."""
    _impl.sleep(seconds)


def start_native_thread(fn: Callable[[], None], name: str) -> None:
    """Run a function in a thread of the operating system, for as long as the process lives.

    It has to keep to itself: locks, files and logs belong to the threads of the backend, and only a ``Signal``
    reaches these.
    """
    _impl.start_native_thread(fn, name)


class Signal:
    """Something has happened, said in any thread, a native one too, to one that waits for it."""

    def __init__(self) -> None:
        self._signal = _impl.Signal()

    def set(self) -> None:
        """Say so; saying it again before anybody heard it changes nothing."""
        self._signal.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it was said since the last wait; False after ``timeout`` seconds."""
        return bool(self._signal.wait(timeout))


class Pool:
    """At most ``size`` functions at a time, each in a thread of the backend."""

    def __init__(self, size: int) -> None:
        self._room = threading.Semaphore(size)
        self._running: set[concurrent.futures.Future[Any]] = set()

    def spawn(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> 'concurrent.futures.Future[Any]':
        """Like ``spawn``, but waits until there is room."""
        self._room.acquire()
        future = spawn(fn, *args, **kwargs)
        self._running.add(future)
        future.add_done_callback(self._leave)
        return future

    def _leave(self, future: 'concurrent.futures.Future[Any]') -> None:
        self._running.discard(future)
        self._room.release()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for all that runs now; False if some still does after ``timeout`` seconds."""
        return not concurrent.futures.wait(set(self._running), timeout).not_done


def http_server(*args: Any, **kwargs: Any) -> Any:
    """Make a ``green_http.HttpServer``; it takes the arguments of that class."""
    if backend() != 'eventlet':
        raise RuntimeError('The built-in HTTP server runs on the eventlet backend only. On the threading backend, '
                           'run nova_lite.wsgi.application under another WSGI server.')
    from nova_lite.concurrency import green_http

    return green_http.HttpServer(*args, **kwargs)
