# SPDX-License-Identifier: Apache-2.0
"""Shelve and unshelve. Source: compute API reference, "Servers - run an action"; microversions 2.77 (zone) and
2.91 (host, and no zone at all)."""

from nova_lite.api.servers import bodies
from nova_lite.api.servers.acting import action
from nova_lite.auth import policy
from nova_lite.ops import shelve as ops
from nova_lite.wsgi import formats
from nova_lite.wsgi.body import Choice, Object, Prop, wrapped
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.window import only, since, until

SHELVE = 'os_compute_api:os-shelve:shelve'
OFFLOAD = 'os_compute_api:os-shelve:shelve_offload'
UNSHELVE = 'os_compute_api:os-shelve:unshelve'
TO_HOST = 'os_compute_api:os-shelve:unshelve_to_host'
_ACTION = '/servers/{id}/action'

RULES = (
    policy.rule(SHELVE, policy.MEMBER_OR_ADMIN, 'Shelve a server.', ('POST', _ACTION + ' (shelve)')),
    policy.rule(OFFLOAD, policy.ADMIN, 'Take a shelved server off its host.', ('POST', _ACTION + ' (shelveOffload)')),
    policy.rule(UNSHELVE, policy.MEMBER_OR_ADMIN, 'Bring a shelved server back.',
                ('POST', _ACTION + ' (unshelve)')),
    policy.rule(TO_HOST, policy.ADMIN, 'Bring a shelved server back to a host that is named.',
                ('POST', _ACTION + ' (unshelve)')),
)

BODY = wrapped('unshelve', Choice(
    (formats.ANY, until(76)),
    (formats.NULL, since(77)),
    (Object(Prop('availability_zone', formats.NAME, required=True)), only(77, 90)),
    (Object(Prop('availability_zone', bodies.or_null(formats.NAME)), Prop('host', bodies.text(255, 1)),
            extra={'minProperties': 1}), since(91))))
PARTICULAR = 'where a server goes can be said'
FLAGS = ((PARTICULAR, since(77)),)


def shelve(call: Call) -> None:
    """Stop a server and keep it as an image."""
    ops.shelve(call.services, call.context, ops.ShelveServer(call.target, call.context.is_admin))


def offload(call: Call) -> None:
    """Take a shelved server off its host."""
    ops.offload(call.services, call.context, ops.OffloadServer(call.target, call.context.is_admin))


def unshelve(call: Call) -> None:
    """Bring a shelved server back."""
    body = (call.body if call.has(PARTICULAR) else None) or {}
    if 'host' in body:
        call.authorize(TO_HOST)
    ops.unshelve(call.services, call.context, ops.UnshelveServer(
        call.target, body.get('availability_zone', ops.UNSAID), body.get('host'), call.context.is_admin))


ACTIONS = (
    action('shelve', shelve, SHELVE, bodies.bare('shelve'), errors=(400, 403, 404, 409, 501)),
    action('shelveOffload', offload, OFFLOAD, bodies.bare('shelveOffload'), errors=(400, 404, 409)),
    action('unshelve', unshelve, UNSHELVE, BODY, flags=FLAGS, errors=(400, 403, 404, 409)),
)
