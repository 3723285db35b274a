# SPDX-License-Identifier: Apache-2.0
"""Crash dumps, passwords, network information: what is asked of the system inside of a server.

Source: compute API reference, "Servers - run an action"; microversion 2.17 (crash dumps).
"""

from nova_lite.api.servers import bodies
from nova_lite.api.servers.acting import action
from nova_lite.auth import policy
from nova_lite.ops import guest as ops
from nova_lite.wsgi.body import Object, Prop, wrapped
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.formats import NULL
from nova_lite.wsgi.window import since

CRASH_DUMP = 'os_compute_api:servers:trigger_crash_dump'
PASSWORD = 'os_compute_api:os-admin-password'
INJECT = 'os_compute_api:os-admin-actions:inject_network_info'
_ACTION = '/servers/{id}/action'

RULES = (
    policy.rule(CRASH_DUMP, policy.MEMBER_OR_ADMIN, 'Have a server dump its kernel.',
                ('POST', _ACTION + ' (trigger_crash_dump)')),
    policy.rule(PASSWORD, policy.MEMBER_OR_ADMIN, "Change the administrator's password of a server.",
                ('POST', _ACTION + ' (changePassword)')),
    policy.rule(INJECT, policy.ADMIN, 'Tell a server of its network.', ('POST', _ACTION + ' (injectNetworkInfo)')),
)


def trigger_crash_dump(call: Call) -> None:
    """Have a server dump its kernel."""
    ops.trigger_crash_dump(call.services, call.context, ops.TriggerCrashDump(call.target, call.context.is_admin))


def change_password(call: Call) -> None:
    """Change the administrator's password."""
    ops.change_password(call.services, call.context, ops.ChangePassword(
        call.target, call.body['adminPass'], call.context.is_admin))


def inject_network_info(call: Call) -> None:
    """Tell a server of its network, which changes nothing."""
    ops.inject_network_info(call.services, call.context, ops.InjectNetworkInfo(call.target, call.context.is_admin))


ACTIONS = (
    action('trigger_crash_dump', trigger_crash_dump, CRASH_DUMP, wrapped('trigger_crash_dump', NULL),
           when=since(17), errors=(400, 404, 409, 501)),
    action('changePassword', change_password, PASSWORD, wrapped('changePassword', Object(
        Prop('adminPass', bodies.text(4096), required=True))), errors=(404, 409, 501)),
    action('injectNetworkInfo', inject_network_info, INJECT, bodies.bare('injectNetworkInfo')),
)
