# SPDX-License-Identifier: Apache-2.0
"""The Block Storage API in-process: paths, versions, shapes and refusals."""

import pytest
import webob

from nova_lite.db.queries import servers
from nova_lite.embedded.volume_api import VolumeApp, document
from nova_lite.model import block_devices
from nova_lite.model.block_devices import VOLUME, Wish
from tests.fixtures import rows
from tests.fixtures.volumes import Shelf, person, some_server

NOBODY = '00000000-0000-4000-8000-000000000000'
MEMBER, READER, ADMIN, OTHER = person(), person('red', 'reader'), person('red', 'admin'), person('blue')
SERVICE = person('red', 'admin', 'service')


class Api:
    """The application and who asks it."""

    def __init__(self, shelf):
        self.shelf = shelf
        self._app = VolumeApp(shelf.port.service)

    def ask(self, method, path, body=None, version='3.71', by=MEMBER, status=None):
        """The answer; its status if that is given is what it must be."""
        path, _, query = path.partition('?')
        request = webob.Request.blank(f'/v3{path}?{query}', method=method)
        request.environ['SCRIPT_NAME'] = '/volume'
        if by is not None:
            request.environ['nova.context'] = by
        if version:
            request.headers['OpenStack-API-Version'] = f'volume {version}'
        if body is not None:
            request.json = body
        answer = request.get_response(self._app)
        if status is not None:
            assert answer.status_int == status, answer.text
        return answer

    def get(self, path, **more):
        return self.ask('GET', path, status=200, **more).json

    def volume(self, **body):
        return self.ask('POST', '/volumes', {'volume': {'size': 1, **body}}, status=202).json['volume']


@pytest.fixture
def api(db, tmp_path):
    return Api(Shelf(db, tmp_path))


def test_a_path_may_name_the_project(api):
    made = api.volume()
    assert api.get(f'/red/volumes/{made["id"]}')['volume']['id'] == made['id']
    assert api.get('/red/volumes')['volumes'][0]['links'][0]['href'] == (
        f'http://localhost/volume/v3/red/volumes/{made["id"]}')
    assert api.ask('GET', '/blue/volumes', status=400).json['badRequest']['code'] == 400
    api.ask('GET', '/red/nothing', status=404)
    api.ask('PATCH', '/volumes', status=405)
    api.ask('GET', '/volumes', by=None, status=401)


@pytest.mark.parametrize(('header', 'status', 'told'), [
    (None, 200, '3.0'), ('3.27', 200, '3.27'), ('latest', 200, '3.71'), ('3.72', 406, '3.0'), ('2.0', 400, '3.0')])
def test_every_answer_tells_its_version(api, header, status, told):
    answer = api.ask('GET', '/volumes', version=header, status=status)
    assert answer.headers['OpenStack-API-Version'] == f'volume {told}'
    assert 'OpenStack-API-Version' in answer.headers['Vary']


def test_the_version_document():
    shown = document(webob.Request.blank('/v3', environ={'SCRIPT_NAME': '/volume'}))['versions']
    assert [(one['id'], one['version'], one['min_version']) for one in shown] == [('v3.0', '3.71', '3.0')]
    assert shown[0]['links'][0]['href'] == 'http://localhost/volume/v3/'


def test_a_version_shows_its_fields(api):
    made = api.volume()
    path = f'/volumes/{made["id"]}'
    old, new = (api.get(path, version=version)['volume'] for version in ('3.0', '3.71'))
    # What says whose a volume is and where belongs to reading, not to making.
    assert set(old) - set(made) == {'os-vol-tenant-attr:tenant_id'}
    assert set(new) - set(old) == {'group_id', 'service_uuid', 'shared_targets', 'volume_type_id', 'consumes_quota'}
    admin = api.get(path, version='3.71', by=ADMIN)['volume']
    assert set(admin) - set(new) == {'os-vol-host-attr:host', 'os-vol-mig-status-attr:migstat', 'provider_id',
                                     'os-vol-mig-status-attr:name_id', 'cluster_name'}
    assert admin['os-vol-host-attr:host'] == 'nova-lite@embedded#files'
    api.ask('GET', '/attachments', version='3.26', status=404)
    api.ask('GET', '/volumes/summary', version='3.11', status=404)


