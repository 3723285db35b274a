# SPDX-License-Identifier: Apache-2.0
"""One server through the API: what a create may say at which version, how it looks, what may be done to it."""

import pytest

from nova_lite.db.queries import operations, servers
from nova_lite.wsgi.view import OMIT
from tests.fixtures.rooms import ADMIN, LEGACY, MEMBER, Rooms, caller, rooms
from tests.fixtures.servers import IMAGE, NOBODY, equip, running

__all__ = ('rooms',)

LATEST = '2.104'
READER = caller('rita', 'reader', project=MEMBER.project_id)
STRANGER = caller('sam', 'member', 'reader', project='c' * 32)


@pytest.fixture
def api(rooms: Rooms) -> Rooms:
    return equip(rooms)


def body(version='2.1', **more):
    """A request that is right at a version, changed by ``more``; None takes a word away."""
    server = {'name': 'one', 'imageRef': IMAGE, 'flavorRef': '1'}
    if int(version.split('.')[1]) >= 37:
        server['networks'] = 'none'
    server.update(more)
    return {'server': {word: value for word, value in server.items() if value is not None}}


def create(api, version='2.1', by=MEMBER, **more):
    return api.status('POST', '/servers', body(version, **more), version, by)


DEVICE = {'source_type': 'image', 'destination_type': 'local', 'boot_index': 0, 'uuid': IMAGE}


@pytest.mark.parametrize(('more', 'good', 'bad'), [
    # What begins or ends at a version, and the holes.
    ({'networks': None}, ['2.1', '2.36'], ['2.37', LATEST]),
    ({'networks': 'auto'}, ['2.37', LATEST], ['2.36']),
    ({'description': 'd'}, ['2.19'], ['2.18']),
    ({'description': None}, ['2.19'], []),
    ({'tags': ['a', 'b']}, ['2.52'], ['2.51']),
    ({'personality': [{'path': '/a', 'contents': 'aGk='}]}, ['2.1', '2.56'], ['2.57']),
    ({'trusted_image_certificates': ['a']}, ['2.63'], ['2.62']),
    ({'hostname': 'host'}, ['2.90'], ['2.89']),
    ({'hostname': 'host.example.org'}, ['2.94'], ['2.90', '2.93']),
    ({'hostname': 'host\n'}, [], ['2.90', '2.94']),
    ({'block_device_mapping_v2': [DEVICE]}, ['2.1', LATEST], []),
    ({'block_device_mapping_v2': [{**DEVICE, 'tag': 'root'}]}, ['2.32', '2.42', LATEST], ['2.31', '2.33', '2.41']),
    ({'block_device_mapping_v2': [{**DEVICE, 'volume_type': None}]}, ['2.67'], ['2.66']),
])
def test_words_of_a_create_have_their_versions(api, more, good, bad):
    assert {version: create(api, version, **more) for version in good + bad} == {
        **dict.fromkeys(good, 202), **dict.fromkeys(bad, 400)}


@pytest.mark.parametrize('tagged', ['2.32', '2.36', '2.42', '2.37', '2.41', '2.31'])
def test_networks_of_a_create_are_refused_without_a_network_service(api, tagged):
    status, answer = api.ask('POST', '/servers', body(tagged, networks=[{'uuid': NOBODY, 'tag': 'nic'}]), tagged)
    known = 'No network service' in answer['badRequest']['message']
    assert (status, known) == (400, tagged in ('2.32', '2.36', '2.42'))


