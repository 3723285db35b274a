# SPDX-License-Identifier: Apache-2.0
"""Which messages each release of nova-lite understands, so that two releases can run side by side.

A release that adds a message adds a row.  ``SERVICE_VERSION`` is what a worker reports with its heartbeat; from the
lowest of them follows the newest message that all workers understand.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from nova_lite import errors


class Release(NamedTuple):
    """What the workers of one release understand."""

    service_version: int
    name: str
    messages: dict[str, str]


RELEASES = (
    Release(1, 'v0.1', {'conductor': '1.0', 'compute': '1.0'}),
)

SERVICE_VERSION = RELEASES[-1].service_version

#: Asks for the lowest service version among the workers; None if there are none yet.
LowestVersion = Callable[[], int | None]


class Pin:
    """The highest version in which one topic may be spoken to, as ``[upgrade_levels]`` has it."""

    def __init__(self, topic: str, level: str | None, lowest: LowestVersion | None = None) -> None:
        self._topic = topic
        self._level = level or ''
        self._lowest = lowest
        self._newest = RELEASES[-1].messages[topic]
        self._cap: str | None = None
        if self._level != 'auto':
            self._cap = self._fixed(self._level)

    def cap(self) -> str:
        """The version; found out once, then remembered until ``forget``."""
        if self._cap is None:
            self._cap = self._automatic()
        return self._cap

    def forget(self) -> None:
        """Ask again at the next message: after a reload, or when workers were upgraded."""
        if self._level == 'auto':
            self._cap = None

    def _fixed(self, level: str) -> str:
        if not level:
            return self._newest
        for release in RELEASES:
            if release.name == level:
                return release.messages[self._topic]
        if re.fullmatch(r'\d+\.\d+', level):
            return level
        names = ', '.join(release.name for release in RELEASES)
        raise errors.StartError(reason=f'[upgrade_levels] {self._topic} is {level!r}; it must be auto, a version such '
                                       f'as {self._newest}, or one of {names}.')

    def _automatic(self) -> str:
        version = self._lowest() if self._lowest else None
        if version is None:
            return self._newest
        understood = [release for release in RELEASES if release.service_version <= version]
        return (understood or RELEASES)[-1 if understood else 0].messages[self._topic]
