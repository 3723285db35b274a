# SPDX-License-Identifier: Apache-2.0
"""Start, stop and reboot."""

from dataclasses import dataclass
from typing import Any

from nova_lite.auth.context import RequestContext
from nova_lite.ops.base import Act, Deps, begin

_START = Act('start', 'start', 'start')
_STOP = Act('stop', 'stop', 'stop')
_REBOOT = {'SOFT': Act('reboot_soft', 'reboot', 'reboot'), 'HARD': Act('reboot_hard', 'reboot', 'reboot')}


@dataclass(frozen=True)
class StartServer:
    """Boot a stopped server."""

    server: Any
    override_lock: bool = False


@dataclass(frozen=True)
class StopServer:
    """Shut a server down."""

    server: Any
    override_lock: bool = False


@dataclass(frozen=True)
class RebootServer:
    """Start a server anew; ``manner`` is SOFT or HARD."""

    server: Any
    manner: str
    override_lock: bool = False


def start(deps: Deps, context: RequestContext, command: StartServer) -> None:
    """Accept a start."""
    begin(deps, context, command.server, _START, override_lock=command.override_lock)


def stop(deps: Deps, context: RequestContext, command: StopServer) -> None:
    """Accept a stop."""
    begin(deps, context, command.server, _STOP, override_lock=command.override_lock)


def reboot(deps: Deps, context: RequestContext, command: RebootServer) -> None:
    """Accept a reboot."""
    begin(deps, context, command.server, _REBOOT[command.manner], override_lock=command.override_lock,
          params={'type': command.manner})
