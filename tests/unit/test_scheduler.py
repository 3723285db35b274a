# SPDX-License-Identifier: Apache-2.0
"""Filters, weighers and explanations, on snapshots that no database has seen."""

import datetime
from collections import Counter

import pytest

from nova_lite import errors
from nova_lite.db.queries.candidates import Count, Rejections
from nova_lite.db.queries.hosts import Wanted
from nova_lite.model.moves import amounts, disk_of
from nova_lite.scheduler import explain, filters, weighers
from tests.fixtures.placing import NOW, host, options, request, view, weighing

ALL = filters.chosen(['ComputeFilter', 'AvailabilityZoneFilter'])
EVEN = {'ram': 1.0, 'cpu': 1.0, 'disk': 1.0}


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
    good, bad = filters.passing([host(**known)], request(**asked), view(), ALL)
    assert [(one.filter, one.wanted, one.had) for one in bad] == ([rejection] if rejection else [])
    assert len(good) == (rejection is None)


def test_an_unknown_filter_ends_the_start():
    with pytest.raises(errors.StartError, match='names Ram; there are AggregateImagePropertiesIsolation, .*JsonFilter'):
        filters.chosen(['ComputeFilter', 'Ram'])
    with pytest.raises(errors.StartError, match='names JsonFilter; there are ComputeFilter'):
        filters.chosen(['JsonFilter'], ['nova.scheduler.filters.compute_filter.ComputeFilter'])
    assert list(filters.chosen(['ComputeFilter'], ['ComputeFilter'])) == ['ComputeFilter', 'Capacity']


def order(hosts, weighed, asked=None):
    return [one.host for one in weighers.ranked(hosts, weighed, asked or request())]


def test_the_emptiest_host_is_first_and_with_a_negative_multiplier_last():
    hosts = [host('a', free_memory_mb=100), host('b', free_memory_mb=300), host('c', free_memory_mb=200)]
    assert order(hosts, weighing(**EVEN)) == ['b', 'c', 'a']
    assert order(hosts, weighing(**{**EVEN, 'ram': -1.0})) == ['a', 'c', 'b']


def test_multipliers_decide_between_resources():
    hosts = [host('cpus', free_vcpus=9), host('ram', free_memory_mb=9999)]
    for name, best in (('cpu', 'cpus'), ('ram', 'ram')):
        assert order(hosts, weighing(**{**EVEN, name: 3.0}))[0] == best


@pytest.mark.parametrize(('name', 'multiplier', 'fact'), [
    ('io_ops', -1.0, 'io_ops'), ('num_instances', -0.5, 'servers'), ('build_failure', 1e6, 'failed_builds')])
def test_a_host_with_more_of_it_comes_later(name, multiplier, fact):
    hosts = [host('a', **{fact: 2}), host('b', **{fact: 0}), host('c', **{fact: 1})]
    assert order(hosts, weighing(**{name: multiplier})) == ['b', 'c', 'a']


def test_an_aggregate_sets_the_multiplier_of_its_hosts_and_the_smallest_counts():
    name = 'ram_weight_multiplier'
    hosts = [host('a', free_memory_mb=100), host('b', free_memory_mb=200, aggregates={name: frozenset(('-1', 'x'))}),
             host('c', free_memory_mb=300, aggregates={name: frozenset(('5', '0.1'))})]
    assert order(hosts, weighing(ram=1.0)) == ['c', 'a', 'b']
    assert order(hosts, weighing()) == ['c', 'a', 'b']


def test_equal_hosts_take_turns_unless_they_shall_not():
    hosts = [host(name, id=number) for number, name in enumerate('abcd')]
    firsts = Counter(order(hosts, weighing(**EVEN))[0] for _ in range(400))
    assert set(firsts) == set('abcd') and min(firsts.values()) > 40
    assert {order(hosts, weighing(shuffle=False))[0] for _ in range(20)} == {'a'}


