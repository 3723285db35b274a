# SPDX-License-Identifier: Apache-2.0
"""Rescue. Source: compute API reference, "Servers - run an action"; microversion 2.87 (servers on volumes)."""

from nova_lite.api.servers import bodies
from nova_lite.api.servers.acting import action, password, shown_password
from nova_lite.auth import policy
from nova_lite.ops import rescue as ops
from nova_lite.wsgi import kinds
from nova_lite.wsgi.body import Choice, Object, Prop, wrapped
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import answer
from nova_lite.wsgi.formats import NULL, UUID
from nova_lite.wsgi.window import ALWAYS, since

RESCUE = 'os_compute_api:os-rescue'
UNRESCUE = 'os_compute_api:os-unrescue'
_ACTION = '/servers/{id}/action'

RULES = (
    policy.rule(RESCUE, policy.MEMBER_OR_ADMIN, 'Rescue a server.', ('POST', _ACTION + ' (rescue)')),
    policy.rule(UNRESCUE, policy.MEMBER_OR_ADMIN, 'End the rescue of a server.', ('POST', _ACTION + ' (unrescue)')),
)

BODY = wrapped('rescue', Choice((NULL, ALWAYS), (Object(
    Prop('adminPass', bodies.text(4096)),
    Prop('rescue_image_ref', UUID)), ALWAYS)))


ON_VOLUME = 'a server on a volume can be rescued'


def rescue(call: Call) -> dict[str, str]:
    """Boot a server from another image, to mend its disk."""
    body = call.body or {}
    made = password(call, body.get('adminPass'))
    ops.rescue(call.services, call.context, ops.RescueServer(
        call.target, made, body.get('rescue_image_ref'), call.has(ON_VOLUME), call.context.is_admin))
    return shown_password(call, made)


def unrescue(call: Call) -> None:
    """Boot a server from its own disk again."""
    ops.unrescue(call.services, call.context, ops.UnrescueServer(call.target, call.context.is_admin))


ACTIONS = (
    action('rescue', rescue, RESCUE, BODY, flags=((ON_VOLUME, since(87)),), answers=answer(200),
           reply=kinds.record({}, {'adminPass': kinds.TEXT}), errors=(400, 404, 409, 501)),
    action('unrescue', unrescue, UNRESCUE, bodies.bare('unrescue'), errors=(404, 409, 501)),
)
