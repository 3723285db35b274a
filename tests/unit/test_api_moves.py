# SPDX-License-Identifier: Apache-2.0
"""What clients say to move servers, and what they see of it, at the versions at which that changes."""

import datetime

import pytest

from nova_lite.db.queries import flavors, migrations, operations, servers
from nova_lite.model import times
from tests.fixtures import rows
from tests.fixtures.rooms import ADMIN, LEGACY, MEMBER, Rooms, caller, rooms
from tests.fixtures.servers import NOBODY, equip, running

__all__ = ('rooms',)

MANAGER = caller('meg', 'manager', 'member', 'reader', project=MEMBER.project_id)
STRANGER = caller('sam', 'manager', 'member', 'reader', project='c' * 32)
FLAVOR = {**rows.server('x')['flavor'], 'flavorid': '1'}
HOSTS = ('source_compute', 'source_node', 'dest_compute', 'dest_node', 'dest_host')
LISTED = {'id', 'instance_uuid', 'status', 'old_instance_type_id', 'new_instance_type_id', *HOSTS, 'created_at',
          'updated_at'}
SHOWN = {'id', 'server_uuid', 'status', *HOSTS, 'created_at', 'updated_at'} | {
    f'{kind}_{part}_bytes' for kind in ('memory', 'disk') for part in ('total', 'processed', 'remaining')}


@pytest.fixture
def api(rooms: Rooms) -> Rooms:
    for name in ('h1', 'h2'):
        rooms.add_host(name)
    return equip(rooms)


def moved(api, server, kind='live-migration', status='running', **values):
    """The row number of a move."""
    return api.db.transaction(migrations.insert, {
        'server_uuid': server, 'type': kind, 'status': status, 'user_id': 'joe', 'project_id': MEMBER.project_id,
        'source_compute': 'h1', 'source_node': 'h1', 'dest_compute': 'h2', 'dest_node': 'h2', 'dest_host': '192.0.2.2',
        'old_flavor': FLAVOR, 'new_flavor': FLAVOR, 'old_vm_state': 'active', 'updated_at': times.utcnow(), **values})


def act(api, server, body, version='2.1', by=ADMIN):
    status, answer = api.ask('POST', f'/servers/{server}/action', body, version, by)
    return status, (next(iter(answer.values()))['message'] if status >= 400 else answer)


def operation(api, server):
    """What a worker is to do."""
    with api.db.read() as conn:
        (row,) = operations.open_of_server(conn, server)
    return row


# ------------------------------------------------------------------- lists

@pytest.mark.parametrize(('version', 'more'), [
    (LEGACY, ''), ('2.1', ''), ('2.22', ''), ('2.23', 'migration_type links'), ('2.58', 'migration_type links'),
    ('2.59', 'migration_type links uuid'), ('2.79', 'migration_type links uuid'),
    ('2.80', 'migration_type links uuid user_id project_id'),
    ('2.104', 'migration_type links uuid user_id project_id')])
def test_the_list_follows_the_version(api, version, more):
    server = running(api)
    number = moved(api, server)
    moved(api, server, status='completed')
    status, answer = api.ask('GET', '/os-migrations', None, version)
    assert status == 200 and [row['status'] for row in answer['migrations']] == ['completed', 'running']
    over, going_on = answer['migrations']
    assert set(going_on) == LISTED | set(more.split())
    assert set(over) == (LISTED | set(more.split())) - {'links'}
    assert going_on['dest_host'] == '192.0.2.2' and isinstance(going_on['old_instance_type_id'], int)
    if 'links' in going_on:
        assert going_on['links'][0]['href'] == f'http://api:8774/v2.1/servers/{server}/migrations/{number}'


