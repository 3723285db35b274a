# SPDX-License-Identifier: Apache-2.0
"""Pause and suspend. Source: compute API reference, "Servers - run an action"."""

from nova_lite.api.servers import bodies
from nova_lite.api.servers.acting import action
from nova_lite.auth import policy
from nova_lite.ops import pause as ops
from nova_lite.wsgi.call import Call

PAUSE = 'os_compute_api:os-pause-server:pause'
UNPAUSE = 'os_compute_api:os-pause-server:unpause'
SUSPEND = 'os_compute_api:os-suspend-server:suspend'
RESUME = 'os_compute_api:os-suspend-server:resume'
_ACTION = '/servers/{id}/action'

RULES = (
    policy.rule(PAUSE, policy.MEMBER_OR_ADMIN, 'Pause a server.', ('POST', _ACTION + ' (pause)')),
    policy.rule(UNPAUSE, policy.MEMBER_OR_ADMIN, 'Unpause a server.', ('POST', _ACTION + ' (unpause)')),
    policy.rule(SUSPEND, policy.MEMBER_OR_ADMIN, 'Suspend a server.', ('POST', _ACTION + ' (suspend)')),
    policy.rule(RESUME, policy.MEMBER_OR_ADMIN, 'Resume a server.', ('POST', _ACTION + ' (resume)')),
)


def pause(call: Call) -> None:
    """Pause a server."""
    ops.pause(call.services, call.context, ops.PauseServer(call.target, call.context.is_admin))


def unpause(call: Call) -> None:
    """Unpause a server."""
    ops.unpause(call.services, call.context, ops.UnpauseServer(call.target, call.context.is_admin))


def suspend(call: Call) -> None:
    """Suspend a server."""
    ops.suspend(call.services, call.context, ops.SuspendServer(call.target, call.context.is_admin))


def resume(call: Call) -> None:
    """Resume a suspended server."""
    ops.resume(call.services, call.context, ops.ResumeServer(call.target, call.context.is_admin))


ACTIONS = (
    action('pause', pause, PAUSE, bodies.bare('pause'), errors=(404, 409, 501)),
    action('unpause', unpause, UNPAUSE, bodies.bare('unpause'), errors=(404, 409, 501)),
    action('suspend', suspend, SUSPEND, bodies.bare('suspend'), errors=(400, 403, 404, 409, 501)),
    action('resume', resume, RESUME, bodies.bare('resume'), errors=(404, 409, 501)),
)
