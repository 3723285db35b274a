# SPDX-License-Identifier: Apache-2.0
"""Connections that are open and that nobody uses at the moment."""

import collections
import os
import threading

from nova_lite.rpc.local.frames import Stream

#: Connections kept open to one server, and in total.
PER_SERVER = 16
IN_TOTAL = 256


class Pool:
    """Idle connections by server. A child process starts with an empty one."""

    def __init__(self) -> None:
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._pid = os.getpid()
        self._guard = threading.Lock()
        self._total = 0
        self._idle: collections.OrderedDict[str, list[Stream]] = collections.OrderedDict()

    def take(self, server: str) -> Stream | None:
        """The connection that was used last, or None."""
        if self._pid != os.getpid():
            # The parent process goes on using the same connections; here they are only closed.
            self._start_afresh()
        with self._guard:
            streams = self._idle.get(server)
            if not streams:
                return None
            self._total -= 1
            return streams.pop()

    def keep(self, server: str, stream: Stream) -> None:
        """Give a connection back."""
        with self._guard:
            streams = self._idle.setdefault(server, [])
            if len(streams) >= PER_SERVER:
                surplus = [stream]
            else:
                streams.append(stream)
                self._total += 1
                self._idle.move_to_end(server)
                surplus = self._longest_unused() if self._total > IN_TOTAL else []
        for stream in surplus:
            stream.close()

    def _longest_unused(self) -> list[Stream]:
        _, streams = self._idle.popitem(last=False)
        self._total -= len(streams)
        return streams

    def drop(self, server: str) -> None:
        """Close the connections to a server that is gone."""
        with self._guard:
            streams = self._idle.pop(server, [])
            self._total -= len(streams)
        for stream in streams:
            stream.close()

    def close(self) -> None:
        """Close them all."""
        for server in list(self._idle):
            self.drop(server)
