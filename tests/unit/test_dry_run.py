# SPDX-License-Identifier: Apache-2.0
"""A dry run says what a create would say and do, and does nothing."""

import pytest

from nova_lite import errors
from nova_lite.db import tables
from nova_lite.db.queries import server_groups
from nova_lite.model.zones import Place
from nova_lite.ops.dry_run import dry_run
from nova_lite.scheduler.foresight import Foresight
from tests.fixtures.cloud import FLAVOR, Cloud, context, wish


@pytest.fixture
def cloud(db, tmp_path):
    return Cloud(db, tmp_path, memory_mb=2048)


def everything(cloud):
    return {name: cloud.rows(name) for name in tables.metadata.tables}


def ask(cloud, **known):
    before = everything(cloud)
    try:
        return dry_run(cloud.deps, Foresight(cloud.conf), context(), wish(**known))
    finally:
        assert everything(cloud) == before and not cloud.compute.sent


def group(cloud, policy):
    with cloud.db.write() as conn:
        return server_groups.create(conn, {'project_id': 'red', 'user_id': 'ann', 'name': policy, 'policy': policy,
                                           'rules': {}})


def test_where_it_would_land(cloud):
    cloud.age('services', last_seen_at=100)
    cloud.beat('h2')
    number, found = ask(cloud)
    assert (number, found.possible, found.places) == (1, True, (('nova', 'h2', 'h2'),))
    assert found.reason == '2 of 3 hosts are down.'
    assert sorted(host for host, *_ in found.others) == ['h1', 'h3']


def test_several_servers_take_room_from_each_other(cloud):
    flavor = type(FLAVOR)(**{**vars(FLAVOR), 'ram': 1024})
    number, found = ask(cloud, flavor=flavor, min_count=4, max_count=4)
    # The host's own memory is not to be given away, so that one fits on each.
    assert number == 4 and not found.possible and {host for _, host, _ in found.places} == {'h1', 'h2', 'h3'}
    assert found.reason.startswith('No valid host was found. 3 of 3 hosts lack memory')
    assert {host for host, *_ in found.others} == {'h1', 'h2', 'h3'}


def test_groups(cloud):
    hints = {'group': group(cloud, 'anti-affinity')}
    number, found = ask(cloud, min_count=3, max_count=3, hints=hints)
    assert found.possible and {host for _, host, _ in found.places} == {'h1', 'h2', 'h3'}
    number, found = ask(cloud, min_count=4, max_count=4, hints=hints)
    assert not found.possible and 'as many servers of group' in found.reason


def test_errors_are_those_of_a_create(cloud):
    cloud.conf.set_override('instances', 1, 'quota')
    with pytest.raises(errors.OverQuota):
        ask(cloud, min_count=2, max_count=2)
    with pytest.raises(errors.Invalid, match='no compute host'):
        ask(cloud, place=Place(host='h9'))
    with pytest.raises(errors.Invalid, match='no server group'):
        ask(cloud, hints={'group': '7e6f1c0c-7d3c-4d55-8a2b-6f1f0f6a9c11'})


def test_a_filter_that_only_the_conductors_know(cloud):
    cloud.conf.set_override('enabled_filters', ['Foreign'], 'filter_scheduler')
    with pytest.raises(errors.Unsupported, match='Foreign'):
        ask(cloud)