@pytest.mark.parametrize(('body', 'status', 'says'), [
    ({'size': 0}, 400, 'size'), ({'size': 'big'}, 400, 'size'), ({'size': None}, 400, 'size'),
    ({'size': '2'}, 202, ''), ({'name': 'x' * 256}, 400, 'name'), ({'name': None}, 202, ''),
    ({'metadata': {'a': 1}}, 400, 'metadata.a'), ({'metadata': []}, 202, ''), ({'metadata': 'x'}, 400, 'metadata'),
    ({'snapshot_id': NOBODY}, 404, 'No snapshot'), ({'source_volid': NOBODY}, 404, 'No volume'),
    ({'imageRef': NOBODY}, 400, 'no image'), ({'imageRef': 'x'}, 400, 'UUID'), ({'volume_type': 'none'}, 404, 'type'),
    ({'availability_zone': 'mars'}, 400, 'mars'), ({'backup_id': NOBODY}, 400, 'backup_id'),
    ({'snapshot_id': NOBODY, 'imageRef': NOBODY}, 400, 'several'), ({'size': 2000}, 413, 'gigabytes')])
def test_a_volume_is_made_or_refused(api, body, status, says):
    assert says in api.ask('POST', '/volumes', {'volume': {'size': 1, **body}}, status=status).text


def test_lists_are_filtered_sorted_and_paged(api):
    names = ['c', 'a', 'b']
    ids = {name: api.volume(name=name, metadata={'of': name})['id'] for name in names}
    api.ask('POST', '/volumes', {'volume': {'size': 1}}, by=OTHER)

    def listed(query, **more):
        return [one['name'] for one in api.get(f'/volumes/detail?{query}', **more)['volumes']]
    assert listed('') == ['b', 'a', 'c']
    assert listed('sort=name:asc') == listed('sort_key=name&sort_dir=asc') == ['a', 'b', 'c']
    assert listed('name=a') == listed("metadata={'of': 'a'}") == listed(f'id={ids["a"]}') == ['a']
    assert listed('status=error') == listed('bootable=true') == listed('volume_type=x') == []
    assert listed('all_tenants=1') == ['b', 'a', 'c']
    assert listed('all_tenants=1', by=ADMIN)[0] == ''
    assert listed('created_at=lt:2000-01-01T00:00:00') == []
    assert listed('name~=b') == ['b']
    page = api.get('/volumes?limit=2&sort=name:asc&with_count=true')
    assert page['count'] == 3
    assert page['volumes_links'][0]['href'].endswith(
        f'/v3/volumes?limit=2&sort=name%3Aasc&with_count=true&marker={ids["b"]}')
    assert [one['name'] for one in api.get(f'/volumes?limit=2&sort=name:asc&marker={ids["b"]}')['volumes']] == ['c']
    for wrong in ('limit=-1', 'marker=x', 'sort=color', 'sort=name:up', 'bootable=maybe', 'metadata=x',
                  'created_at=noon', 'offset=x'):
        api.ask('GET', f'/volumes?{wrong}', status=400)
    assert api.get('/volumes/summary')['volume-summary']['total_count'] == 3


def test_metadata(api):
    path = f'/volumes/{api.volume(metadata={"a": "1"})["id"]}/metadata'
    assert api.ask('POST', path, {'metadata': {'b': '2'}}, status=200).json['metadata'] == {'a': '1', 'b': '2'}
    assert api.ask('PUT', path, {'metadata': {'c': '3'}}, status=200).json['metadata'] == {'c': '3'}
    assert api.ask('PUT', f'{path}/c', {'meta': {'c': '4'}}, status=200).json == {'meta': {'c': '4'}}
    api.ask('PUT', f'{path}/c', {'meta': {'d': '4'}}, status=400)
    assert api.get(f'{path}/c') == {'meta': {'c': '4'}}
    api.ask('DELETE', f'{path}/c', status=200)
    api.ask('DELETE', f'{path}/c', status=404)


