# SPDX-License-Identifier: Apache-2.0
"""Tells Placement what there is, if ``[placement] mirror`` is on.

What Placement was told last stands in two tables, so what it has to be told is a difference that SQL finds: a lost
message, a killed conductor and a Placement that was away for a week are all the same.  Whatever the difference, the
truth is read anew and written whole.  One conductor does it at a time; two would do no harm.
"""

import datetime
import hashlib
import logging
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

import orjson

from nova_lite import errors
from nova_lite.clients.placement import Inventory, Placement, Provider, Refused
from nova_lite.concurrency.background import Background
from nova_lite.conductor.work import Deps
from nova_lite.db.queries import leases, mirror
from nova_lite.model import times

LOG = logging.getLogger(__name__)

LEASE = 'placement'
#: Seconds that a conductor that says no more keeps others from it.
HELD = 60.0
#: How many times longer than a look the pause after it is at least, so that thousands of hosts do not keep the database
#: busy. All hosts have a pause of their own; one that is new is seen with the servers.
SELDOM = 20.0
#: Seconds until what was refused is told again.
PATIENCE = 60.0
#: Servers that are told in one go, and hosts of which everything is compared.
MANY, CHECKS = 500, 20
DISABLED = 'COMPUTE_STATUS_DISABLED'
CLASSES = {'vcpus': 'VCPU', 'memory_mb': 'MEMORY_MB', 'local_gb': 'DISK_GB'}


