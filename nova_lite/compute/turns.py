# SPDX-License-Identifier: Apache-2.0
"""Who is next: operations on one server take turns, and none is run twice."""

import collections
import contextlib
import math
import threading
from collections.abc import Iterator

#: Operations remembered, so that one that is delivered again is known again.
MEMORY = 10_000


class Turns:
    """One lock per server that something is happening to; other servers do not wait for it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._users: collections.Counter[str] = collections.Counter()

    @property
    def servers(self) -> int:
        """How many servers something is happening to."""
        return len(self._locks)

    @contextlib.contextmanager
    def take(self, server_uuid: str) -> Iterator[None]:
        """Wait until nothing else happens to the server, and keep it so until the end of the block."""
        with self._guard:
            lock = self._join(server_uuid)
        try:
            with lock:
                yield
        finally:
            self._leave(server_uuid)

    @contextlib.contextmanager
    def take_if_free(self, server_uuid: str) -> Iterator[bool]:
        """Like ``take``, but yields False instead of waiting."""
        with self._guard:
            free = server_uuid not in self._locks
            lock = self._join(server_uuid) if free else None
            if lock:
                lock.acquire()
        if lock is None:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()
            self._leave(server_uuid)

    def _join(self, server_uuid: str) -> threading.Lock:
        self._users[server_uuid] += 1
        return self._locks.setdefault(server_uuid, threading.Lock())

    def _leave(self, server_uuid: str) -> None:
        with self._guard:
            self._users[server_uuid] -= 1
            if not self._users[server_uuid]:
                del self._users[server_uuid], self._locks[server_uuid]


class Attempts:
    """The latest attempt of each operation that came by, and which of them need no other."""

    def __init__(self, memory: int = MEMORY) -> None:
        self._memory = memory
        self._latest: collections.OrderedDict[str, float] = collections.OrderedDict()
        self._guard = threading.Lock()

    def is_new(self, operation_id: str, attempt: int) -> bool:
        """True once for each attempt, and never for one that comes after its successor."""
        with self._guard:
            if attempt <= self._latest.get(operation_id, -1):
                return False
            self._remember(operation_id, attempt)
            return True

    def settle(self, operation_id: str) -> None:
        """No attempt of this operation is to be run any more."""
        with self._guard:
            self._remember(operation_id, math.inf)

    def is_settled(self, operation_id: str) -> bool:
        """Whether the operation was settled."""
        return self._latest.get(operation_id) == math.inf

    def _remember(self, operation_id: str, attempt: float) -> None:
        self._latest[operation_id] = attempt
        self._latest.move_to_end(operation_id)
        if len(self._latest) > self._memory:
            self._latest.popitem(last=False)
