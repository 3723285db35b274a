# SPDX-License-Identifier: Apache-2.0
"""How fake guests move: the one host sets the record aside, the other one gets a copy of it.

A live migration takes the time that ``[fake] live_migration_seconds`` says, with memory and disk on
their way meanwhile, and can be aborted or brought to an end at once.
"""

import abc
import dataclasses
import datetime
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from nova_lite import concurrency, errors
from nova_lite.model import moves
from nova_lite.model.power import Power
from nova_lite.virt import base, fake_interfaces, fake_volumes
from nova_lite.virt.fake_faults import Faults
from nova_lite.virt.fake_store import FakeGuest, GuestStore, guest_of

OPERATIONS = ('prepare_move', 'leave', 'arrive', 'come_back', 'withdraw', 'forget', 'live_migrate')

MIB, GIB = 1 << 20, 1 << 30
#: Seconds at most between two looks at whether somebody wants a live migration to end.
TICK = 0.5


class FakeMoves(base.LiveMigrationPort):
    """The ports for moves, on what ``FakeDriver`` keeps."""

    _faults: Faults
    _guests: dict[str, FakeGuest]
    _host: str
    _lock: threading.Lock
    _size: Any
    _store: GuestStore

    def __init__(self) -> None:
        self._aside: dict[str, FakeGuest] = {}

    @abc.abstractmethod
    def _get(self, server_uuid: str) -> FakeGuest:
        """The guest, or ``errors.GuestNotFound``."""

    @abc.abstractmethod
    def _keep(self, guest: FakeGuest) -> None:
        """Remember the guest as it is now."""

    @abc.abstractmethod
    def _boot(self, guest: FakeGuest) -> FakeGuest:
        """The guest as it is when it runs."""

    def prepare_move(self, spec: base.GuestSpec) -> None:
        """There is always room."""
        self._faults.meet('prepare_move', spec.server.uuid)

    def receive(self, spec: base.GuestSpec, move: Mapping[str, Any]) -> dict[str, Any]:
        """There is always room for it while it runs, too."""
        self.prepare_move(spec)
        return {}

    def turn_away(self, server_uuid: str) -> None:
        """What comes here is a copy, so it can always be forgotten."""
        self.withdraw(server_uuid)

    def leave(self, server_uuid: str) -> dict[str, Any]:
        """Shut the guest down and set its record aside."""
        self._faults.meet('leave', server_uuid)
        with self._lock:
            guest = self._aside.get(server_uuid)
            if guest is None:
                guest = self._put_aside(_off(self._get(server_uuid)))
            return _record(guest)

    def arrive(self, spec: base.GuestSpec, disk: dict[str, Any], power: Power) -> None:
        """Make a guest of the record, in its new size."""
        server, flavor = spec.server, spec.server.flavor
        self._faults.meet('arrive', server.uuid)
        with self._lock:
            guest = self._guests.get(server.uuid) or (_guest(disk, server.uuid) if disk else self._get(server.uuid))
            self._keep(self._powered(dataclasses.replace(
                guest, name=server.name, vcpus=flavor['vcpus'], memory_mb=flavor['ram'],
                disk_gb=moves.host_disk(flavor), disks=fake_volumes.disks(server.block_devices),
                interfaces=fake_interfaces.macs_of(server)), power))

    def come_back(self, server_uuid: str, power: Power) -> None:
        """Put the record back; a guest that has not left is only brought into its power state."""
        self._faults.meet('come_back', server_uuid)
        with self._lock:
            if server_uuid in self._aside:
                self._store.bring_back(server_uuid)
                self._guests[server_uuid] = self._aside.pop(server_uuid)
            self._keep(self._powered(self._get(server_uuid), power))

    def withdraw(self, server_uuid: str) -> None:
        """Forget the guest, but not what it was before."""
        self._faults.meet('withdraw', server_uuid)
        with self._lock:
            self._store.drop(server_uuid)
            self._guests.pop(server_uuid, None)

    def forget(self, server_uuid: str) -> None:
        """Forget what the guest was before."""
        self._faults.meet('forget', server_uuid)
        with self._lock:
            self._drop_aside(server_uuid)

    def set_aside(self) -> frozenset[str]:
        """All that left and was not forgotten."""
        with self._lock:
            return frozenset(self._aside)

    def live_migrate(self, spec: base.GuestSpec, move: Mapping[str, Any],
                     watch: Callable[[base.Progress], str | None]) -> dict[str, Any]:
        """Let the time pass, and set the record aside as it is."""
        server_uuid = spec.server.uuid
        self._faults.meet('live_migrate', server_uuid)
        with self._lock:
            left = self._aside.get(server_uuid)
            guest = left or self._get(server_uuid)
        if left is None:
            self._copy(guest, bool(move.get('block_migration')), watch)
        with self._lock:
            left = self._aside.get(server_uuid) or self._put_aside(self._get(server_uuid))
        return _record(left)

    def _copy(self, guest: FakeGuest, with_disk: bool, watch: Callable[[base.Progress], str | None]) -> None:
        seconds = self._size.live_migration_seconds
        began = time.monotonic()
        while (passed := time.monotonic() - began) < seconds:
            wish = watch(_progress(guest, with_disk, passed / seconds))
            if wish == moves.ABORT:
                raise errors.MigrationAborted(server=guest.uuid)
            if wish == moves.COMPLETE:
                return
            concurrency.sleep(min(TICK, max(seconds / 5, 0.05), seconds - passed))

    def _powered(self, guest: FakeGuest, power: Power) -> FakeGuest:
        if guest.power_state == power:
            return guest
        if power == Power.RUNNING:
            return self._boot(guest)
        return dataclasses.replace(guest, power_state=power)

    def _put_aside(self, guest: FakeGuest) -> FakeGuest:
        self._keep(guest)
        self._store.set_aside(guest.uuid)
        self._aside[guest.uuid] = self._guests.pop(guest.uuid)
        return self._aside[guest.uuid]

    def _drop_aside(self, server_uuid: str) -> None:
        self._store.drop_aside(server_uuid)
        self._aside.pop(server_uuid, None)


def _off(guest: FakeGuest) -> FakeGuest:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds')
    return dataclasses.replace(guest, power_state=Power.SHUTDOWN,
                               console=(*guest.console, f'[{now}] Powered off to move.'))


def _record(guest: FakeGuest) -> dict[str, Any]:
    # Tuples become the lists that they are on the wire.
    return {name: list(value) if isinstance(value, tuple) else value
            for name, value in dataclasses.asdict(guest).items()}


def _guest(record: dict[str, Any], server_uuid: str) -> FakeGuest:
    return guest_of({**record, 'uuid': server_uuid})


def _progress(guest: FakeGuest, with_disk: bool, share: float) -> base.Progress:
    memory = guest.memory_mb * MIB
    disk = guest.disk_gb * GIB if with_disk else 0
    return base.Progress(memory, int(memory * share), memory - int(memory * share),
                         disk, int(disk * share), disk - int(disk * share))
