# SPDX-License-Identifier: Apache-2.0
"""Quotas whose limits Keystone keeps: what is asked of it, what counts, and that no race passes a limit."""

import dataclasses
import threading

import pytest

from nova_lite import conf as nova_conf
from nova_lite import errors
from nova_lite.cmd import limits as limits_command
from nova_lite.cmd import manage
from nova_lite.db.queries import quota_limits
from nova_lite.model import quotas as model
from nova_lite.ops import keypairs, quotas, server_groups
from nova_lite.ops.change import SetMetadata, set_metadata
from nova_lite.ops.create import create
from tests.fixtures.cloud import FLAVOR, Cloud, context, wish
from tests.fixtures.database import database, shared_database, sqlite_path
from tests.fixtures.unified import keystone, unified

__all__ = ('database', 'keystone', 'shared_database', 'sqlite_path', 'unified')

# The library that asks Keystone warns of itself.
pytestmark = pytest.mark.filterwarnings('ignore::openstack.warnings.RemovedInSDK50Warning')


@pytest.fixture
def cloud(database, tmp_path, unified):
    made = Cloud(database, tmp_path, ('h1',))
    made.deps = dataclasses.replace(made.deps, limits=unified('unified_limits_cache_time = 60'))
    return made


def at_once(count, ask):
    """How many of ``count`` threads get what they ask for."""
    made, gate = [], threading.Barrier(count)

    def run(number):
        gate.wait(60)
        try:
            made.append(ask(number))
        except errors.OverQuota:
            pass

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return len(made)


def test_no_race_passes_a_limit(cloud, keystone):
    cloud.conductor.held = []
    keystone.registered.update({'servers': 1000, 'class:VCPU': 40})
    keystone.own['red'] = {'servers': 10}
    assert at_once(40, lambda number: create(cloud.deps, context(), wish())) == 10
    assert cloud.usage() == (10, 10, 5120)
    # However many want to know at the same time.
    assert sorted(keystone.asked) == ['red', 'registered']


def test_no_race_passes_a_limit_of_disks(cloud, keystone):
    cloud.conductor.held = []
    keystone.registered['class:DISK_GB'] = 5 * FLAVOR.disk
    assert at_once(20, lambda number: create(cloud.deps, context(), wish())) == 5
    with pytest.raises(errors.OverQuota, match='disk: 1 asked for, 5 of 5'):
        create(cloud.deps, context(), wish())
    assert len(create(cloud.deps, context('blue'), wish(min_count=1, max_count=9)).servers) == 5
    cloud.check_books()


def test_projects_have_limits_of_their_own_of_what_servers_use_only(cloud, keystone):
    keystone.registered.update({'server_key_pairs': 2, 'server_groups': 1, 'server_metadata_items': 1})
    keystone.own['red'] = {'server_key_pairs': 9, 'server_groups': 9, 'server_metadata_items': 9, 'class:VCPU': 0}
    with pytest.raises(errors.OverQuota, match='cores: 1 asked for, 0 of 0'):
        create(cloud.deps, context(), wish())
    server = cloud.create(context('blue'))
    with pytest.raises(errors.OverQuota, match='metadata_items: 2 asked for'):
        set_metadata(cloud.deps, context('blue'), SetMetadata(server, {'a': '1', 'b': '2'}))

    def add(number):
        keypairs.add(cloud.deps, keypairs.AddKeypair('ann', f'k{number}', 'ssh', 'ssh-ed25519 AAAA', '00:11', 'red'))

    add(9)
    assert at_once(3, add) == 1
    assert at_once(3, lambda number: server_groups.create(
        cloud.deps, context(), server_groups.CreateGroup('g', 'affinity'))) == 1


def test_setting_limits_here_sets_nothing(cloud, keystone):
    keystone.registered['servers'] = 7
    assert quotas.set_limits(cloud.deps, quotas.SetLimits('red', {'instances': 1}, 'ann'))['instances'] == 7
    assert quotas.set_class(cloud.deps, 'default', {'instances': 1})['instances'] == 7
    quotas.forget(cloud.deps, 'red', None)
    assert cloud.rows('quota_limits') == []


