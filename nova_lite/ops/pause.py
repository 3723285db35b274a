# SPDX-License-Identifier: Apache-2.0
"""Pause and suspend, and the ways back."""

from dataclasses import dataclass
from typing import Any

from nova_lite.auth.context import RequestContext
from nova_lite.ops.base import Act, Deps, begin

_PAUSE = Act('pause', 'pause', 'pause', needs='pause')
_UNPAUSE = Act('unpause', 'unpause', 'unpause', needs='pause')
_SUSPEND = Act('suspend', 'suspend', 'suspend', needs='suspend')
_RESUME = Act('resume', 'resume', 'resume', needs='suspend')


@dataclass(frozen=True)
class PauseServer:
    """Stop the processors of a server; its memory stays where it is."""

    server: Any
    override_lock: bool = False


@dataclass(frozen=True)
class UnpauseServer:
    """Let a paused server go on."""

    server: Any
    override_lock: bool = False


@dataclass(frozen=True)
class SuspendServer:
    """Put a server to sleep on its disk."""

    server: Any
    override_lock: bool = False


@dataclass(frozen=True)
class ResumeServer:
    """Wake a suspended server."""

    server: Any
    override_lock: bool = False


def pause(deps: Deps, context: RequestContext, command: PauseServer) -> None:
    """Accept a pause."""
    begin(deps, context, command.server, _PAUSE, override_lock=command.override_lock)


def unpause(deps: Deps, context: RequestContext, command: UnpauseServer) -> None:
    """Accept the end of a pause."""
    begin(deps, context, command.server, _UNPAUSE, override_lock=command.override_lock)


def suspend(deps: Deps, context: RequestContext, command: SuspendServer) -> None:
    """Accept a suspension."""
    begin(deps, context, command.server, _SUSPEND, override_lock=command.override_lock)


def resume(deps: Deps, context: RequestContext, command: ResumeServer) -> None:
    """Accept a resumption."""
    begin(deps, context, command.server, _RESUME, override_lock=command.override_lock)
