# SPDX-License-Identifier: Apache-2.0
"""What every identity service promises to the rest of the program, asked of each twin alike."""

import pytest

from nova_lite.auth.context import RequestContext
from nova_lite.clients.identity import AnyIdentity, EmbeddedIdentity, KeystoneIdentity, identity_client
from nova_lite.embedded.directory import Directory
from tests.contracts.test_image import token_of
from tests.fixtures import embedded


@pytest.fixture(scope='module')
def cloud(tmp_path_factory):
    with embedded.serve(embedded.state_dir(tmp_path_factory.mktemp('identity'))) as running:
        yield running


def keystone_conf(cloud, endpoint=None):
    conf = embedded.configure(cloud.known.state_dir, identity=False)
    conf.set_override('endpoint_override', endpoint or f'{cloud.url}/identity', 'keystone')
    return conf


@pytest.fixture(params=['embedded', 'keystone'])
def client(request, cloud):
    if request.param == 'embedded':
        return EmbeddedIdentity(cloud.known.state_dir)
    return KeystoneIdentity(keystone_conf(cloud))


@pytest.fixture
def admin(cloud):
    return RequestContext(auth_token=token_of(cloud, 'admin')[0], overwrite=False)


def test_a_project_that_exists(client, cloud, admin):
    for project_id in Directory(cloud.known.state_dir).load().projects:
        assert client.project_exists(admin, project_id)


@pytest.mark.parametrize('project_id', ['no-such-project', '../users', 'ä b'])
def test_a_project_that_does_not(client, admin, project_id):
    assert not client.project_exists(admin, project_id)


def test_who_may_not_ask_is_believed(cloud):
    client = KeystoneIdentity(keystone_conf(cloud))
    demo = RequestContext(auth_token=token_of(cloud, 'demo')[0], overwrite=False)
    assert client.project_exists(demo, 'no-such-project')


def test_when_keystone_is_away_every_project_is_believed(cloud, admin):
    client = KeystoneIdentity(keystone_conf(cloud, 'http://127.0.0.1:9/identity'))
    assert client.project_exists(admin, 'no-such-project')


def test_the_configuration_picks_the_twin(cloud):
    assert isinstance(identity_client(cloud.conf), EmbeddedIdentity)
    conf = keystone_conf(cloud)
    assert isinstance(identity_client(conf), KeystoneIdentity)
    conf.set_override('auth_strategy', 'noauth2', 'api')
    assert isinstance(identity_client(conf), AnyIdentity)
