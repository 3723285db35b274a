# SPDX-License-Identifier: Apache-2.0
"""Evacuate a server: make it anew on another host, because its own one is down."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.db.queries import hosts
from nova_lite.model import moves
from nova_lite.model.power import Power
from nova_lite.ops.base import Act, Deps, begin
from nova_lite.ops.moves import is_up, record, settle

_EVACUATE = Act('evacuate', 'evacuate', 'evacuate')


@dataclass(frozen=True)
class EvacuateServer:
    """Make a server anew on ``host``, or on any; ``stays_off``: it does not run there until it is started.

    ``forced``: no filter is asked about ``host``.
    """

    server: Any
    host: str | None = None
    forced: bool = False
    stays_off: bool = False
    password: str | None = field(default=None, repr=False)
    override_lock: bool = False


def evacuate(deps: Deps, context: RequestContext, command: EvacuateServer) -> None:
    """Accept an evacuation; ``Invalid`` if the server's host works."""
    if command.host is not None:
        _check_target(deps, command)

    def prepare(conn: Any, server: Any) -> Mapping[str, Any]:
        if server.host is None:
            raise errors.Conflict(reason=f'Server {server.uuid} is on no host that it could be evacuated from.')
        if is_up(deps, conn, server.host):
            raise errors.Invalid(reason=f'Host {server.host} of server {server.uuid} is up; servers are evacuated only '
                                        'from hosts that are down.')
        settle(conn, server)
        params = {**record(conn, context, server, moves.EVACUATION, moves.ACCEPTED), 'host': command.host,
                  'forced': command.forced}
        if command.stays_off:
            params['power'] = int(Power.SHUTDOWN)
        if command.password is not None:
            params['admin_password'] = command.password
        return params

    begin(deps, context, command.server, _EVACUATE, override_lock=command.override_lock, prepare=prepare)


def _check_target(deps: Deps, command: EvacuateServer) -> None:
    with deps.db.read() as conn:
        if not hosts.exists(conn, command.host, None):
            raise errors.HostNotFound(host=command.host)
    if command.host == command.server.host:
        raise errors.Invalid(reason=f'Server {command.server.uuid} cannot be evacuated to its own host {command.host}.')
