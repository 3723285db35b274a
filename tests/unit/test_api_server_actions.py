# SPDX-License-Identifier: Apache-2.0
"""Actions that begin operations: at which version they may say what, who may, in which state, and what they answer."""

import pytest

from nova_lite import errors
from nova_lite.clients.image import EmbeddedImages
from nova_lite.db.queries import consoles, operations, server_passwords, servers
from nova_lite.model import times
from tests.fixtures.rooms import ADMIN, LEGACY, MEMBER, Rooms, caller, rooms
from tests.fixtures.servers import IMAGE, NOBODY, equip, running

__all__ = ('rooms',)

LATEST = '2.104'
READER = caller('rita', 'reader', project=MEMBER.project_id)
STRANGER = caller('sam', 'member', 'reader', project='c' * 32)
SERVICE = caller('proxy', 'service', project='d' * 32)


@pytest.fixture
def api(rooms: Rooms, tmp_path) -> Rooms:
    made = equip(rooms)
    store, stub = EmbeddedImages(str(tmp_path)), made.services.images
    # One image to boot from, and a store for those that are made.
    stub.create, stub.delete, stub.share, stub.store = store.create, store.delete, store.share, store
    return made


def act(api, server, action, version='2.1', by=MEMBER):
    return api.ask('POST', f'/servers/{server}/action', action, version, by)


def kinds(api, server):
    with api.db.read() as conn:
        return [row.kind for row in operations.open_of_server(conn, server)]


OFF = {'vm_state': 'shelved_offloaded', 'host': None}
SHELVED = {'vm_state': 'shelved'}
GONE = {'vm_state': 'soft-delete'}


