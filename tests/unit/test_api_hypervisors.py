# SPDX-License-Identifier: Apache-2.0
"""Hypervisors: keys of each version, pages, patterns, ids."""



import pytest

from nova_lite.db.queries import servers
from tests.fixtures import rows
from tests.fixtures.rooms import LEGACY, MEMBER, Rooms, rooms

__all__ = ('rooms',)

NOBODY = 'a2ee4e9b-ad37-44cd-9645-1b76455f9a1f'
PATH = '/os-hypervisors'
BRIEF = {'id', 'hypervisor_hostname', 'state', 'status'}
DETAIL = BRIEF | {'host_ip', 'hypervisor_type', 'hypervisor_version', 'service'}
CAPACITY = {'cpu_info', 'vcpus', 'vcpus_used', 'memory_mb', 'memory_mb_used', 'local_gb', 'local_gb_used',
            'disk_available_least', 'free_ram_mb', 'free_disk_gb', 'running_vms', 'current_workload'}


@pytest.fixture
def api(rooms: Rooms) -> Rooms:
    """Three hosts; a server that is busy on the first, the last one is down."""
    rooms.add_host('alpha')
    rooms.add_host('beta', uptime=None)
    rooms.add_host('gamma', age=61)
    rooms.db.transaction(servers.insert, [rows.server(host='alpha', node='alpha', task_state='rebooting')])
    return rooms


def found(api: Rooms, path: str, version: str) -> list[dict]:
    return api.ask('GET', PATH + path, version=version)[1]['hypervisors']


@pytest.mark.parametrize(('version', 'keys', 'id_type', 'cpu_type'), [
    (LEGACY, DETAIL | CAPACITY, int, str), ('2.27', DETAIL | CAPACITY, int, str),
    ('2.28', DETAIL | CAPACITY, int, dict), ('2.53', DETAIL | CAPACITY, str, dict),
    ('2.87', DETAIL | CAPACITY, str, dict), ('2.88', DETAIL | {'uptime'}, str, type(None)),
    ('2.104', DETAIL | {'uptime'}, str, type(None))])
def test_keys_of_each_version(api, version, keys, id_type, cpu_type):
    one = found(api, '/detail', version)[0]
    assert api.ask('GET', f'{PATH}/{one["id"]}', version=version) == (200, {'hypervisor': one})
    assert set(one) == keys
    assert set(found(api, '', version)[0]) == BRIEF
    assert {type(one['id']), type(one['service']['id'])} == {id_type}
    assert isinstance(one.get('cpu_info'), cpu_type)


def test_numbers(api):
    one = found(api, '/detail', '2.87')[0]
    assert {name: one[name] for name in ('free_ram_mb', 'free_disk_gb', 'current_workload')} == {
        'free_ram_mb': 8192, 'free_disk_gb': 100, 'current_workload': 1}
    sums = api.ask('GET', f'{PATH}/statistics')[1]['hypervisor_statistics']
    assert set(sums) == CAPACITY - {'cpu_info'} | {'count'}
    assert (sums['count'], sums['vcpus'], sums['current_workload']) == (3, 24, 1)


def test_uptime_is_not_told_of_the_dead(api):
    assert api.ask('GET', f'{PATH}/1/uptime')[1] == {'hypervisor': {
        'id': 1, 'hypervisor_hostname': 'alpha', 'state': 'up', 'status': 'enabled', 'uptime': 'up 1 day'}}
    assert [api.status('GET', f'{PATH}/{key}/uptime') for key in (2, 3, 4)] == [501, 400, 404]
    assert [entry['uptime'] for entry in found(api, '/detail', '2.88')] == ['up 1 day', None, None]


@pytest.mark.parametrize(('path', 'version', 'status'), [
    ('/x', '2.1', 404), ('/77', '2.1', 404), ('/' + '9' * 30, '2.1', 404), ('/1', '2.53', 400),
    (f'/{NOBODY}', '2.53', 404), (f'/{NOBODY}', '2.52', 404),
    ('?x=1', '2.32', 200), ('?x=1', '2.33', 400), ('?limit=x', '2.33', 400), ('?limit=1&limit=2', '2.33', 400),
    ('?marker=77', '2.33', 400), ('?marker=1', '2.53', 400), (f'?marker={NOBODY}', '2.53', 400),
    ('?hypervisor_hostname_pattern=a', '2.52', 400), ('?hypervisor_hostname_pattern=zz', '2.53', 404),
    ('?hypervisor_hostname_pattern=a&limit=1', '2.53', 400), ('?with_servers=perhaps', '2.53', 400),
    ('/zz/search', '2.1', 404), ('/a/search', '2.53', 404), ('/zz/servers', '2.1', 404), ('/a/servers', '2.53', 404),
    ('/statistics', '2.87', 200), ('/statistics', '2.88', 404), ('/1/uptime', '2.88', 404), ('/1?x=1', '2.52', 200),
])
def test_statuses(api, path, version, status):
    assert api.status('GET', PATH + path, version=version) == status


@pytest.mark.parametrize(('version', 'key'), [('2.33', int), ('2.53', str)])
def test_pages(api, version, key):
    status, page = api.ask('GET', f'{PATH}/detail?limit=2', version=version)
    last = page['hypervisors'][-1]['id']
    assert isinstance(last, key)
    assert page['hypervisors_links'] == [
        {'rel': 'next', 'href': f'http://api:8774/v2.1{PATH}/detail?limit=2&marker={last}'}]
    rest = api.ask('GET', f'{PATH}?limit=2&marker={last}', version=version)[1]
    assert [entry['hypervisor_hostname'] for entry in rest['hypervisors']] == ['gamma']
    assert 'hypervisors_links' not in rest
    assert list(api.ask('GET', f'{PATH}?limit=2', version='2.32')[1]) == ['hypervisors']


def test_servers(api):
    def counts(path, version):
        return [len(entry['servers']) if 'servers' in entry else None for entry in found(api, path, version)]

    assert counts('/a/servers', '2.52') == [1, None, None]
    assert counts('?with_servers=1', '2.53') == counts('/detail?with_servers=1', '2.74') == [1, None, None]
    assert counts('?with_servers=true', '2.75') == counts('/detail?with_servers=true', '2.104') == [1, 0, 0]
    assert counts('?with_servers=false', '2.75') == counts('', '2.104') == [None, None, None]
    entry = found(api, '?hypervisor_hostname_pattern=lph&with_servers=1', '2.53')
    assert [set(server) for server in entry[0]['servers']] == [{'name', 'uuid'}]
    shown = api.ask('GET', f'{PATH}/{entry[0]["id"]}?with_servers=1', version='2.53')[1]['hypervisor']
    assert shown['servers'] == entry[0]['servers']


def test_only_for_administrators(api):
    for path in ('', '/detail', '/statistics', '/1', '/1/uptime', '/a/search', '/a/servers'):
        assert api.status('GET', PATH + path, by=MEMBER) == 403
