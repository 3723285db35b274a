# SPDX-License-Identifier: Apache-2.0
"""Quotas: keys of each version, whose limits count, which may be set."""

import pytest

from nova_lite.db.queries import quotas, servers
from nova_lite.model.quotas import use_of
from tests.fixtures import rows
from tests.fixtures.rooms import ADMIN, LEGACY, MEMBER, UNKNOWN_PROJECT, Rooms, caller, rooms

__all__ = ('rooms',)

PROJECT = MEMBER.project_id
PATH = f'/os-quota-sets/{PROJECT}'
USER = f'?user_id={MEMBER.user_id}'
CLASSES = '/os-quota-class-sets'
NETWORK = {'fixed_ips', 'floating_ips', 'security_groups', 'security_group_rules'}
FILES = {'injected_files', 'injected_file_content_bytes', 'injected_file_path_bytes'}
GROUPS = {'server_groups', 'server_group_members'}
PLAIN = {'instances', 'cores', 'ram', 'metadata_items', 'key_pairs'}
DEFAULTS = {'instances': 10, 'cores': 20, 'ram': 51200, 'metadata_items': 128, 'key_pairs': 100, 'server_groups': 10,
            'server_group_members': 10}


def put(rooms: Rooms, path: str = PATH, version: str = '2.57', **values: object) -> tuple[int, dict]:
    return rooms.ask('PUT', path, {'quota_set': values}, version)


def get(rooms: Rooms, path: str = PATH, version: str = '2.57', by=ADMIN) -> dict:
    status, body = rooms.ask('GET', path, version=version, by=by)
    assert status == 200, body
    return body['quota_set']


@pytest.mark.parametrize(('version', 'keys'), [
    (LEGACY, PLAIN | GROUPS | FILES | NETWORK), ('2.35', PLAIN | GROUPS | FILES | NETWORK),
    ('2.36', PLAIN | GROUPS | FILES), ('2.56', PLAIN | GROUPS | FILES), ('2.57', PLAIN | GROUPS),
    ('2.104', PLAIN | GROUPS)])
def test_keys_of_each_version(rooms, version, keys):
    for path in ('', USER, '/defaults'):
        shown = get(rooms, PATH + path, version)
        assert set(shown) == keys | {'id'}
        assert (shown['id'], shown['cores'], shown.get('fixed_ips', -1)) == (PROJECT, 20, -1)
    shown = get(rooms, f'{PATH}/detail', version)
    assert set(shown) == keys | {'id'}
    assert shown['cores'] == {'limit': 20, 'in_use': 0, 'reserved': 0}
    assert set(put(rooms, version=version, cores=5)[1]['quota_set']) == keys
    names = {'network': 'fixed_ips', 'files': 'injected_files', 'unknown': 'color'}
    accepted = {why for why, name in names.items() if put(rooms, version=version, **{name: 1})[0] == 200}
    assert accepted == {why for why, name in names.items() if name in keys or version == LEGACY}


@pytest.mark.parametrize(('version', 'keys'), [
    (LEGACY, PLAIN | FILES | NETWORK), ('2.49', PLAIN | FILES | NETWORK), ('2.50', PLAIN | FILES | GROUPS),
    ('2.56', PLAIN | FILES | GROUPS), ('2.57', PLAIN | GROUPS)])
def test_classes(rooms, version, keys):
    shown = rooms.ask('GET', f'{CLASSES}/default', version=version)[1]['quota_class_set']
    assert set(shown) == keys | {'id'}
    assert shown['id'] == 'default'
    status, changed = rooms.ask('PUT', f'{CLASSES}/other', {'quota_class_set': {'cores': 7, 'ram': '-1'}}, version)
    del shown['id']
    assert (status, changed['quota_class_set']) == (200, {**shown, 'cores': 7, 'ram': -1})
    assert get(rooms)['cores'] == 20
    rooms.ask('PUT', f'{CLASSES}/default', {'quota_class_set': {'cores': 7}}, version)
    assert get(rooms)['cores'] == get(rooms, f'{PATH}/defaults')['cores'] == 7
    assert rooms.status('PUT', f'{CLASSES}/x', {'quota_class_set': {'force': True}}, '2.1') == 400


def test_whose_limits_count(rooms):
    assert {key: value for key, value in get(rooms).items() if key != 'id'} == DEFAULTS
    put(rooms, cores=15, instances=-1)
    put(rooms, PATH + USER, cores=5)
    assert (get(rooms)['cores'], get(rooms)['instances']) == (15, -1)
    assert (get(rooms, PATH + USER)['cores'], get(rooms, PATH + USER)['instances']) == (5, -1)
    assert get(rooms, f'{PATH}?user_id=jim')['cores'] == 15
    assert get(rooms, f'{PATH}/defaults')['cores'] == 20
    assert rooms.status('DELETE', PATH + USER) == 202
    assert get(rooms, PATH + USER)['cores'] == 15
    put(rooms, PATH + USER, cores=5)
    assert rooms.status('DELETE', PATH) == 202
    assert get(rooms, PATH + USER)['cores'] == get(rooms)['cores'] == 20
    limits = rooms.ask('GET', '/limits', by=MEMBER)[1]['limits']['absolute']
    assert limits['maxTotalCores'] == 20