def test_hosts_are_for_administrators(api):
    server = running(api)
    moved(api, server)
    own = f'/os-migrations?project_id={MEMBER.project_id}'
    assert api.status('GET', own, None, '2.80', MEMBER) == 403
    assert api.status('GET', '/os-migrations', None, '2.80', MANAGER) == 403
    assert api.status('GET', f'/os-migrations?project_id={"c" * 32}', None, '2.80', MANAGER) == 403
    assert api.status('GET', own, None, '2.79', ADMIN) == 400
    for path, version in ((own, '2.80'), (f'/servers/{server}/migrations', '2.23')):
        (row,) = api.ask('GET', path, None, version, MANAGER)[1]['migrations']
        assert {row[name] for name in HOSTS} == {None}
        (row,) = api.ask('GET', path, None, version)[1]['migrations']
        assert None not in {row[name] for name in HOSTS}
    assert api.status('GET', f'/servers/{server}/migrations', None, '2.23', MEMBER) == 403
    assert api.status('GET', f'/servers/{server}/migrations', None, '2.23', STRANGER) == 404


@pytest.mark.parametrize(('query', 'version', 'expected'), [
    ('host=h2', '2.1', 3), ('host=h3', '2.1', 0), ('status=running', '2.1', 1), ('source_compute=h1', '2.1', 3),
    ('migration_type=resize', '2.1', 1), ('hidden=1', '2.1', 0), ('hidden=0', '2.1', 3), ('limit=1', '2.58', 3),
    ('foo=1', '2.58', 3), ('foo=1', '2.59', 400), ('limit=1', '2.59', 1), ('limit=x', '2.59', 400),
    ('marker=nothing', '2.59', 400), ('changes-since=2001-01-01', '2.59', 3), ('changes-since=2999-01-01', '2.59', 0),
    ('changes-since=soon', '2.59', 400), ('changes-before=2999-01-01', '2.65', 400),
    ('changes-before=2999-01-01', '2.66', 3), ('changes-since=2999-01-01&changes-before=2998-01-01', '2.66', 400),
    ('user_id=joe', '2.79', 400), ('user_id=joe', '2.80', 3), ('user_id=ann', '2.80', 0)])
def test_filters(api, query, version, expected):
    server = running(api)
    for kind, status in (('live-migration', 'running'), ('resize', 'finished'), ('evacuation', 'done')):
        moved(api, server, kind, status)
    status, answer = api.ask('GET', f'/os-migrations?{query}', None, version)
    assert (status if expected == 400 else len(answer['migrations'])) == expected
    assert ('migrations_links' in (answer or {})) == (query == 'limit=1' and version == '2.59')


def test_pages(api):
    server = running(api)
    for _ in range(3):
        moved(api, server)
    seen, path = [], '/os-migrations?limit=2'
    while path:
        answer = api.ask('GET', path, None, '2.59')[1]
        seen += [row['id'] for row in answer['migrations']]
        path = answer.get('migrations_links', [{'href': ''}])[0]['href'].partition('/v2.1')[2]
    assert seen == sorted(seen, reverse=True) and len(seen) == 3


@pytest.mark.parametrize(('version', 'more'), [
    ('2.23', ''), ('2.58', ''), ('2.59', 'uuid'), ('2.79', 'uuid'), ('2.80', 'uuid user_id project_id')])
def test_the_live_migrations_of_a_server(api, version, more):
    server, other = running(api), running(api, 'two')
    number = moved(api, server, memory_total=100, memory_processed=40, memory_remaining=60)
    done, cold = moved(api, server, status='completed'), moved(api, server, 'resize', 'migrating')
    path = f'/servers/{server}/migrations'
    answer = api.ask('GET', path, None, version)[1]
    assert [row['id'] for row in answer['migrations']] == [number]
    shown = api.ask('GET', f'{path}/{number}', None, version)[1]['migration']
    assert shown == answer['migrations'][0]
    assert set(shown) == SHOWN | set(more.split()) and shown['memory_remaining_bytes'] == 60
    for gone in (f'{path}/{done}', f'{path}/{cold}', f'{path}/99', f'{path}/one',
                 f'/servers/{other}/migrations/{number}', f'/servers/{NOBODY}/migrations'):
        assert api.status('GET', gone, None, version) == 404
    assert api.status('GET', path, None, '2.22') == 404
    assert [api.status('GET', path + '?a=b', None, version) for version in ('2.101', '2.102')] == [200, 400]


# ----------------------------------------------------------------- actions

