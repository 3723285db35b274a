# SPDX-License-Identifier: Apache-2.0
"""Hypervisors: the compute hosts, what they have and what of it is in use.

Source: compute API reference, "Hypervisors"; microversions 2.28 (cpu_info is JSON), 2.33 (paging), 2.53 (UUIDs,
search and servers become query parameters), 2.75 (servers is never left out), 2.88 (capacity is gone, uptime
is part of a hypervisor).
"""

from typing import Any

import orjson

from nova_lite import errors
from nova_lite.api import shared
from nova_lite.auth import policy
from nova_lite.db.queries import hosts as rows
from nova_lite.model import services as model
from nova_lite.wsgi import formats, kinds, paging
from nova_lite.wsgi.body import Param, Query
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import GET, Page, Raw, many, one
from nova_lite.wsgi.view import OMIT, Field, Rendering, View, column
from nova_lite.wsgi.window import only, since, until

# ------------------------------------------------------------------- policy

LIST_RULE = 'os_compute_api:os-hypervisors:list'
DETAIL_RULE = 'os_compute_api:os-hypervisors:list-detail'
STATISTICS_RULE = 'os_compute_api:os-hypervisors:statistics'
SHOW_RULE = 'os_compute_api:os-hypervisors:show'
UPTIME_RULE = 'os_compute_api:os-hypervisors:uptime'
SEARCH_RULE = 'os_compute_api:os-hypervisors:search'
SERVERS_RULE = 'os_compute_api:os-hypervisors:servers'

_ROOT = '/os-hypervisors'

RULES = (
    policy.rule(LIST_RULE, policy.ADMIN, 'List hypervisors.', ('GET', _ROOT)),
    policy.rule(DETAIL_RULE, policy.ADMIN, 'List hypervisors with all that is known of them.',
                ('GET', f'{_ROOT}/detail')),
    policy.rule(STATISTICS_RULE, policy.ADMIN, 'See the sums over all hypervisors.', ('GET', f'{_ROOT}/statistics')),
    policy.rule(SHOW_RULE, policy.ADMIN, 'See a hypervisor.', ('GET', _ROOT + '/{hypervisor_id}')),
    policy.rule(UPTIME_RULE, policy.ADMIN, 'See how long a hypervisor is up.',
                ('GET', _ROOT + '/{hypervisor_id}/uptime')),
    policy.rule(SEARCH_RULE, policy.ADMIN, 'Search hypervisors by name.',
                ('GET', _ROOT + '/{hypervisor_hostname_pattern}/search')),
    policy.rule(SERVERS_RULE, policy.ADMIN, 'List the servers of hypervisors found by name.',
                ('GET', _ROOT + '/{hypervisor_hostname_pattern}/servers')),
)

# ------------------------------------------------------------------ queries

_PATTERN = 'hypervisor_hostname_pattern'
_WITH_SERVERS = Param('with_servers', formats.BOOLEAN, since(53), many=False)
LIST_QUERY = Query(
    Param('limit', formats.NUMBER, since(33), many=False),
    Param('marker', formats.TEXT, since(33), many=False),
    Param(_PATTERN, formats.TEXT, since(53), many=False),
    _WITH_SERVERS,
    open_=until(32))
SHOW_QUERY = Query(_WITH_SERVERS, open_=until(52))

PAGED = 'the list comes in pages'
BY_UUID = 'hypervisors are named by UUID'
_LIST_FLAGS = ((PAGED, since(33)), (BY_UUID, since(53)))

# -------------------------------------------------------------------- views


def _state(row: Any, rendering: Rendering) -> str:
    return 'up' if model.is_up(row, rendering.loaded['alive_since']) else 'down'


def _status(row: Any, rendering: Rendering) -> str:
    return 'disabled' if row.disabled else 'enabled'


def _servers(row: Any, rendering: Rendering) -> Any:
    return [{'name': name, 'uuid': uuid} for uuid, name in rendering.loaded['servers'][row.host]]


def _servers_if_asked(row: Any, rendering: Rendering) -> Any:
    return _servers(row, rendering) if rendering.loaded['servers'] else OMIT


def _servers_if_any(row: Any, rendering: Rendering) -> Any:
    return rendering.loaded['servers'].get(row.host) and _servers(row, rendering) or OMIT


def _load_servers(rendering: Rendering, found: Any) -> dict[str, list[tuple[str, str]]]:
    """Empty unless they are asked for."""
    if not found or not _wants_servers(rendering.call):
        return {}
    with rendering.call.services.db.read() as conn:
        return rows.with_servers(conn, [row.host for row in found])


