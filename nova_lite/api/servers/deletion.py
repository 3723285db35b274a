# SPDX-License-Identifier: Apache-2.0
"""Restore and delete for good. Source: compute API reference, "Servers - run an action"."""

from nova_lite.api.servers import bodies
from nova_lite.api.servers.acting import action
from nova_lite.auth import policy
from nova_lite.ops import delete as removal
from nova_lite.ops import restore as ops
from nova_lite.wsgi.call import Call

RESTORE = 'os_compute_api:os-deferred-delete:restore'
FORCE = 'os_compute_api:os-deferred-delete:force'
_ACTION = '/servers/{id}/action'

RULES = (
    policy.rule(RESTORE, policy.MEMBER_OR_ADMIN, 'Restore a server that was deleted for a while.',
                ('POST', _ACTION + ' (restore)')),
    policy.rule(FORCE, policy.MEMBER_OR_ADMIN, 'Delete a server for good.', ('POST', _ACTION + ' (forceDelete)')),
)


def restore(call: Call) -> None:
    """Bring back a server before it is reclaimed."""
    ops.restore(call.services, call.context, ops.RestoreServer(call.target))


def force_delete(call: Call) -> None:
    """Delete a server for good, whatever is being done to it."""
    removal.delete(call.services, call.context, removal.DeleteServer(
        call.target, force=True, override_lock=call.context.is_admin))


ACTIONS = (
    action('restore', restore, RESTORE, bodies.bare('restore'), errors=(403, 404, 409)),
    action('forceDelete', force_delete, FORCE, bodies.bare('forceDelete')),
)
