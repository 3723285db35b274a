# SPDX-License-Identifier: Apache-2.0
"""The embedded Image v2 API as openstacksdk and plain HTTP see it."""

import hashlib
import http.client
import io
import os
import urllib.parse
import uuid

import openstack
import pytest
import requests
from openstack import exceptions

from tests.fixtures import embedded

# openstacksdk announces what its next releases drop whenever a connection is made.
pytestmark = pytest.mark.filterwarnings('ignore::openstack.warnings._RemovedInSDKWarning')

PATCH = {'Content-Type': 'application/openstack-images-v2.1-json-patch'}
BYTES = {'Content-Type': 'application/octet-stream'}
RAW = {'disk_format': 'raw', 'container_format': 'bare'}
CAP = 1_000_000


@pytest.fixture(scope='module')
def cloud(tmp_path_factory):
    state = embedded.state_dir(tmp_path_factory.mktemp('image-api'))
    with embedded.serve(state, image_size_cap=CAP) as running:
        yield running


@pytest.fixture(scope='module')
def demo(cloud):
    with openstack.connect(**cloud.login('demo')) as connection:
        yield connection


@pytest.fixture(scope='module')
def admin(cloud):
    with openstack.connect(**cloud.login('admin')) as connection:
        yield connection


@pytest.fixture
def raw(cloud, demo):
    """Plain HTTP as demo."""
    def call(method, path, headers=None, user=demo, **more):
        return requests.request(method, f'{cloud.url}/image{path}', timeout=10,
                                headers={'X-Auth-Token': user.auth_token, **(headers or {})}, **more)
    return call


def queued(raw, **values):
    return raw('POST', '/v2/images', json={**RAW, **values}).json()['id']


def test_versions_need_no_token(cloud):
    for path, status in (('', 300), ('/', 300), ('/versions', 200), ('/v2/', 200)):
        response = requests.get(f'{cloud.url}/image{path}', timeout=10)
        assert response.status_code == status
        newest = response.json()['versions'][0]
        assert newest['status'] == 'CURRENT'
        assert newest['links'][0]['href'] == f'{cloud.url}/image/v2/'


def test_everything_else_needs_one(cloud):
    assert requests.get(f'{cloud.url}/image/v2/images', timeout=10).status_code == 401


def test_the_first_format_of_a_patch_says_the_same(raw):
    image_id = queued(raw)
    first = {'Content-Type': 'application/openstack-images-v2.0-json-patch'}
    operations = [{'add': '/hw_rescue_bus', 'value': 'usb'}, {'replace': '/name', 'value': 'first'}]
    shown = raw('PATCH', f'/v2/images/{image_id}', first, json=operations).json()
    assert (shown['hw_rescue_bus'], shown['name']) == ('usb', 'first')
    shown = raw('PATCH', f'/v2/images/{image_id}', first, json=[{'remove': '/hw_rescue_bus'}]).json()
    assert 'hw_rescue_bus' not in shown
    for nothing in ({'move': '/name', 'value': 'x'}, {'add': '/name', 'remove': '/name', 'value': 'x'}):
        assert raw('PATCH', f'/v2/images/{image_id}', first, json=[nothing]).status_code == 400


def test_nothing_is_left_for_later(raw):
    assert raw('GET', f'/v2/images/{queued(raw)}/tasks').json() == {'tasks': []}
    assert raw('GET', f'/v2/images/{uuid.uuid4()}/tasks').status_code == 404


def test_images_of_the_same_second_are_listed_in_their_order(raw):
    made = [queued(raw, name='same') for _ in range(6)]
    for direction, wanted in (('asc', made), ('desc', made[::-1])):
        listed = raw('GET', f'/v2/images?name=same&sort_key=created_at&sort_dir={direction}').json()['images']
        assert [image['id'] for image in listed] == wanted


def test_the_sdk_creates_finds_changes_downloads_deletes(demo, tmp_path):
    data = os.urandom(300_000)
    made = demo.image.create_image('life', data=io.BytesIO(data), tags=['a'], os_distro='debian', **RAW)
    image = demo.image.get_image(made.id)
    assert (image.status, image.size, image.visibility) == ('active', len(data), 'shared')
    assert image.checksum == hashlib.md5(data).hexdigest()
    assert demo.image.find_image('life').id == image.id
    changed = demo.image.update_image(image, name='other life', min_ram=32, os_distro='alpine')
    assert (changed.name, changed.min_ram, changed.os_distro) == ('other life', 32, 'alpine')
    demo.image.add_tag(image, 'b')
    demo.image.remove_tag(image, 'a')
    assert demo.image.get_image(image.id).tags == ['b']
    target = tmp_path / 'copy'
    demo.image.download_image(image, output=str(target))
    assert target.read_bytes() == data
    demo.image.delete_image(image)
    assert demo.image.find_image('other life') is None


def test_the_sdk_lists_more_than_a_page(demo):
    made = {demo.image.create_image('many', **RAW, allow_duplicates=True).id for _ in range(4)}
    assert {one.id for one in demo.image.images(name='many', limit=3)} == made


def test_hidden_images_are_found_when_asked_for(demo, raw):
    image_id = queued(raw, name='hidden', os_hidden=True)
    assert image_id not in [one.id for one in demo.image.images()]
    assert demo.image.find_image('hidden').id == image_id


