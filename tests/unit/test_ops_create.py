# SPDX-License-Identifier: Apache-2.0
"""What a request for servers may say, and what its rows hold."""

from types import SimpleNamespace

import pytest

from nova_lite import errors
from nova_lite.db.queries import aggregates, keypairs, tags
from nova_lite.model import names, zones
from nova_lite.ops import change
from nova_lite.ops.create import create
from tests.fixtures.cloud import FLAVOR, Cloud, context, image, wish
from tests.fixtures.database import sqlite_database


@pytest.fixture(scope='module')
def cloud(tmp_path_factory):
    path = tmp_path_factory.mktemp('cloud')
    database = sqlite_database()
    made = Cloud(database, path, names=('h1',))
    for name in ('instances', 'cores', 'ram'):
        made.conf.set_override(name, -1, group='quota')
    yield made
    database.dispose()


BIG = SimpleNamespace(**{**vars(FLAVOR), 'name': 'big', 'disk': 2})


@pytest.mark.parametrize(('known', 'reason'), [
    ({'networks': [{'uuid': 'n'}]}, 'No network service is configured'),
    ({'security_groups': ['default', 'web']}, 'no security group web'),
    ({'hints': {'group': 'g'}}, 'no server group g'),
    ({'hostname': 'a', 'max_count': 2}, 'one server only'),
    ({'image': None}, 'names no image'),
    ({'image': image(status='queued')}, 'is queued, not active'),
    ({'image': image(min_ram=4096)}, 'needs 4096 MiB of memory'),
    ({'image': image(min_disk=3), 'flavor': BIG}, 'needs 3 GiB of disk; flavor big has 2'),
    ({'image': image(size=3 << 30), 'flavor': BIG}, 'has 3221225472 bytes'),
    ({'key_name': 'missing'}, 'has no keypair missing'),
    ({'place': zones.Place('atlantis')}, 'There is no availability zone atlantis'),
    ({'place': zones.Place(host='h1'), 'host': 'h1'}, 'named twice'),
    ({'place': zones.Place(node='n9')}, 'no compute host n9')])
def test_what_is_refused(cloud, known, reason):
    before = len(cloud.rows('servers'))
    with pytest.raises(errors.Invalid, match=reason):
        create(cloud.deps, context(), wish(**known))
    assert len(cloud.rows('servers')) == before


@pytest.mark.parametrize('networks', [None, 'none', 'auto', ()])
def test_networks_that_need_no_service(cloud, networks):
    assert cloud.create(networks=networks, security_groups=('default',)).vm_state == 'active'


def test_files_go_to_the_host_and_are_forgotten(cloud):
    file = {'path': '/etc/motd', 'contents': 'aGVsbG8='}
    server = cloud.create(personality=[file], admin_password='secret')
    assert cloud.compute.sent[-1][1].params == {'personality': [file]}
    (row,) = [row for row in cloud.rows('operations') if row.server_uuid == server.uuid]
    assert row.params == {}
    with pytest.raises(errors.OverQuota, match='injected_files: 6 asked for'):
        create(cloud.deps, context(), wish(personality=[file] * 6))


def test_a_disk_of_the_images_size(cloud):
    flexible = SimpleNamespace(**{**vars(FLAVOR), 'disk': 0})
    assert cloud.create(flavor=flexible, image=image(size=9 << 30, min_disk=9)).vm_state == 'active'


def test_the_row_holds_what_was_asked_for(cloud):
    with cloud.db.write() as conn:
        keypairs.create(conn, {'user_id': 'ann', 'name': 'key', 'type': 'ssh', 'fingerprint': 'f',
                               'public_key': 'ssh-x'})
    properties = {'kernel_id': 'k', 'hw_disk_bus': 'virtio', 'auto_disk_config': 'True',
                  'img_config_drive': 'mandatory'}
    server = cloud.create(
        name='Web Server_1', key_name='key', image=image(properties=properties), tags=('b', 'a', 'b'),
        description='words', access_ip_v4='192.0.2.1', hints={'same_host': ['x']},
        trusted_image_certificates=['c1'], user_data='eA==')
    assert (server.name, server.hostname, server.key_name, server.public_key, server.key_type) == (
        'Web Server_1', 'web-server-1', 'key', 'ssh-x', 'ssh')
    assert (server.kernel_id, server.disk_config, server.config_drive) == ('k', 'AUTO', True)
    assert server.image_properties == {
        **properties, 'container_format': 'bare', 'disk_format': 'qcow2', 'min_disk': '0', 'min_ram': '0'}
    assert server.scheduler_hints == {'same_host': ['x']} and server.trusted_image_certificates == ['c1']
    assert (server.description, server.access_ip_v4, server.user_data) == ('words', '192.0.2.1', 'eA==')
    assert server.reservation_id.startswith('r-') and len(server.reservation_id) == 10
    with cloud.db.read() as conn:
        assert tags.page(conn, server.uuid) == ['a', 'b']