@pytest.mark.parametrize(('more', 'status'), [
    ({'name': ' one'}, 400), ({'name': ''}, 400), ({'name': 'n' * 256}, 400),
    ({'imageRef': ''}, 400), ({'imageRef': None}, 400), ({'imageRef': NOBODY}, 400), ({'imageRef': 'x'}, 400),
    ({'imageRef': '', 'block_device_mapping_v2': [DEVICE]}, 400),
    ({'block_device_mapping_v2': [{**DEVICE, 'volume_type': 'fast'}]}, 400),
    ({'block_device_mapping_v2': [{**DEVICE, 'destination_type': 'volume', 'volume_size': 1}]}, 400),
    ({'flavorRef': 'none'}, 400), ({'flavorRef': 1}, 202), ({'flavorRef': None}, 400),
    ({'key_name': 'none'}, 400), ({'user_data': 'a'}, 400), ({'user_data': 'aGk='}, 202),
    ({'metadata': {'k' * 256: 'v'}}, 400), ({'metadata': {'k': 1}}, 400),
    ({'metadata': {str(n): 'v' for n in range(129)}}, 403),
    ({'config_drive': 'yes'}, 202), ({'config_drive': 'maybe'}, 400),
    ({'min_count': 2, 'max_count': 1}, 400), ({'min_count': 2147483647}, 403), ({'min_count': 0}, 400),
    ({'min_count': '1', 'max_count': '3'}, 202),
    ({'availability_zone': 'nova'}, 202), ({'availability_zone': 'moon'}, 400),
    ({'availability_zone': 'nova:h1'}, 403), ({'availability_zone': 'a:b:c:d'}, 400),
    ({'accessIPv4': '1.2.3'}, 400), ({'OS-DCF:diskConfig': 'auto'}, 400),
    ({'personality': [{'path': '/a', 'contents': 'YQ=='}] * 6}, 403), ({'personality': [{'path': '/a'}]}, 400),
    ({'security_groups': [{'name': 'default'}]}, 202), ({'security_groups': [{'name': 'web'}]}, 400),
    ({'unknown': 1}, 400),
])
def test_values_of_a_create_are_checked(api, more, status):
    assert create(api, **more) == status


def test_a_host_is_an_administrators_wish(api):
    api.add_host('h1')
    assert create(api, '2.74', host='h1') == 403
    assert create(api, '2.74', ADMIN, host='h1') == create(api, '2.1', ADMIN, availability_zone='nova:h1') == 202
    assert create(api, '2.74', ADMIN, host='h2') == create(api, '2.73', ADMIN, host='h1') == 400


def test_the_old_endpoint_drops_what_it_does_not_know(api):
    asked = body(name=' one ', unknown=1)
    status, answer = api.ask('POST', '/servers', asked, LEGACY, MEMBER)
    assert status == 202
    status, answer = api.ask('GET', f'/servers/{answer["server"]["id"]}', None, LEGACY, MEMBER)
    assert (answer['server']['name'], 'locked' in answer['server']) == ('one', False)


def test_a_create_answers_with_a_link_a_password_and_its_groups(api):
    status, answer = api.ask('POST', '/servers', body(adminPass='secret'), by=MEMBER)
    server = answer['server']
    assert set(server) == {'id', 'links', 'adminPass', 'OS-DCF:diskConfig', 'security_groups'}
    assert (server['adminPass'], server['security_groups']) == ('secret', [{'name': 'default'}])
    assert api.headers['Location'] == server['links'][0]['href']
    api.conf.set_override('enable_instance_password', False, 'api')
    _, answer = api.ask('POST', '/servers', body(security_groups=[]), by=MEMBER)
    assert ('adminPass' in answer['server'], answer['server']['security_groups']) == (False, [])


def test_several_servers_share_a_reservation(api):
    asked = body(min_count=2, max_count=3, return_reservation_id='True')
    status, answer = api.ask('POST', '/servers', asked, by=MEMBER)
    assert (status, list(answer), 'Location' in api.headers) == (202, ['reservation_id'], False)
    _, found = api.ask('GET', f'/servers?reservation_id={answer["reservation_id"]}', by=MEMBER)
    assert sorted(server['name'] for server in found['servers']) == ['one-1', 'one-2', 'one-3']
    assert len(api.services.conductor.told) == 3


def test_hints_may_have_either_name(api):
    for key in ('os:scheduler_hints', 'OS-SCH-HNT:scheduler_hints'):
        asked = {**body(LATEST), key: {'same_host': NOBODY, 'own': ['a']}}
        _, answer = api.ask('POST', '/servers', asked, LATEST, MEMBER)
        _, answer = api.ask('GET', f'/servers/{answer["server"]["id"]}', None, LATEST, MEMBER)
        assert answer['server']['scheduler_hints'] == {'same_host': [NOBODY], 'own': ['a']}
    assert api.status('POST', '/servers', {**body(), 'os:scheduler_hints': {'group': 'x'}}, by=MEMBER) == 400


