# SPDX-License-Identifier: Apache-2.0
"""The filters that look at one host, and the small languages that they read."""

import json

import pytest

from nova_lite.scheduler import filters
from nova_lite.scheduler.filters.specs import matches
from tests.fixtures.placing import host, request, view

FACTS = {
    'free_ram_mb': 4096, 'free_disk_mb': 40960, 'host_ip': '10.0.1.7', 'hypervisor_hostname': 'h',
    'hypervisor_type': 'QEMU', 'hypervisor_version': 6002000, 'num_instances': 3, 'traits': [],
    'cpu_info': {'arch': 'x86_64', 'features': ['aes', 'vmx'], 'topology': {'cores': 4}}}


def verdict(name, facts=None, **asked):
    """(wanted, had) of the rejection, or None."""
    good, bad = filters.passing([host(facts={**FACTS, **(facts or {})})], request(**asked), view(),
                                {name: filters.FILTERS[name]})
    assert len(good) + len(bad) == 1
    return (bad[0].wanted, bad[0].had) if bad else None


@pytest.mark.parametrize(('had', 'wanted', 'fits'), [
    ('x', 'x', True), ('x', 'y', False), (5, '5', True), (5, '', False), ('', '', True),
    (5, '= 5', True), (6, '= 5', True), (4, '= 5', False), (5, '== 5.0', True), (5, '== 6', False), (5, '!= 6', True),
    (10, '>= 9', True), (8, '>= 9', False), (8, '<= 9', True), ('many', '>= 9', False), (9, '>=', False),
    ('9', 's== 9', True), ('9', 's!= 9', False), ('10', 's< 9', True), ('9', 's<= 9', True), ('9', 's> 10', True),
    ('9', 's>= 91', False), ('abcd', '<in> bc', True), ('abcd', '<in> x', False), (['aes', 'vmx'], '<in> aes', True),
    (['aes', 'vmx'], '<all-in> aes vmx', True), (['aes', 'vmx'], '<all-in> aes avx', False),
    ('v2', '<or> v1 <or> v2', True), ('v3', '<or> v1 <or> v2', False), ('<or>', '<or> v1', False)])
def test_what_extra_specs_say(had, wanted, fits):
    assert matches(had, wanted) is fits


@pytest.mark.parametrize(('spec', 'value', 'rejection'), [
    ('capabilities:hypervisor_type', 'QEMU', None),
    ('capabilities:hypervisor_type', 's== fake', ('hypervisor_type s== fake', 'QEMU')),
    ('capabilities:cpu_info:features', '<in> vmx', None), ('capabilities:cpu_info:topology:cores', '>= 4', None),
    ('capabilities:cpu_info:topology:cores', '>= 5', ('cpu_info:topology:cores >= 5', 4)),
    ('capabilities:cpu_info:nothing:here', '1', ('cpu_info:nothing:here 1', 'nothing')),
    ('num_instances', '3', None), ('num_instances', '4', ('num_instances 4', 3)), ('ssd', 'true', None),
    ('capabilities:ssd', 'true', ('ssd true', 'nothing')), ('hide_hypervisor_id', 'true', None),
    ('hw:boot_menu', 'true', None), ('quota:cpu_shares', '1', None)])
def test_capabilities(spec, value, rejection):
    assert verdict('ComputeCapabilitiesFilter', extra_specs={spec: value}) == rejection


@pytest.mark.parametrize(('properties', 'rejection'), [
    ({}, None), ({'os_distro': 'debian'}, None), ({'hw_architecture': 'x86_64'}, None),
    ({'architecture': 'amd64', 'hw_vm_mode': 'hvm', 'img_hv_type': 'qemu'}, None),
    ({'hw_architecture': 'aarch64'}, ('a host for aarch64/any/any', 'x86_64/qemu/hvm')),
    ({'hypervisor_type': 'lxc'}, ('a host for any/lxc/any', 'x86_64/qemu/hvm')),
    ({'vm_mode': 'xen'}, ('a host for any/any/xen', 'x86_64/qemu/hvm')),
    ({'img_hv_requested_version': '>=6.0,<7'}, None),
    ({'img_hv_requested_version': '>=7'}, ('hypervisor version >=7', '6.2.0')),
    ({'hypervisor_version_requires': 'new'}, ('a version that can be understood', 'new'))])
def test_image_properties(properties, rejection):
    assert verdict('ImagePropertiesFilter', image_properties=properties) == rejection


def test_a_host_may_tell_all_that_it_can_run():
    facts = {'cpu_info': {'arch': 'x86_64', 'supported_instances': [['i686', 'kvm', 'hvm'], ['x86_64', 'kvm', 'hvm']]}}
    for properties, fits in (({'hw_architecture': 'i386'}, True), ({'img_hv_type': 'kvm'}, True),
                             ({'img_hv_type': 'qemu'}, False)):
        assert (verdict('ImagePropertiesFilter', facts, image_properties=properties) is None) is fits