def test_a_zone_is_pinned(cloud):
    with cloud.db.write() as conn:
        group = aggregates.create(conn, 'g', {'availability_zone': 'west'})
    refused = cloud.create(place=zones.parse('west'))
    assert refused.fault['message'] == 'No valid host was found. 1 of 1 host is not in availability zone west.'
    with cloud.db.write() as conn:
        aggregates.add_host(conn, group, 'h1')
    try:
        server = cloud.create(place=zones.parse('west'))
        assert (server.availability_zone, server.pinned_availability_zone, server.host) == ('west', 'west', 'h1')
        assert cloud.create(place=zones.parse('nova')).vm_state == 'error'
    finally:
        with cloud.db.write() as conn:
            aggregates.delete(conn, group)


def test_as_many_as_the_quota_allows(cloud):
    who = context('small')
    cloud.conf.set_override('instances', 3, group='quota')
    try:
        assert len(create(cloud.deps, who, wish(min_count=2, max_count=5)).servers) == 3
        with pytest.raises(errors.OverQuota, match='instances: 1 asked for, 3 of 3 in use'):
            create(cloud.deps, who, wish())
    finally:
        cloud.conf.set_override('instances', -1, group='quota')


def test_metadata(cloud):
    server = cloud.create(metadata={'a': '1', 'b': '2'})
    assert change.set_metadata(cloud.deps, context(), change.SetMetadata(server, {'b': '3', 'c': '4'})) == {
        'a': '1', 'b': '3', 'c': '4'}
    change.delete_metadata_item(cloud.deps, context(), change.DeleteMetadataItem(server, 'a'))
    with pytest.raises(errors.MetadataItemNotFound):
        change.delete_metadata_item(cloud.deps, context(), change.DeleteMetadataItem(server, 'a'))
    assert change.set_metadata(cloud.deps, context(), change.SetMetadata(server, {}, replace=True)) == {}
    many = {str(number): '' for number in range(129)}
    with pytest.raises(errors.OverQuota, match='metadata_items: 129 asked for'):
        change.set_metadata(cloud.deps, context(), change.SetMetadata(server, many))
    with pytest.raises(errors.OverQuota):
        create(cloud.deps, context(), wish(metadata=many))


def test_tags(cloud):
    server = cloud.create()
    assert change.add_tag(cloud.deps, context(), change.AddTag(server, 'a')) is True
    assert change.add_tag(cloud.deps, context(), change.AddTag(server, 'a')) is False
    change.delete_tag(cloud.deps, context(), change.DeleteTag(server, 'a'))
    with pytest.raises(errors.TagNotFound):
        change.delete_tag(cloud.deps, context(), change.DeleteTag(server, 'a'))
    fifty = [str(number) for number in range(50)]
    assert change.replace_tags(cloud.deps, context(), change.ReplaceTags(server, fifty)) == sorted(fifty)
    with pytest.raises(errors.Invalid, match='at most 50 tags'):
        change.add_tag(cloud.deps, context(), change.AddTag(server, 'more'))


def test_an_administrators_lock(cloud):
    server = cloud.create()
    change.lock(cloud.deps, context('other', is_admin=True), change.LockServer(server, 'audit'))
    change.lock(cloud.deps, context(), change.LockServer(server, 'mine'))
    locked = cloud.server(server.uuid)
    assert (locked.locked_by, locked.locked_reason) == ('admin', 'audit')
    with pytest.raises(errors.Forbidden):
        change.unlock(cloud.deps, context(), change.UnlockServer(locked))
    change.unlock(cloud.deps, context(), change.UnlockServer(locked, override=True))
    free = cloud.server(server.uuid)
    assert (free.locked, free.locked_by, free.locked_reason) == (False, None, None)


def test_update_and_reset(cloud):
    server = cloud.create()
    after = change.update(cloud.deps, context(), change.UpdateServer(server, {'name': 'new', 'host': 'h9'}))
    assert (after.name, after.host) == ('new', 'h1')
    change.reset_state(cloud.deps, context(), change.ResetServerState(server, 'error'))
    assert cloud.server(server.uuid).vm_state == 'error'
    with pytest.raises(errors.ServerNotFound):
        change.update(cloud.deps, context(), change.UpdateServer(SimpleNamespace(uuid='none'), {'name': 'x'}))


@pytest.mark.parametrize(('name', 'made'), [
    ('web', 'web'), ('My Web_Server.example', 'my-web-server-example'), ('Größe 7', 'gre-7'), ('-.-', 'spare'),
    ('日本', 'spare'), ('x' * 80, 'x' * 63), ('a' * 62 + '-b', 'a' * 62)])
def test_hostname(name, made):
    assert names.hostname(name, 'spare') == made


def test_zones():
    assert zones.parse(None) == zones.Place()
    assert zones.parse('z') == zones.Place('z')
    assert zones.parse('z:h') == zones.Place('z', 'h')
    assert zones.parse('z:h:n') == zones.Place('z', 'h', 'n')
    assert zones.parse('z::n') == zones.Place('z', None, 'n')
    assert zones.parse(':h').forced
    with pytest.raises(errors.Invalid, match='too many colons'):
        zones.parse('a:b:c:d')