def test_a_body_that_is_nested_too_deep_is_refused(api):
    deep = {}
    for _ in range(70):
        deep = {'a': [deep]}
    assert api.status('POST', '/servers', {**body(), 'os:scheduler_hints': deep}, by=MEMBER) == 400


@pytest.mark.parametrize(('version', 'description'), [('2.1', 'one'), ('2.18', 'one'), ('2.19', None)])
def test_a_name_is_a_description_until_servers_have_one(api, version, description):
    _, answer = api.ask('POST', '/servers', body(version), version, MEMBER)
    _, answer = api.ask('GET', f'/servers/{answer["server"]["id"]}', None, LATEST, MEMBER)
    assert answer['server']['description'] == description


# --------------------------------------------------------------------- show

BASE = {'id', 'name', 'status', 'tenant_id', 'user_id', 'metadata', 'hostId', 'image', 'flavor', 'created', 'updated',
        'addresses', 'accessIPv4', 'accessIPv6', 'links', 'OS-DCF:diskConfig', 'progress'}
SHOWN = BASE | {'OS-EXT-AZ:availability_zone', 'config_drive', 'key_name', 'OS-SRV-USG:launched_at',
                'OS-SRV-USG:terminated_at', 'OS-EXT-STS:task_state', 'OS-EXT-STS:vm_state', 'OS-EXT-STS:power_state',
                'os-extended-volumes:volumes_attached'}
ATTRIBUTES = {f'OS-EXT-SRV-ATTR:{name}' for name in ('host', 'hypervisor_hostname', 'instance_name')}
MORE_ATTRIBUTES = ATTRIBUTES | {f'OS-EXT-SRV-ATTR:{name}' for name in (
    'reservation_id', 'launch_index', 'kernel_id', 'ramdisk_id', 'root_device_name', 'user_data', 'hostname')}
SINCE = ((9, 'locked'), (19, 'description'), (26, 'tags'), (63, 'trusted_image_certificates'), (71, 'server_groups'),
         (73, 'locked_reason'), (96, 'pinned_availability_zone'), (100, 'scheduler_hints'))


def common(minor):
    return {key for first, key in SINCE if minor >= first}


@pytest.mark.parametrize('minor', [1, 2, 3, 9, 15, 16, 19, 26, 63, 71, 73, 89, 90, 96, 98, 100, 104])
def test_keys_of_a_server_follow_version_and_caller(api, minor):
    path = f'/servers/{running(api)}'
    member = SHOWN | common(minor) | ({'OS-EXT-SRV-ATTR:hostname'} if minor >= 90 else set())
    admin = member | (MORE_ATTRIBUTES if minor >= 3 else ATTRIBUTES) | ({'host_status'} if minor >= 16 else set())
    for by, keys in ((MEMBER, member), (ADMIN, admin)):
        assert set(api.ask('GET', path, None, f'2.{minor}', by)[1]['server']) == keys
    changed = BASE | common(minor) if minor < 75 else admin
    assert set(api.ask('PUT', path, {'server': {}}, f'2.{minor}', ADMIN)[1]['server']) == changed