def test_an_offer_is_seen_once_it_is_accepted(admin, demo):
    project = demo.current_project_id
    image = admin.image.create_image('offer', **RAW)
    with pytest.raises(exceptions.NotFoundException):
        demo.image.get_image(image.id)
    admin.image.add_member(image, member=project)
    assert demo.image.get_image(image.id).id == image.id
    assert image.id not in [one.id for one in demo.image.images()]
    demo.image.update_member(project, image, status='accepted')
    assert image.id in [one.id for one in demo.image.images()]
    assert [one.member_id for one in admin.image.members(image)] == [project]
    admin.image.remove_member(project, image)
    with pytest.raises(exceptions.NotFoundException):
        demo.image.get_image(image.id)


def test_a_deactivated_image_gives_no_data_to_users(admin, demo, raw):
    image_id = queued(raw)
    assert raw('PUT', f'/v2/images/{image_id}/file', BYTES, data=b'x').status_code == 204
    assert raw('POST', f'/v2/images/{image_id}/actions/deactivate').status_code == 403
    admin.image.deactivate_image(image_id)
    assert demo.image.get_image(image_id).status == 'deactivated'
    assert raw('GET', f'/v2/images/{image_id}/file').status_code == 403
    admin.image.reactivate_image(image_id)
    assert raw('GET', f'/v2/images/{image_id}/file').content == b'x'


@pytest.mark.parametrize(('body', 'status'), [
    (b'{', 400), (b'[]', 400), (b'{"name": 3}', 400), (b'{"id": "x"}', 400), (b'{"status": "active"}', 403),
    (b'{"visibility": "public"}', 403), (b'{"owner": "other"}', 403), (b'{"x": 3}', 400),
    (b'{"name": "' + b'x' * (1 << 20) + b'"}', 413)])
def test_what_a_creation_refuses(raw, body, status):
    response = raw('POST', '/v2/images', data=body)
    assert response.status_code == status
    assert set(response.json()) == {'code', 'title', 'message'}


def test_an_id_of_ones_own_is_taken_once(raw):
    own = 'a0000000-0000-4000-8000-000000000001'
    assert [raw('POST', '/v2/images', json={'id': own}).status_code for _ in range(2)] == [201, 409]


def test_the_content_type_of_patch_and_data_is_checked(raw):
    image_id = queued(raw)
    assert raw('PATCH', f'/v2/images/{image_id}', json=[]).status_code == 415
    assert raw('PUT', f'/v2/images/{image_id}/file', {'Content-Type': 'text/plain'}, data=b'x').status_code == 415
    assert raw('PATCH', f'/v2/images/{image_id}', PATCH, data=b'[]').status_code == 200


def test_no_data_is_no_content(raw):
    response = raw('GET', f'/v2/images/{queued(raw)}/file')
    assert (response.status_code, response.content) == (204, b'')


def test_an_image_above_the_cap_is_refused(raw):
    image_id = queued(raw)
    assert raw('PUT', f'/v2/images/{image_id}/file', BYTES, data=b'x' * (CAP + 1)).status_code == 413
    assert raw('GET', f'/v2/images/{image_id}').json()['status'] == 'queued'


def test_an_upload_that_breaks_off_leaves_the_image_queued(cloud, demo, raw):
    image_id = queued(raw)
    port = urllib.parse.urlsplit(cloud.url).port
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=10)
    connection.putrequest('PUT', f'/image/v2/images/{image_id}/file')
    for name, value in {**BYTES, 'X-Auth-Token': demo.auth_token, 'Content-Length': '1000'}.items():
        connection.putheader(name, value)
    connection.endheaders(b'half')
    connection.sock.shutdown(1)
    assert connection.getresponse().status == 400
    connection.close()
    assert raw('GET', f'/v2/images/{image_id}').json()['status'] == 'queued'
    assert not [name for name in os.listdir(os.path.join(cloud.known.state_dir, 'images')) if 'part' in name]
    assert raw('PUT', f'/v2/images/{image_id}/file', BYTES, data=io.BytesIO(b'whole')).status_code == 204


def test_a_download_carries_length_and_checksum(raw):
    image_id = queued(raw)
    raw('PUT', f'/v2/images/{image_id}/file', BYTES, data=b'abc')
    response = raw('GET', f'/v2/images/{image_id}/file')
    assert response.headers['Content-Length'] == '3'
    assert response.headers['Content-MD5'] == hashlib.md5(b'abc').hexdigest()


def test_unknown_paths_and_methods(raw):
    assert raw('GET', '/v2/nothing').status_code == 404
    response = raw('PUT', '/v2/images')
    assert (response.status_code, response.headers['Allow']) == (405, 'GET, POST')


def test_the_schema_names_what_an_image_shows(raw):
    properties = raw('GET', '/v2/schemas/image').json()['properties']
    assert set(raw('GET', f'/v2/images/{queued(raw)}').json()) <= set(properties)
    assert raw('GET', '/v2/schemas/images').json()['name'] == 'images'


def test_nobody_publishes_but_an_administrator(raw, admin):
    image_id = queued(raw)
    operation = [{'op': 'replace', 'path': '/visibility', 'value': 'public'}]
    assert raw('PATCH', f'/v2/images/{image_id}', PATCH, json=operation).status_code == 403
    assert raw('PATCH', f'/v2/images/{image_id}', PATCH, admin, json=operation).status_code == 200
