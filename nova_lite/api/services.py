# SPDX-License-Identifier: Apache-2.0
"""Services: the daemons, their heartbeats, and taking one out of use.

Source: compute API reference, "Compute services"; microversions 2.11 (forced_down), 2.53 (services have
UUIDs, and one PUT does what four did).
"""

from typing import Any

from nova_lite import errors
from nova_lite.api import shared
from nova_lite.auth import policy
from nova_lite.db.queries import aggregates
from nova_lite.db.queries import services as rows
from nova_lite.model import services as model
from nova_lite.ops import services as ops
from nova_lite.wsgi import formats, kinds
from nova_lite.wsgi.body import Body, Object, Param, Prop, Query
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import DELETE, GET, PUT, Raw, answer, many, one
from nova_lite.wsgi.view import Field, Rendering, View, column
from nova_lite.wsgi.window import since, until

# ------------------------------------------------------------------- policy

LIST_RULE = 'os_compute_api:os-services:list'
UPDATE_RULE = 'os_compute_api:os-services:update'
DELETE_RULE = 'os_compute_api:os-services:delete'

_ONE = '/os-services/{id}'

RULES = (
    policy.rule(LIST_RULE, policy.ADMIN, 'List the services.', ('GET', '/os-services')),
    policy.rule(UPDATE_RULE, policy.ADMIN, 'Enable or disable a service, or call it down.',
                ('PUT', '/os-services/{service_id}')),
    policy.rule(DELETE_RULE, policy.ADMIN, 'Forget a service.', ('DELETE', '/os-services/{service_id}')),
)

# ------------------------------------------------------------------- bodies

_NAME = {'type': 'string', 'minLength': 1, 'maxLength': 255}
_REASON = Prop('disabled_reason', {**_NAME, 'format': 'printable'})
BY_VERB = Body(Object(
    Prop('host', {**_NAME, 'pattern': '^[a-zA-Z0-9-._]*$'}, required=True),
    Prop('binary', {**_NAME, 'format': 'printable'}, required=True),
    _REASON,
    Prop('forced_down', formats.BOOLEAN, since(11)),
))
CHANGE = Body(Object(
    Prop('status', {'type': 'string', 'enum': ['enabled', 'disabled']}),
    _REASON,
    Prop('forced_down', formats.BOOLEAN),
))

LIST_QUERY = Query(Param('host', formats.TEXT), Param('binary', formats.TEXT), open_=shared.STRICT_SINCE_75)

BY_UUID = 'services are named by UUID'
CAN_FORCE_DOWN = 'force-down is one of the verbs'

# -------------------------------------------------------------------- views


def _status(row: Any, rendering: Rendering) -> str:
    return 'disabled' if row.disabled else 'enabled'


def _state(row: Any, rendering: Rendering) -> str:
    return 'up' if model.is_up(row, rendering.loaded['alive_since']) else 'down'


def _zone(row: Any, rendering: Rendering) -> str:
    conf = rendering.call.services.conf
    return model.zone_of(row, rendering.loaded['zones'], conf.default_availability_zone,
                         conf.internal_service_availability_zone)


def _load_zones(rendering: Rendering, found: Any) -> dict[str, str]:
    # One row is cheaper asked by its host, all of them without.
    hosts = {row.host for row in found} if len(found) == 1 else None
    with rendering.call.services.db.read() as conn:
        return aggregates.zones_by_host(conn, hosts)


_STATUS = kinds.word('enabled', 'disabled')
SERVICE = View(
    column('id', when=until(52), kind=kinds.INTEGER),
    column('id', 'uuid', since(53), kind=kinds.UUID),
    column('binary', kind=kinds.TEXT), column('host', kind=kinds.TEXT),
    Field('zone', _zone, needs=('zones',), kind=kinds.TEXT),
    Field('status', _status, kind=_STATUS),
    Field('state', _state, needs=('alive_since',), kind=kinds.word('up', 'down')),
    Field('updated_at', lambda row, _: shared.wire_time_us(row.last_seen_at), kind=kinds.maybe(kinds.TIME_US)),
    column('disabled_reason', kind=kinds.maybe(kinds.TEXT)),
    column('forced_down', when=since(11), kind=kinds.BOOLEAN),
    loaders={'zones': _load_zones, 'alive_since': lambda rendering, _: shared.alive_since(rendering.call)},
)

