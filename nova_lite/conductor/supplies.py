# SPDX-License-Identifier: Apache-2.0
"""What servers have from other services, and the steps in which a conductor gets it for them and gives it back.

Each service registers a ``Supply``.  Its steps are done by the conductor itself (``here``), outside of any
transaction; what they report as ``changes`` are new values of the service's column of ``servers``.  A
server that has nothing from a service costs nothing here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nova_lite.conductor.work import Work
from nova_lite.objects.operation import OperationReport

# Parameters of the operation: the host that things are made ready for; which step was done for which host; the
# steps that need no more be done.
FOR_HOST, READY, OVER = 'for_host', 'ready', 'over'


@dataclass(frozen=True)
class Supply:
    """One service.

    ``column`` of ``servers`` holds what a server has of it.  The steps: ``prepare`` makes it ready for the host
    named by ``FOR_HOST``; ``complete`` says that the guest has it; ``release`` gives all of it back; ``to_dest`` and
    ``to_source`` let it follow a server that moves between the hosts that the operation names, or goes back.
    ``leave`` lets go of the host of a server that goes to no other one.  ``counts`` says whether what the column
    holds is anything of the service; ``begin`` runs in the transaction that asks for ``prepare``; ``drop`` in one
    that ends a server which was not built, and leaves on the work list what has to be given back.
    """

    column: str
    prepare: str
    release: str
    to_dest: str
    to_source: str
    drop: Callable[[Work], None]
    complete: str = ''
    leave: str = ''
    begin: Callable[[Work], None] = lambda work: None
    counts: Callable[[Any], bool] = bool


SUPPLIES: list[Supply] = []


def register(supply: Supply) -> None:
    """Add a service; all of them are asked in the order in which they came."""
    if supply not in SUPPLIES:
        SUPPLIES.append(supply)


def wanted(work: Work) -> list[Supply]:
    """Those of which the server has, or is to have, anything."""
    return [supply for supply in SUPPLIES if supply.counts(getattr(work.server, supply.column, None))]


def before(work: Work, host: str) -> bool:
    """Whether the conductor has to do something before the host is asked; the work says what."""
    ready = work.params.get(READY) or {}
    for supply in wanted(work):
        if ready.get(supply.prepare) != host:
            work.params[FOR_HOST] = host
            supply.begin(work)
            work.step = supply.prepare
            return True
    return False


def after(work: Work) -> bool:
    """Whether the conductor has to do something after the host did its part."""
    return _next(work, [supply.complete for supply in wanted(work) if supply.complete])


def giving_back(work: Work) -> bool:
    """Whether the conductor has to give something back."""
    return _next(work, [supply.release for supply in wanted(work)])


def leaving(work: Work) -> bool:
    """Whether the conductor has to let go of the host that the server has left."""
    return _next(work, [supply.leave for supply in wanted(work) if supply.leave])


def _next(work: Work, steps: list[str]) -> bool:
    for step in steps:
        if step not in work.params.get(OVER, ()):
            work.step = step
            return True
    return False


def took(work: Work, report: OperationReport) -> bool:
    """Whether the report is of one of these steps; what it says is stored."""
    step = work.operation.step
    keep(work, report)
    for supply in SUPPLIES:
        if step == supply.prepare:
            work.params[READY] = {**(work.params.get(READY) or {}), step: work.params[FOR_HOST]}
            return True
        if step and step in (supply.complete, supply.leave, supply.release):
            work.params[OVER] = [*work.params.get(OVER, ()), step]
            return True
    return False


def is_own(work: Work) -> bool:
    """Whether the step that is being done is one of these, and not one of a host."""
    return any(work.operation.step in (supply.prepare, supply.complete, supply.leave, supply.release)
               for supply in SUPPLIES)


def keep(work: Work, report: OperationReport) -> None:
    """Store what a step of ours says that the server has now."""
    values: dict[str, Any] = {
        name: report.changes[name] for name in _columns() if report.host == work.deps.name and name in report.changes}
    if values:
        work.change(**values)


def _columns() -> list[str]:
    return ['addresses', 'security_groups', *(supply.column for supply in SUPPLIES)]


def drop(work: Work) -> None:
    """The server was not built: whatever it has is given back after this transaction."""
    for supply in wanted(work):
        supply.drop(work)
