# SPDX-License-Identifier: Apache-2.0
"""What the group of a server means for hosts, on snapshots that no database has seen."""

import pytest

from nova_lite.scheduler import filters, weighers
from nova_lite.scheduler.groups import Group
from tests.fixtures.placing import host, request, view, weighing

NAMES = (filters.AFFINITY, filters.ANTI_AFFINITY)


@pytest.mark.parametrize(('group', 'good'), [
    (None, 'abc'), (Group('g', 'affinity'), 'abc'), (Group('g', 'affinity', members={'b': 3}), 'b'),
    (Group('g', 'affinity', members={'b': 1, 'c': 1}), 'bc'), (Group('g', 'anti-affinity', members={'b': 1}), 'ac'),
    (Group('g', 'anti-affinity', 2, {'a': 1, 'b': 2, 'c': 3}), 'a'),
    (Group('g', 'soft-affinity', members={'b': 1}), 'abc'),
    (Group('g', 'soft-anti-affinity', members={'b': 1}), 'abc')])
def test_filters(group, good):
    found, rejected = filters.passing(map(host, 'abc'), request(group=group), view(), filters.chosen(NAMES))
    assert ''.join(one.host for one in found) == good
    assert len(rejected) == 3 - len(good)


@pytest.mark.parametrize(('policy', 'order'), [('soft-affinity', 'bca'), ('soft-anti-affinity', 'acb')])
def test_weighers(policy, order):
    soft = weighing(soft_affinity=1.0, soft_anti_affinity=1.0)
    asked = request(group=Group('g', policy, members={'b': 2, 'c': 1}))
    assert ''.join(one.host for one in weighers.ranked(list(map(host, 'abc')), soft, asked)) == order


def test_a_rejection_tells_the_numbers():
    def rejected(group):
        _, (one,) = filters.passing([host('a')], request(group=group), view(), filters.chosen(NAMES))
        return one.wanted, one.had

    assert rejected(Group('g', 'anti-affinity', 2, {'a': 2})) == ('fewer than 2 of the group', 2)
    assert rejected(Group('g', 'affinity', members={'b': 1})) == ('b', 'a')