@pytest.mark.parametrize(('action', 'values', 'status', 'kind'), [
    ({'pause': None}, {}, 202, 'pause'),
    ({'pause': {}}, {'vm_state': 'paused'}, 409, None),
    ({'unpause': None}, {'vm_state': 'paused'}, 202, 'unpause'),
    ({'unpause': None}, {}, 409, None),
    ({'suspend': None}, {}, 202, 'suspend'),
    ({'suspend': None}, {'task_state': 'pausing'}, 409, None),
    ({'resume': None}, {'vm_state': 'suspended'}, 202, 'resume'),
    ({'resume': None}, {}, 409, None),
    ({'pause': None}, {'locked': True, 'locked_by': 'owner'}, 409, None),
    ({'changePassword': {'adminPass': 'x'}}, {}, 202, 'set_password'),
    ({'changePassword': {'adminPass': 'x'}}, {'vm_state': 'stopped'}, 409, None),
    ({'changePassword': {}}, {}, 400, None),
    ({'changePassword': {'adminPass': 1}}, {}, 400, None),
    ({'changePassword': None}, {}, 400, None),
    ({'rescue': None}, {}, 200, 'rescue'),
    ({'rescue': {}}, {'vm_state': 'error'}, 200, 'rescue'),
    ({'rescue': {'rescue_image_ref': IMAGE}}, {'vm_state': 'stopped'}, 200, 'rescue'),
    ({'rescue': {'rescue_image_ref': NOBODY}}, {}, 400, None),
    ({'rescue': {'rescue_image_ref': 'x'}}, {}, 400, None),
    ({'rescue': {'other': 1}}, {}, 400, None),
    ({'rescue': None}, {'vm_state': 'rescued'}, 409, None),
    ({'rescue': None}, {'launched_at': None}, 409, None),
    ({'unrescue': None}, {'vm_state': 'rescued'}, 202, 'unrescue'),
    ({'unrescue': None}, {}, 409, None),
    ({'rebuild': {'imageRef': IMAGE}}, {'vm_state': 'error'}, 202, 'rebuild'),
    ({'rebuild': {'imageRef': IMAGE}}, {'vm_state': 'paused'}, 409, None),
    ({'rebuild': {'imageRef': NOBODY}}, {}, 400, None),
    ({'rebuild': {'imageRef': ''}}, {}, 400, None),
    ({'rebuild': {}}, {}, 400, None),
    ({'rebuild': {'imageRef': IMAGE, 'name': ' x'}}, {}, 400, None),
    ({'rebuild': {'imageRef': IMAGE, 'preserve_ephemeral': 'maybe'}}, {}, 400, None),
    ({'rebuild': {'imageRef': IMAGE, 'metadata': {str(n): 'v' for n in range(129)}}}, {}, 403, None),
    ({'rebuild': {'imageRef': IMAGE, 'personality': [{'path': '/a', 'contents': 'YQ=='}] * 6}}, {}, 403, None),
    ({'rebuild': {'imageRef': IMAGE, 'unknown': 1}}, {}, 400, None),
    ({'createImage': {'name': 'shot'}}, {}, 202, 'snapshot'),
    ({'createImage': {'name': 'shot'}}, {'locked': True, 'locked_by': 'owner'}, 202, 'snapshot'),
    ({'createImage': {'name': 'shot'}}, {'vm_state': 'rescued'}, 409, None),
    ({'createImage': {}}, {}, 400, None),
    ({'createImage': {'name': 'shot', 'metadata': {'a': 1}}}, {}, 400, None),
    ({'createBackup': {'name': 'b', 'backup_type': 'daily', 'rotation': '1'}}, {}, 202, 'backup'),
    ({'createBackup': {'name': 'b', 'backup_type': 'daily', 'rotation': -1}}, {}, 400, None),
    ({'createBackup': {'name': 'b', 'rotation': 1}}, {}, 400, None),
    ({'createBackup': {'backup_type': 'b', 'rotation': 1}}, {}, 400, None),
    ({'shelve': None}, {}, 202, 'shelve'),
    ({'shelve': None}, SHELVED, 409, None),
    ({'unshelve': None}, SHELVED, 202, 'unshelve'),
    ({'unshelve': {'anything': 1}}, OFF, 202, 'unshelve'),
    ({'unshelve': None}, {}, 409, None),
    ({'restore': None}, GONE, 202, 'restore'),
    ({'restore': None}, {**GONE, 'locked': True, 'locked_by': 'owner'}, 202, 'restore'),
    ({'restore': None}, {}, 409, None),
    ({'forceDelete': None}, {'task_state': 'pausing'}, 202, 'delete'),
    ({'forceDelete': None}, {'locked': True, 'locked_by': 'owner'}, 409, None),
])
def test_actions_of_an_owner(api, action, values, status, kind):
    server = running(api, **values)
    assert act(api, server, action)[0] == status
    assert kinds(api, server) == ([kind] if kind else [])
    for by, refused in ((READER, 403), (STRANGER, 404)):
        assert act(api, running(api, **values), action, by=by)[0] in (refused, 400)


@pytest.mark.parametrize(('action', 'values', 'status'), [
    ({'injectNetworkInfo': None}, {}, 202), ({'injectNetworkInfo': None}, {'host': None}, 409),
    ({'shelveOffload': None}, SHELVED, 202), ({'shelveOffload': None}, {}, 409)])
def test_actions_of_an_administrator(api, action, values, status):
    server = running(api, **values)
    assert act(api, server, action)[0] == 403
    assert act(api, server, action, by=ADMIN)[0] == status


def test_what_the_hypervisor_cannot_do_is_not_implemented(api):
    api.add_host('h1', capabilities=['snapshot'])
    needy = [{'pause': None}, {'suspend': None}, {'rescue': None}, {'changePassword': {'adminPass': 'x'}}]
    for action in needy:
        status, answer = act(api, running(api), action)
        assert (status, list(answer)) == (501, ['notImplemented'])
    assert act(api, running(api), {'createImage': {'name': 'shot'}})[0] == 202
    assert act(api, running(api), {'trigger_crash_dump': None}, '2.17')[0] == 501


def test_crash_dumps_came_with_2_17(api):
    server = running(api)
    assert [act(api, server, {'trigger_crash_dump': None}, version)[0] for version in (
        LEGACY, '2.16', '2.17', LATEST)] == [404, 404, 202, 202]
    assert act(api, server, {'trigger_crash_dump': {}}, '2.17')[0] == 400
    assert act(api, running(api, vm_state='stopped'), {'trigger_crash_dump': None}, '2.17')[0] == 409


