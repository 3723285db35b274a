# SPDX-License-Identifier: Apache-2.0
"""Usage: hours, spans, pages; the audit log and its periods."""

import datetime

import pytest

from nova_lite.db.queries import servers
from tests.fixtures import rows
from tests.fixtures.rooms import ADMIN, LEGACY, MEMBER, Rooms, caller, rooms

__all__ = ('rooms',)

PATH = '/os-simple-tenant-usage'
BEGIN = datetime.datetime(2026, 1, 1)
SPAN = 'start=2026-01-01T00:00:00&end=2026-01-02T00:00:00'
TOTALS = {'tenant_id', 'start', 'stop', 'total_hours', 'total_local_gb_usage', 'total_memory_mb_usage',
          'total_vcpus_usage'}
SERVER = {'instance_id', 'name', 'tenant_id', 'hours', 'flavor', 'vcpus', 'memory_mb', 'local_gb', 'started_at',
          'ended_at', 'state', 'uptime'}
FLAVOR = {**rows.FLAVOR, 'name': 'm', 'ram': 100, 'vcpus': 2, 'disk': 3, 'ephemeral': 1}


def at(hour: float) -> datetime.datetime:
    return BEGIN + datetime.timedelta(hours=hour)


@pytest.fixture
def api(rooms: Rooms) -> Rooms:
    """Of the member: one runs, one ran for six hours of the day, one the day before, one never, one will."""
    def made(name: str, begin: float | None, end: float | None = None, project: str = MEMBER.project_id) -> dict:
        return rows.server(
            name, project_id=project, flavor=FLAVOR, launched_at=None if begin is None else at(begin),
            terminated_at=None if end is None else at(end), deleted=end is not None,
            vm_state='active' if end is None else 'deleted')

    rooms.db.transaction(servers.insert, [
        made('runs', 12), made('ran', -6, 6), made('before', -9, -1), made('never', None), made('after', 30),
        made('foreign', 0, 1, 'c' * 32)])
    return rooms


def test_what_ran(api):
    status, body = api.ask('GET', f'{PATH}/{MEMBER.project_id}?{SPAN}', by=MEMBER)
    assert status == 200
    usage = body['tenant_usage']
    assert set(usage) == TOTALS | {'server_usages'}
    assert {name: usage[name] for name in TOTALS} == {
        'tenant_id': MEMBER.project_id, 'start': '2026-01-01T00:00:00.000000', 'stop': '2026-01-02T00:00:00.000000',
        'total_hours': 18.0, 'total_local_gb_usage': 72.0, 'total_memory_mb_usage': 1800.0, 'total_vcpus_usage': 36.0}
    runs, ran = usage['server_usages']
    assert set(runs) == SERVER
    assert (runs['name'], runs['hours'], runs['state'], runs['ended_at']) == ('runs', 12.0, 'active', None)
    assert (ran['hours'], ran['state'], ran['uptime'], ran['ended_at']) == (
        6.0, 'terminated', 12 * 3600, '2026-01-01T06:00:00.000000')


def test_all_projects(api):
    brief = api.ask('GET', f'{PATH}?{SPAN}')[1]
    assert list(brief) == ['tenant_usages']
    assert [(entry['tenant_id'][0], entry['total_hours']) for entry in brief['tenant_usages']] == [('b', 18), ('c', 1)]
    assert {frozenset(entry) for entry in brief['tenant_usages']} == {frozenset(TOTALS)}
    full = api.ask('GET', f'{PATH}?detailed=1&{SPAN}', version=LEGACY)[1]['tenant_usages']
    assert [len(entry['server_usages']) for entry in full] == [2, 1]
    nothing = f'{PATH}/{"d" * 32}?{SPAN}'
    assert api.ask('GET', nothing) == (200, {'tenant_usage': {}})
    assert {entry['total_hours'] for entry in api.ask('GET', PATH)[1]['tenant_usages']} == {0.0}


def test_pages_from_2_40(api):
    seen, path = [], f'{PATH}?detailed=1&limit=1&{SPAN}'
    while path:
        body = api.ask('GET', path, version='2.40')[1]
        seen += [server['name'] for usage in body['tenant_usages'] for server in usage['server_usages']]
        links = body.get('tenant_usages_links')
        path = links and links[0]['href'].removeprefix('http://api:8774/v2.1')
    assert seen == ['runs', 'ran', 'foreign']
    one = api.ask('GET', f'{PATH}/{MEMBER.project_id}?limit=1&{SPAN}', version='2.104')[1]
    assert [server['name'] for server in one['tenant_usage']['server_usages']] == ['runs']
    last = one['tenant_usage']['server_usages'][0]['instance_id']
    assert one['tenant_usage_links'][0]['href'].endswith(f'&marker={last}')
    assert api.status('GET', f'{PATH}?marker=x&{SPAN}', version='2.40') == 400
    assert list(api.ask('GET', f'{PATH}?limit=1&{SPAN}', version='2.39')[1]) == ['tenant_usages']


@pytest.mark.parametrize(('query', 'version', 'status'), [
    ('start=2026-01-01T00:00:00.5', '2.1', 200), ('start=2026-01-01 00:00:00.0', '2.1', 200),
    ('start=2026-01-01', '2.1', 400), ('end=x', '2.1', 400), ('start=2999-01-01T00:00:00', '2.1', 400),
    ('end=2001-01-01T00:00:00', '2.1', 400), ('start=2026-01-02T00:00:00&end=2026-01-01T00:00:00', '2.1', 400),
    ('start=2026-01-01T00:00:00&end=2026-01-01T00:00:00', '2.1', 400),
    ('limit=x', '2.39', 200), ('limit=x', '2.40', 400), ('x=1', '2.74', 200), ('x=1', '2.75', 400)])
def test_queries(api, query, version, status):
    for path in (PATH, f'{PATH}/{MEMBER.project_id}'):
        assert api.status('GET', f'{path}?{query}'.replace(' ', '%20'), version=version) == status


def test_who_may(api):
    reader = caller('rae', 'reader', project=MEMBER.project_id)
    own, other = f'{PATH}/{MEMBER.project_id}', f'{PATH}/{"c" * 32}'
    assert [api.status('GET', path, by=reader) for path in (PATH, own, other)] == [403, 200, 403]
    assert [api.status('GET', path, by=ADMIN) for path in (PATH, own, other)] == [200] * 3


def test_audit_log(rooms):
    rooms.add_host('alpha')
    rooms.conf.set_override('instance_usage_audit_period', 'day@6')
    path = '/os-instance_usage_audit_log'
    log = rooms.ask('GET', path)[1]['instance_usage_audit_logs']
    assert (log['num_hosts'], log['hosts_not_run'], log['overall_status']) == (
        1, ['alpha'], '0 of 1 hosts done. 0 errors.')
    shown = rooms.ask('GET', f'{path}/2026-03-01 05:59:59.9')[1]['instance_usage_audit_log']
    assert set(shown) == set(log)
    assert (shown['period_beginning'], shown['period_ending']) == ('2026-02-27 06:00:00', '2026-02-28 06:00:00')
    assert rooms.status('GET', f'{path}/yesterday') == 400
    assert rooms.status('GET', path, by=MEMBER) == rooms.status('GET', f'{path}/x', by=MEMBER) == 403
    assert [rooms.status('GET', f'{path}?x=1', version=v) for v in ('2.101', '2.102')] == [200, 400]