@pytest.mark.parametrize(('version', 'body', 'status', 'says'), [
    ('2.1', {'flavorRef': '2'}, 202, ''), (LEGACY, {'flavorRef': 2, 'what': 1}, 202, ''),
    ('2.1', {'flavorRef': '2', 'OS-DCF:diskConfig': 'AUTO'}, 202, ''), ('2.1', {'flavorRef': 2}, 202, ''),
    ('2.1', {'flavorRef': '2', 'what': 1}, 400, 'what'), ('2.1', {}, 400, 'flavorRef'),
    ('2.1', {'flavorRef': '2', 'OS-DCF:diskConfig': 'WHAT'}, 400, 'diskConfig'),
    ('2.1', {'flavorRef': '1'}, 400, 'already'), ('2.1', {'flavorRef': 'none'}, 400, 'No flavor'),
    ('2.1', {'flavorRef': '4'}, 403, 'cores'), ('2.1', None, 400, 'resize')])
def test_resize(api, version, body, status, says):
    api.conf.set_override('cores', 2, group='quota')
    server = running(api, flavor=FLAVOR, disk_config='MANUAL')
    assert act(api, server, {'resize': body}, version, MEMBER)[0] == status
    answer = act(api, server, {'resize': body}, version, MEMBER)
    if status == 202:
        assert answer[0] == 409 and operation(api, server).params['flavor']['flavorid'] == '2'
        assert api.ask('GET', f'/servers/{server}')[1]['server']['status'] == 'RESIZE'
    else:
        assert says in answer[1]


def test_resize_changes_what_is_said_of_disks(api):
    server = running(api, flavor=FLAVOR, disk_config='MANUAL')
    act(api, server, {'resize': {'flavorRef': '2', 'OS-DCF:diskConfig': 'AUTO'}})
    with api.db.read() as conn:
        assert servers.get(conn, server).disk_config == 'AUTO'
    other = running(api, 'two', flavor=FLAVOR, image_properties={'auto_disk_config': 'false', 'min_disk': '0'})
    status, says = act(api, other, {'resize': {'flavorRef': '2', 'OS-DCF:diskConfig': 'AUTO'}})
    assert status == 400 and 'AUTO' in says


def test_confirm_and_revert(api):
    for verb, status in (('confirmResize', 204), ('revertResize', 202)):
        server = running(api, verb, flavor=FLAVOR)
        assert act(api, server, {verb: None})[0] == 409
        with api.db.write() as conn:
            servers.update(conn, server, vm_state='resized')
        refused, says = act(api, server, {verb: None})
        assert refused == 400 and 'has not been resized' in says
        number = moved(api, server, 'resize', 'finished')
        assert act(api, server, {verb: None}, '2.1', STRANGER)[0] == 404
        assert act(api, server, {verb: None}, '2.1', MEMBER) == (status, None)
        assert operation(api, server).params['migration'] == number


@pytest.mark.parametrize(('version', 'body', 'by', 'status', 'says'), [
    ('2.1', None, ADMIN, 202, ''), ('2.1', {'host': 'nowhere'}, ADMIN, 202, ''), ('2.55', {'a': 'b'}, ADMIN, 202, ''),
    ('2.56', None, MANAGER, 202, ''), ('2.56', {}, ADMIN, 202, ''), ('2.56', {'host': None}, MANAGER, 202, ''),
    ('2.56', {'host': 'h2'}, ADMIN, 202, ''), ('2.56', {'host': 'h2'}, MANAGER, 403, 'migrate:host'),
    ('2.56', {'host': 'nowhere'}, ADMIN, 400, 'nowhere'), ('2.56', {'host': 'h1'}, ADMIN, 400, 'already'),
    ('2.56', {'a': 'b'}, ADMIN, 400, 'a'), ('2.56', None, MEMBER, 403, 'migrate')])
def test_migrate(api, version, body, by, status, says):
    server = running(api, flavor=FLAVOR)
    answer = act(api, server, {'migrate': body}, version, by)
    assert answer[0] == status and says in str(answer[1])
    if status == 202:
        assert operation(api, server).params['host'] == (
            (body or {}).get('host') if version == '2.56' else None)


LIVE = {'host': None, 'block_migration': False, 'disk_over_commit': False}