def test_a_rescue_tells_the_password_where_that_is_allowed(api):
    assert act(api, running(api), {'rescue': {'adminPass': 'mine'}}) == (200, {'adminPass': 'mine'})
    assert len(act(api, running(api), {'rescue': None})[1]['adminPass']) == 12
    api.conf.set_override('enable_instance_password', False, 'api')
    assert act(api, running(api), {'rescue': None}) == (200, {})


# ------------------------------------------------------------------ rebuild

@pytest.mark.parametrize(('word', 'value', 'good', 'bad'), [
    ('personality', [{'path': '/a', 'contents': 'aGk='}], ['2.1', '2.56'], ['2.57', LATEST]),
    ('description', 'd', ['2.19'], ['2.18']),
    ('description', None, ['2.19'], []),
    ('key_name', None, ['2.54'], ['2.53']),
    ('key_name', 'none', [], ['2.54']),
    ('user_data', 'aGk=', ['2.57'], ['2.56']),
    ('user_data', None, ['2.57'], []),
    ('user_data', 'a', [], ['2.57']),
    ('trusted_image_certificates', ['a'], ['2.63'], ['2.62']),
    ('hostname', 'host', ['2.90'], ['2.89']),
    ('hostname', 'host.example.org', ['2.94'], ['2.93']),
    ('preserve_ephemeral', 'true', ['2.1', LATEST], []),
])
def test_words_of_a_rebuild_have_their_versions(api, word, value, good, bad):
    asked = {'rebuild': {'imageRef': IMAGE, word: value}}
    assert {version: act(api, running(api), asked, version)[0] for version in good + bad} == {
        **dict.fromkeys(good, 202), **dict.fromkeys(bad, 400)}


BASE = {'id', 'name', 'status', 'tenant_id', 'user_id', 'metadata', 'hostId', 'image', 'flavor', 'created', 'updated',
        'addresses', 'accessIPv4', 'accessIPv6', 'links', 'OS-DCF:diskConfig', 'progress', 'adminPass'}
SINCE = ((9, 'locked'), (19, 'description'), (26, 'tags'), (54, 'key_name'), (57, 'user_data'),
         (63, 'trusted_image_certificates'), (71, 'server_groups'), (73, 'locked_reason'))


@pytest.mark.parametrize('minor', [1, 9, 19, 26, 47, 53, 54, 57, 63, 71, 73, 74])
def test_a_rebuild_answers_with_the_server(api, minor):
    server = running(api)
    status, answer = act(api, server, {'rebuild': {'imageRef': IMAGE, 'adminPass': 'mine'}}, f'2.{minor}', ADMIN)
    assert status == 202 and set(answer['server']) == BASE | {key for first, key in SINCE if minor >= first}
    assert (answer['server']['status'], answer['server']['adminPass']) == ('REBUILD', 'mine')
    assert api.headers['Location'] == f'http://api:8774/v2.1/servers/{server}'


@pytest.mark.parametrize('minor', [75, 89, 90, 96, 98, 100, 104])
def test_a_rebuild_answers_like_show_since_2_75(api, minor):
    server = running(api)
    shown = set(api.ask('GET', f'/servers/{server}', None, f'2.{minor}', ADMIN)[1]['server'])
    _, answer = act(api, server, {'rebuild': {'imageRef': IMAGE}}, f'2.{minor}', ADMIN)
    # The user data stands in it once, under the name that a rebuild has had for it since 2.57.
    assert set(answer['server']) == shown - {'OS-EXT-SRV-ATTR:user_data'} | {'adminPass', 'user_data'}