def test_values_of_a_server(api):
    flavor = {'flavorid': '7', 'name': 'f', 'ram': 1, 'vcpus': 2, 'disk': 3, 'ephemeral': 4, 'swap': 5,
              'rxtx_factor': 1.0, 'extra_specs': {'a': 'b'}}
    path = '/servers/' + running(api, image_properties={'min_disk': '1', 'os_type': 'linux'}, flavor=flavor, addresses={
        'net': [{'addr': '10.0.0.5', 'version': 4, 'type': 'fixed', 'mac': 'fa:16:3e:00:00:01'}]})
    old = api.ask('GET', path, by=MEMBER)[1]['server']
    assert old['flavor'] == {'id': '7', 'links': [{'rel': 'bookmark', 'href': 'http://api:8774/flavors/7'}]}
    assert old['addresses'] == {'net': [{'addr': '10.0.0.5', 'version': 4, 'OS-EXT-IPS:type': 'fixed',
                                         'OS-EXT-IPS-MAC:mac_addr': 'fa:16:3e:00:00:01'}]}
    assert len(old['hostId']) == 56 and old['OS-SRV-USG:launched_at'].endswith('.000000')
    new = api.ask('GET', path, None, LATEST, MEMBER)[1]['server']
    assert new['flavor'] == {'original_name': 'f', 'ram': 1, 'vcpus': 2, 'disk': 3, 'ephemeral': 4, 'swap': 5,
                             'extra_specs': {'a': 'b'}}
    assert new['image']['properties'] == {'os_type': 'linux'}
    assert api.ask('PUT', path, {'server': {}})[1]['server']['addresses'] == {
        'net': [{'addr': '10.0.0.5', 'version': 4}]}
    assert api.ask('GET', f'{path}/ips', by=MEMBER)[1] == {'addresses': {'net': [{'addr': '10.0.0.5', 'version': 4}]}}
    assert api.ask('GET', f'{path}/ips/net', by=MEMBER)[1] == {'net': [{'addr': '10.0.0.5', 'version': 4}]}
    assert api.status('GET', f'{path}/ips/other', by=MEMBER) == 404


@pytest.mark.parametrize(('values', 'by', 'shown'), [
    ({'vm_state': 'active'}, MEMBER, OMIT),
    ({'vm_state': 'error'}, MEMBER, {'code': 500, 'created': 't', 'message': 'm'}),
    ({'vm_state': 'error'}, ADMIN, {'code': 500, 'created': 't', 'message': 'm', 'details': 'd'}),
])
def test_a_fault_is_shown_where_something_failed(api, values, by, shown):
    fault = {'code': 500, 'created': 't', 'message': 'm', 'details': 'd'}
    server = api.ask('GET', '/servers/' + running(api, fault=fault, **values), by=by)[1]['server']
    assert server.get('fault', OMIT) == shown
    assert ('progress' in server) == (values['vm_state'] == 'active')


def test_the_status_of_the_host(api):
    api.add_host('h1', age=3600)
    api.add_host('h2')
    ids = {host: running(api, host=host) for host in ('h1', 'h2', None)}
    seen = {host: api.ask('GET', f'/servers/{server}', None, '2.16')[1]['server']['host_status']
            for host, server in ids.items()}
    assert seen == {'h1': 'UNKNOWN', 'h2': 'UP', None: ''}


def test_a_server_of_another_project(api):
    path = f'/servers/{running(api)}'
    assert [api.status('GET', path, by=by) for by in (MEMBER, READER, ADMIN, STRANGER)] == [200, 200, 200, 404]
    assert [api.status('PUT', path, {'server': {}}, by=by) for by in (READER, STRANGER)] == [403, 404]
    assert api.status('GET', f'/servers/{NOBODY}') == 404


@pytest.mark.parametrize(('change', 'good', 'bad'), [
    ({'name': 'two', 'accessIPv4': '1.2.3.4', 'accessIPv6': None, 'OS-DCF:diskConfig': 'AUTO'}, ['2.1', LATEST], []),
    ({'description': None}, ['2.19'], ['2.18']),
    ({'hostname': 'a.b'}, ['2.94'], ['2.89', '2.93']),
    ({'pinned_availability_zone': None}, [LATEST], ['2.103']),
    ({'name': ' x'}, [], ['2.1']), ({'accessIPv4': 'x'}, [], ['2.1']), ({'metadata': {}}, [], ['2.1']),
])
def test_words_of_an_update_have_their_versions(api, change, good, bad):
    path = f'/servers/{running(api)}'
    assert {version: api.status('PUT', path, {'server': change}, version, MEMBER) for version in good + bad} == {
        **dict.fromkeys(good, 200), **dict.fromkeys(bad, 400)}


