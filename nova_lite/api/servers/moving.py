# SPDX-License-Identifier: Apache-2.0
"""Resize, migrate, live migrate, evacuate.

Source: compute API reference, "Servers - run an action" and "Servers - run an administrative action";
microversions 2.14, 2.29, 2.68 and 2.95 (evacuate), 2.25, 2.30, 2.34 and 2.68 (live migration), 2.56
(migrate to a host).
"""

from nova_lite import errors
from nova_lite.api.servers import bodies
from nova_lite.api.servers.acting import action, password, shown_password
from nova_lite.auth import policy
from nova_lite.ops import evacuate as evacuation
from nova_lite.ops import live_migrate as live
from nova_lite.ops import resize as ops
from nova_lite.wsgi import kinds
from nova_lite.wsgi.body import Choice, Object, Prop, wrapped
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import answer
from nova_lite.wsgi.formats import ANY, BOOLEAN, NULL, as_bool
from nova_lite.wsgi.window import only, since, until

_SERVERS = 'os_compute_api:servers:'
_MIGRATE = 'os_compute_api:os-migrate-server:'
RESIZE, CONFIRM, REVERT = f'{_SERVERS}resize', f'{_SERVERS}confirm_resize', f'{_SERVERS}revert_resize'
MIGRATE, MIGRATE_TO = f'{_MIGRATE}migrate', f'{_MIGRATE}migrate:host'
LIVE, LIVE_TO = f'{_MIGRATE}migrate_live', f'{_MIGRATE}migrate_live:host'
EVACUATE = 'os_compute_api:os-evacuate'
_ACTION = '/servers/{id}/action'

RULES = (
    policy.rule(RESIZE, policy.MEMBER_OR_ADMIN, 'Resize a server.', ('POST', _ACTION + ' (resize)')),
    policy.rule(CONFIRM, policy.MEMBER_OR_ADMIN, 'Confirm that a server was resized or migrated.',
                ('POST', _ACTION + ' (confirmResize)')),
    policy.rule(REVERT, policy.MEMBER_OR_ADMIN, 'Undo the resize or the migration of a server.',
                ('POST', _ACTION + ' (revertResize)')),
    policy.rule(MIGRATE, policy.MANAGER_OR_ADMIN, 'Migrate a server.', ('POST', _ACTION + ' (migrate)')),
    policy.rule(MIGRATE_TO, policy.ADMIN, 'Migrate a server to a host of choice.', ('POST', _ACTION + ' (migrate)')),
    policy.rule(LIVE, policy.MANAGER_OR_ADMIN, 'Migrate a server while it runs.',
                ('POST', _ACTION + ' (os-migrateLive)')),
    policy.rule(LIVE_TO, policy.ADMIN, 'Migrate a server while it runs to a host of choice.',
                ('POST', _ACTION + ' (os-migrateLive)')),
    policy.rule(EVACUATE, policy.ADMIN, 'Make a server anew whose host is down.', ('POST', _ACTION + ' (evacuate)')),
)

_HOST = bodies.text(255, 1, pattern=r'^[a-zA-Z0-9._-]*$(?!\n)')

RESIZE_BODY = wrapped('resize', Object(
    Prop('flavorRef', {'type': ['string', 'integer'], 'minLength': 1, 'maxLength': 255}, required=True),
    Prop('OS-DCF:diskConfig', bodies.DISK_CONFIG)))
MIGRATE_BODY = wrapped('migrate', Choice(
    (ANY, until(55)),
    (NULL, since(56)),
    (Object(Prop('host', bodies.or_null(_HOST))), since(56))))
LIVE_BODY = wrapped('os-migrateLive', Object(
    Prop('host', bodies.or_null(_HOST), required=True),
    Prop('block_migration', BOOLEAN, until(24), required=True),
    Prop('block_migration', {'type': ['boolean', 'string'], 'enum': [*BOOLEAN['enum'], 'auto']}, since(25),
         required=True),
    Prop('disk_over_commit', BOOLEAN, until(24), required=True),
    Prop('force', BOOLEAN, only(30, 67))))
EVACUATE_BODY = wrapped('evacuate', Object(
    Prop('host', _HOST),
    Prop('onSharedStorage', BOOLEAN, until(13), required=True),
    Prop('adminPass', bodies.text(4096)),
    Prop('force', BOOLEAN, only(29, 67))))

