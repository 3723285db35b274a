# SPDX-License-Identifier: Apache-2.0
"""Filters, weighers and explanations, on snapshots that no database has seen."""

import datetime
from collections import Counter

import pytest

from nova_lite import errors
from nova_lite.db.queries.hosts import Rejections, Wanted
from nova_lite.scheduler import explain, filters, weighers
from nova_lite.scheduler.request import HostState, Request, disk_of

NOW = datetime.datetime(2026, 1, 1, 12)
VIEW = filters.View(NOW - datetime.timedelta(seconds=60))
ALL = filters.chosen(['ComputeFilter', 'AvailabilityZoneFilter'])
EVEN = dict.fromkeys(weighers.WEIGHERS, 1.0)


def host(name='h', **known):
    return HostState(**{'id': 1, 'host': name, 'node': name, 'zone': 'nova', 'disabled': False, 'forced_down': False,
                        'last_seen_at': NOW, 'free_vcpus': 4, 'free_memory_mb': 4096, 'free_local_gb': 40, 'servers': 0,
                        **known})


def request(**known):
    return Request(**{'server_uuid': 's', 'vcpus': 1, 'memory_mb': 512, 'local_gb': 1, **known})


@pytest.mark.parametrize(('known', 'asked', 'rejection'), [
    ({}, {}, None),
    ({'disabled': True}, {}, ('ComputeFilter', 'enabled', 'disabled')),
    ({'disabled': True}, {'forced': True}, None),
    ({'forced_down': True}, {'forced': True}, ('ComputeFilter', 'up', 'down')),
    ({'last_seen_at': NOW - datetime.timedelta(seconds=61)}, {}, ('ComputeFilter', 'up', 'down')),
    ({'last_seen_at': None}, {}, ('ComputeFilter', 'up', 'down')),
    ({}, {'zone': 'other'}, ('AvailabilityZoneFilter', 'other', 'nova')),
    ({'free_memory_mb': 511}, {}, ('Capacity', 512, 511)),
    ({'free_vcpus': 0}, {}, ('Capacity', 1, 0)),
    ({'free_local_gb': -3}, {}, ('Capacity', 1, -3))])
def test_filters(known, asked, rejection):
    good, bad = filters.passing([host(**known)], request(**asked), VIEW, ALL)
    assert [(one.filter, one.wanted, one.had) for one in bad] == ([rejection] if rejection else [])
    assert len(good) == (rejection is None)


def test_an_unknown_filter_ends_the_start():
    with pytest.raises(errors.StartError, match='names Ram; there are AvailabilityZoneFilter, ComputeFilter'):
        filters.chosen(['ComputeFilter', 'Ram'])


def test_the_emptiest_host_is_first_and_with_a_negative_multiplier_last():
    hosts = [host('a', free_memory_mb=100), host('b', free_memory_mb=300), host('c', free_memory_mb=200)]
    assert [one.host for one in weighers.ranked(hosts, EVEN)] == ['b', 'c', 'a']
    stacked = {**EVEN, 'ram_weight_multiplier': -1.0}
    assert [one.host for one in weighers.ranked(hosts, stacked)] == ['a', 'c', 'b']


def test_multipliers_decide_between_resources():
    hosts = [host('cpus', free_vcpus=9), host('ram', free_memory_mb=9999)]
    for name, best in (('cpu_weight_multiplier', 'cpus'), ('ram_weight_multiplier', 'ram')):
        assert weighers.ranked(hosts, {**EVEN, name: 3.0})[0].host == best


def test_equal_hosts_take_turns():
    hosts = [host(name) for name in 'abcd']
    firsts = Counter(weighers.ranked(hosts, EVEN)[0].host for _ in range(400))
    assert set(firsts) == set('abcd') and min(firsts.values()) > 40


def test_one_of_the_subset_is_drawn():
    hosts = [host(name, free_memory_mb=1000 - number) for number, name in enumerate('abcd')]
    firsts = {weighers.ranked(hosts, EVEN, 2)[0].host for _ in range(100)}
    assert firsts == {'a', 'b'}
    assert weighers.ranked([], EVEN, 2) == []


def test_swap_counts_as_whole_gib():
    assert disk_of({'disk': 10, 'ephemeral': 5, 'swap': 0}) == 15
    assert disk_of({'disk': 10, 'ephemeral': 5, 'swap': 1025}) == 17


def explained(counts, hosts=20, filtered=(), last=None, **known):
    wanted = Wanted(**{'vcpus': 2, 'memory_mb': 8192, 'local_gb': 80, 'alive_since': NOW, **known})
    return explain.no_valid_host(wanted, Rejections(hosts, tuple(counts), (('h1', 'memory', 512),)), filtered, last)


def test_reasons_are_counted():
    error = explained([('down', 3, None), ('memory', 17, 512)])
    assert str(error) == ('No valid host was found. 3 of 20 hosts are down; 17 lack memory: wanted 8192 MiB, most '
                          'free is 512 MiB.')
    assert explain.listing(error) == 'h1: memory, wanted 8192, had 512'


def test_one_host_is_spoken_of_in_the_singular():
    assert 'found. 1 of 1 host is not in availability zone z1.' in str(
        explained([('zone', 1, None)], hosts=1, zone='z1'))
    assert '1 of 2 hosts lacks vCPUs: wanted 2, most free is 0; 1 is disabled.' in str(
        explained([('vcpus', 1, -4), ('disabled', 1, None)], hosts=2))
    assert 'lack disk: wanted 80 GiB, most free is 7 GiB.' in str(explained([('disk', 2, 7)]))


def test_filters_that_sql_does_not_know_are_named():
    error = explained([('down', 1, None)], 2, [filters.Rejection('h9', 'OddFilter', 'odd', 'even')])
    assert '1 of 2 hosts is down; 1 rejected by OddFilter.' in str(error)
    assert 'h9: OddFilter, wanted odd, had even' in explain.listing(error)


def test_no_hosts():
    assert str(explained([], hosts=0)).endswith('No compute host has reported yet.')
    assert str(explained([], hosts=0, host='h7')).endswith('There is no compute host h7.')
    assert str(explained([], hosts=2, last='boom')).endswith(
        'Other servers took the room in the meantime. The last failure: boom')
