# SPDX-License-Identifier: Apache-2.0
"""Aggregates: keys of each version, ids, and which hosts can be in which zone."""

import uuid

import pytest

from nova_lite.db.queries import hosts, servers
from nova_lite.model import times
from tests.fixtures import rows
from tests.fixtures.rooms import LEGACY, MEMBER, Rooms, rooms

__all__ = ('rooms',)

PATH = '/os-aggregates'
BRIEF = {'id', 'name', 'availability_zone', 'created_at', 'updated_at', 'deleted', 'deleted_at'}
FULL = BRIEF | {'hosts', 'metadata'}


@pytest.fixture
def api(rooms: Rooms) -> Rooms:
    """Two hosts; a server on the first."""
    rooms.add_host('alpha')
    rooms.add_host('beta')
    return rooms


def place_server(api: Rooms, host: str) -> None:
    server = rows.server(host=host, node=host)
    with api.db.write() as conn:
        servers.insert(conn, [server])
        wanted = hosts.Wanted(1, 512, 1, times.utcnow())
        assert hosts.claim(conn, hosts.get(conn, host=host).id, server['uuid'], wanted, times.utcnow())


def make(api: Rooms, name: str = 'red', zone: str | None = None, version: str = '2.1') -> dict:
    status, body = api.ask('POST', PATH, {'aggregate': {'name': name, 'availability_zone': zone}}, version)
    assert status == 200, body
    return body['aggregate']


def act(api: Rooms, key: int, action: str, **body: object) -> tuple[int, dict]:
    return api.ask('POST', f'{PATH}/{key}/action', {action: body})


@pytest.mark.parametrize(('version', 'more'), [
    (LEGACY, set()), ('2.40', set()), ('2.41', {'uuid'}), ('2.104', {'uuid'})])
def test_keys_of_each_version(api, version, more):
    made = make(api, zone='z', version=version)
    assert set(made) == BRIEF | more
    assert (made['availability_zone'], made['deleted'], made['updated_at']) == ('z', False, None)
    path = f'{PATH}/{made["id"]}'
    shown = api.ask('GET', path, version=version)[1]['aggregate']
    assert set(shown) == FULL | more
    assert api.ask('GET', PATH, version=version)[1] == {'aggregates': [shown]}
    assert set(api.ask('PUT', path, {'aggregate': {'name': 'blue'}}, version)[1]['aggregate']) == FULL | more
    assert api.ask('POST', path + '/action', {'add_host': {'host': 'alpha'}}, version)[1]['aggregate']['hosts'] == [
        'alpha']
    assert api.status('DELETE', path, version=version) == 400
    act(api, made['id'], 'remove_host', host='alpha')
    assert api.ask('DELETE', path, version=version) == (200, None)


def test_metadata_and_the_zone_are_one_thing(api):
    key = make(api, zone='z')['id']
    assert act(api, key, 'set_metadata', metadata={'a': '1', 'b': '2'})[0] == 200
    changed = act(api, key, 'set_metadata', metadata={'a': None, 'availability_zone': 'y'})[1]['aggregate']
    assert (changed['metadata'], changed['availability_zone']) == ({'b': '2', 'availability_zone': 'y'}, 'y')
    cleared = api.ask('PUT', f'{PATH}/{key}', {'aggregate': {'availability_zone': None}})[1]['aggregate']
    assert (cleared['metadata'], cleared['availability_zone']) == ({'b': '2'}, None)
    assert act(api, key, 'set_metadata', metadata={'availability_zone': ''})[0] == 400


