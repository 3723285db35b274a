# SPDX-License-Identifier: Apache-2.0
"""Reading what a guest wrote to its console."""

from dataclasses import dataclass
from typing import Any, Protocol

from oslo_config import cfg

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.db.engine import Database
from nova_lite.db.queries import servers
from nova_lite.objects.server import Server, of_row


class Compute(Protocol):
    """What is asked of a compute host."""

    def get_console_output(self, context: RequestContext, host: str, server: Server,
                           tail_length: int | None) -> str:
        """The last lines of the console."""


class Deps(Protocol):
    """What this command works with."""

    db: Database
    conf: cfg.ConfigOpts
    compute: Compute


@dataclass(frozen=True)
class ReadConsole:
    """The last ``lines`` lines of a server's console; all that there are for None or -1."""

    server: Any
    lines: int | None = None


def output(deps: Deps, context: RequestContext, command: ReadConsole) -> str:
    """The text; ``Conflict`` for a server that is on no host, ``NotFound`` when the host has no guest of it."""
    if command.server.host is None:
        raise errors.Conflict(reason=f'Server {command.server.uuid} is on no host yet, so it has no console.')
    with deps.db.read() as conn:
        row = servers.get(conn, command.server.uuid)
    return deps.compute.get_console_output(
        context, command.server.host, of_row(row, deps.conf.instance_name_template % row.id), command.lines)