def test_one_of_the_subset_is_drawn():
    hosts = [host(name, free_memory_mb=1000 - number) for number, name in enumerate('abcd')]
    assert {order(hosts, weighing(2, **EVEN))[0] for _ in range(100)} == {'a', 'b'}
    assert order([], weighing(2, **EVEN)) == []


def test_wrong_weighers_end_the_start():
    with pytest.raises(errors.StartError, match='names rack; packages provide no weigher'):
        weighers.chosen(options(weight_multipliers={'rack': '1'}).filter_scheduler)


def test_swap_counts_as_whole_gib():
    assert disk_of({'disk': 10, 'ephemeral': 5, 'swap': 0}) == 15
    assert disk_of({'disk': 10, 'ephemeral': 5, 'swap': 1025}) == 17


def test_extra_specs_say_what_a_server_takes_of_its_host():
    flavor = {'vcpus': 4, 'ram': 512, 'disk': 10, 'ephemeral': 0, 'swap': 0}
    assert amounts(flavor) == {'vcpus': 4, 'memory_mb': 512, 'local_gb': 10}
    specs = {'resources:VCPU': '0', 'resources:DISK_GB': '3', 'resources:MEMORY_MB': 'much'}
    assert amounts({**flavor, 'extra_specs': specs}) == {'vcpus': 0, 'memory_mb': 512, 'local_gb': 3}


def explained(counts, hosts=20, filtered=(), last=None, **known):
    wanted = Wanted(**{'vcpus': 2, 'memory_mb': 8192, 'local_gb': 80, 'alive_since': NOW, **known})
    found = Rejections(hosts, tuple(counts), (('h1', 'memory', 8192, 512),))
    return explain.no_valid_host(wanted, found, filtered, last)


def test_reasons_are_counted():
    error = explained([Count('down', None, 3, None), Count('memory', 8192, 17, 512)])
    assert str(error) == ('No valid host was found. 3 of 20 hosts are down; 17 lack memory: wanted 8192 MiB, most '
                          'free is 512 MiB.')
    assert explain.listing(error) == 'h1: memory, wanted 8192, had 512'


def test_one_host_is_spoken_of_in_the_singular():
    assert 'found. 1 of 1 host is not in availability zone z1.' in str(
        explained([Count('zone', 'z1', 1, None)], hosts=1))
    assert '1 of 2 hosts lacks vCPUs: wanted 2, most free is 0; 1 is disabled.' in str(
        explained([Count('vcpus', 2, 1, -4), Count('disabled', None, 1, None)], hosts=2))
    assert 'lack disk: wanted 80 GiB, most free is 7 GiB.' in str(explained([Count('disk', 80, 2, 7)]))
    assert '2 of 20 hosts lack trait HW_X; 1 has trait B, which is forbidden.' in str(
        explained([Count('trait', 'HW_X', 2, None), Count('no trait', 'B', 1, None)]))


def test_filters_are_named_with_what_they_want():
    error = explained([Count('down', None, 1, None), Count('NumInstancesFilter', 'fewer than 5 servers', 2, 9, 5)], 5, [
        filters.Rejection('h9', 'OddFilter', 'odd', 'even'), filters.Rejection('h8', 'OddFilter', 'odd', 'even')])
    assert str(error).endswith('1 of 5 hosts is down; 2 rejected by NumInstancesFilter: wanted fewer than 5 servers, '
                               'had 5 and more; 2 rejected by OddFilter: wanted odd, had even.')
    assert 'h9: OddFilter, wanted odd, had even' in explain.listing(error)


def test_no_hosts():
    assert str(explained([], hosts=0)).endswith('No compute host has reported yet.')
    assert str(explained([], hosts=0, host='h7')).endswith('There is no compute host h7.')
    assert str(explained([], hosts=2, last='boom')).endswith(
        'Other servers took the room in the meantime. The last failure: boom')