@pytest.mark.parametrize(('version', 'body', 'status', 'expected'), [
    ('2.1', LIVE, 202, (None, False, False)), ('2.24', {**LIVE, 'host': 'h2'}, 202, ('h2', True, False)),
    (LEGACY, {**LIVE, 'what': 1}, 202, (None, False, False)), ('2.1', {**LIVE, 'block_migration': 'auto'}, 400, 'auto'),
    ('2.1', {'host': None, 'block_migration': True}, 400, 'disk_over_commit'),
    ('2.1', {'block_migration': True, 'disk_over_commit': True}, 400, 'host'),
    ('2.25', LIVE, 400, 'disk_over_commit'),
    ('2.25', {'host': None, 'block_migration': 'auto'}, 202, (None, False, None)),
    ('2.29', {'host': 'h2', 'block_migration': 'True'}, 202, ('h2', True, True)),
    ('2.29', {'host': 'h2', 'block_migration': True, 'force': True}, 400, 'force'),
    ('2.30', {'host': 'h2', 'block_migration': True}, 202, ('h2', False, True)),
    ('2.30', {'host': 'h2', 'block_migration': True, 'force': True}, 202, ('h2', True, True)),
    ('2.67', {'host': None, 'block_migration': True, 'force': True}, 400, 'force'),
    ('2.68', {'host': 'h2', 'block_migration': True, 'force': True}, 400, 'force'),
    ('2.68', {'host': 'h2', 'block_migration': True}, 202, ('h2', False, True)),
    ('2.33', {'host': 'h1', 'block_migration': True}, 400, 'already'),
    ('2.34', {'host': 'h1', 'block_migration': True}, 202, ('h1', False, True)),
    ('2.33', {'host': 'h3', 'block_migration': True}, 400, 'h3'),
    ('2.34', {'host': 'h3', 'block_migration': True}, 400, 'h3'),
    ('2.33', {'host': 'h4', 'block_migration': True}, 400, 'down'),
    ('2.34', {'host': 'h4', 'block_migration': True}, 202, ('h4', False, True))])
def test_live_migrate(api, version, body, status, expected):
    api.add_host('h4', age=1000)
    server = running(api, flavor=FLAVOR)
    answer = act(api, server, {'os-migrateLive': body}, version)
    assert answer[0] == status, answer
    if status == 400:
        assert expected in answer[1]
        return
    params = operation(api, server).params
    assert (params['host'], params['forced'], params['move']['block_migration']) == expected
    assert api.ask('GET', f'/servers/{server}')[1]['server']['status'] == 'MIGRATING'


def test_live_migrate_to_a_host_of_choice_is_for_administrators(api):
    server = running(api, flavor=FLAVOR)
    for by, host, status in ((MEMBER, None, 403), (MANAGER, 'h2', 403), (MANAGER, None, 202)):
        assert act(api, server, {'os-migrateLive': {'host': host, 'block_migration': 'auto'}}, '2.68', by)[0] == status


def test_ending_a_live_migration(api):
    server = running(api, task_state='migrating')
    number = moved(api, server)
    path = f'/servers/{server}/migrations/{number}'
    force = {'force_complete': None}
    assert api.status('POST', f'{path}/action', force, '2.21') == 404
    assert api.status('POST', f'{path}/action', {'force_complete': {}}, '2.22') == 400
    assert api.status('POST', f'{path}/action', force, '2.22', MEMBER) == 403
    assert api.status('POST', f'{path}/action', force, '2.22', MANAGER) == 202
    assert api.status('DELETE', path, None, '2.23') in (404, 405)
    assert api.status('DELETE', path, None, '2.24', MANAGER) == 202
    for status, early in (('queued', 202), ('preparing', 202), ('post-migrating', 400), ('completed', 400)):
        with api.db.write() as conn:
            migrations.update(conn, number, status=status)
        assert api.status('DELETE', path, None, '2.64') == 400
        assert api.status('DELETE', path, None, '2.65') == early
        assert api.status('POST', f'{path}/action', force, '2.65') == 400
    assert api.status('DELETE', f'/servers/{server}/migrations/99', None, '2.65') == 404
    assert api.status('DELETE', f'/servers/{server}/migrations/x', None, '2.65') == 404
    with api.db.write() as conn:
        servers.update(conn, server, task_state=None)
    assert api.status('DELETE', path, None, '2.65') == 409
    assert api.status('POST', f'{path}/action', force, '2.65') == 409