class Mirror(Background):
    """Looks every ``[placement] mirror_interval`` seconds for what has to be told."""

    def __init__(self, deps: Deps, placement: Placement) -> None:
        super().__init__()
        self._deps = deps
        self._options = deps.conf.placement
        self._placement = placement
        self._next_hosts = self._held = float('-inf')
        self._refused: dict[str, float] = {}
        self._took: dict[str, float] = {}
        self._away = False

    def _loop(self) -> None:
        while not self._stopping.wait(max(self._options.mirror_interval, SELDOM * sum(self._took.values()))):
            try:
                self.look()
            except errors.Unavailable as error:
                self._say_away(error)
            except Exception:
                LOG.exception('Placement could not be told of what changed.')
        try:
            self._deps.db.transaction(leases.release, LEASE, self._deps.name)
        except errors.Error as error:
            LOG.info('The lease %s runs out by itself: %s', LEASE, error)

    def _say_away(self, error: Exception) -> None:
        # It may be away for long, and whoever repairs it need not be told every few seconds.
        (LOG.debug if self._away else LOG.warning)('Placement is not told of what changes: %s', error)
        self._away = True

    def look(self) -> bool:
        """Tell all that has changed; False if another conductor does it."""
        if not self._hold():
            return False
        self._tell_hosts()
        # What is given back makes room for what is taken.
        while self._goes_on() and (self._tell_servers(mirror.over) or self._tell_servers(mirror.untold)):
            pass
        self._remove_hosts()
        if self._away:
            LOG.info('Placement has been told of everything again.')
            self._away = False
        return True

    def _hold(self) -> bool:
        now = times.utcnow()
        self._held = time.monotonic()
        until = now + datetime.timedelta(seconds=HELD)
        return self._deps.db.transaction(leases.take, LEASE, self._deps.name, now, until)

    def _goes_on(self) -> bool:
        """Whether there is no reason to stop in the middle."""
        if self._stopping.is_set():
            return False
        return time.monotonic() < self._held + HELD / 2 or self._hold()

    # ------------------------------------------------------------------- hosts

    def _tell_hosts(self) -> None:
        for provider, digest in self._changed_hosts():
            if not self._goes_on():
                return
            self._patiently(provider.uuid, lambda: self._tell_host(provider, digest))  # noqa: B023 - called at once

    def _changed_hosts(self) -> list[tuple[Provider, str]]:
        """Those to be told, and some to be compared; if it is too early to look at all, those that are new."""
        begin = time.monotonic()
        everything = begin >= self._next_hosts
        with self._deps.db.read() as conn:
            rows = mirror.hosts(conn, not everything)
            aggregates = mirror.aggregates_by_host(conn) if rows else {}
        long_ago = times.utcnow() - datetime.timedelta(seconds=self._options.mirror_check_interval)
        found, checks = [], 0
        for row in rows:
            provider = _provider(row, aggregates.get(row.host, ()))
            digest = _digest(provider)
            due = row.checked_at is not None and row.checked_at < long_ago and checks < CHECKS
            if digest != row.digest or due:
                checks += due
                found.append((provider, digest))
        if everything:
            self._next_hosts = time.monotonic() + SELDOM * (time.monotonic() - begin)
        return found

    def _tell_host(self, provider: Provider, digest: str) -> None:
        self._placement.put_provider(provider)
        self._compare(provider.uuid)
        self._deps.db.transaction(mirror.told_host, provider.uuid, digest, times.utcnow())

    def _compare(self, host_uuid: str) -> None:
        """Put right what is given away of a host."""
        found = self._placement.consumers(host_uuid)
        with self._deps.db.read() as conn:
            known = {key: _resources(amounts) for key, amounts in mirror.on_host(conn, host_uuid).items()
                     if _resources(amounts)}
        for server_uuid in sorted(found.keys() - known.keys()) + sorted(
                key for key in found.keys() & known.keys() if found[key] != known[key]):
            LOG.info('Placement has something else of server %s on host %s than there is.', server_uuid, host_uuid)
            self._tell_server(server_uuid)
        # A host that Placement had lost has lost its servers, too; what was told of them is told again.
        for server_uuid in known.keys() - found.keys():
            self._deps.db.transaction(mirror.told_consumer, server_uuid, None)

    def _remove_hosts(self) -> None:
        with self._deps.db.read() as conn:
            gone = mirror.gone_hosts(conn)
        for host_uuid in gone:
            if not self._goes_on():
                return
            self._patiently(host_uuid, lambda: self._remove_host(host_uuid))  # noqa: B023 - called at once

    def _remove_host(self, host_uuid: str) -> None:
        self._placement.remove_provider(host_uuid)
        self._deps.db.transaction(mirror.forget_host, host_uuid)

    # ----------------------------------------------------------------- servers

    def _tell_servers(self, find: Callable[[Any, int], Collection[str]]) -> bool:
        """Tell of those that are found; whether there may be more."""
        waiting = {key for key, until in self._refused.items() if until > time.monotonic()}
        begin = time.monotonic()
        with self._deps.db.read() as conn:
            found = [key for key in find(conn, MANY + len(waiting)) if key not in waiting]
        self._took[find.__name__] = time.monotonic() - begin
        for server_uuid in found:
            if not self._goes_on():
                return False
            self._patiently(server_uuid, lambda: self._tell_server(server_uuid))  # noqa: B023 - called at once
        return len(found) >= MANY

    def _tell_server(self, server_uuid: str) -> None:
        with self._deps.db.read() as conn:
            known = mirror.consumer(conn, server_uuid)
        if known is None:
            self._placement.remove_consumer(server_uuid)
        else:
            try:
                self._placement.put_consumer(server_uuid, known.project_id, known.user_id, {
                    host: _resources(amounts) for host, amounts in known.hosts.items()})
            except Refused:
                # Perhaps somebody has changed or removed the provider.
                self._deps.db.transaction(mirror.doubt_hosts, known.hosts)
                self._next_hosts = float('-inf')
                raise
        self._deps.db.transaction(mirror.told_consumer, server_uuid, known)

    def _patiently(self, uuid: str, work: Callable[[], None]) -> None:
        """Do it, unless Placement has refused it just now."""
        if self._refused.get(uuid, 0.0) > time.monotonic():
            return
        self._refused.pop(uuid, None)
        try:
            work()
        except Refused as error:
            LOG.warning('Placement does not know of %s as it is: %s', uuid, error)
            self._refused[uuid] = time.monotonic() + PATIENCE


def _provider(row: Any, aggregates: Collection[str]) -> Provider:
    inventories = {}
    for name, kind in CLASSES.items():
        total = getattr(row, name)
        reserved, ratio = row.rates[name]
        # Placement has no word for a class of which there is nothing.
        if total > 0 and ratio > 0:
            inventories[kind] = Inventory(total, min(reserved, total), max(1, total, getattr(row, f'{name}_limit')),
                                          float(ratio))
    return Provider(row.uuid, row.hypervisor_hostname, inventories,
                    frozenset(row.traits) | ({DISABLED} if row.disabled else set()), frozenset(aggregates))


def _resources(amounts: Mapping[str, int]) -> dict[str, int]:
    return {kind: amounts[name] for name, kind in CLASSES.items() if amounts[name] > 0}


def _digest(provider: Provider) -> str:
    told = [provider.name, {name: one.body for name, one in provider.inventories.items()}, sorted(provider.traits),
            sorted(provider.aggregates)]
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()
