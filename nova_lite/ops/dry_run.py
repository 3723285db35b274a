# SPDX-License-Identifier: Apache-2.0
"""Ask for servers without getting them: what a create would say, where they would go, and why not elsewhere.

It is the create itself, with its checks, its quota and its groups, and the scheduler's decision behind it, in
one transaction that is rolled back.  So it cannot say anything else than the create would at this moment.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from nova_lite.auth.context import RequestContext
from nova_lite.model import times
from nova_lite.ops import create, create_checks
from nova_lite.ops.base import Deps

#: Servers of one request that are placed; for more of them the hosts would be locked for too long.
MOST = 50


class Foreseen(Protocol):
    """What would become of servers that a create makes.

    ``places`` are (zone, host, hypervisor) of those that have one.  ``reason`` counts the hosts that are out by
    what they lack, and ``others`` has (host, reason, wanted, had) of some of them.
    """

    @property
    def places(self) -> Sequence[tuple[str, str, str]]:
        """Of the servers, as far as they find one."""

    @property
    def possible(self) -> bool:
        """Whether all of them do."""

    @property
    def reason(self) -> str:
        """Why other hosts are out, or all."""

    @property
    def others(self) -> Sequence[tuple[str, str, object, object]]:
        """The hosts that are out."""


class Foresight(Protocol):
    """The scheduler, asked for what it would do."""

    def foresee(self, conn: Any, uuids: Sequence[str], placing: Mapping[str, Any], now: Any) -> Foreseen:
        """Place the servers one after another in this transaction."""


class _Enough(Exception):
    """Ends the transaction with what was found out."""

    def __init__(self, servers: int, foreseen: Any) -> None:
        super().__init__()
        self.found = servers, foreseen


def dry_run(deps: Deps, foresight: Foresight, context: RequestContext,
            command: create.CreateServers) -> tuple[int, Foreseen]:
    """How many servers there would be, and what would become of them; or the error of the create."""
    template, owner = create.prepare(deps, context, command)
    try:
        deps.db.transaction(_try, foresight, context, command, template, owner)
    except _Enough as enough:
        return enough.found
    raise AssertionError('a dry run was not rolled back')


def _try(conn: Any, foresight: Foresight, context: RequestContext, command: create.CreateServers,
         template: Mapping[str, Any], owner: Any) -> None:
    created, _ = create.store(conn, context, command, template, owner)
    uuids = [server['uuid'] for server in created.servers]
    raise _Enough(len(uuids), foresight.foresee(conn, uuids[:MOST], create_checks.placing(command), times.utcnow()))