@pytest.mark.parametrize(('version', 'body', 'status', 'expected'), [
    ('2.1', {'onSharedStorage': False}, 200, (None, False, 1, '')), ('2.1', {}, 400, 'onSharedStorage'),
    ('2.1', {'onSharedStorage': False, 'adminPass': 'secret'}, 200, (None, False, 1, 'secret')),
    ('2.1', {'onSharedStorage': True, 'adminPass': 'secret'}, 400, 'adminPass'),
    ('2.13', {'onSharedStorage': False, 'host': 'h2'}, 200, ('h2', True, 1, '')),
    ('2.14', {'onSharedStorage': False}, 400, 'onSharedStorage'), ('2.14', {}, 200, (None, False, 1, None)),
    ('2.28', {'force': True}, 400, 'force'), ('2.28', {'host': 'h2'}, 200, ('h2', True, 1, None)),
    ('2.29', {'host': 'h2'}, 200, ('h2', False, 1, None)),
    ('2.29', {'host': 'h2', 'force': True}, 200, ('h2', True, 1, None)), ('2.29', {'force': True}, 400, 'host'),
    ('2.68', {'host': 'h2', 'force': True}, 400, 'force'), ('2.94', {'host': 'h2'}, 200, ('h2', False, 1, None)),
    ('2.95', {'host': 'h2'}, 200, ('h2', False, 4, None)), ('2.95', {'host': 'h9'}, 404, 'h9'),
    ('2.95', {'host': 'h5'}, 400, 'own host'), ('2.95', {'host': None}, 400, 'host')])
def test_evacuate(api, version, body, status, expected):
    api.add_host('h5', age=1000)
    server = running(api, flavor=FLAVOR, host='h5')
    answer = act(api, server, {'evacuate': body}, version)
    assert answer[0] == status, answer
    if status != 200:
        assert expected in answer[1]
        return
    *told, password = expected
    params = operation(api, server).params
    assert [params['host'], params['forced'], params['power']] == told
    if password is None:
        assert answer[1] is None
    else:
        assert answer[1]['adminPass'] == (password or params['admin_password'])


def test_evacuate_is_for_hosts_that_are_down_and_for_administrators(api):
    server = running(api, flavor=FLAVOR)
    status, says = act(api, server, {'evacuate': {}}, '2.14')
    assert status == 400 and 'is up' in says
    assert act(api, server, {'evacuate': {}}, '2.14', MANAGER)[0] == 403
    nowhere = running(api, 'two', host=None, vm_state='error', launched_at=datetime.datetime(2026, 1, 1))
    assert act(api, nowhere, {'evacuate': {}}, '2.14')[0] == 409


def test_a_locked_server_stays(api):
    server = running(api, flavor=FLAVOR, locked=True)
    for body in ({'resize': {'flavorRef': '2'}}, {'confirmResize': None}, {'revertResize': None}):
        assert act(api, server, body, '2.1', MEMBER)[0] == 409
    for body in ({'migrate': None}, {'os-migrateLive': {'host': None, 'block_migration': 'auto'}}):
        assert act(api, server, body, '2.68', MANAGER)[0] == 409


def test_the_old_alias(api):
    server = running(api, flavor=FLAVOR)
    assert api.status('POST', f'/os-volumes_boot/{server}/action', {'resize': {'flavorRef': '2'}}, '2.102') == 202
    assert api.status('POST', f'/os-volumes_boot/{server}/action', {'migrate': None}, '2.102') == 400


def test_flavors_are_numbered(api):
    server = running(api, flavor=FLAVOR)
    act(api, server, {'resize': {'flavorRef': '2'}})
    (row,) = api.ask('GET', '/os-migrations', None, '2.23')[1]['migrations']
    with api.db.read() as conn:
        assert (row['old_instance_type_id'], row['new_instance_type_id']) == tuple(
            flavors.get(conn, flavor_id, is_admin=True).id for flavor_id in ('1', '2'))
    assert (row['status'], row['migration_type'], row['dest_compute']) == ('pre-migrating', 'resize', None)
