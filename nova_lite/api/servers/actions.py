# SPDX-License-Identifier: Apache-2.0
"""Actions on one server: power, locks, the console log, a state that is reset."""

import re

from nova_lite.api.servers import rules
from nova_lite.ops import change, console, power
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.window import since

# What has no place in JSON that people read; line ends and tabs stay.
_CONTROL = re.compile('[\x00-\x08\x0b-\x1f]')

LOCK_HAS_REASON = 'a lock has a reason'
LOCK_FLAGS = ((LOCK_HAS_REASON, since(73)),)


def start(call: Call) -> None:
    """Start a server that is stopped."""
    power.start(call.services, call.context, power.StartServer(call.target, call.context.is_admin))


def stop(call: Call) -> None:
    """Stop a server."""
    power.stop(call.services, call.context, power.StopServer(call.target, call.context.is_admin))


def reboot(call: Call) -> None:
    """Reboot a server, softly or hard."""
    power.reboot(call.services, call.context, power.RebootServer(
        call.target, call.body['type'].upper(), call.context.is_admin))


def lock(call: Call) -> None:
    """Lock a server: from then on only an administrator changes it."""
    told = call.has(LOCK_HAS_REASON) and call.body
    reason = call.body.get('locked_reason') if told else None
    change.lock(call.services, call.context, change.LockServer(call.target, reason))


def unlock(call: Call) -> None:
    """Unlock a server."""
    change.unlock(call.services, call.context, change.UnlockServer(call.target, call.can(rules.UNLOCK_OVERRIDE)))


def reset_state(call: Call) -> None:
    """Say that a server is active, or in error."""
    change.reset_state(call.services, call.context, change.ResetServerState(call.target, call.body['state']))


def console_output(call: Call) -> dict[str, str]:
    """Show the end of the console log."""
    length = call.body.get('length')
    lines = None if length is None else int(length)
    text = console.output(call.services, call.context, console.ReadConsole(call.target, lines))
    return {'output': _CONTROL.sub('', text)}