HOST_MAY_BE_NAMED = 'a host may be named'
CHECKED_AT_ONCE = 'what makes it impossible is an error of the call'
HOST_IS_FORCED = 'a named host is not checked by the scheduler'
TELLS_PASSWORD = 'the answer tells the password'
STAYS_OFF = 'an evacuated server does not run until it is started'
MIGRATE_FLAGS = ((HOST_MAY_BE_NAMED, since(56)),)
LIVE_FLAGS = ((CHECKED_AT_ONCE, until(33)), (HOST_IS_FORCED, until(29)))
EVACUATE_FLAGS = ((HOST_IS_FORCED, until(28)), (TELLS_PASSWORD, until(13)), (STAYS_OFF, since(95)))


def resize(call: Call) -> None:
    """Give a server another flavor."""
    ops.resize(call.services, call.context, ops.ResizeServer(
        call.target, str(call.body['flavorRef']), call.body.get('OS-DCF:diskConfig'), call.context.is_admin))


def confirm(call: Call) -> None:
    """Keep what a resize or a migration made of a server."""
    ops.confirm(call.services, call.context, ops.ConfirmResize(call.target, call.context.is_admin))


def revert(call: Call) -> None:
    """Undo a resize or a migration."""
    ops.revert(call.services, call.context, ops.RevertResize(call.target, call.context.is_admin))


def migrate(call: Call) -> None:
    """Bring a server to another host; it is off meanwhile."""
    # Before 2.56 nobody looks at what the body says.
    host = call.body.get('host') if call.has(HOST_MAY_BE_NAMED) and call.body else None
    if host is not None:
        call.authorize(MIGRATE_TO)
    ops.migrate(call.services, call.context, ops.MigrateServer(call.target, host, call.context.is_admin))


def live_migrate(call: Call) -> None:
    """Bring a server to another host while it runs."""
    body = call.body
    host = body['host']
    if host is not None:
        call.authorize(LIVE_TO)
    block = body['block_migration']
    live.live_migrate(call.services, call.context, live.LiveMigrateServer(
        call.target, host, _forced(call, host), None if block == 'auto' else as_bool(block),
        as_bool(body.get('disk_over_commit', False)), call.has(CHECKED_AT_ONCE), call.context.is_admin))


def evacuate(call: Call) -> dict[str, str] | None:
    """Make a server anew on another host, because its own one is down."""
    body = call.body
    shared = as_bool(body.get('onSharedStorage', False))
    if shared and 'adminPass' in body:
        raise errors.Invalid('Invalid input for evacuate/adminPass: a server on shared storage keeps its disk, and '
                             'the password with it.')
    host = body.get('host')
    made = password(call, body.get('adminPass'))
    evacuation.evacuate(call.services, call.context, evacuation.EvacuateServer(
        call.target, host, _forced(call, host), call.has(STAYS_OFF), made, call.context.is_admin))
    return shown_password(call, made) if call.has(TELLS_PASSWORD) else None


def _forced(call: Call, host: str | None) -> bool:
    """Whether the scheduler has to take the host that was named."""
    if call.has(HOST_IS_FORCED):
        return host is not None
    forced = as_bool(call.body.get('force', False))
    if forced and host is None:
        raise errors.Invalid('Invalid input for force: there is no host that it could mean.')
    return forced


ACTIONS = (
    action('resize', resize, RESIZE, RESIZE_BODY, errors=(400, 403, 404, 409, 501)),
    action('confirmResize', confirm, CONFIRM, bodies.bare('confirmResize'), answers=answer(204),
           errors=(400, 404, 409)),
    action('revertResize', revert, REVERT, bodies.bare('revertResize'), errors=(400, 404, 409)),
    action('migrate', migrate, MIGRATE, MIGRATE_BODY, flags=MIGRATE_FLAGS, errors=(400, 403, 404, 409, 501)),
    action('os-migrateLive', live_migrate, LIVE, LIVE_BODY, flags=LIVE_FLAGS, errors=(400, 403, 404, 409, 501)),
    action('evacuate', evacuate, EVACUATE, EVACUATE_BODY, flags=EVACUATE_FLAGS, answers=answer(200),
           reply=((kinds.record({}, {'adminPass': kinds.TEXT}), until(13)),), errors=(400, 403, 404, 409)),
)
