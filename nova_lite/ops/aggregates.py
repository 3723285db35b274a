# SPDX-License-Identifier: Apache-2.0
"""Writes to aggregates, and the rules that keep availability zones apart.

A host is in one zone, and does not change it while it has servers: they were promised theirs.
"""

import contextlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nova_lite import errors
from nova_lite.db.engine import Duplicate
from nova_lite.db.queries import aggregates as rows
from nova_lite.db.queries import hosts
from nova_lite.db.queries.aggregates import ZONE


@dataclass(frozen=True)
class ChangeAggregate:
    """Rename, and set metadata; a value of None takes the entry away."""

    aggregate_id: int
    name: str | None = None
    metadata: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class MoveHost:
    """Put a host into an aggregate, or take it out."""

    aggregate_id: int
    host: str


def create(deps: Any, name: str, zone: str | None) -> Any:
    """The new aggregate's row."""
    def store(conn: Any) -> Any:
        aggregate_id = rows.create(conn, name, {} if zone is None else {ZONE: zone})
        with _told(deps, conn, 'create', aggregate_id):
            return _get(conn, aggregate_id)

    return _unique(deps, name, store)


def change(deps: Any, command: ChangeAggregate) -> Any:
    """The aggregate's row afterwards; errors.Invalid if its hosts cannot be in the new zone."""
    def store(conn: Any) -> Any:
        aggregate = _lock(conn, command.aggregate_id)
        if ZONE in command.metadata:
            _check_zone(conn, deps.conf, aggregate, rows.members(conn, [aggregate.id])[aggregate.id],
                        command.metadata[ZONE], errors.Invalid)
        if command.name is not None:
            with _told(deps, conn, 'update_prop', aggregate.id):
                rows.rename(conn, aggregate.id, command.name)
        if command.metadata:
            with _told(deps, conn, 'update_metadata', aggregate.id):
                rows.change_metadata(conn, aggregate.id, lambda old: _merged(old, command.metadata))
        return _get(conn, aggregate.id)

    return _unique(deps, command.name, store)


@contextlib.contextmanager
def _told(deps: Any, conn: Any, event: str, aggregate_id: int) -> Iterator[None]:
    """Have others told before and after."""
    deps.notifications.thing(conn, f'aggregate.{event}.start', aggregate_id)
    yield
    deps.notifications.thing(conn, f'aggregate.{event}.end', aggregate_id)


def _merged(old: Mapping[str, str], new: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in {**old, **new}.items() if value is not None}


def _unique(deps: Any, name: str | None, store: Any) -> Any:
    try:
        return deps.db.transaction(store)
    except Duplicate:
        raise errors.AggregateExists(name=name) from None


def delete(deps: Any, aggregate_id: int) -> None:
    """errors.Invalid while it has hosts."""
    def remove(conn: Any) -> None:
        aggregate = _lock(conn, aggregate_id)
        count = len(rows.members(conn, [aggregate.id])[aggregate.id])
        if count:
            raise errors.Invalid(reason=f'Aggregate {aggregate.name} has {count} hosts; take them out first.')
        for phase in ('start', 'end'):
            deps.notifications.thing(conn, f'aggregate.delete.{phase}', aggregate.id)
        rows.delete(conn, aggregate.id)

    deps.db.transaction(remove)


def add_host(deps: Any, command: MoveHost) -> Any:
    """The aggregate's row afterwards; errors.Conflict if the host is or must be in another zone."""
    def store(conn: Any) -> Any:
        aggregate, members = _with_host(conn, command)
        if command.host in members:
            raise errors.AggregateHostExists(host=command.host, aggregate=aggregate.name)
        zone = aggregate.metadata.get(ZONE)
        if zone is not None:
            _check_zone(conn, deps.conf, aggregate, [command.host], zone, errors.Conflict)
        with _told(deps, conn, 'add_host', aggregate.id):
            rows.add_host(conn, aggregate.id, command.host)
        return _get(conn, aggregate.id)

    return deps.db.transaction(store)


def remove_host(deps: Any, command: MoveHost) -> Any:
    """The aggregate's row afterwards; errors.Conflict if the host's servers would change their zone."""
    def store(conn: Any) -> Any:
        aggregate, members = _with_host(conn, command)
        if command.host not in members:
            raise errors.AggregateHostNotFound(host=command.host, aggregate=aggregate.name)
        _check_zone(conn, deps.conf, aggregate, [command.host], None, errors.Conflict)
        with _told(deps, conn, 'remove_host', aggregate.id):
            rows.remove_host(conn, aggregate.id, command.host)
        return _get(conn, aggregate.id)

    return deps.db.transaction(store)


def _with_host(conn: Any, command: MoveHost) -> tuple[Any, list[str]]:
    """The aggregate, locked, and its members; errors.HostNotFound if no such host has ever reported."""
    aggregate = _lock(conn, command.aggregate_id)
    if not hosts.exists(conn, command.host, None):
        raise errors.HostNotFound(host=command.host)
    return aggregate, rows.members(conn, [aggregate.id])[aggregate.id]


def _check_zone(conn: Any, conf: Any, aggregate: Any, names: Collection[str], zone: str | None,
                refusal: type[errors.Error]) -> None:
    """The hosts may be in ``zone`` as far as this aggregate is concerned; None stands for no zone of its own."""
    if zone == '':
        raise errors.Invalid(reason='The name of an availability zone cannot be empty.')
    if not names:
        return
    # Other aggregates and the placing of servers wait until the hosts are where they go.
    placed = hosts.lock_counts(conn, names)
    for host in names:
        zones = {one.id: one.metadata[ZONE] for one in rows.page(conn, host) if ZONE in one.metadata}
        now = min(zones.values(), default=conf.default_availability_zone)
        zones.pop(aggregate.id, None)
        others = sorted(set(zones.values()) - {zone})
        if zone is not None and others:
            raise refusal(reason=f'Host {host} is in availability zone {others[0]} and cannot be in {zone}, too.')
        then = zone if zone is not None else min(zones.values(), default=conf.default_availability_zone)
        if then != now and placed.get(host):
            raise refusal(reason=f'Host {host} has {placed[host]} servers, which would move from availability zone '
                                 f'{now} to {then}; move or delete them first.')


def _lock(conn: Any, aggregate_id: int) -> Any:
    return _found(rows.lock(conn, aggregate_id), aggregate_id)


def _get(conn: Any, aggregate_id: int) -> Any:
    return _found(rows.get(conn, aggregate_id), aggregate_id)


def _found(row: Any, aggregate_id: int) -> Any:
    if row is None:
        raise errors.AggregateNotFound(aggregate=aggregate_id)
    return row
