# SPDX-License-Identifier: Apache-2.0
"""What the API says where limits are not our own: Keystone's, or none."""

import dataclasses
from types import SimpleNamespace

import pytest

from nova_lite import errors
from nova_lite.conf import check
from nova_lite.db.queries import flavors, quotas
from nova_lite.model.quotas import LIMITED, Unregistered, use_of
from nova_lite.ops import limits
from nova_lite.ops.delete import DeleteServer, delete
from nova_lite.ops.resize import ConfirmResize, ResizeServer, RevertResize, confirm, resize, revert
from nova_lite.ops.restore import RestoreServer, restore
from tests.fixtures import rows
from tests.fixtures.cloud import Cloud, context
from tests.fixtures.compute import make_conf
from tests.fixtures.rooms import ADMIN, MEMBER, rooms
from tests.fixtures.unified import keystone, unified

__all__ = ('keystone', 'rooms', 'unified')

pytestmark = pytest.mark.filterwarnings('ignore::openstack.warnings.RemovedInSDK50Warning')

PROJECT = MEMBER.project_id
PATH = f'/os-quota-sets/{PROJECT}'
USER = f'?user_id={MEMBER.user_id}'
CLASS = '/os-quota-class-sets/default'


def limit_of(rooms, path, name='instances'):
    status, body = rooms.ask('GET', path, version='2.57')
    assert status == 200, body
    return next(iter(body.values()))[name]


def set_everything(rooms):
    """Each request that sets a limit; what they answer with."""
    return [rooms.ask(method, path, body, '2.57') for method, path, body in (
        ('PUT', PATH, {'quota_set': {'instances': 1, 'metadata_items': 1}}),
        ('PUT', PATH + USER, {'quota_set': {'instances': 1, 'force': True}}),
        ('PUT', CLASS, {'quota_class_set': {'instances': 1}}), ('DELETE', PATH, None), ('DELETE', PATH + USER, None))]


def test_quotas_show_what_keystone_says(rooms, unified, keystone):
    rooms.services.limits = unified()
    keystone.registered.update({'servers': 10, 'class:VCPU': 20, 'server_key_pairs': 3, 'server_injected_files': 4})
    keystone.own[PROJECT] = {'servers': 5}
    del keystone.registered['server_groups']
    assert [limit_of(rooms, path) for path in (PATH, PATH + USER, f'{PATH}/defaults', CLASS)] == [5, 5, 10, 10]
    assert limit_of(rooms, PATH, 'server_groups') == 0
    with rooms.db.write() as conn:
        quotas.use(conn, PROJECT, use_of(rows.FLAVOR, 2), dict.fromkeys(LIMITED, -1))
    for path in (f'{PATH}/detail', f'{PATH}/detail{USER}'):
        assert limit_of(rooms, path) == {'limit': 5, 'in_use': 2, 'reserved': 0}
    absolute = rooms.ask('GET', '/limits', by=MEMBER)[1]['limits']['absolute']
    assert (absolute['maxTotalInstances'], absolute['totalInstancesUsed'], absolute['maxTotalKeypairs'],
            absolute['maxPersonality'], absolute['maxTotalRAMSize'], absolute['maxServerGroups']) == (5, 2, 3, 4, -1, 0)


def test_setting_limits_is_accepted_and_sets_nothing(rooms, unified, keystone):
    rooms.services.limits = unified()
    keystone.registered['servers'] = 10
    answers = set_everything(rooms)
    assert [status for status, _ in answers] == [200, 200, 200, 202, 202]
    assert [next(iter(body.values()))['instances'] for _, body in answers[:3]] == [10] * 3
    assert limit_of(rooms, PATH) == 10
    rooms.services.limits = limits.DatabaseLimits(rooms.conf.quota)
    assert limit_of(rooms, PATH, 'metadata_items') == 128
    assert rooms.status('PUT', PATH, {'quota_set': {'instances': -2}}) == 400


def test_keystone_is_away(rooms, unified, keystone):
    rooms.services.limits = unified()
    keystone.broken = True
    key = {'keypair': {'name': 'k', 'public_key': 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIZ0uXJ6Zk3K'
                                                  'c0Jm1mJ0c0Jm1mJ0c0Jm1mJ0c0Jm1mJ0 x'}}
    asked = [('GET', PATH), ('GET', f'{PATH}/detail'), ('GET', f'{PATH}/defaults'), ('GET', CLASS), ('GET', '/limits'),
             ('PUT', PATH, {'quota_set': {}}), ('POST', '/os-keypairs', key),
             ('POST', '/os-server-groups', {'server_group': {'name': 'g', 'policies': ['affinity']}})]
    assert [rooms.status(*request) for request in asked] == [503] * len(asked)
    assert rooms.headers['Retry-After']
    keystone.broken = False
    assert rooms.status('POST', '/os-keypairs', key, by=MEMBER) == 200


