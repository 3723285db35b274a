# SPDX-License-Identifier: Apache-2.0
"""What every image service promises to the rest of the program, asked of each twin alike.

The embedded twin reads its store; Glance's client speaks HTTP to the embedded Image
API here, once with the user's token and once with the credentials of a service.
"""

import hashlib
import io
import os
import uuid

import pytest
import requests

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.clients.glance import GlanceImages
from nova_lite.clients.image import EmbeddedImages, image_client
from nova_lite.embedded.directory import Directory
from tests.fixtures import embedded

RAW = {'disk_format': 'raw', 'container_format': 'bare'}


@pytest.fixture(scope='module')
def cloud(tmp_path_factory):
    with embedded.serve(embedded.state_dir(tmp_path_factory.mktemp('images'))) as running:
        yield running


def token_of(cloud, user):
    scope = {'project': {'name': cloud.known.projects[user], 'domain': {'id': 'default'}}}
    login = {'name': user, 'password': cloud.known.passwords[user], 'domain': {'id': 'default'}}
    body = {'auth': {'identity': {'methods': ['password'], 'password': {'user': login}}, 'scope': scope}}
    response = requests.post(f'{cloud.url}/identity/v3/auth/tokens', json=body, timeout=10)
    return response.headers['X-Subject-Token'], response.json()['token']


def glance_conf(cloud, own, endpoint=None):
    settings = {'endpoint_override': endpoint or f'{cloud.url}/image'}
    if own:
        settings |= {
            'auth_type': 'password', 'auth_url': f'{cloud.url}/identity', 'username': 'nova',
            'password': cloud.known.passwords['nova'], 'project_name': 'service',
            'user_domain_id': 'default', 'project_domain_id': 'default'}
    return embedded.configure(cloud.known.state_dir, {'glance': settings}, image=False)


class Bench:
    """A twin and the contexts to ask it in."""

    def __init__(self, client, cloud, with_token):
        self.client = client
        self._cloud = cloud
        self._with_token = with_token

    def context(self, user):
        snapshot = Directory(self._cloud.known.state_dir).load()
        user_id = snapshot.named('users', user, 'default')['id']
        project_id = snapshot.named('projects', self._cloud.known.projects[user], 'default')['id']
        roles = [role['name'] for role in snapshot.roles_on(user_id, 'project', project_id)]
        token = token_of(self._cloud, user)[0] if self._with_token else None
        return RequestContext(user_id=user_id, project_id=project_id, roles=roles, auth_token=token,
                              overwrite=False)

    def image(self, user, data=b'', **values):
        context = self.context(user)
        made = self.client.create(context, {'name': 'one', **RAW, **values})
        return self.client.upload(context, made.id, io.BytesIO(data)) if data else made


@pytest.fixture(params=['embedded', "glance with the user's token", 'glance with credentials'])
def bench(request, cloud):
    if request.param == 'embedded':
        return Bench(EmbeddedImages(cloud.known.state_dir), cloud, False)
    own = 'credentials' in request.param
    return Bench(GlanceImages(glance_conf(cloud, own)), cloud, not own)


def test_an_image_goes_in_and_comes_out(bench, tmp_path):
    data = os.urandom(200_000)
    image = bench.image('demo', data, min_ram=64, os_distro='debian')
    assert (image.status, image.size) == ('active', len(data))
    assert image.checksum == hashlib.md5(data).hexdigest()
    shown = bench.client.show(bench.context('demo'), image.id)
    assert shown == image
    assert (shown.min_ram, shown.properties['os_distro'], shown.disk_format) == (64, 'debian', 'raw')
    assert shown.owner == bench.context('demo').project_id
    target = tmp_path / 'image.raw'
    bench.client.download(bench.context('demo'), image.id, str(target))
    assert target.read_bytes() == data
    assert os.listdir(tmp_path) == ['image.raw']


def test_what_is_missing_is_said(bench):
    with pytest.raises(errors.ImageNotFound):
        bench.client.show(bench.context('demo'), str(uuid.uuid4()))
    with pytest.raises(errors.ImageNotFound):
        bench.client.show(bench.context('demo'), '../../v3/users')
    with pytest.raises(errors.ImageNotFound):
        bench.client.delete(bench.context('demo'), str(uuid.uuid4()))