def test_what_is_used(rooms):
    mine = rows.server(project_id=PROJECT, user_id=MEMBER.user_id)
    with rooms.db.write() as conn:
        servers.insert(conn, [mine, rows.server(project_id=PROJECT, user_id='jim')])
        quotas.use(conn, PROJECT, use_of(rows.FLAVOR, 2), dict.fromkeys(DEFAULTS, -1))
    rooms.ask('POST', '/os-server-groups', {'server_group': {'name': 'g', 'policies': ['affinity']}}, by=MEMBER)

    def used(path):
        shown = get(rooms, path)
        return {name: shown[name]['in_use'] for name in ('instances', 'ram', 'server_groups', 'key_pairs')}

    assert used(f'{PATH}/detail') == {'instances': 2, 'ram': 1024, 'server_groups': 1, 'key_pairs': 0}
    assert used(f'{PATH}/detail{USER}') == {'instances': 1, 'ram': 512, 'server_groups': 1, 'key_pairs': 0}
    assert used(f'{PATH}/detail?user_id=jim') == {'instances': 1, 'ram': 512, 'server_groups': 0, 'key_pairs': 0}

    status, body = put(rooms, instances=1)
    assert status == 400
    assert 'instances: 1 is less than the 2 in use' in body['badRequest']['message']
    assert put(rooms, instances=-1)[0] == put(rooms, instances=2)[0] == 200
    assert put(rooms, PATH + USER, instances=3)[0] == 400
    assert put(rooms, PATH + USER, instances=-1)[0] == 400
    assert put(rooms, PATH + USER, instances=0)[0] == 400
    assert put(rooms, PATH + USER, instances=1)[0] == 200
    assert put(rooms, instances=0, force='True')[1]['quota_set']['instances'] == 0
    assert put(rooms, PATH + USER, instances=9, force=True)[1]['quota_set']['instances'] == 9


@pytest.mark.parametrize('value', [-2, '-2', 'x', '', 2 ** 31, '2147483648', 1.5, None, True])
def test_bad_values(rooms, value):
    assert put(rooms, cores=value)[0] == 400
    assert rooms.status('PUT', f'{CLASSES}/default', {'quota_class_set': {'cores': value}}) == 400
    assert get(rooms)['cores'] == 20


def test_nothing_is_stored_unless_all_is_right(rooms):
    with rooms.db.write() as conn:
        quotas.use(conn, PROJECT, use_of(rows.FLAVOR, 2), dict.fromkeys(DEFAULTS, -1))
    assert put(rooms, cores=9, instances=1)[0] == 400
    assert get(rooms)['cores'] == 20
    assert put(rooms)[0] == 200


def test_limits_are_kept(rooms):
    key = {'keypair': {'name': 'k', 'public_key': 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIZ0uXJ6Zk3K'
                                                  'c0Jm1mJ0c0Jm1mJ0c0Jm1mJ0c0Jm1mJ0 x'}}
    put(rooms, key_pairs=0)
    status, body = rooms.ask('POST', '/os-keypairs', key, by=MEMBER)
    assert (status, 'key_pairs' in str(body)) == (403, True)


def test_who_may(rooms):
    other = f'/os-quota-sets/{"d" * 32}'
    reader = caller('rae', 'reader', project=PROJECT)
    for path in ('', '/detail', USER):
        assert rooms.status('GET', PATH + path, by=reader) == 200
        assert rooms.status('GET', other + path, by=reader) == 403
        assert rooms.status('GET', other + path) == 200
    assert rooms.status('GET', f'{other}/defaults', by=reader) == 200
    assert rooms.status('PUT', PATH, {'quota_set': {}}, by=MEMBER) == 403
    assert rooms.status('DELETE', PATH, by=MEMBER) == 403
    assert rooms.status('GET', f'{CLASSES}/default', by=MEMBER) == 403
    assert rooms.status('PUT', f'{CLASSES}/default', {'quota_class_set': {}}, by=MEMBER) == 403
    unknown = f'/os-quota-sets/{UNKNOWN_PROJECT}'
    assert [rooms.status('GET', unknown + path) for path in ('', '/detail', '/defaults')] == [400] * 3
    assert rooms.status('PUT', unknown, {'quota_set': {}}) == 400
    assert rooms.status('GET', unknown, by=MEMBER) == 403


def test_unknown_parameters_are_refused_from_2_75(rooms):
    for path in ('', '/detail'):
        assert [rooms.status('GET', f'{PATH}{path}?x=1', version=v) for v in ('2.74', '2.75')] == [200, 400]
    assert rooms.status('GET', f'{PATH}/defaults?x=1', version='2.104') == 200
    assert [rooms.status('GET', f'{CLASSES}/default?x=1', version=v) for v in ('2.101', '2.102')] == [200, 400]
    assert [rooms.status('DELETE', f'{PATH}?x=1', version=v) for v in ('2.74', '2.75')] == [202, 400]
