# SPDX-License-Identifier: Apache-2.0
"""Server groups hold on each database, however many conductors place their members at the same time."""

import threading
from collections import Counter

import pytest

from nova_lite import errors
from nova_lite.db.queries import quota_limits, server_groups
from nova_lite.model.zones import Place
from nova_lite.ops import server_groups as ops
from nova_lite.ops.create import create
from nova_lite.ops.delete import DeleteServer, delete
from tests.fixtures.cloud import Cloud, context, wish
from tests.fixtures.database import database, shared_database, sqlite_path

__all__ = ('database', 'shared_database', 'sqlite_path')

HOSTS = ('h1', 'h2', 'h3', 'h4')


@pytest.fixture
def cloud(database, tmp_path):
    return unlimited(Cloud(database, tmp_path, HOSTS))


def unlimited(cloud):
    for name in ('instances', 'cores', 'ram', 'server_group_members'):
        cloud.conf.set_override(name, -1, group='quota')
    return cloud


def group(cloud, policy, rules=None, **who):
    return ops.create(cloud.deps, context(**who), ops.CreateGroup('g', policy, rules or {})).uuid


def where(cloud, uuid):
    """Members of the group by host."""
    with cloud.db.read() as conn:
        key = server_groups.get(conn, uuid).id
        return Counter(cloud.server(member).host for member in server_groups.members(conn, [key])[key])


def place_at_once(cloud, uuid, count):
    """Many conductors take one member each at the same time."""
    cloud.conductor.held = []
    for number in range(count):
        create(cloud.deps, context(), wish(f'web-{number}', hints={'group': uuid}))
    work, cloud.conductor.held = cloud.conductor.held, None
    gate = threading.Barrier(count)

    def run(message):
        gate.wait(30)
        cloud.runner.run(*message)

    threads = [threading.Thread(target=run, args=(message,)) for message in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


@pytest.mark.parametrize(('policy', 'rules'), [
    ('anti-affinity', {}), ('anti-affinity', {'max_server_per_host': 2}), ('affinity', {})])
def test_no_race_breaks_a_policy(cloud, policy, rules):
    uuid = group(cloud, policy, rules)
    place_at_once(cloud, uuid, 6)
    found = where(cloud, uuid)
    failed = found.pop(None, 0)
    if policy == 'affinity':
        assert len(found) == 1
    else:
        most = rules.get('max_server_per_host', 1)
        assert max(found.values()) <= most
        assert sum(found.values()) == min(6, most * len(HOSTS))
    assert sum(found.values()) + failed == 6
    cloud.check_books()


def test_twenty_members_at_once_find_twenty_hosts_at_the_first_try(database, tmp_path):
    cloud = unlimited(Cloud(database, tmp_path, tuple(f'h{number}' for number in range(20))))
    uuid = group(cloud, 'anti-affinity')
    place_at_once(cloud, uuid, 20)
    assert set(where(cloud, uuid).values()) == {1} and len(where(cloud, uuid)) == 20
    assert {operation.state for operation in cloud.rows('operations')} == {'done'}
    assert len(cloud.compute.sent) == 20
    cloud.check_books()


def test_it_says_why(cloud):
    uuid = group(cloud, 'anti-affinity')
    for _ in HOSTS:
        assert cloud.create(hints={'group': uuid}).vm_state == 'active'
    refused = cloud.create(hints={'group': uuid})
    assert refused.vm_state == 'error'
    assert refused.fault['message'] == (
        f'No valid host was found. 4 of 4 hosts have as many servers of group {uuid} as they may.')
    together = group(cloud, 'affinity')
    first = cloud.create(hints={'group': together})
    elsewhere = next(host for host in HOSTS if host != first.host)
    refused = cloud.create(hints={'group': together}, host=elsewhere)
    assert f'1 of 1 host has no other server of group {together}' in refused.fault['message']


def test_a_forced_host_does_not_break_a_policy(cloud):
    uuid = group(cloud, 'anti-affinity')
    first = cloud.create(hints={'group': uuid})
    assert cloud.create(hints={'group': uuid}, place=Place(host=first.host)).vm_state == 'error'


def test_a_deleted_member_makes_room_and_a_deleted_group_binds_nobody(cloud):
    uuid = group(cloud, 'anti-affinity')
    members = [cloud.create(hints={'group': uuid}) for _ in HOSTS]
    delete(cloud.deps, context(), DeleteServer(members[2]))
    assert cloud.create(hints={'group': uuid}).host == members[2].host
    cloud.conductor.held = []
    late = create(cloud.deps, context(), wish(hints={'group': uuid})).servers[0]['uuid']
    ops.delete(cloud.deps, uuid)
    cloud.conductor.release()
    assert cloud.server(late).vm_state == 'active'
    assert cloud.rows('server_group_members') == []


def test_soft_policies_prefer_and_do_not_refuse(cloud):
    for name in ('ram_weight_multiplier', 'cpu_weight_multiplier', 'disk_weight_multiplier'):
        cloud.conf.set_override(name, 0.0, 'filter_scheduler')
    cloud.conductor_deps.scheduler.reload()
    near, far = group(cloud, 'soft-affinity'), group(cloud, 'soft-anti-affinity')
    for _ in range(3):
        cloud.create(hints={'group': near})
    for _ in range(6):
        cloud.create(hints={'group': far})
    assert list(where(cloud, near).values()) == [3]
    assert sorted(where(cloud, far).values()) == [1, 1, 2, 2]


def test_members_are_limited_for_each_user_in_the_transaction_that_adds_them(cloud):
    cloud.conf.clear_override('server_group_members', 'quota')
    cloud.db.transaction(quota_limits.store, 'project', 'red', '', {'server_group_members': 3})
    uuid = group(cloud, 'soft-anti-affinity')
    results, gate = [], threading.Barrier(6)

    def ask():
        gate.wait(30)
        try:
            create(cloud.deps, context(), wish(hints={'group': uuid}))
            results.append('made')
        except errors.OverQuota as error:
            results.append(error.details['resource'])

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert Counter(results) == {'made': 3, 'server_group_members': 3}
    create(cloud.deps, context(user_id='jim'), wish(hints={'group': uuid}))
    cloud.check_books()


def test_groups_of_other_projects_are_not_there(cloud):
    uuid = group(cloud, 'affinity', project='blue')
    for hint in (uuid, '11111111-2222-3333-4444-555555555555'):
        with pytest.raises(errors.Invalid, match=f'no server group {hint}'):
            create(cloud.deps, context(), wish(hints={'group': hint}))
    assert cloud.rows('servers') == []


def test_a_user_with_limits_of_his_own(cloud):
    cloud.db.transaction(quota_limits.store, 'project', 'red', 'ann', {'instances': 2})
    results, gate = [], threading.Barrier(6)

    def ask():
        gate.wait(30)
        try:
            results.append(len(create(cloud.deps, context(), wish()).servers))
        except errors.OverQuota:
            results.append(0)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(results) == [0, 0, 0, 0, 1, 1]
    assert len(create(cloud.deps, context(user_id='jim'), wish(min_count=1, max_count=3)).servers) == 3
    with pytest.raises(errors.OverQuota, match='instances: 2 asked for, 0 of 2|instances: 1 asked for, 2 of 2'):
        create(cloud.deps, context(), wish(min_count=1, max_count=3))
    assert cloud.usage() == (5, 5, 2560)