@pytest.mark.parametrize(('query', 'fits'), [
    (['>=', '$free_ram_mb', 1024], True), (['<', '$free_ram_mb', 1024], False),
    (['and', ['>=', '$free_ram_mb', 1024], ['=', '$hypervisor_hostname', 'h']], True),
    (['or', ['=', '$num_instances', 1, 2], ['in', '$num_instances', 2, 3]], True),
    (['not', ['=', '$hypervisor_hostname', 'h']], False), (['=', '$cpu_info.topology.cores', 4], True),
    (['>', '$free_disk_mb', '$free_ram_mb'], True), (['=', '$nothing', None], True), (['<', '$nothing', 3], False),
    (['<', '$host_ip', 3], False), (['='], False), ('$free_ram_mb', True), (0, False)])
def test_json_queries(query, fits):
    for hint in (json.dumps(query), query if isinstance(query, list) else json.dumps(query)):
        assert verdict('JsonFilter', hints={'query': hint}) == (None if fits else ('true of the query', 'not true'))


@pytest.mark.parametrize('query', [
    '[', '[]', '["exec", "x"]', '{"a": 1}', json.dumps(['and', []]), '[[1]]', '["not"' + ', ["not"' * 40 + ']' * 41])
def test_a_query_that_nobody_understands_runs_nothing(query):
    assert verdict('JsonFilter', hints={'query': query})[0] == 'a query that can be understood'


@pytest.mark.parametrize(('hints', 'rejection'), [
    ({}, None), ({'build_near_host_ip': '10.0.1.200'}, None),
    ({'build_near_host_ip': '10.0.2.1'}, ('near 10.0.2.0/24', 'elsewhere')),
    ({'build_near_host_ip': '10.0.2.1', 'cidr': '/16'}, None),
    ({'build_near_host_ip': 'fd00::1', 'cidr': '/64'}, ('near fd00::/64', 'elsewhere'))])
def test_near_an_address(hints, rejection):
    assert verdict('SimpleCIDRAffinityFilter', hints=hints) == rejection


def test_a_network_that_is_none():
    assert verdict('SimpleCIDRAffinityFilter', hints={'build_near_host_ip': '10.0.2.1', 'cidr': '/99'})[0] == (
        'near 10.0.2.1/99')


CELLS = {'cpu_info': {'numa': {'cells': [{'vcpus': 4, 'memory_mb': 1000}, {'vcpus': 2, 'memory_mb': 1000}]}}}


@pytest.mark.parametrize(('facts', 'specs', 'rejection'), [
    ({}, {}, None), ({}, {'hw:numa_nodes': '2'}, ('2 NUMA cells', 0)),
    (CELLS, {'hw:numa_nodes': '2'}, ('a NUMA cell of 3 vCPUs and 600 MiB', '2 and 1000')),
    (CELLS, {'hw:numa_nodes': '3'}, ('3 NUMA cells', 2)),
    (CELLS, {'hw:numa_nodes': '1'}, ('a NUMA cell of 6 vCPUs and 1200 MiB', '4 and 1000, 2 and 1000')),
    (CELLS, {'hw:numa_nodes': '2', 'hw:numa_cpus.0': '0-3', 'hw:numa_cpus.1': '4,5,^5', 'hw:numa_mem.0': '200',
             'hw:numa_mem.1': '1000'}, None),
    (CELLS, {'hw:numa_nodes': '2', 'hw:numa_mem.1': 'x'}, ('a NUMA topology that can be understood', 'another')),
    (CELLS, {'hw:cpu_policy': 'dedicated'}, ('dedicated processors', 'none')),
    (CELLS, {'hw:cpu_policy': 'shared'}, None),
    (CELLS, {'hw:mem_page_size': '1GB'}, ('memory pages of size 1GB', 'none'))])
def test_numa(facts, specs, rejection):
    assert verdict('NUMATopologyFilter', facts, extra_specs=specs, vcpus=6, memory_mb=1200) == rejection


def test_filters_without_an_opinion_are_not_asked():
    for name in ('JsonFilter', 'NUMATopologyFilter', 'ImagePropertiesFilter', 'ComputeCapabilitiesFilter'):
        good, _ = filters.passing([host()], request(), view(), {name: filters.FILTERS[name]})
        assert good


def test_all_that_is_enabled_by_default_and_all_others_have_names_of_nova():
    assert {'AllHostsFilter', 'IoOpsFilter', 'SameHostFilter', 'PciPassthroughFilter',
            'AggregateTypeAffinityFilter'} < set(filters.FILTERS)
