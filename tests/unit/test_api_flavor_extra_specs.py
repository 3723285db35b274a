# SPDX-License-Identifier: Apache-2.0
"""Extra specs of flavors, and who may use the private ones."""

import pytest

from nova_lite.db.queries import flavors
from nova_lite.model import extra_specs
from tests.fixtures.rooms import LEGACY, MEMBER, UNKNOWN_PROJECT, Rooms, rooms

__all__ = ('rooms',)

SPECS = '/flavors/1/os-extra_specs'


@pytest.fixture
def api(rooms: Rooms) -> Rooms:
    rooms.db.transaction(flavors.ensure_defaults)
    rooms.db.transaction(flavors.create, {'flavorid': 'p', 'name': 'private', 'ram': 1, 'vcpus': 1, 'disk': 1,
                                          'is_public': False})
    return rooms


def test_specs_are_kept_as_text_and_echoed_as_sent(api):
    body = {'extra_specs': {'my:own': 1, 'plain': 2.5, 'word': 'x'}}
    assert api.ask('POST', SPECS, body) == (200, body)
    assert api.ask('GET', SPECS, by=MEMBER) == (200, {'extra_specs': {'my:own': '1', 'plain': '2.5', 'word': 'x'}})
    assert api.ask('PUT', f'{SPECS}/word', {'word': 'y'}) == (200, {'word': 'y'})
    assert api.ask('GET', f'{SPECS}/word') == (200, {'word': 'y'})
    assert api.ask('DELETE', f'{SPECS}/word') == (200, None)
    assert api.status('GET', f'{SPECS}/word') == api.status('DELETE', f'{SPECS}/word') == 404


@pytest.mark.parametrize(('method', 'path', 'body', 'version', 'status'), [
    ('POST', SPECS, {'extra_specs': {'hw:cpu_policy': 'x'}}, '2.85', 200),
    ('POST', SPECS, {'extra_specs': {'hw:cpu_policy': 'x'}}, '2.86', 400),
    ('POST', SPECS, {'extra_specs': {'hw:unknown': 'x'}}, '2.86', 400),
    ('POST', SPECS, {'extra_specs': {'own:unknown': 'x'}}, '2.86', 200),
    ('POST', '/flavors/none/os-extra_specs', {'extra_specs': {'hw:unknown': 'x'}}, '2.86', 400),
    ('POST', '/flavors/none/os-extra_specs', {'extra_specs': {}}, '2.86', 404),
    ('POST', SPECS, {'extra_specs': {'a/b': 'x'}}, '2.1', 400),
    ('POST', SPECS, {'extra_specs': {'a/b': 'x'}}, LEGACY, 200),
    ('POST', SPECS, {'extra_specs': {'a': True}}, '2.1', 400),
    ('POST', SPECS, {'extra_specs': {'a': 'x' * 256}}, '2.1', 400),
    ('PUT', f'{SPECS}/a', {'a': '1', 'b': '1'}, '2.1', 400),
    ('PUT', f'{SPECS}/a', {'b': '1'}, '2.1', 400),
    ('PUT', f'{SPECS}/hw:numa_nodes', {'hw:numa_nodes': '0'}, '2.86', 400),
    ('GET', f'{SPECS}?x=1', None, '2.101', 200),
    ('GET', f'{SPECS}?x=1', None, '2.102', 400),
    ('GET', f'{SPECS}?x=%00', None, '2.1', 400),
])
def test_specs_are_checked(api, method, path, body, version, status):
    assert api.status(method, path, body, version) == status


def test_specs_of_a_private_flavor_are_as_hidden_as_the_flavor(api):
    path = '/flavors/p/os-extra_specs'
    assert [api.status('GET', path), api.status('GET', path, by=MEMBER)] == [200, 404]
    assert api.status('POST', SPECS, {'extra_specs': {}}, by=MEMBER) == 403


@pytest.mark.parametrize(('name', 'right', 'wrong'), [
    ('accel:device_profile', 'any', None),
    ('aggregate_instance_extra_specs:ssd', 'true', None),
    ('capabilities:cpu_info:features', '<in> vmx', None),
    ('group_policy', 'isolate', 'all'),
    ('hide_hypervisor_id', 'Yes', 'maybe'),
    ('hw:cpu_realtime_mask', '^0-1,3', '^^0'),
    ('hw:mem_page_size', '1GB', 'huge'),
    ('hw:numa_cpus.0', '0-3,^2', 'a'),
    ('hw:numa_mem.12', '1', '0'),
    ('hw:pmem', 'A,B', 'A;B'),
    ('hw_rng:rate_bytes', '0', '-1'),
    ('pci_passthrough:alias', 'gpu:1, nic:2', 'gpu'),
    ('quota:cpu_limit', '-1', 'x'),
    ('quota:disk_read_iops_sec', '5', '1.5'),
    ('resources:VCPU', '2', 'two'),
    ('resources1:CUSTOM_GPU', '2', 'two'),
    ('trait:HW_CPU_X86_AVX2', 'required', 'yes'),
    ('trait_NET:CUSTOM_FAST', 'forbidden', 'no'),
])
def test_every_namespace_has_its_rules(name, right, wrong):
    rule = extra_specs.rule_of(name)
    assert rule.allows(right)
    assert wrong is None or not rule.allows(wrong)


@pytest.mark.parametrize('name', ['hw:numa_cpus.x', 'resources:GOLD', 'trait:NOT_A_FAMILY', 'capabilities:colour'])
def test_a_known_namespace_has_no_other_names(name):
    with pytest.raises(extra_specs.errors.Invalid):
        extra_specs.check(name, '1')


# ------------------------------------------------------------------- access

def access(verb, project):
    return {verb: {'tenant': project}}


def test_access_is_given_and_withdrawn(api):
    path, entry = '/flavors/p/action', {'flavor_id': 'p', 'tenant_id': MEMBER.project_id}
    add, remove = access('addTenantAccess', MEMBER.project_id), access('removeTenantAccess', MEMBER.project_id)
    assert api.ask('POST', path, add, '2.7') == (200, {'flavor_access': [entry]})
    assert api.ask('GET', '/flavors/p/os-flavor-access') == (200, {'flavor_access': [entry]})
    assert api.status('GET', '/flavors/p', by=MEMBER) == 200
    assert api.status('POST', path, add) == 409
    assert api.ask('POST', path, remove) == (200, {'flavor_access': []})
    assert api.status('POST', path, remove) == 404


@pytest.mark.parametrize(('path', 'body', 'version', 'status'), [
    ('/flavors/1/action', access('addTenantAccess', 'x'), '2.6', 200),
    ('/flavors/1/action', access('addTenantAccess', 'x'), '2.7', 409),
    ('/flavors/1/action', access('addTenantAccess', 'x'), LEGACY, 200),
    ('/flavors/p/action', access('addTenantAccess', UNKNOWN_PROJECT), '2.1', 400),
    ('/flavors/p/action', access('removeTenantAccess', UNKNOWN_PROJECT), '2.1', 400),
    ('/flavors/none/action', access('addTenantAccess', 'x'), '2.1', 404),
    ('/flavors/p/action', {'addTenantAccess': {}}, '2.1', 400),
    ('/flavors/p/action', {'shareWithAll': {}}, '2.1', 400),
])
def test_access_is_checked(api, path, body, version, status):
    assert api.status('POST', path, body, version) == status


def test_a_public_flavor_has_no_access_list(api):
    assert api.status('GET', '/flavors/1/os-flavor-access') == 404
    assert api.status('GET', '/flavors/1/os-flavor-access', by=MEMBER) == 403