@pytest.mark.parametrize(('action', 'given', 'by', 'status'), [
    ('os-extend', {'new_size': 3}, MEMBER, 202), ('os-extend', {'new_size': 1}, MEMBER, 400),
    ('os-extend', {}, MEMBER, 400), ('os-extend', None, MEMBER, 400),
    ('os-reset_status', {'status': 'error'}, MEMBER, 403), ('os-reset_status', {'status': 'error'}, ADMIN, 202),
    ('os-reset_status', {'status': 'odd'}, ADMIN, 400), ('os-force_delete', None, MEMBER, 403),
    ('os-force_delete', None, ADMIN, 202), ('os-set_bootable', {'bootable': True}, MEMBER, 200),
    ('os-set_bootable', {'bootable': 'odd'}, MEMBER, 400), ('os-update_readonly_flag', {'readonly': 'x'}, MEMBER, 400),
    ('os-retype', {'new_type': 'x'}, MEMBER, 400), ('os-odd', {}, MEMBER, 400),
    ('os-begin_detaching', {}, MEMBER, 400), ('os-reserve', {}, READER, 403), ('os-reserve', {}, MEMBER, 202),
    ('os-set_image_metadata', {'metadata': {'a': 'b'}}, MEMBER, 200),
    ('os-unset_image_metadata', {'key': 'a'}, MEMBER, 404)])
def test_actions(api, action, given, by, status):
    made = api.volume()['id']
    api.ask('POST', f'/volumes/{made}/action', {action: given}, by=by, status=status)


def test_a_server_gets_a_volume_in_the_old_way(api):
    made, server = api.volume()['id'], some_server()

    def act(name, given, status=202):
        api.ask('POST', f'/volumes/{made}/action', {name: given}, version='3.0', status=status)
        return api.get(f'/volumes/{made}', version='3.0')['volume']
    assert act('os-reserve', {})['status'] == 'reserved'
    assert act('os-unreserve', {})['status'] == 'available'
    act('os-reserve', {})
    attached = act('os-attach', {'instance_uuid': server, 'mountpoint': '/dev/vdb'})
    assert (attached['status'], attached['attachments'][0]['device']) == ('in-use', '/dev/vdb')
    assert attached['attachments'][0]['server_id'] == server
    act('os-extend', {'new_size': 2}, 400)
    assert act('os-begin_detaching', {})['status'] == 'detaching'
    assert act('os-roll_detaching', {})['status'] == 'in-use'
    assert act('os-detach', {})['status'] == 'available'


def test_a_server_gets_a_volume_by_an_attachment(api):
    made, server = api.volume()['id'], some_server()
    body = {'attachment': {'volume_uuid': made, 'instance_uuid': server}}
    attachment = api.ask('POST', '/attachments', body, status=200).json['attachment']
    assert (attachment['status'], attachment['instance'], attachment['connection_info']) == ('reserved', server, {})
    api.ask('POST', '/attachments', {'attachment': {'volume_uuid': made, 'instance_uuid': some_server()}}, status=400)
    path = f'/attachments/{attachment["id"]}'
    api.ask('PUT', path, {'attachment': {}}, status=400)
    connected = api.ask('PUT', path, {'attachment': {'connector': {'host': 'h1', 'mountpoint': '/dev/vdc'}}},
                        status=200).json['attachment']
    assert connected['connection_info']['driver_volume_type'] == 'local'
    assert connected['connection_info']['attachment_id'] == attachment['id']
    api.ask('POST', f'{path}/action', {'os-complete': None}, status=204)
    shown = api.get(f'/volumes/{made}')['volume']
    assert shown['status'] == 'in-use'
    assert (shown['attachments'][0]['device'], shown['attachments'][0]['host_name']) == ('/dev/vdc', 'h1')
    api.ask('DELETE', f'/volumes/{made}', status=400)
    assert [one['id'] for one in api.get(f'/attachments?instance_id={server}')['attachments']] == [attachment['id']]
    assert api.get('/attachments/detail?volume_id=' + NOBODY)['attachments'] == []
    api.ask('GET', path, by=OTHER, status=404)
    assert api.ask('DELETE', path, status=200).json == {'attachments': []}
    api.ask('DELETE', path, status=404)
    api.ask('DELETE', f'/volumes/{made}', status=202)
    api.ask('GET', f'/volumes/{made}', status=404)