def test_a_private_image_of_others_does_not_exist(bench):
    image = bench.image('admin', b'secret', visibility='private')
    for call in (bench.client.show, bench.client.delete):
        with pytest.raises(errors.ImageNotFound):
            call(bench.context('demo'), image.id)
    assert image.id not in [one.id for one in bench.client.list(bench.context('demo'))]
    assert bench.client.show(bench.context('admin'), image.id).id == image.id


def test_a_public_image_of_others_can_be_used_but_not_deleted(bench):
    image = bench.image('admin', b'open', visibility='public')
    assert bench.client.show(bench.context('demo'), image.id).visibility == 'public'
    with pytest.raises(errors.Forbidden):
        bench.client.delete(bench.context('demo'), image.id)


def test_an_image_is_changed_by_its_owner(bench):
    image = bench.image('demo', visibility='private', os_distro='debian')
    changed = bench.client.update(bench.context('demo'), image.id, {'disk_format': 'qcow2', 'os_distro': 'arch'})
    assert (changed.disk_format, changed.properties['os_distro']) == ('qcow2', 'arch')
    assert bench.client.show(bench.context('demo'), image.id) == changed
    other = bench.image('admin', b'open', visibility='public')
    with pytest.raises(errors.Forbidden):
        bench.client.update(bench.context('demo'), other.id, {'os_distro': 'arch'})


def test_a_shared_image_is_there_for_one_more_project(bench):
    image = bench.image('admin', b'ours', visibility='shared')
    other = bench.context('demo')
    with pytest.raises(errors.ImageNotFound):
        bench.client.show(other, image.id)
    for _ in range(2):
        bench.client.share(bench.context('admin'), image.id, other.project_id)
    assert bench.client.show(other, image.id).id == image.id
    with pytest.raises(errors.Forbidden):
        bench.client.delete(other, image.id)


def test_an_image_without_data_cannot_be_downloaded(bench, tmp_path):
    image = bench.image('demo')
    with pytest.raises(errors.Conflict):
        bench.client.download(bench.context('demo'), image.id, str(tmp_path / 'image'))
    assert not os.listdir(tmp_path)


def test_data_is_taken_once(bench):
    image = bench.image('demo', b'first')
    with pytest.raises(errors.Conflict):
        bench.client.upload(bench.context('demo'), image.id, io.BytesIO(b'second'))


def test_a_protected_image_is_not_deleted(bench):
    image = bench.image('demo', protected=True)
    with pytest.raises(errors.Forbidden):
        bench.client.delete(bench.context('demo'), image.id)


def test_a_deleted_image_is_gone(bench):
    image = bench.image('demo', b'x')
    bench.client.delete(bench.context('demo'), image.id)
    with pytest.raises(errors.ImageNotFound):
        bench.client.show(bench.context('demo'), image.id)


def test_a_list_is_filtered_and_follows_all_pages(bench):
    name = f'paged {uuid.uuid4()}'
    made = {bench.image('demo', name=name).id for _ in range(5)}
    found = [one.id for one in bench.client.list(bench.context('demo'), name=name, limit='2')]
    assert sorted(found) == sorted(made)


def test_wrong_values_are_refused(bench):
    with pytest.raises(errors.Invalid):
        bench.client.create(bench.context('demo'), {'name': 'x', 'disk_format': 'floppy'})


def test_a_service_that_is_away_is_unavailable(cloud):
    client = GlanceImages(glance_conf(cloud, False, 'http://127.0.0.1:9/image'))
    with pytest.raises(errors.Unavailable):
        client.show(RequestContext(project_id='x', auth_token='x', overwrite=False), str(uuid.uuid4()))


def test_without_token_and_credentials_the_missing_option_is_named(cloud):
    client = GlanceImages(glance_conf(cloud, False))
    with pytest.raises(errors.Unavailable, match='auth_type'):
        client.show(RequestContext(project_id='x', overwrite=False), str(uuid.uuid4()))


def test_the_catalogue_of_the_token_leads_to_glance(cloud):
    conf = glance_conf(cloud, False)
    conf.set_override('endpoint_override', None, 'glance')
    token, body = token_of(cloud, 'demo')
    context = RequestContext(project_id=body['project']['id'], auth_token=token,
                             service_catalog=body['catalog'], overwrite=False)
    assert list(GlanceImages(conf).list(context, name='no such image')) == []


def test_the_configuration_picks_the_twin(cloud):
    assert isinstance(image_client(cloud.conf), EmbeddedImages)
    assert isinstance(image_client(glance_conf(cloud, False)), GlanceImages)
