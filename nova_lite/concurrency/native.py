# SPDX-License-Identifier: Apache-2.0
"""The backend of native threads, which is also what runs before any backend was started."""

import concurrent.futures
import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

LOG = logging.getLogger(__name__)

sleep = time.sleep


def prepare() -> None:
    """Hide eventlet from this process.

    Several Oslo libraries import it wherever it is installed. That costs a process without green threads a sixth
    of a second and 15 MiB, and would hide a module of ours that leans on it.
    """
    sys.modules.setdefault('eventlet', None)  # type: ignore[arg-type]


def run_in_thread(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call it: the caller is in a native thread already."""
    return fn(*args, **kwargs)


def run_beside(fn: Callable[..., None], *args: Any) -> None:
    """Start a thread that does not keep the process alive."""
    threading.Thread(target=fn, args=args, name=getattr(args[1], '__qualname__', None), daemon=True).start()


def start_native_thread(fn: Callable[[], None], name: str) -> None:
    """Start a thread that does not keep the process alive."""
    threading.Thread(target=fn, name=name, daemon=True).start()


class Signal:
    """An event that is taken back by whoever saw it."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()

    def wait(self, timeout: float | None = None) -> bool:
        seen = self._event.wait(timeout)
        self._event.clear()
        return seen


def fulfil(future: 'concurrent.futures.Future[Any]', fn: Callable[..., Any], args: tuple[Any, ...],
           kwargs: dict[str, Any]) -> None:
    """Run ``fn`` and put into the future what comes of it; an error is also logged, as maybe nobody asks."""
    try:
        result = fn(*args, **kwargs)
    except Exception as error:
        LOG.exception('%s failed', getattr(fn, '__qualname__', fn))
        future.set_exception(error)
    except BaseException as error:
        future.set_exception(error)
        raise
    else:
        future.set_result(result)