def test_a_missing_limit_is_named(rooms, unified, keystone):
    rooms.services.limits = unified()
    del keystone.registered['server_groups']
    status, body = rooms.ask('POST', '/os-server-groups', {'server_group': {'name': 'g', 'policies': ['affinity']}})
    assert (status, body['forbidden']['message']) == (403, (
        'Quota exceeded for server_groups: 1 asked for, 0 of 0 (Keystone has no registered limit server_groups) in '
        'use.'))


def test_no_limits(rooms):
    rooms.services.limits = limits.NoLimits()
    assert {name for name, value in rooms.ask('GET', PATH)[1]['quota_set'].items() if value == -1} >= set(LIMITED)
    assert [status for status, _ in set_everything(rooms)] == [200, 200, 200, 202, 202]
    assert [limit_of(rooms, path) for path in (PATH, PATH + USER, f'{PATH}/defaults', CLASS)] == [-1] * 4
    assert rooms.ask('GET', '/limits', by=ADMIN)[1]['limits']['absolute']['maxTotalCores'] == -1


@pytest.fixture
def cloud(db, tmp_path, unified, keystone):
    made = Cloud(db, tmp_path, ('h1', 'h2'))
    made.deps = dataclasses.replace(made.deps, limits=unified())
    with db.write() as conn:
        # Only the disk grows.
        flavors.create(conn, {'flavorid': 'wide', 'name': 'm1.wide', 'ram': 512, 'vcpus': 1, 'disk': 4})
    return made


def test_a_resize_needs_disk_until_it_is_over(cloud, keystone):
    keystone.registered['class:DISK_GB'] = 4
    server, other = cloud.create(), cloud.create()
    with pytest.raises(errors.OverQuota, match='disk: 3 asked for, 2 of 4'):
        resize(cloud.deps, context(), ResizeServer(server, 'wide'))
    assert cloud.server(server.uuid).task_state is None and cloud.rows('migrations') == []
    keystone.registered['class:DISK_GB'] = 5
    resize(cloud.deps, context(), ResizeServer(server, 'wide'))
    with pytest.raises(errors.OverQuota, match='disk: 1 asked for, 5 of 5'):
        cloud.create()
    revert(cloud.deps, context(), RevertResize(cloud.server(server.uuid)))
    cloud.create()
    keystone.registered['class:DISK_GB'] = 6
    resize(cloud.deps, context(), ResizeServer(cloud.server(other.uuid), 'wide'))
    confirm(cloud.deps, context(), ConfirmResize(cloud.server(other.uuid)))
    cloud.check_books()


def test_a_server_that_comes_back_needs_quota_of_keystone(cloud, keystone):
    cloud.conf.set_override('reclaim_instance_interval', 3600)
    keystone.registered.update({'class:DISK_GB': 1, 'servers': 5})
    server = cloud.create()
    delete(cloud.deps, context(), DeleteServer(server))
    cloud.create()
    with pytest.raises(errors.OverQuota, match='disk: 1 asked for, 1 of 1'):
        restore(cloud.deps, context(), RestoreServer(cloud.server(server.uuid)))
    keystone.registered['class:DISK_GB'] = -1
    keystone.own['red'] = {'servers': 1}
    with pytest.raises(errors.OverQuota, match='instances: 1 asked for, 1 of 1'):
        restore(cloud.deps, context(), RestoreServer(cloud.server(server.uuid)))
    keystone.own['red'] = {'servers': 2}
    restore(cloud.deps, context(), RestoreServer(cloud.server(server.uuid)))
    assert cloud.server(server.uuid).vm_state == 'active'


@pytest.mark.parametrize(('name', 'kind'), [
    ('database', limits.DatabaseLimits), ('noop', limits.NoLimits), ('unified', limits.KeystoneLimits),
    ('nova.quota.DbQuotaDriver', limits.DatabaseLimits), ('nova.quota.NoopQuotaDriver', limits.NoLimits),
    ('nova.quota.UnifiedLimitsDriver', limits.KeystoneLimits)])
def test_drivers_by_name(tmp_path, name, kind):
    conf = make_conf(tmp_path)
    assert isinstance(limits.limits(conf), limits.DatabaseLimits)
    conf.set_override('driver', name, group='quota')
    assert isinstance(limits.limits(conf), kind)


def test_an_unknown_driver_is_refused(tmp_path):
    conf = make_conf(tmp_path)
    path = tmp_path / 'nova.conf'
    path.write_text('[quota]\ndriver = magic\n')
    conf([], default_config_files=[str(path)], default_config_dirs=[])
    with pytest.raises(errors.StartError, match=r'\[quota\] driver in .*nova.conf cannot be used.*unified.*magic'):
        check.refuse_wrong_values(conf)
    with pytest.raises(errors.StartError, match='magic.*database, noop, unified, nova.quota.DbQuotaDriver'):
        limits.limits(SimpleNamespace(quota=SimpleNamespace(driver='magic')))


def test_a_missing_limit_is_a_zero():
    assert Unregistered('servers') == 0
    text = '0 (Keystone has no registered limit servers)'
    assert str(Unregistered('servers')) == f'{Unregistered("servers")}' == text