def _wants_servers(call: Call) -> bool:
    return call.endpoint.handler is servers or formats.as_bool(call.query.get('with_servers', 'no'))


def _load_workloads(rendering: Rendering, found: Any) -> dict[str, int]:
    with rendering.call.services.db.read() as conn:
        return rows.workloads(conn, [row.host for row in found])


def _uptime(row: Any, rendering: Rendering) -> str | None:
    # What a dead host said last would be a lie by now.
    return row.uptime if model.is_up(row, rendering.loaded['alive_since']) else None


LOADERS = {'servers': _load_servers, 'workloads': _load_workloads,
           'alive_since': lambda rendering, _: shared.alive_since(rendering.call)}
_SERVERS = kinds.listed(kinds.record({'name': kinds.TEXT, 'uuid': kinds.UUID}))
_SERVICE = {'host': kinds.TEXT, 'disabled_reason': kinds.maybe(kinds.TEXT)}
_COMMON = (
    column('id', when=until(52), kind=kinds.INTEGER),
    column('id', 'uuid', since(53), kind=kinds.UUID),
    column('hypervisor_hostname', kind=kinds.TEXT),
    Field('state', _state, needs=('alive_since',), kind=kinds.word('up', 'down')),
    Field('status', _status, kind=kinds.word('enabled', 'disabled')),
)
_WITH = (
    Field('servers', _servers_if_any, only(53, 74), needs=('servers',), sometimes=True, kind=_SERVERS),
    Field('servers', _servers_if_asked, since(75), needs=('servers',), sometimes=True, kind=_SERVERS),
)
BRIEF = View(*_COMMON, *_WITH, loaders=LOADERS)
FOUND = View(*_COMMON, Field('servers', _servers_if_any, needs=('servers',), sometimes=True, kind=_SERVERS),
             loaders=LOADERS)
UPTIME = View(*_COMMON, column('uptime', kind=kinds.TEXT), loaders=LOADERS)
DETAIL = View(
    *_COMMON, *_WITH,
    column('host_ip', kind=kinds.maybe(kinds.TEXT)), column('hypervisor_type', kind=kinds.TEXT),
    column('hypervisor_version', kind=kinds.INTEGER),
    Field('service', lambda row, _: {'host': row.host, 'id': row.service_id, 'disabled_reason': row.disabled_reason},
          until(52), kind=kinds.record({**_SERVICE, 'id': kinds.INTEGER})),
    Field('service', lambda row, _: {'host': row.host, 'id': row.service_uuid, 'disabled_reason': row.disabled_reason},
          since(53), kind=kinds.record({**_SERVICE, 'id': kinds.UUID})),
    Field('cpu_info', lambda row, _: orjson.dumps(row.cpu_info).decode(), until(27), kind=kinds.TEXT),
    column('cpu_info', when=only(28, 87), kind=kinds.mapped(kinds.ANY)),
    *(column(name, when=until(87), kind=kinds.INTEGER) for name in (
        'vcpus', 'vcpus_used', 'memory_mb', 'memory_mb_used', 'local_gb', 'local_gb_used')),
    column('disk_available_least', when=until(87), kind=kinds.maybe(kinds.INTEGER)),
    Field('free_ram_mb', lambda row, _: row.memory_mb - row.memory_mb_used, until(87), kind=kinds.INTEGER),
    Field('free_disk_gb', lambda row, _: row.local_gb - row.local_gb_used, until(87), kind=kinds.INTEGER),
    column('running_vms', 'servers', until(87), kind=kinds.INTEGER),
    Field('current_workload', lambda row, rendering: rendering.loaded['workloads'].get(row.host, 0), until(87),
          needs=('workloads',), kind=kinds.INTEGER),
    Field('uptime', _uptime, since(88), needs=('alive_since',), kind=kinds.maybe(kinds.TEXT)),
    loaders=LOADERS,
)

# ----------------------------------------------------------------- handlers


def find(call: Call) -> Any:
    """The hypervisor of the path."""
    name = call.params['id']
    if call.has(BY_UUID):
        found = _get(call, shared.uuid_of(name, 'hypervisor id'))
    else:
        found = _get(call, name)
    if found is None:
        raise errors.NotFound(f'There is no hypervisor {name[:64]!r}.')
    return found