def test_a_server_is_pinned_to_where_it_is_and_nowhere_else(api):
    path = f'/servers/{running(api)}'
    for zone, status, pinned in (('nova', 200, 'nova'), ('moon', 409, 'nova'), (None, 200, None)):
        asked = {'server': {'pinned_availability_zone': zone}}
        assert api.status('PUT', path, asked, LATEST, MEMBER) == status
        assert api.ask('GET', path, None, LATEST, MEMBER)[1]['server']['pinned_availability_zone'] == pinned


def test_the_old_alias_ends(api):
    server = running(api)
    for path in ('/os-volumes_boot', '/os-volumes_boot/detail', f'/os-volumes_boot/{server}'):
        assert [api.status('GET', path, None, version) for version in ('2.1', '2.102', '2.103')] == [200, 200, 404]
    actions = [({'os-stop': None}, '2.102'), ({'os-stop': None}, '2.103'), ({'lock': None}, '2.102')]
    assert [api.status('POST', f'/os-volumes_boot/{server}/action', *action) for action in actions] == [202, 404, 400]


# ------------------------------------------------------------------ actions

@pytest.mark.parametrize(('action', 'values', 'status', 'kind'), [
    ({'os-start': None}, {'vm_state': 'stopped'}, 202, 'start'),
    ({'os-start': None}, {'vm_state': 'active'}, 409, None),
    ({'os-stop': {}}, {}, 202, 'stop'),
    ({'reboot': {'type': 'Soft'}}, {}, 202, 'reboot'),
    ({'reboot': {'type': 'HARD'}}, {'vm_state': 'stopped'}, 202, 'reboot'),
    ({'reboot': {'type': 'soft'}}, {'vm_state': 'stopped'}, 409, None),
    ({'reboot': {'type': 'warm'}}, {}, 400, None),
    ({'reboot': {}}, {}, 400, None),
    ({'os-stop': None, 'os-start': None}, {}, 400, None),
    ({'unheard-of': None}, {}, 400, None),
    ({}, {}, 400, None),
    ({'os-stop': None}, {'locked': True, 'locked_by': 'owner'}, 409, None),
])
def test_power_actions(api, action, values, status, kind):
    server = running(api, **values)
    assert api.status('POST', f'/servers/{server}/action', action, by=MEMBER) == status
    with api.db.read() as conn:
        assert [row.kind for row in operations.open_of_server(conn, server)] == ([kind] if kind else [])


def test_locks(api):
    server = running(api)
    path = f'/servers/{server}'

    def act(action, by, version='2.73'):
        return api.status('POST', f'{path}/action', action, version, by)

    assert act({'lock': {'locked_reason': 'mine'}}, MEMBER, '2.72') == 202
    assert api.ask('GET', path, None, '2.73', MEMBER)[1]['server']['locked_reason'] is None
    assert act({'unlock': None}, MEMBER) == act({'lock': {'locked_reason': 'mine'}}, ADMIN) == 202
    shown = api.ask('GET', path, None, '2.73', MEMBER)[1]['server']
    assert (shown['locked'], shown['locked_reason']) == (True, 'mine')
    assert api.status('DELETE', path, by=MEMBER) == 409
    assert [act({'unlock': None}, by) for by in (MEMBER, ADMIN)] == [403, 202]
    assert [act({'lock': reason}, MEMBER) for reason in ({'locked_reason': ''}, {'other': 1}, 'x', None)] == [
        400, 400, 400, 202]
    assert api.status('DELETE', path, by=ADMIN) == 204


def test_the_console_log(api):
    server = running(api)

    def read(words, server=server):
        return api.ask('POST', f'/servers/{server}/action', {'os-getConsoleOutput': words}, by=MEMBER)

    assert read({'length': '5'}) == (200, {'output': 'h1 instance-00000001 5\n'})
    assert [read(words)[1]['output'].split()[2] for words in ({}, {'length': None}, {'length': -1})] == [
        'None', 'None', '-1']
    assert [read({'length': length})[0] for length in (-2, 'x', '', True, 1.5)] == [400] * 5
    assert read({}, running(api, host=None))[0] == 409
    assert read({}, NOBODY)[0] == 404