def test_a_rebuild_changes_what_it_says_and_nothing_else(api):
    server = running(api, key_name='k', public_key='p', description='old', user_data='b2xk', metadata={'a': 'b'})
    path = f'/servers/{server}'
    asked = {'imageRef': IMAGE, 'name': 'new', 'accessIPv4': '1.2.3.4', 'OS-DCF:diskConfig': 'AUTO'}
    answer = act(api, server, {'rebuild': asked}, '2.57')[1]['server']
    assert (answer['name'], answer['description'], answer['key_name'], answer['user_data'], answer['metadata']) == (
        'new', 'old', 'k', 'b2xk', {'a': 'b'})
    api.ask('POST', f'{path}/action', {'os-resetState': {'state': 'active'}})
    asked = {'imageRef': IMAGE, 'key_name': None, 'user_data': None, 'metadata': {}, 'hostname': 'other'}
    answer = act(api, server, {'rebuild': asked}, '2.90')[1]['server']
    assert (answer['key_name'], answer['user_data'], answer['metadata'], answer['OS-EXT-SRV-ATTR:hostname']) == (
        None, None, {}, 'other')


@pytest.mark.parametrize(('version', 'description'), [(LEGACY, 'new'), ('2.18', 'new'), ('2.19', None)])
def test_a_new_name_is_a_description_until_servers_have_one(api, version, description):
    server = running(api)
    act(api, server, {'rebuild': {'imageRef': IMAGE, 'name': 'new'}}, version)
    assert api.ask('GET', f'/servers/{server}', None, LATEST, MEMBER)[1]['server']['description'] == description


# ------------------------------------------------------------------- images

@pytest.mark.parametrize(('version', 'header'), [(LEGACY, True), ('2.1', True), ('2.44', True), ('2.45', False),
                                                 (LATEST, False)])
@pytest.mark.parametrize('action', [
    {'createImage': {'name': 'shot', 'metadata': {'a': 'b'}}},
    {'createBackup': {'name': 'shot', 'backup_type': 'daily', 'rotation': 1}}])
def test_the_id_of_an_image_is_in_a_header_until_2_44(api, version, header, action):
    status, answer = act(api, running(api), action, version)
    assert status == 202
    image_id = api.headers['Location'].rsplit('/', 1)[1] if header else answer['image_id']
    made = api.services.images.store.show(MEMBER, image_id)
    assert (made.status, made.owner, made.name) == ('queued', MEMBER.project_id, 'shot')
    assert header is ('Location' in api.headers) and header is (answer is None)


def test_a_backup_of_which_none_is_kept_has_no_image(api):
    asked = {'createBackup': {'name': 'shot', 'backup_type': 'daily', 'rotation': 0}}
    assert act(api, running(api), asked, '2.45') == (202, None)
    assert act(api, running(api), asked, '2.1') == (202, None) and 'Location' not in api.headers


def test_metadata_of_an_image_have_a_quota_until_2_38(api):
    asked = {'createImage': {'name': 'shot', 'metadata': {str(n): 'v' for n in range(129)}}}
    assert [act(api, running(api), asked, version)[0] for version in ('2.1', '2.38')] == [403, 403]
    # The image service has a limit of its own.
    asked['createImage']['metadata'] = {str(n): 'v' for n in range(100)}
    api.conf.set_override('metadata_items', 1, 'quota')
    assert [act(api, running(api), asked, version)[0] for version in ('2.38', '2.39')] == [403, 202]


def test_an_image_service_that_is_away_is_said_to_be(api):
    def away(context, values):
        raise errors.Unavailable(reason='no image service')

    api.services.images.create = away
    server = running(api)
    assert act(api, server, {'createImage': {'name': 'shot'}})[0] == 503
    assert kinds(api, server) == []


# ------------------------------------------------------------------ unshelve

