# SPDX-License-Identifier: Apache-2.0
"""The fake hypervisor's memory: one small file for each guest.

Real guests outlive nova-compute, so fake ones do too.  One file per guest makes a change cost the same
for the first guest of a host and the thousandth, and a rename makes it all or nothing for a process that is
killed.  Nothing is flushed to the platter: what a power cut takes away, it takes from a real host as well.
"""

import dataclasses
import json
import logging
import os
import pathlib
from typing import Any

LOG = logging.getLogger(__name__)

_RECORD = '.json'
_ASIDE = '.aside'
_HALF_WRITTEN = '.part'


@dataclasses.dataclass(frozen=True)
class FakeGuest:
    """All there is to a fake guest."""

    uuid: str
    name: str
    power_state: int
    vcpus: int
    memory_mb: int
    disk_gb: int
    console: tuple[str, ...] = ()
    image: str | None = None             # what its disk began as
    rescue_image: str | None = None      # what it runs from instead while it is rescued
    interfaces: tuple[str, ...] = ()     # their MAC addresses
    disks: tuple[dict[str, Any], ...] = ()


def guest_of(record: dict[str, Any]) -> FakeGuest:
    """A guest from its JSON; what a later release added to it is left out."""
    known = {field.name for field in dataclasses.fields(FakeGuest)}
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value
                              for name, value in record.items() if name in known}
    return FakeGuest(**values)


class GuestStore:
    """The guests of one host in one directory, which appears with the first of them."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory

    def load(self) -> dict[str, FakeGuest]:
        """All guests by uuid. Remains of a write that was cut off are removed."""
        for path in self._paths():
            if path.name.endswith(_HALF_WRITTEN):
                path.unlink(missing_ok=True)
        return self._read_all(_RECORD)

    def load_aside(self) -> dict[str, FakeGuest]:
        """What is set aside, by uuid."""
        return self._read_all(_ASIDE)

    def _read_all(self, suffix: str) -> dict[str, FakeGuest]:
        found = (_read(path) for path in self._paths() if path.name.endswith(suffix))
        return {guest.uuid: guest for guest in found if guest is not None}

    def put(self, guest: FakeGuest) -> None:
        """Keep ``guest``, in place of the one with its uuid if there is one."""
        path = self._path(guest.uuid)
        part = path.with_suffix(_HALF_WRITTEN)
        text = json.dumps(dataclasses.asdict(guest))
        try:
            part.write_text(text)
        except FileNotFoundError:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            part.write_text(text)
        os.replace(part, path)

    def drop(self, uuid: str) -> None:
        """Forget the guest ``uuid``, if there is one."""
        self._path(uuid).unlink(missing_ok=True)

    def set_aside(self, uuid: str) -> None:
        """Take the guest ``uuid`` out of the guests, but keep its record."""
        os.replace(self._path(uuid), self._path(uuid, _ASIDE))

    def bring_back(self, uuid: str) -> None:
        """Make what is set aside the guest ``uuid`` again, whatever that is now."""
        os.replace(self._path(uuid, _ASIDE), self._path(uuid))

    def drop_aside(self, uuid: str) -> None:
        """Forget what is set aside, if anything is."""
        self._path(uuid, _ASIDE).unlink(missing_ok=True)

    def _path(self, uuid: str, suffix: str = _RECORD) -> pathlib.Path:
        return self.directory / (uuid + suffix)

    def _paths(self) -> list[pathlib.Path]:
        try:
            return list(self.directory.iterdir())
        except FileNotFoundError:
            return []


def _read(path: pathlib.Path) -> FakeGuest | None:
    try:
        return guest_of(json.loads(path.read_text()))
    except (ValueError, TypeError, AttributeError):
        LOG.warning('The record of a fake guest, %s, is damaged and left out.', path)
        return None