def counts(limits, project='red'):
    return limits.of(project).effective(None).project


def test_what_counts(unified, keystone):
    keystone.registered.update({'servers': 10, 'class:MEMORY_MB': -1})
    keystone.own['red'] = {'servers': -1, 'class:DISK_GB': 30}
    found = unified().of('red')
    assert {name: found.effective(None).project[name] for name in model.RESOURCES} == dict.fromkeys(model.RESOURCES, -1)
    assert found.effective(None, 'ann') == found.effective(None)
    assert (found.effective(None).disk, found.of_class(None)['instances']) == (30, 10)
    assert found.of_class(None).keys() == set(model.LIMITED) == counts(unified()).keys()
    assert counts(unified(), 'blue')['instances'] == counts(unified(), None)['instances'] == 10


@pytest.mark.parametrize('where', [
    'endpoint_service_type = compute', 'endpoint_service_name = nova\nendpoint_interface = public'])
def test_our_endpoint_is_found_by_the_service(unified, keystone, where):
    keystone.registered['servers'] = 3
    assert counts(unified(where=where))['instances'] == 3


def test_what_keystone_does_not_know_is_refused(database, tmp_path, unified, keystone):
    cloud = Cloud(database, tmp_path, ('h1',))
    keystone.registered = {'servers': 9, 'class:VCPU': 9, 'class:DISK_GB': 9}
    cloud.deps = dataclasses.replace(cloud.deps, limits=unified())
    with pytest.raises(errors.OverQuota, match=r'ram: 512 asked for, 0 of 0 \(Keystone has no registered limit '
                                               r'class:MEMORY_MB\)'):
        create(cloud.deps, context(), wish())
    keystone.registered['class:MEMORY_MB'] = 9999
    assert cloud.create().vm_state == 'active'
    with pytest.raises(errors.OverQuota, match='no registered limit server_metadata_items'):
        create(cloud.deps, context(), wish(metadata={'a': '1'}))
    del keystone.registered['class:DISK_GB']
    with pytest.raises(errors.OverQuota, match='no registered limit class:DISK_GB'):
        create(cloud.deps, context(), wish())


@pytest.mark.parametrize(('strategy', 'named', 'servers', 'cores'), [
    ('require', 'servers', 0, -1), ('require', '', -1, -1), ('ignore', 'servers', -1, 0), ('ignore', '', 0, 0)])
def test_what_has_to_be_registered(unified, keystone, strategy, named, servers, cores):
    keystone.registered = {}
    found = counts(unified(f'unified_limits_resource_strategy = {strategy}\nunified_limits_resource_list = {named}'))
    assert (found['instances'], found['cores']) == (servers, cores)


def test_limits_are_remembered_for_a_while(unified, keystone):
    limits = unified('unified_limits_cache_time = 60')
    for project in ('red', 'red', 'blue', None, 'blue'):
        counts(limits, project)
    assert keystone.asked == ['registered', 'red', 'blue']
    limits = unified()
    keystone.registered['servers'] = 1
    assert counts(limits)['instances'] == 1
    keystone.registered['servers'] = 2
    assert counts(limits)['instances'] == 2


def test_keystone_is_away_and_comes_back(unified, keystone):
    limits = unified()
    keystone.broken = True
    for _ in range(2):
        with pytest.raises(errors.Unavailable, match='limits in Keystone cannot be read'):
            limits.of('red')
    keystone.broken = False
    assert counts(limits)['instances'] == -1
    keystone.broken = True
    with pytest.raises(errors.Unavailable):
        limits.of('red')


def test_nobody_listens(unified):
    with pytest.raises(errors.Unavailable, match='limits in Keystone cannot be read'):
        unified(url='http://127.0.0.1:9').of('red')


@pytest.mark.parametrize(('where', 'told'), [
    ('endpoint_id = elsewhere', 'elsewhere'), ('endpoint_region_name = mars', 'service_type or service_name'),
    ('auth_type = magic', 'magic')])