def test_a_state_is_reset_by_an_administrator(api):
    server = running(api, vm_state='error', task_state='deleting')
    path = f'/servers/{server}/action'
    assert api.status('POST', path, {'os-resetState': {'state': 'active'}}, by=MEMBER) == 403
    assert api.status('POST', path, {'os-resetState': {'state': 'paused'}}) == 400
    assert api.status('POST', path, {'os-resetState': {'state': 'active'}}) == 202
    with api.db.read() as conn:
        row = servers.get(conn, server)
    assert (row.vm_state, row.task_state) == ('active', None)


# ---------------------------------------------------------- metadata and tags

@pytest.mark.parametrize(('method', 'path', 'asked', 'status', 'left'), [
    ('POST', '', {'metadata': {'b': '2'}}, 200, {'a': '1', 'b': '2'}),
    ('PUT', '', {'metadata': {'b': '2'}}, 200, {'b': '2'}),
    ('PUT', '', {'metadata': {}}, 200, {}),
    ('PUT', '/b', {'meta': {'b': '2'}}, 200, {'a': '1', 'b': '2'}),
    ('PUT', '/b', {'meta': {'c': '2'}}, 400, {'a': '1'}),
    ('PUT', '/b', {'meta': {'b': '2', 'c': '3'}}, 400, {'a': '1'}),
    ('PUT', '/b', {'meta': {}}, 400, {'a': '1'}),
    ('POST', '', {'metadata': {'b': None}}, 400, {'a': '1'}),
    ('POST', '', {'metadata': {str(n): 'v' for n in range(128)}}, 403, {'a': '1'}),
    ('DELETE', '/a', None, 204, {}),
    ('DELETE', '/b', None, 404, {'a': '1'}),
    ('GET', '/b', None, 404, {'a': '1'}),
])
def test_metadata(api, method, path, asked, status, left):
    base = f'/servers/{running(api, metadata={"a": "1"})}/metadata'
    assert api.status(method, base + path, asked, by=MEMBER) == status
    assert api.ask('GET', base, by=READER) == (200, {'metadata': left})


def test_metadata_of_a_locked_or_unborn_server_stays(api):
    asked = {'metadata': {'b': '2'}}
    for values in ({'locked': True}, {'vm_state': 'building'}):
        assert api.status('POST', f'/servers/{running(api, **values)}/metadata', asked, by=MEMBER) == 409


def test_tags(api):
    base = f'/servers/{running(api)}/tags'
    assert api.status('GET', base, None, '2.25') == 404
    ask = [('PUT', '/b'), ('PUT', '/b'), ('GET', '/b'), ('GET', '/c'), ('DELETE', '/c'), ('PUT', '/a%2Cb'),
           ('PUT', '/' + 'x' * 61)]
    assert [api.status(method, base + tag.replace('%2C', ','), None, '2.26', MEMBER) for method, tag in ask] == [
        201, 204, 204, 404, 404, 400, 400]
    api.ask('PUT', base + '/ä b'.encode().decode('latin-1'), None, '2.26', MEMBER)
    assert api.headers['Location'] == f'http://api:8774/v2.1{base}/%C3%A4%20b'
    assert api.ask('PUT', base, {'tags': ['z', 'y', 'z']}, '2.26', MEMBER) == (200, {'tags': ['y', 'z']})
    for bad in ([''], ['x' * 61], ['a,b'], ['a/b'], [str(n) for n in range(51)], [1]):
        assert api.status('PUT', base, {'tags': bad}, '2.26', MEMBER) == 400
    api.ask('PUT', base, {'tags': [str(n) for n in range(50)]}, '2.26', MEMBER)
    assert api.status('PUT', base + '/one-more', None, '2.26', MEMBER) == 400
    assert api.status('DELETE', base, None, '2.26', MEMBER) == 204
    assert api.ask('GET', base, None, '2.26', READER) == (200, {'tags': []})