def _get(call: Call, name: str) -> Any:
    """The hypervisor of this name, as ids are at the version of the request."""
    with call.services.db.read() as conn:
        if call.has(BY_UUID):
            return rows.get(conn, host_uuid=name)
        number = shared.row_id(name)
        return None if number is None else rows.get(conn, host_id=number)


def _matching(call: Call, pattern: str) -> list[Any]:
    with call.services.db.read() as conn:
        found = list(rows.page(conn, name_part=pattern))
    if not found:
        raise errors.NotFound(f'There is no hypervisor whose name holds {pattern[:64]!r}.')
    return found


def index(call: Call) -> Page:
    """List hypervisors."""
    pattern, marker = call.query.get(_PATTERN), call.query.get('marker')
    if pattern is not None:
        if 'limit' in call.query or marker is not None:
            raise errors.Invalid(f'Invalid query: {_PATTERN} does not go with limit and marker.')
        return Page(_matching(call, pattern))
    limit = call.limit() if call.has(PAGED) else None
    after = None
    if marker is not None:
        last = _get(call, marker)
        if last is None:
            raise errors.MarkerNotFound(marker=marker)
        after = last.id
    with call.services.db.read() as conn:
        found = rows.page(conn, limit=limit, after_id=after)
    return Page(*paging.cut(found, limit or 0, 'uuid' if call.has(BY_UUID) else 'id'))


def show(call: Call) -> Any:
    """Show one hypervisor."""
    return call.target


def search(call: Call) -> list[Any]:
    """List the hypervisors whose name holds a text."""
    return _matching(call, call.params['id'])


def servers(call: Call) -> list[Any]:
    """List the servers on the hypervisors whose name holds a text."""
    return _matching(call, call.params['id'])


def uptime(call: Call) -> Any:
    """Show how long a hypervisor is up."""
    if not model.is_up(call.target, shared.alive_since(call)):
        raise errors.Invalid(f'The compute service of host {call.target.host} is down.')
    if call.target.uptime is None:
        raise errors.Unsupported(reason=f'The hypervisor of host {call.target.host} does not tell its uptime.')
    return call.target


_SUMS = ('count', 'vcpus', 'vcpus_used', 'memory_mb', 'memory_mb_used', 'local_gb', 'local_gb_used',
         'disk_available_least')
_STATISTICS = kinds.under('hypervisor_statistics', kinds.record(dict.fromkeys(
    (*_SUMS, 'free_ram_mb', 'free_disk_gb', 'running_vms', 'current_workload'), kinds.INTEGER)))


def statistics(call: Call) -> Raw:
    """Show the sums over all hypervisors."""
    with call.services.db.read() as conn:
        sums = rows.statistics(conn)
    shown = {name: sums[name] for name in _SUMS}
    return Raw({'hypervisor_statistics': {
        **shown, 'free_ram_mb': sums['memory_mb'] - sums['memory_mb_used'],
        'free_disk_gb': sums['local_gb'] - sums['local_gb_used'],
        'running_vms': sums['servers'], 'current_workload': sums['workload']}})


ENDPOINTS = (
    GET(f'{_ROOT}/detail', index, rule=DETAIL_RULE, query=LIST_QUERY, show=many('hypervisors', DETAIL),
        flags=_LIST_FLAGS, errors=(400, 404)),
    GET(_ROOT, index, rule=LIST_RULE, query=LIST_QUERY, show=many('hypervisors', BRIEF), flags=_LIST_FLAGS,
        errors=(400, 404)),
    GET(f'{_ROOT}/statistics', statistics, rule=STATISTICS_RULE, when=until(87), reply=_STATISTICS),
    GET(_ROOT + '/{id}', show, rule=SHOW_RULE, query=SHOW_QUERY, rule_first=True, load=find,
        show=one('hypervisor', DETAIL), flags=(BY_UUID, since(53)), errors=(400, 404)),
    GET(_ROOT + '/{id}/uptime', uptime, rule=UPTIME_RULE, when=until(87), rule_first=True, load=find,
        show=one('hypervisor', UPTIME), flags=(BY_UUID, since(53)), errors=(400, 404, 501)),
    GET(_ROOT + '/{id}/search', search, rule=SEARCH_RULE, when=until(52),
        show=many('hypervisors', BRIEF, links=False), errors=(404,)),
    GET(_ROOT + '/{id}/servers', servers, rule=SERVERS_RULE, when=until(52),
        show=many('hypervisors', FOUND, links=False), errors=(404,)),
)