def test_what_is_configured_wrongly_is_in_the_log(unified, caplog, where, told):
    with pytest.raises(errors.Unavailable):
        unified(where=where).of('red')
    assert 'The limits in Keystone cannot be read' in caplog.text and told in caplog.text


def test_a_model_that_is_not_flat(unified, keystone, caplog):
    keystone.model = 'strict-two-level'
    with pytest.raises(errors.Unavailable):
        unified().of('red')
    assert 'The limits in Keystone cannot be read: NotImplemented' in caplog.text


@pytest.mark.parametrize('broken', [False, True])
def test_who_waits_for_an_answer_gets_it_or_the_error(unified, keystone, broken):
    limits = unified()
    limits.of(None)
    keystone.gate.clear()
    results = []

    def ask():
        try:
            limits.of(None)
        except errors.Unavailable:
            results.append('away')
        else:
            results.append('here')

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    keystone.broken = broken
    keystone.gate.set()
    for thread in threads:
        thread.join(30)
    assert results == ['away' if broken else 'here'] * 5


# ------------------------------------------------------- from our own tables to Keystone

@pytest.fixture
def moving(database, tmp_path, keystone):
    """Runs the command on limits that are set here; what it prints, and its exit code."""
    path = tmp_path / 'move.conf'
    path.write_text(MOVE.format(url=keystone.url, tmp_path=tmp_path))
    conf = nova_conf.new()
    conf([], default_config_files=[str(path)], default_config_dirs=[])
    keystone.registered = {'servers': 3, 'server_groups': 10}

    def store(conn):
        quota_limits.store(conn, quota_limits.CLASS, 'default', quota_limits.NOBODY, {'cores': 7})
        quota_limits.store(conn, quota_limits.PROJECT, 'red', quota_limits.NOBODY, {
            'instances': 5, 'ram': -1, 'key_pairs': 2, 'floating_ips': 9})
        quota_limits.store(conn, quota_limits.PROJECT, 'red', 'ann', {'cores': 1})
        quota_limits.store(conn, quota_limits.PROJECT, 'blue', quota_limits.NOBODY, {'instances': 6})

    database.transaction(store)

    def run(*words):
        command = ['limits', 'migrate_to_unified_limits', '--region-id', 'RegionOne']
        return limits_command.migrate(database, conf, manage.parser().parse_args([*command, *words]))

    return run


MOVE = """\
[DEFAULT]
state_path = {tmp_path}
[quota]
instances = 4
[keystone]
auth_type = password
auth_url = {url}/v3
username = nova
password = secret
user_domain_name = Default
system_scope = all
"""


def test_limits_move_to_keystone(moving, keystone, capsys):
    assert moving('--dry-run') == 0
    assert 'class:VCPU of everybody: 7 (not made: dry run)' in capsys.readouterr().out
    assert (keystone.own, keystone.registered) == ({}, {'servers': 3, 'server_groups': 10})
    assert moving() == 0
    told = capsys.readouterr().out
    assert keystone.own == {'red': {'servers': 5, 'class:MEMORY_MB': -1}, 'blue': {'servers': 6}}
    assert {name: keystone.registered[name] for name in ('servers', 'class:VCPU', 'server_key_pairs')} == {
        'servers': 3, 'class:VCPU': 7, 'server_key_pairs': 100}
    for line in ('servers of everybody: 4 (left: Keystone has 3)', 'class:DISK_GB has no limit',
                 'cores of user ann in project red: 1 (left out', 'key_pairs of project red: 2 (left out'):
        assert line in told
    assert 'server_groups' not in told
    assert moving('--verbose') == 0
    told = capsys.readouterr().out
    assert 'server_groups of everybody: 10 (is there)' in told and '(made)' not in told


def test_limits_of_one_project_move(moving, keystone):
    assert moving('--project-id', 'blue') == 0
    assert keystone.own == {'blue': {'servers': 6}}


def test_a_keystone_that_is_away_is_no_answer(moving, keystone):
    keystone.broken = True
    with pytest.raises(errors.Unavailable):
        moving()
