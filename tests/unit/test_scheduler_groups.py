# SPDX-License-Identifier: Apache-2.0
"""What the group of a server means for hosts, on snapshots that no database has seen."""

import datetime

import pytest

from nova_lite.scheduler import filters, weighers
from nova_lite.scheduler.groups import Group
from nova_lite.scheduler.request import HostState, Request

NOW = datetime.datetime(2026, 1, 1, 12)
VIEW = filters.View(NOW)
NAMES = (filters.AFFINITY, filters.ANTI_AFFINITY)
ONLY_SOFT = {name: float(name.startswith('soft')) for name in weighers.WEIGHERS}


def host(name):
    return HostState(id=1, host=name, node=name, zone='nova', disabled=False, forced_down=False, last_seen_at=NOW,
                     free_vcpus=4, free_memory_mb=4096, free_local_gb=40, servers=0)


def request(group):
    return Request(server_uuid='s', vcpus=1, memory_mb=1, local_gb=1, group=group)


@pytest.mark.parametrize(('group', 'good'), [
    (None, 'abc'), (Group('g', 'affinity'), 'abc'), (Group('g', 'affinity', members={'b': 3}), 'b'),
    (Group('g', 'affinity', members={'b': 1, 'c': 1}), 'bc'), (Group('g', 'anti-affinity', members={'b': 1}), 'ac'),
    (Group('g', 'anti-affinity', 2, {'a': 1, 'b': 2, 'c': 3}), 'a'),
    (Group('g', 'soft-affinity', members={'b': 1}), 'abc'),
    (Group('g', 'soft-anti-affinity', members={'b': 1}), 'abc')])
def test_filters(group, good):
    found, rejected = filters.passing(map(host, 'abc'), request(group), VIEW, filters.chosen(NAMES))
    assert ''.join(one.host for one in found) == good
    assert len(rejected) == 3 - len(good)


@pytest.mark.parametrize(('policy', 'order'), [('soft-affinity', 'bca'), ('soft-anti-affinity', 'acb')])
def test_weighers(policy, order):
    group = Group('g', policy, members={'b': 2, 'c': 1})
    assert ''.join(one.host for one in weighers.ranked([host(name) for name in 'abc'], ONLY_SOFT, 1, group)) == order


def test_a_rejection_tells_the_numbers():
    group = Group('g', 'anti-affinity', 2, {'a': 2})
    assert filters.anti_affinity(host('a'), request(group), VIEW) == ('fewer than 2 of the group', 2)
    assert filters.affinity(host('a'), request(Group('g', 'affinity', members={'b': 1})), VIEW) == ('b', 'a')
