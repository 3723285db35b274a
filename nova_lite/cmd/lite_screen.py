# SPDX-License-Identifier: Apache-2.0
"""What ``nova-lite up`` shows: a line per step, and on a terminal a line that keeps up with the servers."""

import http.client
import os
import time
from collections.abc import Callable
from typing import Any, TextIO

from nova_lite import errors
from nova_lite.db.queries import overview

_PATIENCE = 60.0
_REFRESH = 2.0
_LOOK = 0.05


class Screen:
    """Writes to a terminal or to a file."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._terminal = out.isatty()
        self._status = ''

    def step(self, text: str) -> None:
        """A step of the start; replaced by the next one on a terminal."""
        if self._terminal:
            self._show(f'{text} …')
        else:
            self.say(text)

    def say(self, text: str) -> None:
        """Lines that stay."""
        clear = '\r\x1b[K' if self._status else ''
        self._status = ''
        self._write(f'{clear}{text}\n')

    def run_status_line(self, program: Any, ended: Callable[[float], bool]) -> None:
        """Keep the status line true until all has ended; nothing where nobody sees it."""
        if not self._terminal:
            return
        self._write('\n')
        while not ended(_REFRESH):
            self._show(_describe(program))

    def _show(self, text: str) -> None:
        if text != self._status:
            self._write(f'\r\x1b[K{text}')
            self._status = text

    def _write(self, text: str) -> None:
        try:
            self._out.write(text)
            self._out.flush()
        except OSError:
            # The terminal has gone. What is left in the buffer must not fail again when Python ends.
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._out.fileno())
            os.close(null)


def _describe(program: Any) -> str:
    try:
        counts = overview.counts(program.db)
    except errors.Error as error:
        return str(error)
    servers = ', '.join(f'{number} {state}' for state, number in sorted(counts.servers.items())) or 'none'
    return f'{time.strftime("%H:%M:%S")}  hosts: {counts.hosts_up} of {counts.hosts} up  servers: {servers}'


def wait_until_served(program: Any, endpoint: str, hosts: int, ended: Callable[[float], bool]) -> bool:
    """Whether the API answers and so many hosts have reported, within a minute."""
    address = endpoint.removeprefix('http://')
    return _wait(lambda: _answers(address), ended) and wait_for_hosts(program, hosts, ended)


def wait_for_hosts(program: Any, hosts: int, ended: Callable[[float], bool]) -> bool:
    """Whether so many have reported within a minute."""
    return not hosts or _wait(lambda: overview.counts(program.db).hosts_up >= hosts, ended)


def _wait(found: Callable[[], bool], ended: Callable[[float], bool]) -> bool:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end and not ended(_LOOK):
        if found():
            return True
    return False


def _answers(address: str) -> bool:
    connection = http.client.HTTPConnection(address, timeout=5)
    try:
        connection.request('GET', '/')
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
