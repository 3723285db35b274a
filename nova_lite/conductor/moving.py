# SPDX-License-Identifier: Apache-2.0
"""What all moves of a server have in common: a place to go, and the row that shows how far it is."""

import dataclasses
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from nova_lite import errors
from nova_lite.conductor import steps, supplies
from nova_lite.conductor import work as base
from nova_lite.conductor.work import Work
from nova_lite.db.queries import aggregates, claims, hosts, migrations, quotas
from nova_lite.model import moves, states
from nova_lite.scheduler import explain, request

# Parameters of the operation.
MIGRATION, FLAVOR, POWER, DISK, TRIED = 'migration', 'flavor', 'power', 'disk', 'tried'


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a server is, or goes."""

    host: str
    node: str
    zone: str


def place(work: Work, *, may_stay: bool = False) -> None:
    """Claim a host and make it the operation's destination, or raise ``NoValidHost``.

    ``may_stay``: if no other host will do, the one on which the server is.
    """
    params = work.params
    flavor = params[FLAVOR]
    ask = dataclasses.replace(
        request.of_server(SimpleNamespace(**{**vars(work.server), 'flavor': flavor}), params),
        leaving=params[steps.SOURCE])
    try:
        found: Any = work.deps.scheduler.place(work.conn, ask, work.now, params.get('last_failure'))
    except errors.NoValidHost:
        may_stay = may_stay and work.server.host not in params.get(TRIED, ())
        if not may_stay or not claims.grow(work.conn, work.server.uuid, work.server.host, wanted(work, flavor)):
            raise
        found = Place(work.server.host, work.server.node, work.server.availability_zone)
    params.update({steps.DEST: found.host, 'dest_node': found.node, 'dest_zone': found.zone})
    show(work, dest_compute=found.host, dest_node=found.node,
         dest_host=migrations.address_of(work.conn, found.host))


def wanted(work: Work, flavor: Mapping[str, Any]) -> hosts.Wanted:
    """What a server of the flavor needs of a host."""
    amounts: dict[str, Any] = {**moves.amounts(flavor)}
    return hosts.Wanted(**amounts, alive_since=work.deps.alive_since(work.now))


def following(work: Work) -> tuple[steps.Step, ...]:
    """Steps that bring what the server has from other services to its destination."""
    return tuple(steps.Step(supply.to_dest, steps.CONDUCTOR, undo=supply.to_source) for supply in supplies.wanted(work))


def returning(work: Work) -> tuple[steps.Step, ...]:
    """Steps that bring it back to where the server was."""
    return tuple(steps.Step(supply.to_source, steps.CONDUCTOR, undo=supply.to_dest) for supply in supplies.wanted(work))


def show(work: Work, **values: Any) -> None:
    """Change the row of ``migrations``."""
    migrations.update(work.conn, work.params[MIGRATION], **values)


def row(work: Work) -> Any:
    """The row of ``migrations``."""
    return migrations.get(work.conn, work.params[MIGRATION])


def next_host(work: Work, error: Mapping[str, Any]) -> bool:
    """Leave the destination to which the server did not get; whether to look for another one."""
    params = work.params
    leave(work, params[steps.DEST])
    tried = [*params.get(TRIED, ()), params[steps.DEST]]
    params.update({TRIED: tried, 'last_failure': error.get('message')})
    return not params.get('host') and len(tried) < work.deps.conf.scheduler.max_attempts


def leave(work: Work, host: str) -> None:
    """Give back what the server has on a host that it leaves, or to which it did not get."""
    if host == work.server.host:
        # It was to stay where it is: what it has there is what its flavor says.
        claims.shrink(work.conn, work.server.uuid, host, moves.amounts(work.server.flavor))
    else:
        claims.release(work.conn, work.server.uuid, host)


def fits(work: Work) -> None:
    """Only the server's own host has anything for it, and as much as its flavor says."""
    claims.keep_only(work.conn, work.server.uuid, work.server.host)
    claims.shrink(work.conn, work.server.uuid, work.server.host, moves.amounts(work.server.flavor))


def over(work: Work, status: str) -> None:
    """The move has come to an end; the quota is what the server's flavor says."""
    found = row(work)
    if found is None or found.status in moves.OVER:
        return
    show(work, status=status)
    surplus = migrations.surplus_of(found, work.server.flavor)
    if any(surplus.values()):
        quotas.give_back(work.conn, work.server.project_id, surplus)


def zone_of(work: Work, host: str) -> str:
    """The availability zone of a host."""
    zones = aggregates.zones_by_host(work.conn, [host])
    return zones.get(host, str(work.deps.conf.default_availability_zone))


def explained(error: errors.NoValidHost) -> dict[str, Any]:
    """The error of an operation for which there is no host."""
    return {'code': 500, 'message': str(error), 'details': explain.listing(error)}


def refuse(work: Work, event: str, error: Mapping[str, Any]) -> None:
    """Let the owner of the server read why it has not moved."""
    work.note(event, 'Error', str(error.get('message')), error.get('details'))


def lost(work: Work, error: Mapping[str, Any]) -> None:
    """The server is nowhere that anybody knows of: say so, and end the operation."""
    over(work, moves.ERROR)
    fits(work)
    work.change(vm_state=states.ERROR, task_state=None, fault=base.fault(error, work.now))
    work.fail(error)