_CHANGED = kinds.under('service', kinds.record(
    {'host': kinds.TEXT, 'binary': kinds.TEXT},
    {'status': _STATUS, 'disabled_reason': kinds.TEXT, 'forced_down': kinds.BOOLEAN}))

# ----------------------------------------------------------------- handlers


def find(call: Call) -> Any:
    """The service of the path."""
    name = call.params['id']
    key: int | str | None
    if call.has(BY_UUID):
        key = shared.uuid_of(name, 'service id')
    else:
        key = shared.row_id(name)
        if key is None:
            raise errors.Invalid(f'Invalid service id: {name[:64]!r} is not a number.')
    with call.services.db.read() as conn:
        return rows.get(conn, key)


def index(call: Call) -> list[Any]:
    """List the services."""
    with call.services.db.read() as conn:
        found = rows.page(conn, call.query.get('host') or None, call.query.get('binary') or None)
    return [row for row in found if row.binary not in model.API_BINARIES]


def find_by_verb(call: Call) -> Any:
    """The service of the body, if the path is a verb with all that it needs."""
    verb, body = call.params['id'], call.body
    if verb not in _VERBS or verb == 'force-down' and not call.has(CAN_FORCE_DOWN):
        raise errors.NotFound(f'There is no action {verb[:64]!r} on services.')
    needed = _VERBS[verb]
    if needed and needed not in body:
        raise errors.Invalid(f'Invalid request body: {verb} needs {needed}.')
    with call.services.db.read() as conn:
        return rows.get_by_host(conn, body['host'], body['binary'])


# verb: the property that it needs
_VERBS = {'enable': '', 'disable': '', 'disable-log-reason': 'disabled_reason', 'force-down': 'forced_down'}


def change_by_verb(call: Call) -> Raw:
    """Enable or disable a service, or call it down, by its host and binary."""
    verb, service_id = call.params['id'], call.target.id
    shown: dict[str, Any] = {'host': call.target.host, 'binary': call.target.binary}
    if verb == 'force-down':
        forced_down = formats.as_bool(call.body['forced_down'])
        ops.change(call.services, ops.ChangeService(service_id, forced_down=forced_down))
        return Raw({'service': {**shown, 'forced_down': forced_down}})
    disabled = verb != 'enable'
    reason = call.body['disabled_reason'] if verb == 'disable-log-reason' else None
    ops.change(call.services, ops.ChangeService(service_id, disabled=disabled, reason=reason))
    shown['status'] = 'disabled' if disabled else 'enabled'
    if reason is not None:
        shown['disabled_reason'] = reason
    return Raw({'service': shown})


def change(call: Call) -> Any:
    """Enable or disable a compute service, or call it down."""
    status, forced_down = call.body.get('status'), call.body.get('forced_down')
    reason = call.body.get('disabled_reason')
    if reason is not None and status != 'disabled':
        raise errors.Invalid('Invalid request body: disabled_reason goes with status disabled only.')
    if status is None and forced_down is None:
        raise errors.Invalid('Invalid request body: it must hold status or forced_down.')
    if call.target.binary != model.COMPUTE:
        raise errors.Invalid(f'Only {model.COMPUTE} services can be changed; this is {call.target.binary}.')
    return ops.change(call.services, ops.ChangeService(
        call.target.id, disabled=None if status is None else status == 'disabled', reason=reason,
        forced_down=None if forced_down is None else formats.as_bool(forced_down)))


def delete(call: Call) -> None:
    """Forget a service; a compute service must have no servers."""
    ops.delete(call.services, call.target)


ENDPOINTS = (
    GET('/os-services', index, rule=LIST_RULE, query=LIST_QUERY, show=many('services', SERVICE, links=False)),
    PUT(_ONE, change_by_verb, rule=UPDATE_RULE, when=until(52), body=BY_VERB,
        rule_first=True, load=find_by_verb, reply=_CHANGED, flags=(CAN_FORCE_DOWN, since(11)), errors=(400, 404)),
    PUT(_ONE, change, rule=UPDATE_RULE, when=since(53), body=CHANGE, rule_first=True, load=find,
        show=one('service', SERVICE), flags=(BY_UUID, since(53)), errors=(400, 404)),
    DELETE(_ONE, delete, rule=DELETE_RULE, rule_first=True, load=find, answers=answer(204),
           flags=(BY_UUID, since(53)), errors=(400, 404, 409)),
)
