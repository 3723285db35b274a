# SPDX-License-Identifier: Apache-2.0
"""Which messages each release of nova-lite understands, so that two releases can run side by side.

A release that adds a message or a field of an object adds a row.  ``SERVICE_VERSION`` is what a worker reports with
its heartbeat; from the lowest of them follows what all workers understand.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from nova_lite import errors


class Release(NamedTuple):
    """What the workers of one release understand."""

    service_version: int
    name: str
    messages: dict[str, str]
    objects: Mapping[str, str] = {}


RELEASES = (
    Release(1, 'v0.1', {'conductor': '1.0', 'compute': '1.0'},
            {'HostReport': '1.0', 'Operation': '1.0', 'OperationReport': '1.0', 'Server': '1.0'}),
    Release(2, 'v0.2', {'conductor': '1.0', 'compute': '1.0'},
            {'HostReport': '1.0', 'Operation': '1.0', 'OperationReport': '1.0', 'Server': '1.1'}),
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
        self._known: tuple[str, Release] | None = None
        if self._level != 'auto':
            self._known = self._fixed(self._level)

    def cap(self) -> str:
        """The version; found out once, then remembered until ``forget``."""
        return self._find()[0]

    def objects(self) -> Mapping[str, str]:
        """The versions in which objects are to be sent, by their names; empty if all workers know the present ones."""
        release = self._find()[1]
        return {} if release is RELEASES[-1] else release.objects

    def forget(self) -> None:
        """Ask again at the next message: after a reload, or when workers were upgraded."""
        if self._level == 'auto':
            self._known = None

    def _find(self) -> tuple[str, Release]:
        if self._known is None:
            release = self._oldest()
            self._known = release.messages[self._topic], release
        return self._known

    def _fixed(self, level: str) -> tuple[str, Release]:
        newest = RELEASES[-1]
        if not level:
            return newest.messages[self._topic], newest
        for release in RELEASES:
            # Of a version that several releases have, the first one is meant: it knows least.
            if level in (release.name, release.messages[self._topic]):
                return release.messages[self._topic], release
        if re.fullmatch(r'\d+\.\d+', level):
            return level, newest
        names = ', '.join(release.name for release in RELEASES)
        raise errors.StartError(reason=f'[upgrade_levels] {self._topic} is {level!r}; it must be auto, a version such '
                                       f'as {newest.messages[self._topic]}, or one of {names}.')

    def _oldest(self) -> Release:
        version = self._lowest() if self._lowest else None
        if version is None:
            return RELEASES[-1]
        understood = [release for release in RELEASES if release.service_version <= version]
        return understood[-1] if understood else RELEASES[0]
