# SPDX-License-Identifier: Apache-2.0
"""Services and availability zones."""

import uuid

import pytest

from nova_lite.db.queries import aggregates, servers, services
from tests.fixtures import rows
from tests.fixtures.rooms import LEGACY, MEMBER, Rooms, rooms

__all__ = ('rooms',)

PATH = '/os-services'
COMPUTE = {'host': 'two', 'binary': 'nova-compute'}


@pytest.fixture
def api(rooms: Rooms) -> Rooms:
    """Two compute hosts, the second in a zone of its own, a conductor, and an API service that stays unseen."""
    rooms.add_host('one')
    rooms.add_host('two')
    rooms.db.transaction(services.register, 'one', 'nova-conductor', 1)
    rooms.db.transaction(services.register, 'one', 'nova-metadata', 1)
    aggregate = rooms.db.transaction(aggregates.create, 'rack', {'availability_zone': 'east'})
    rooms.db.transaction(aggregates.add_host, aggregate, 'two')
    return rooms


def listed(api: Rooms, version: str = '2.1', query: str = '') -> list[dict]:
    return api.ask('GET', f'{PATH}{query}', version=version)[1]['services']


def ids(api: Rooms, version: str) -> dict:
    return {(entry['host'], entry['binary']): entry['id'] for entry in listed(api, version)}


def test_the_list_shows_zone_and_state(api):
    shown = {(entry['binary'], entry['host']): entry for entry in listed(api)}
    assert {key: (entry['zone'], entry['state'], entry['status']) for key, entry in shown.items()} == {
        ('nova-compute', 'one'): ('nova', 'up', 'enabled'), ('nova-compute', 'two'): ('east', 'up', 'enabled'),
        ('nova-conductor', 'one'): ('internal', 'up', 'enabled')}
    keys = {'id', 'binary', 'host', 'zone', 'status', 'state', 'updated_at', 'disabled_reason'}
    assert [set(listed(api, version)[0]) - keys for version in (LEGACY, '2.10', '2.11', '2.53')] == [
        set(), set(), {'forced_down'}, {'forced_down'}]
    assert [type(listed(api, version)[0]['id']) for version in ('2.52', '2.53')] == [int, str]


def test_the_list_is_filtered_and_for_administrators(api):
    assert [entry['host'] for entry in listed(api, query='?host=two&binary=nova-compute')] == ['two']
    assert [api.status('GET', f'{PATH}?x=1', version=version) for version in ('2.74', '2.75')] == [200, 400]
    assert api.status('GET', PATH, by=MEMBER) == 403


@pytest.mark.parametrize(('verb', 'more', 'version', 'answer'), [
    ('disable', {}, '2.1', {'status': 'disabled'}),
    ('disable-log-reason', {'disabled_reason': 'r'}, '2.1', {'status': 'disabled', 'disabled_reason': 'r'}),
    ('enable', {}, LEGACY, {'status': 'enabled'}),
    ('force-down', {'forced_down': 'true'}, '2.11', {'forced_down': True}),
    ('disable-log-reason', {}, '2.1', 400), ('force-down', {}, '2.11', 400), ('force-down', {}, '2.10', 404),
    ('force-down', {'forced_down': True}, '2.10', 400), ('explode', {}, '2.1', 404),
    ('enable', {'host': 'none'}, '2.1', 404), ('enable', {'host': 'a b'}, '2.1', 400),
    ('enable', {}, '2.53', 400),
])
def test_verbs_until_2_52(api, verb, more, version, answer):
    status, content = api.ask('PUT', f'{PATH}/{verb}', {**COMPUTE, **more}, version)
    assert (content if status == 200 else status) == ({'service': {**COMPUTE, **answer}}
                                                      if isinstance(answer, dict) else answer)


