# SPDX-License-Identifier: Apache-2.0
"""Work that a process does beside what it is asked for."""

import abc
import threading


class Background(abc.ABC):
    """A thread with the name of its class, from ``start`` until ``stop``; it can be started again after ``wait``."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @abc.abstractmethod
    def _loop(self) -> None:
        """Work until ``_stopping`` is set."""

    def start(self) -> None:
        """Begin."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name=type(self).__name__, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopping.set()

    def wait(self) -> None:
        """Return when what had begun has ended."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
