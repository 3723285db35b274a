# SPDX-License-Identifier: Apache-2.0
"""Bring back a server that was deleted, but not yet reclaimed."""

from dataclasses import dataclass
from typing import Any

from nova_lite.auth.context import RequestContext
from nova_lite.ops import quotas
from nova_lite.ops.base import Act, Deps, begin

_RESTORE = Act('restore', 'restore', 'restore')


@dataclass(frozen=True)
class RestoreServer:
    """Let a server live on; it needs quota again."""

    server: Any


def restore(deps: Deps, context: RequestContext, command: RestoreServer) -> None:
    """Accept a return, or ``OverQuota``."""
    server = command.server
    known = deps.limits.of(server.project_id)
    with deps.db.read() as conn:
        limits = known.effective(conn, server.user_id)

    def book(conn: Any, row: Any) -> dict[str, Any]:
        quotas.book(conn, quotas.Owner(server.project_id, server.user_id, limits), row.flavor, 1)
        return {}

    begin(deps, context, server, _RESTORE, prepare=book)
