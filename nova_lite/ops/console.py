# SPDX-License-Identifier: Apache-2.0
"""Consoles of guests: what they wrote, and tokens with which proxies let a client in."""

import datetime
import logging
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

from oslo_config import cfg

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.db.engine import Database
from nova_lite.db.queries import consoles, servers
from nova_lite.model import states, times
from nova_lite.objects.server import Server, of_row

LOG = logging.getLogger(__name__)

#: Where a console is, as hosts tell it and tokens keep it.
_ADDRESS = ('host', 'port', 'tls_port', 'internal_access_path')

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


@dataclass(frozen=True)
class UseToken:
    """Be let to the console that a token is for, if it is of one of these kinds."""

    token: str
    kinds: Collection[str]


@dataclass(frozen=True)
class Admission:
    """A console that somebody was let to: what kind, of which server on which host, and where it listens."""

    kind: str
    server_uuid: str
    on: str
    host: str
    port: int


def output(deps: Deps, context: RequestContext, command: ReadConsole) -> str:
    """The text; ``Conflict`` for a server that is on no host, ``NotFound`` when the host has no guest of it."""
    host, server = _on_host(deps, command.server, 'has no console')
    return deps.compute.get_console_output(context, host, server, command.lines)


def open_console(deps: Deps, context: RequestContext, command: OpenConsole) -> str:
    """The URL of the console's proxy, with a token that opens it for ``[consoleauth] token_ttl`` seconds."""
    host, server = _on_host(deps, command.server, 'has no console')
    found = deps.compute.get_console(context, host, server, command.kind)
    token, now = str(uuid.uuid4()), times.utcnow()
    deps.db.transaction(_keep, host, token, {
        'console_type': command.kind, 'server_uuid': server.uuid, **{name: found[name] for name in _ADDRESS},
        'expires_at': now + datetime.timedelta(seconds=deps.conf.consoleauth.token_ttl)}, now)
    # noVNC hands what stands in its own parameter ``path`` on to the proxy.
    query = {'path': f'?token={token}'} if command.kind == 'novnc' else {'token': token}
    return f'{found["base_url"]}?{urlencode(query)}'


def _keep(conn: Any, host: str, token: str, values: dict[str, Any], now: datetime.datetime) -> None:
    # Had the server left the host since it was asked, its tokens would have been revoked already, but for this one.
    row = servers.hold(conn, values['server_uuid'])
    if row is None or row.deleted or row.host != host:
        raise errors.Conflict(reason=f'Server {values["server_uuid"]} is leaving its host.')
    consoles.insert(conn, token, values, now)


def use_token(deps: Deps, context: RequestContext, command: UseToken) -> Admission:
    """Where the console of a token is; ``NotFound`` if it opens none, or none here, and ``Conflict`` if no longer.

    A token is good for once. It is looked up by its hash, so how long that takes tells nothing of it. The host of the
    server is asked again where the console is, since another guest may listen there by now.
    """
    now = times.utcnow()
    found = deps.db.transaction(consoles.take, command.token, command.kinds, now)
    if found is None:
        raise errors.NotFound('No console has this token, or not any more.')
    with deps.db.read() as conn:
        row = servers.get(conn, found.server_uuid)
    if row.host is None or row.vm_state == states.SOFT_DELETED or row.task_state == states.DELETING:
        raise errors.Conflict(reason=f'Server {row.uuid} has no console any more.')
    server = of_row(row, deps.conf.instance_name_template % row.id)
    present = deps.compute.get_console(context, row.host, server, found.console_type)
    if any(present[name] != getattr(found, name) for name in _ADDRESS):
        LOG.warning('The %s console of server %s is not where it was when the token was made', found.console_type,
                    row.uuid)
        raise errors.Conflict(reason=f'The console of server {row.uuid} is elsewhere by now; open it again.')
    return Admission(found.console_type, row.uuid, row.host, found.host, found.port)


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