@pytest.mark.parametrize(('method', 'path', 'body', 'version', 'status'), [
    ('POST', '', {'aggregate': {'name': 'red'}}, '2.1', 409),
    ('POST', '', {'aggregate': {'name': ''}}, '2.1', 400),
    ('POST', '', {'aggregate': {'name': ' x'}}, '2.1', 400),
    ('POST', '', {'aggregate': {'name': ' x'}}, LEGACY, 200),
    ('POST', '', {'aggregate': {'name': 'x', 'availability_zone': 'a:b'}}, '2.1', 400),
    ('POST', '', {'aggregate': {'name': 'x', 'availability_zone': ''}}, '2.1', 400),
    ('POST', '', {'aggregate': {'name': 'x', 'color': 1}}, '2.1', 400),
    ('POST', '', {'aggregate': {'name': 'x', 'color': 1}}, LEGACY, 200),
    ('PUT', '/1', {'aggregate': {}}, '2.1', 400), ('PUT', '/1', {'aggregate': {'name': 'blue'}}, '2.1', 409),
    ('PUT', '/9', {'aggregate': {'name': 'x'}}, '2.1', 404), ('GET', '/9', None, '2.1', 404),
    ('GET', '/x', None, '2.1', 400), ('GET', '/-1', None, '2.1', 404), ('GET', '/' + '9' * 30, None, '2.1', 404),
    ('DELETE', '/9', None, '2.1', 404), ('DELETE', '/x', None, '2.1', 400),
    ('POST', '/9/action', {'add_host': {'host': 'alpha'}}, '2.1', 404),
    ('POST', '/1/action', {'add_host': {'host': 'nobody'}}, '2.1', 404),
    ('POST', '/1/action', {'add_host': {'host': 'a b'}}, '2.1', 400),
    ('POST', '/1/action', {'remove_host': {'host': 'alpha'}}, '2.1', 404),
    ('POST', '/1/action', {'set_metadata': {'metadata': {'a': 1}}}, '2.1', 400),
    ('POST', '/9/action', {'set_metadata': {'metadata': {}}}, '2.1', 404),
    ('GET', '?x=1', None, '2.101', 200), ('GET', '?x=1', None, '2.102', 400),
])
def test_statuses(api, method, path, body, version, status):
    make(api)
    make(api, 'blue')
    assert api.status(method, PATH + path, body, version) == status


def test_a_host_is_in_one_zone(api):
    first, second = make(api, zone='a')['id'], make(api, 'blue', 'b')['id']
    assert act(api, first, 'add_host', host='alpha')[0] == 200
    assert act(api, first, 'add_host', host='alpha')[0] == 409
    status, body = act(api, second, 'add_host', host='alpha')
    assert status == 409
    assert 'alpha is in availability zone a' in body['conflictingRequest']['message']
    third = make(api, 'plain')['id']
    assert act(api, third, 'add_host', host='alpha')[0] == 200
    assert act(api, third, 'set_metadata', metadata={'availability_zone': 'c'})[0] == 400
    assert api.status('PUT', f'{PATH}/{third}', {'aggregate': {'availability_zone': 'a'}}) == 200


def test_a_host_with_servers_stays_in_its_zone(api):
    place_server(api, 'alpha')
    zoned, plain = make(api, zone='a')['id'], make(api, 'plain')['id']
    status, body = act(api, zoned, 'add_host', host='alpha')
    assert status == 409
    assert 'alpha has 1 servers, which would move from availability zone nova to a' in str(body)
    assert act(api, plain, 'add_host', host='alpha')[0] == 200
    assert act(api, plain, 'set_metadata', metadata={'availability_zone': 'a'})[0] == 400
    assert act(api, plain, 'set_metadata', metadata={'availability_zone': 'nova', 'x': 'y'})[0] == 200
    assert act(api, plain, 'remove_host', host='alpha')[0] == 200
    assert act(api, zoned, 'add_host', host='beta')[0] == 200
    place_server(api, 'beta')
    assert act(api, zoned, 'remove_host', host='beta')[0] == 409
    assert api.status('PUT', f'{PATH}/{zoned}', {'aggregate': {'availability_zone': None}}) == 400
    assert api.status('PUT', f'{PATH}/{zoned}', {'aggregate': {'availability_zone': 'a', 'name': 'new'}}) == 200


def test_images_since_2_81(api):
    key, image = make(api)['id'], str(uuid.uuid4())
    path, one = f'{PATH}/{key}/images', {'cache': [{'id': image}]}
    assert api.status('POST', path, one, '2.80') == 404
    assert api.ask('POST', path, one, '2.81') == (202, None)
    bad = ({'cache': []}, {'cache': [{'id': 'x'}]}, {'cache': [{'id': image}, {'id': image}]}, {})
    assert [api.status('POST', path, body, '2.104') for body in bad] == [400] * 4
    assert api.status('POST', f'{PATH}/9/images', one, '2.81') == 404


def test_only_for_administrators(api):
    for method, path, body in (
            ('GET', '', None), ('GET', '/9', None), ('POST', '', {'aggregate': {'name': 'x'}}),
            ('PUT', '/9', {'aggregate': {'name': 'x'}}), ('DELETE', '/9', None),
            ('POST', '/9/action', {'add_host': {'host': 'alpha'}}),
            ('POST', '/9/images', {'cache': [{'id': str(uuid.uuid4())}]})):
        assert api.status(method, PATH + path, body, '2.81', by=MEMBER) == 403