@pytest.mark.parametrize(('body', 'answer'), [
    ({'status': 'disabled', 'disabled_reason': 'r'}, ('disabled', 'r', 'up', False)),
    ({'status': 'disabled'}, ('disabled', None, 'up', False)),
    ({'status': 'enabled', 'forced_down': True}, ('enabled', None, 'down', True)),
    ({}, 400), ({'disabled_reason': 'r'}, 400), ({'status': 'enabled', 'disabled_reason': 'r'}, 400),
    ({'status': 'broken'}, 400), (COMPUTE, 400),
])
def test_one_put_since_2_53(api, body, answer):
    path = f'{PATH}/{ids(api, "2.53")["two", "nova-compute"]}'
    status, content = api.ask('PUT', path, body, '2.53')
    shown = content.get('service', {})
    found = tuple(shown.get(name) for name in ('status', 'disabled_reason', 'state', 'forced_down'))
    assert (found if status == 200 else status) == answer


def test_a_reason_lasts_until_the_service_is_enabled(api):
    for verb, more in (('disable-log-reason', {'disabled_reason': 'r'}), ('disable', {})):
        api.ask('PUT', f'{PATH}/{verb}', {**COMPUTE, **more})
        assert listed(api, query='?host=two')[0]['disabled_reason'] == 'r'
    api.ask('PUT', f'{PATH}/enable', COMPUTE)
    assert listed(api, query='?host=two')[0]['disabled_reason'] is None


def test_only_compute_services_are_changed_by_uuid(api):
    known = ids(api, '2.53')
    assert api.status('PUT', f'{PATH}/{known["one", "nova-conductor"]}', {'status': 'disabled'}, '2.53') == 400
    assert api.status('PUT', f'{PATH}/{uuid.uuid4()}', {'status': 'disabled'}, '2.53') == 404
    assert api.status('PUT', f'{PATH}/{known["two", "nova-compute"]}', {'status': 'disabled'}, '2.53', MEMBER) == 403


def test_delete(api):
    numbers, uuids = ids(api, '2.52'), ids(api, '2.53')
    one, two = ('one', 'nova-compute'), ('two', 'nova-compute')
    wrong = [(numbers[one], '2.53', 400), ('x', '2.1', 400), ('9' * 30, '2.1', 400), ('77', '2.1', 404),
             (uuids[one], '2.52', 400), (uuid.uuid4(), '2.53', 404)]
    for key, version, status in wrong:
        assert api.status('DELETE', f'{PATH}/{key}', version=version) == status
    api.db.transaction(servers.insert, [rows.server(host='one', node='one')])
    assert api.status('DELETE', f'{PATH}/{numbers[one]}') == 409
    assert api.status('DELETE', f'{PATH}/{uuids[two]}', version='2.53') == 204
    assert api.status('DELETE', f'{PATH}/{numbers["one", "nova-conductor"]}') == 204
    assert list(ids(api, '2.1')) == [one]
    with api.db.read() as conn:
        assert aggregates.members(conn, [1]) == {1: []}


# -------------------------------------------------------------------- zones

def zone(name, available=True, hosts=None):
    return {'zoneName': name, 'zoneState': {'available': available}, 'hosts': hosts}


def test_zones_are_there_while_a_service_of_theirs_is_enabled(api):
    def seen():
        return api.ask('GET', '/os-availability-zone', by=MEMBER)[1]['availabilityZoneInfo']

    assert seen() == [zone('east'), zone('nova')]
    api.ask('PUT', f'{PATH}/disable', COMPUTE)
    assert seen() == [zone('nova'), zone('east', False)]


def test_zones_in_detail_are_for_administrators(rooms):
    rooms.add_host('one', age=61)
    rooms.db.transaction(services.register, 'one', 'nova-conductor', 1)
    path = '/os-availability-zone/detail'
    info = rooms.ask('GET', path)[1]['availabilityZoneInfo']
    assert [(entry['zoneName'], [
        (host, binary, state['active'], state['available'])
        for host, binaries in entry['hosts'].items() for binary, state in binaries.items()]) for entry in info] == [
        ('internal', [('one', 'nova-conductor', True, True)]), ('nova', [('one', 'nova-compute', True, False)])]
    assert rooms.status('GET', path, by=MEMBER) == 403
    assert [rooms.status('GET', f'{path}?x=1', version=version) for version in ('2.101', '2.102')] == [200, 400]