def test_only_the_compute_service_takes_a_volume_from_its_server(api):
    made, other = api.volume()['id'], api.volume()['id']
    server = some_server()
    attachment, elsewhere = (api.shelf.port.reserve(ADMIN, volume, server) for volume in (made, other))
    api.shelf.port.complete(ADMIN, attachment)
    device = {**block_devices.device(Wish(VOLUME, VOLUME, made)), 'attachment_id': attachment}
    with api.shelf.db.write() as conn:
        servers.insert(conn, [rows.server(uuid=server, block_devices=[device])])

    def act(name, given, status, by=ADMIN):
        api.ask('POST', f'/volumes/{made}/action', {name: given}, by=by, status=status)
    assert api.ask('DELETE', f'/attachments/{attachment}', status=409).json['conflictingRequest']['code'] == 409
    for name, given in (('os-detach', {}), ('os-detach', {'attachment_id': attachment}),
                        ('os-terminate_connection', {'connector': {}}), ('os-force_detach', {'connector': None})):
        act(name, given, 409)
    act('os-detach', {'attachment_id': elsewhere}, 400)
    act('os-detach', {'attachment_id': 'x'}, 400)
    act('os-terminate_connection', {'connector': 1}, 400)
    assert api.get(f'/volumes/{made}')['volume']['status'] == 'in-use'
    act('os-terminate_connection', {'connector': {}}, 202, SERVICE)
    act('os-detach', {}, 202, SERVICE)
    assert api.get(f'/volumes/{made}')['volume']['status'] == 'available'
    # The server has another volume; of this one it knows nothing.
    api.ask('DELETE', f'/attachments/{elsewhere}', status=200)


def test_a_volume_that_no_server_has_is_available_by_force(api):
    made = api.volume()['id']
    attachment = api.shelf.port.reserve(ADMIN, made, some_server())
    for name, given in (('os-reset_status', {'status': 'error'}), ('os-force_detach', {'attachment_id': attachment})):
        api.ask('POST', f'/volumes/{made}/action', {name: given}, by=ADMIN, status=202)
    assert api.get(f'/volumes/{made}')['volume']['status'] == 'available'


def test_who_is_served_for_a_service_takes_a_volume_from_its_server(api):
    made, server = api.volume()['id'], some_server()
    attachment = api.shelf.port.reserve(ADMIN, made, server)
    device = {**block_devices.device(Wish(VOLUME, VOLUME, made)), 'attachment_id': attachment}
    with api.shelf.db.write() as conn:
        servers.insert(conn, [rows.server(uuid=server, block_devices=[device])])
    user = person()
    user.service_roles = ['service']
    api.ask('DELETE', f'/attachments/{attachment}', status=200, by=user)


def test_snapshots(api):
    made = api.volume()['id']

    def take(version='3.71', status=202, **body):
        return api.ask('POST', '/snapshots', {'snapshot': {'volume_id': made, **body}}, version=version,
                       status=status).json
    first = take(name='one')['snapshot']
    path = f'/snapshots/{first["id"]}'
    assert api.get(path)['snapshot']['status'] == 'available'
    assert 'user_id' not in api.get(path, version='3.40')['snapshot']
    take(status=400, force=False)
    assert api.ask('PUT', path, {'snapshot': {'name': 'two'}}, status=200).json['snapshot']['name'] == 'two'
    assert api.ask('POST', f'{path}/metadata', {'metadata': {'a': 'b'}}, status=200).json['metadata'] == {'a': 'b'}
    api.ask('DELETE', f'{path}/metadata/a', status=200)
    assert [one['name'] for one in api.get(f'/snapshots/detail?volume_id={made}')['snapshots']] == ['two']
    api.ask('POST', f'{path}/action', {'os-reset_status': {'status': 'error'}}, status=403)
    api.ask('POST', f'{path}/action', {'os-reset_status': {'status': 'error'}}, by=ADMIN, status=202)
    attachment = api.shelf.port.reserve(MEMBER, made, some_server())
    api.shelf.port.complete(MEMBER, attachment)
    take('3.65', status=400)
    take('3.65', force=True)
    take('3.66')
    api.ask('DELETE', path, status=202)
    api.ask('GET', path, status=404)


