# SPDX-License-Identifier: Apache-2.0
"""Consoles of guests: what they wrote, and tokens with which proxies let a client in."""

import datetime
import uuid
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

from oslo_config import cfg

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.db.engine import Database
from nova_lite.db.queries import consoles, servers
from nova_lite.model import times
from nova_lite.objects.server import Server, of_row


class Compute(Protocol):
    """What is asked of a compute host."""

    def get_console_output(self, context: RequestContext, host: str, server: Server,
                           tail_length: int | None) -> str:
        """The last lines of the console."""

    def get_console(self, context: RequestContext, host: str, server: Server, kind: str) -> dict[str, Any]:
        """Where a console is."""

    def get_diagnostics(self, context: RequestContext, host: str, server: Server) -> dict[str, Any]:
        """What the hypervisor counts."""


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


@dataclass(frozen=True)
class OpenConsole:
    """Let somebody into a console of a kind: novnc, spice-html5, spice-direct, serial, webmks."""

    server: Any
    kind: str


def output(deps: Deps, context: RequestContext, command: ReadConsole) -> str:
    """The text; ``Conflict`` for a server that is on no host, ``NotFound`` when the host has no guest of it."""
    host, server = _on_host(deps, command.server, 'has no console')
    return deps.compute.get_console_output(context, host, server, command.lines)


def open_console(deps: Deps, context: RequestContext, command: OpenConsole) -> str:
    """The URL of the console's proxy, with a token that opens it for ``[consoleauth] token_ttl`` seconds."""
    host, server = _on_host(deps, command.server, 'has no console')
    found = deps.compute.get_console(context, host, server, command.kind)
    token, now = str(uuid.uuid4()), times.utcnow()
    deps.db.transaction(consoles.insert, token, {
        'console_type': command.kind, 'server_uuid': server.uuid, 'host': found['host'], 'port': found['port'],
        'tls_port': found['tls_port'], 'internal_access_path': found['internal_access_path'],
        'expires_at': now + datetime.timedelta(seconds=deps.conf.consoleauth.token_ttl)}, now)
    # noVNC hands what stands in its own parameter ``path`` on to the proxy.
    query = {'path': f'?token={token}'} if command.kind == 'novnc' else {'token': token}
    return f'{found["base_url"]}?{urlencode(query)}'


def diagnostics(deps: Deps, context: RequestContext, server: Any) -> dict[str, Any]:
    """What the hypervisor counts of a server; ``Conflict`` for one that does not run."""
    host, known = _on_host(deps, server, 'has nothing to be counted')
    return deps.compute.get_diagnostics(context, host, known)


def _on_host(deps: Deps, server: Any, otherwise: str) -> tuple[str, Server]:
    if server.host is None:
        raise errors.Conflict(reason=f'Server {server.uuid} is on no host yet, so it {otherwise}.')
    with deps.db.read() as conn:
        row = servers.get(conn, server.uuid)
    return server.host, of_row(row, deps.conf.instance_name_template % row.id)