@pytest.mark.parametrize(('body', 'version', 'by', 'status'), [
    ({}, '2.76', MEMBER, 202), ({}, '2.77', MEMBER, 400), (None, '2.77', MEMBER, 202),
    ({'availability_zone': 'nova'}, '2.77', MEMBER, 202), ({'availability_zone': 'moon'}, '2.77', MEMBER, 400),
    ({'availability_zone': None}, '2.90', MEMBER, 400), ({'availability_zone': None}, '2.91', MEMBER, 202),
    ({'host': 'h1'}, '2.90', ADMIN, 400), ({'host': 'h1'}, '2.91', ADMIN, 202), ({'host': 'h1'}, '2.91', MEMBER, 403),
    ({'host': 'h9'}, '2.91', ADMIN, 400), ({}, '2.91', ADMIN, 400),
    ({'host': 'h1', 'availability_zone': None}, '2.91', ADMIN, 202), ({'other': 1}, '2.91', ADMIN, 400)])
def test_where_a_server_comes_back_to(api, body, version, by, status):
    api.add_host('h1')
    assert act(api, running(api, **OFF), {'unshelve': body}, version, by)[0] == status
    if status == 202 and body and version != '2.76':
        # One that is still on a host stays there.
        assert act(api, running(api, **SHELVED), {'unshelve': body}, version, by)[0] == 409


# ------------------------------------------------------------------ deletion

def test_a_delete_puts_aside_where_that_is_configured(api):
    api.conf.set_override('reclaim_instance_interval', 600)
    for method, path, body in (('DELETE', '', None), ('POST', '/action', {'forceDelete': None})):
        server = running(api)
        api.ask(method, f'/servers/{server}{path}', body, by=MEMBER)
        assert kinds(api, server) == ['soft_delete' if body is None else 'delete']


def test_a_restore_needs_quota(api):
    api.conf.set_override('instances', 0, 'quota')
    server = running(api, **GONE)
    assert act(api, server, {'restore': None})[0] == 403
    with api.db.read() as conn:
        assert servers.get(conn, server).task_state is None


# ------------------------------------------------------------------ consoles

@pytest.mark.parametrize(('action', 'kind'), [
    ('os-getVNCConsole', 'novnc'), ('os-getSPICEConsole', 'spice-html5'), ('os-getSerialConsole', 'serial')])
def test_consoles_by_action_until_2_5(api, action, kind):
    server = running(api)
    status, answer = act(api, server, {action: {'type': kind}}, '2.5')
    assert (status, answer['console']['type']) == (200, kind)
    assert answer['console']['url'].startswith(f'http://proxy/{kind}?')
    assert act(api, server, {action: {'type': 'xvpvnc'}}, '2.5')[0] == 400
    assert act(api, server, {action: {'type': kind}}, '2.6')[0] == 404
    assert act(api, running(api, host=None), {action: {'type': kind}}, '2.5')[0] == 409
    assert act(api, server, {action: {'type': kind}}, '2.5', READER)[0] == 403


@pytest.mark.parametrize(('protocol', 'kind', 'version', 'status'), [
    ('vnc', 'novnc', '2.5', 404), ('vnc', 'novnc', '2.6', 200), ('vnc', 'serial', '2.6', 400),
    ('spice', 'spice-html5', '2.6', 200), ('serial', 'serial', LATEST, 200), ('rdp', 'rdp-html5', '2.6', 400),
    ('mks', 'webmks', '2.7', 400), ('spice', 'spice-direct', '2.98', 400), ('spice', 'spice-direct', '2.99', 200),
    ('mks', 'webmks', '2.8', 400)])
def test_consoles_since_2_6(api, protocol, kind, version, status):
    path = f'/servers/{running(api)}/remote-consoles'
    asked = {'remote_console': {'protocol': protocol, 'type': kind}}
    found, answer = api.ask('POST', path, asked, version, MEMBER)
    assert found == status
    if found == 200:
        assert (answer['remote_console']['protocol'], answer['remote_console']['type']) == (protocol, kind)
    if (kind, version) == ('webmks', '2.8'):
        assert 'switched off' in answer['badRequest']['message']


def token_of(api, kind='spice-direct', protocol='spice'):
    server = running(api)
    answer = api.ask('POST', f'/servers/{server}/remote-consoles', {
        'remote_console': {'protocol': protocol, 'type': kind}}, LATEST, MEMBER)[1]
    return server, answer['remote_console']['url'].split('=')[-1].rsplit('%3D', 1)[-1]


