# SPDX-License-Identifier: Apache-2.0
"""Hosts: lists, what they have, and the switches that they have not."""

import pytest

from nova_lite.db.queries import servers, services
from tests.fixtures import rows
from tests.fixtures.rooms import LEGACY, MEMBER, Rooms, rooms

__all__ = ('rooms',)

PATH = '/os-hosts'


@pytest.fixture
def api(rooms: Rooms) -> Rooms:
    """Two hosts, of which the second is down, and a conductor; two servers on the first."""
    rooms.add_host('alpha')
    rooms.add_host('beta', age=61)
    with rooms.db.write() as conn:
        services.register(conn, 'desk', 'nova-conductor', 1)
        servers.insert(conn, [rows.server(host='alpha', project_id='red'), rows.server(host='alpha', project_id='blue'),
                              rows.server(host='beta')])
    return rooms


def listed(api: Rooms, query: str = '') -> list[tuple[str, str, str]]:
    found = api.ask('GET', PATH + query, version='2.42')[1]['hosts']
    return [(entry['host_name'], entry['service'], entry['zone']) for entry in found]


def test_list(api):
    every = [('alpha', 'compute', 'nova'), ('beta', 'compute', 'nova'), ('desk', 'conductor', 'internal')]
    assert listed(api) == listed(api, '?x=1') == every
    assert listed(api, '?zone=nova') == every[:2]
    assert listed(api, '?service=conductor') == every[2:]
    assert listed(api, '?zone=none') == []
    api.ask('PUT', f'{PATH}/alpha', {'status': 'disable'})
    assert listed(api) == every[1:]


def test_show(api):
    status, body = api.ask('GET', f'{PATH}/alpha', version=LEGACY)
    assert status == 200
    shown = {entry['resource']['project']: entry['resource'] for entry in body['host']}
    assert list(shown) == ['(total)', '(used_now)', '(used_max)', 'red', 'blue']
    assert shown['(total)'] == {'host': 'alpha', 'project': '(total)', 'cpu': 8, 'memory_mb': 8192, 'disk_gb': 100}
    assert shown['(used_max)'] == {'host': 'alpha', 'project': '(used_max)', 'cpu': 2, 'memory_mb': 1024, 'disk_gb': 2}
    assert shown['red'] == {'host': 'alpha', 'project': 'red', 'cpu': 1, 'memory_mb': 512, 'disk_gb': 1}


def test_switches(api):
    assert api.ask('PUT', f'{PATH}/alpha', {'status': 'Disable', 'maintenance_mode': 'disable'}) == (200, {
        'host': 'alpha', 'status': 'disabled', 'maintenance_mode': 'off_maintenance'})
    assert api.ask('GET', '/os-services?host=alpha')[1]['services'][0]['status'] == 'disabled'
    assert api.ask('PUT', f'{PATH}/alpha', {'status': 'enable'})[1] == {'host': 'alpha', 'status': 'enabled'}
    assert api.status('PUT', f'{PATH}/alpha', {'maintenance_mode': 'enable', 'status': 'disable'}) == 501
    assert api.ask('GET', '/os-services?host=alpha')[1]['services'][0]['status'] == 'enabled'
    bad = ({}, {'status': 'on'}, {'status': 'enable', 'x': 1})
    assert [api.status('PUT', f'{PATH}/alpha', body) for body in bad] == [400] * 3


@pytest.mark.parametrize('action', ['startup', 'shutdown', 'reboot'])
def test_power(api, action):
    statuses = [api.status('GET', f'{PATH}/{host}/{action}') for host in ('alpha', 'beta', 'desk')]
    assert statuses == [501, 400, 404]


def test_it_ends_and_is_for_administrators(api):
    requests = [('GET', '', None), ('GET', '/alpha', None), ('PUT', '/alpha', {'status': 'enable'}),
                ('GET', '/alpha/reboot', None), ('GET', '/alpha/startup', None), ('GET', '/alpha/shutdown', None)]
    for method, path, body in requests:
        assert api.status(method, PATH + path, body, '2.43') == 404
        assert api.status(method, PATH + path, body, '2.42', by=MEMBER) == 403
    assert [api.status('PUT', f'{PATH}/{host}', {'status': 'enable'}) for host in ('desk', 'beta')] == [404, 400]
    assert api.status('GET', f'{PATH}/desk') == 404