def test_types(api):
    assert [one['name'] for one in api.get('/types')['volume_types']] == ['__DEFAULT__']
    assert api.get('/types/default')['volume_type']['name'] == '__DEFAULT__'
    api.ask('POST', '/types', {'volume_type': {'name': 'x'}}, status=403)
    body = {'volume_type': {'name': 'gold', 'extra_specs': {'secret': 'x'}, 'os-volume-type-access:is_public': False}}
    made = api.ask('POST', '/types', body, by=ADMIN, status=200).json['volume_type']
    api.ask('POST', '/types', body, by=ADMIN, status=409)
    path = f'/types/{made["id"]}'
    api.ask('GET', path, status=404)
    api.ask('PUT', path, {'volume_type': {'is_public': True}}, by=ADMIN, status=200)
    api.ask('POST', f'{path}/extra_specs', {'extra_specs': {'multiattach': '<is> True'}}, by=ADMIN, status=200)
    assert api.get(path)['volume_type']['extra_specs'] == {'multiattach': '<is> True'}
    assert api.get(f'{path}/extra_specs/secret', by=ADMIN) == {'secret': 'x'}
    api.ask('DELETE', f'{path}/extra_specs/secret', by=ADMIN, status=202)
    api.ask('DELETE', f'{path}/extra_specs/secret', by=ADMIN, status=404)
    assert api.get(f'{path}/encryption') == {}
    volume = api.volume(volume_type='gold')
    assert volume['multiattach']
    api.ask('DELETE', path, by=ADMIN, status=400)
    api.ask('DELETE', f'/volumes/{volume["id"]}', status=202)
    api.ask('DELETE', path, by=ADMIN, status=202)


def test_quotas_and_what_the_service_is(api):
    api.volume()
    assert api.get('/os-quota-sets/red?usage=true')['quota_set']['volumes'] == {
        'limit': 10, 'in_use': 1, 'reserved': 0}
    api.ask('GET', '/os-quota-sets/blue', status=403)
    api.ask('PUT', '/os-quota-sets/red', {'quota_set': {'volumes': 1}}, status=403)
    api.ask('PUT', '/os-quota-sets/red', {'quota_set': {'ponies': 1}}, by=ADMIN, status=400)
    shown = api.ask('PUT', '/os-quota-sets/red', {'quota_set': {'volumes': 1}}, by=ADMIN, status=200).json
    assert shown['quota_set']['volumes'] == 1
    refused = api.ask('POST', '/volumes', {'volume': {'size': 1}}, status=413).json
    assert 'volumes' in refused['overLimit']['message']
    assert api.get('/limits')['limits']['absolute']['totalVolumesUsed'] == 1
    assert api.get('/os-quota-sets/red/defaults')['quota_set']['volumes'] == 10
    api.ask('DELETE', '/os-quota-sets/red', by=ADMIN, status=200)
    api.ask('PUT', '/os-quota-class-sets/default', {'quota_class_set': {'volumes': 3}}, by=ADMIN, status=200)
    assert api.get('/os-quota-sets/red')['quota_set']['volumes'] == 3
    assert [one['binary'] for one in api.get('/os-services', by=ADMIN)['services']] == ['cinder-volume']
    api.ask('GET', '/os-services', status=403)
    assert api.get('/os-availability-zone')['availabilityZoneInfo'][0]['zoneName'] == 'nova'
    assert api.get('/extensions') == {'extensions': []}
    for gone in ('/backups', '/groups', '/consistencygroups', '/os-volume-transfer'):
        api.ask('GET', gone, status=404)


@pytest.mark.parametrize('body', [[], 'x', {'volume': []}, {}])
def test_a_body_of_another_form_is_refused(api, body):
    api.ask('POST', '/volumes', body, status=400)