@pytest.mark.parametrize(('kind', 'protocol'), [('spice-direct', 'spice'), ('novnc', 'vnc')])
def test_a_token_tells_proxies_where_the_console_is(api, kind, protocol):
    server, token = token_of(api, kind, protocol)
    path = f'/os-console-auth-tokens/{token}'
    old = {'instance_uuid': server, 'host': 'h1', 'port': 5900, 'internal_access_path': None}
    assert api.status('GET', path, None, '2.30') == 400
    assert api.ask('GET', path, None, '2.31') == (200, {'console': old})
    assert api.status('GET', path, None, '2.31', SERVICE) == 403
    tls = 5901 if kind == 'spice-direct' else None
    assert api.ask('GET', path, None, '2.99') == (200, {'console': {**old, 'tls_port': tls}})
    assert [api.status('GET', path + '?a=b', None, version) for version in ('2.98', '2.99')] == [200, 400]
    assert api.status('GET', path, None, LATEST, MEMBER) == 403
    assert api.status('GET', f'/os-console-auth-tokens/{NOBODY}', None, LATEST) == 404
    assert token not in str(api.db.transaction(lambda conn: conn.execute(consoles.TOKENS.select()).all()))


def test_tokens_end_with_their_time_and_with_their_server(api):
    api.conf.set_override('token_ttl', 0, 'consoleauth')
    _, expired = token_of(api)
    assert api.status('GET', f'/os-console-auth-tokens/{expired}', None, LATEST) == 404
    api.conf.set_override('token_ttl', 60, 'consoleauth')
    server, token = token_of(api)
    with api.db.read() as conn:
        assert len(conn.execute(consoles.TOKENS.select()).all()) == 1
        assert consoles.get(conn, token, times.utcnow())
    api.db.transaction(servers.update, server, host=None)
    assert api.status('DELETE', f'/servers/{server}', by=MEMBER) == 204
    assert api.status('GET', f'/os-console-auth-tokens/{token}', None, LATEST) == 404


# ------------------------------------------------------------- sub-resources

def test_diagnostics(api):
    server = running(api)
    path = f'/servers/{server}/diagnostics'
    assert api.ask('GET', path, None, '2.47') == (200, {'cpu0_time': 1})
    assert api.ask('GET', path, None, '2.48') == (200, {
        'state': 'running', 'driver': 'fake', 'hypervisor': None, 'hypervisor_os': None, 'uptime': None,
        'config_drive': False, 'num_cpus': 1, 'num_disks': 0, 'num_nics': 0,
        'cpu_details': [{'id': 0, 'time': 1, 'utilisation': 2}], 'disk_details': [], 'nic_details': [],
        'memory_details': {'maximum': None, 'used': None}})
    assert [api.status('GET', path + '?a=b', None, version) for version in ('2.101', '2.102')] == [200, 400]
    assert api.status('GET', path, by=MEMBER) == 403
    assert api.status('GET', f'/servers/{running(api, host=None)}/diagnostics') == 409


def test_the_password_of_a_server(api):
    server = running(api, system_metadata={'boot_roles': 'member'})
    path = f'/servers/{server}/os-server-password'
    assert api.ask('GET', path, by=READER) == (200, {'password': ''})
    api.db.transaction(server_passwords.store, server, 'c2VjcmV0')
    assert api.ask('GET', path, by=READER) == (200, {'password': 'c2VjcmV0'})
    assert [api.status('DELETE', path, by=by) for by in (READER, STRANGER, MEMBER)] == [403, 404, 204]
    assert api.ask('GET', path, by=READER) == (200, {'password': ''})
    with api.db.read() as conn:
        assert servers.get(conn, server).system_metadata == {'boot_roles': 'member'}


def test_topology(api):
    path = f'/servers/{running(api)}/topology'
    assert api.status('GET', path, None, '2.77') == 404
    assert api.ask('GET', path, None, '2.78', READER) == (200, {'nodes': [], 'pagesize_kb': None})
    assert api.status('GET', path, None, '2.78', STRANGER) == 404
