# SPDX-License-Identifier: Apache-2.0
"""Hosts: the old way to see compute hosts and to take them out of use.

Source: compute API reference, "Hosts"; microversion 2.43 ended it for hypervisors and services.  No hypervisor
here can reboot its host, shut it down, start it or empty it for maintenance, so that is answered with 501.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from nova_lite import errors
from nova_lite.api import shared
from nova_lite.auth import policy
from nova_lite.db.queries import aggregates, hosts, services, usage
from nova_lite.model import services as model
from nova_lite.ops import services as ops
from nova_lite.wsgi import formats, kinds
from nova_lite.wsgi.body import Body, Object, Param, Prop, Query
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import GET, PUT, Raw
from nova_lite.wsgi.window import ALWAYS, until

# ------------------------------------------------------------------- policy

_RULE = 'os_compute_api:os-hosts:'
LIST_RULE, SHOW_RULE, UPDATE_RULE = f'{_RULE}list', f'{_RULE}show', f'{_RULE}update'
START_RULE, REBOOT_RULE, SHUTDOWN_RULE = f'{_RULE}start', f'{_RULE}reboot', f'{_RULE}shutdown'

_ROOT = '/os-hosts'
_ONE = _ROOT + '/{id}'
_IN_POLICY = _ROOT + '/{host_name}'

RULES = (
    policy.rule(LIST_RULE, policy.ADMIN, 'List hosts.', ('GET', _ROOT)),
    policy.rule(SHOW_RULE, policy.ADMIN, 'See a host.', ('GET', _IN_POLICY)),
    policy.rule(UPDATE_RULE, policy.ADMIN, 'Enable or disable a host.', ('PUT', _IN_POLICY)),
    policy.rule(START_RULE, policy.ADMIN, 'Start a host.', ('GET', f'{_IN_POLICY}/startup')),
    policy.rule(REBOOT_RULE, policy.ADMIN, 'Reboot a host.', ('GET', f'{_IN_POLICY}/reboot')),
    policy.rule(SHUTDOWN_RULE, policy.ADMIN, 'Shut a host down.', ('GET', f'{_IN_POLICY}/shutdown')),
)

# ------------------------------------------------------------------- bodies

_SWITCH = {'type': 'string', 'enum': ['enable', 'disable', 'Enable', 'Disable', 'ENABLE', 'DISABLE']}
UPDATE = Body(Object(
    Prop('status', _SWITCH), Prop('maintenance_mode', _SWITCH),
    extra={'anyOf': [{'required': ['status']}, {'required': ['maintenance_mode']}]}))
LIST_QUERY = Query(Param('zone', formats.TEXT), Param('service', formats.TEXT), open_=ALWAYS)

UNTIL = until(42)
_LISTED = kinds.under('hosts', kinds.listed(kinds.record(dict.fromkeys(('host_name', 'service', 'zone'), kinds.TEXT))))
_SHOWN = kinds.under('host', kinds.listed(kinds.under('resource', kinds.record({
    'host': kinds.TEXT, 'project': kinds.TEXT, **dict.fromkeys(('cpu', 'memory_mb', 'disk_gb'), kinds.INTEGER)}))))
_UPDATED = kinds.record({'host': kinds.TEXT}, {
    'status': kinds.word('enabled', 'disabled'), 'maintenance_mode': kinds.word('on_maintenance', 'off_maintenance')})
_DONE = kinds.record({'host': kinds.TEXT, 'power_action': kinds.TEXT})

# ----------------------------------------------------------------- handlers


def index(call: Call) -> dict[str, Any]:
    """List the hosts of the services that are in use."""
    conf = call.services.conf
    with call.services.db.read() as conn:
        found = services.page(conn)
        zones = aggregates.zones_by_host(conn)
    entries = [{'host_name': row.host, 'service': row.binary.removeprefix('nova-'),
                'zone': model.zone_of(row, zones, conf.default_availability_zone,
                                      conf.internal_service_availability_zone)}
               for row in found if row.binary not in model.API_BINARIES and not row.disabled]
    wanted = {key: call.query.get(key) for key in ('zone', 'service')}
    return {'hosts': [entry for entry in entries
                      if all(not text or entry[key] == text for key, text in wanted.items())]}


def _host(call: Call) -> Any:
    name = call.params['id']
    with call.services.db.read() as conn:
        found = hosts.get(conn, host=name)
    if found is None:
        raise errors.HostNotFound(host=name)
    return found


def _resource(host: str, project: str, flavors: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    sums = {'cpu': 0, 'memory_mb': 0, 'disk_gb': 0}
    for flavor in flavors:
        sums['cpu'] += flavor['vcpus']
        sums['memory_mb'] += flavor['ram']
        sums['disk_gb'] += flavor['disk'] + flavor['ephemeral']
    return {'host': host, 'project': project, **sums}


def show(call: Call) -> dict[str, Any]:
    """Show what a host has, and what of it each project uses."""
    host = _host(call)
    with call.services.db.read() as conn:
        flavors = usage.on_host(conn, host.host)
    shown = [
        {'host': host.host, 'project': '(total)', 'cpu': host.vcpus, 'memory_mb': host.memory_mb,
         'disk_gb': host.local_gb},
        {'host': host.host, 'project': '(used_now)', 'cpu': host.vcpus_used, 'memory_mb': host.memory_mb_used,
         'disk_gb': host.local_gb_used},
        _resource(host.host, '(used_max)', [flavor for several in flavors.values() for flavor in several]),
        *(_resource(host.host, project, several) for project, several in flavors.items())]
    return {'host': [{'resource': entry} for entry in shown]}


def _running(call: Call) -> Any:
    """The host of the path; errors.Invalid unless it is up."""
    host = _host(call)
    if not model.is_up(host, shared.alive_since(call)):
        raise errors.Invalid(f'The compute service of host {host.host} is down.')
    return host


def update(call: Call) -> dict[str, str]:
    """Let a host have new servers, or not."""
    host = _running(call)
    status, maintenance = (call.body.get(key, '').lower() for key in ('status', 'maintenance_mode'))
    shown = {'host': host.host}
    if maintenance == 'enable':
        raise errors.Unsupported(reason=f'The hypervisor of host {host.host} has no maintenance mode; '
                                        'disable the host and migrate its servers.')
    if status:
        disabled = status == 'disable'
        ops.change(call.services, ops.ChangeService(host.service_id, disabled=disabled))
        shown['status'] = 'disabled' if disabled else 'enabled'
    if maintenance:
        shown['maintenance_mode'] = 'off_maintenance'
    return shown


def _refuse(call: Call, action: str) -> NoReturn:
    raise errors.Unsupported(reason=f'The hypervisor of host {_running(call).host} cannot do this: {action}.')


def startup(call: Call) -> Raw:
    """Start a host."""
    _refuse(call, 'startup')


def shutdown(call: Call) -> Raw:
    """Shut a host down."""
    _refuse(call, 'shutdown')


def reboot(call: Call) -> Raw:
    """Reboot a host."""
    _refuse(call, 'reboot')


ENDPOINTS = (
    GET(_ROOT, index, rule=LIST_RULE, query=LIST_QUERY, when=UNTIL, reply=_LISTED),
    GET(_ONE, show, rule=SHOW_RULE, when=UNTIL, reply=_SHOWN, errors=(404,)),
    PUT(_ONE, update, rule=UPDATE_RULE, body=UPDATE, when=UNTIL, reply=_UPDATED, errors=(400, 404, 501)),
    GET(_ONE + '/startup', startup, rule=START_RULE, when=UNTIL, reply=_DONE, errors=(400, 404, 501)),
    GET(_ONE + '/reboot', reboot, rule=REBOOT_RULE, when=UNTIL, reply=_DONE, errors=(400, 404, 501)),
    GET(_ONE + '/shutdown', shutdown, rule=SHUTDOWN_RULE, when=UNTIL, reply=_DONE, errors=(400, 404, 501)),
)
