# SPDX-License-Identifier: Apache-2.0
"""What is asked of a guest while it runs: a crash dump, another password, to look at its network again."""

from dataclasses import dataclass, field
from typing import Any

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.db.queries import server_passwords
from nova_lite.model import states
from nova_lite.ops.base import Act, Deps, begin

_CRASH_DUMP = Act('crash_dump', 'trigger_crash_dump', 'crash_dump', needs='crash_dump')
_PASSWORD = Act('set_password', 'changePassword', 'set_password', needs='password')


@dataclass(frozen=True)
class TriggerCrashDump:
    """Interrupt a server so that its kernel dumps itself."""

    server: Any
    override_lock: bool = False


@dataclass(frozen=True)
class ChangePassword:
    """Give the administrator inside of a server another password."""

    server: Any
    password: str = field(repr=False)
    override_lock: bool = False


@dataclass(frozen=True)
class InjectNetworkInfo:
    """Tell a guest of its network; no hypervisor of today can, so nothing comes of it."""

    server: Any
    override_lock: bool = False


@dataclass(frozen=True)
class ForgetPassword:
    """Forget the password that a guest has told."""

    server: Any


def trigger_crash_dump(deps: Deps, context: RequestContext, command: TriggerCrashDump) -> None:
    """Accept a crash dump."""
    begin(deps, context, command.server, _CRASH_DUMP, override_lock=command.override_lock)


def change_password(deps: Deps, context: RequestContext, command: ChangePassword) -> None:
    """Accept a password."""
    begin(deps, context, command.server, _PASSWORD, override_lock=command.override_lock,
          params={'admin_password': command.password})


def inject_network_info(deps: Deps, context: RequestContext, command: InjectNetworkInfo) -> None:
    """See whether it could be done."""
    states.check_lock('inject_network_info', command.server, command.override_lock)
    if command.server.host is None:
        raise errors.Conflict(reason=f'Server {command.server.uuid} is on no host, so there is no guest to tell.')


def forget_password(deps: Deps, context: RequestContext, command: ForgetPassword) -> None:
    """Forget it; the guest keeps it."""
    deps.db.transaction(server_passwords.store, command.server.uuid, '')
