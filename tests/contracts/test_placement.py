# SPDX-License-Identifier: Apache-2.0
"""What filters say in SQL holds on each database, and decisions at the same moment spread."""

import random
import uuid
from collections import Counter
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from nova_lite import errors
from nova_lite.db import tables
from nova_lite.db.queries import aggregates, hosts, servers
from nova_lite.model import times
from nova_lite.ops.create import create
from nova_lite.scheduler import place
from nova_lite.scheduler.place import Scheduler
from nova_lite.scheduler.request import of_server
from tests.fixtures.cloud import FLAVOR, Cloud, image, wish
from tests.fixtures.cloud import context as who
from tests.fixtures.database import database, shared_database, sqlite_path
from tests.fixtures.parallel import in_parallel
from tests.fixtures.placing import add_host, options, request

__all__ = ('database', 'shared_database', 'sqlite_path')

NAMES = ('h1', 'h2', 'h3', 'h4')


@pytest.fixture
def four(database):
    """Four hosts of different kinds; a1 has h1 and h2, a2 has h2 and h3."""
    for name, traits in zip(NAMES, ([], ['HW_A'], ['HW_A', 'HW_AB'], ['HW_AB']), strict=True):
        arch = 'aarch64' if name == 'h4' else 'x86_64'
        add_host(database, name, traits=traits, cpu_info={'arch': arch}, host_ip=f'10.0.{name[1]}.1')
    return database


def mark(db, a1=None, a2=None):
    """Put the metadata on aggregates of the hosts."""
    with db.write() as conn:
        for metadata, members in ((a1, ('h1', 'h2')), (a2, ('h2', 'h3'))):
            if metadata is not None:
                key = aggregates.create(conn, str(uuid.uuid4()), metadata)
                for host in members:
                    aggregates.add_host(conn, key, host)


def boot(db, host, count=1, **known):
    """Servers on a host, with the books."""
    with db.write() as conn:
        row = hosts.get(conn, host=host)
        rows = [{'uuid': str(uuid.uuid4()), 'project_id': 'p', 'user_id': 'u', 'reservation_id': 'r', 'name': 'n',
                 'hostname': 'n', 'vm_state': 'active', 'host': host, 'flavor': vars(FLAVOR), **known}
                for _ in range(count)]
        servers.insert(conn, rows)
        for one in rows:
            assert hosts.claim(conn, row.id, one['uuid'], hosts.Wanted(1, 1, 1, times.utcnow()), times.utcnow())
    return [row['uuid'] for row in rows]


def look(db, *names, asked=None, **settings):
    """The outlook under these filters and options."""
    scheduler = Scheduler(options(enabled_filters=list(names), **settings))
    with db.read() as conn:
        return scheduler.look(conn, request(**(asked or {})), times.utcnow())


def passing(*args, **settings):
    """The hosts that pass, by name; what is out has a reason."""
    outlook = look(*args, **settings)
    names = sorted(host.host for host in outlook.hosts)
    assert len(names) + len({name for name, *_ in outlook.others}) == len(NAMES)
    assert bool(outlook.counts) is (len(names) < len(NAMES))
    return ' '.join(names)


@pytest.mark.parametrize(('specs', 'properties', 'good'), [
    ({'trait:HW_A': 'required'}, {}, 'h2 h3'), ({'trait:HW_A': 'forbidden'}, {}, 'h1 h4'),
    ({'trait:HW_A': 'required', 'trait:HW_AB': 'forbidden'}, {}, 'h2'), ({'trait_g:HW_AB': 'required'}, {}, 'h3 h4'),
    ({}, {'trait:HW_AB': 'required'}, 'h3 h4'), ({}, {'trait:HW_AB': 'forbidden'}, 'h1 h2 h3 h4'),
    ({'resources:VGPU': '1'}, {}, ''), ({'resources:VGPU': '0', 'resources:VCPU': '9'}, {}, 'h1 h2 h3 h4')])
def test_traits_and_resources(four, specs, properties, good):
    assert passing(four, asked={'extra_specs': specs, 'image_properties': properties}) == good
    forced = {'extra_specs': specs, 'image_properties': properties, 'forced': True, 'host': 'h2'}
    assert [host.host for host in look(four, asked=forced).hosts] == (['h2'] if 'h2' in good else [])


def test_images_for_another_machine(four):
    for word in ('aarch64', 'arm64'):
        asked = {'image_properties': {'hw_architecture': word}}
        assert passing(four, 'ImagePropertiesFilter', asked=asked) == 'h4'
    assert 'h4' not in passing(four, 'ImagePropertiesFilter', asked={'image_properties': {'architecture': 'x86_64'}})
    assert look(four, 'ImagePropertiesFilter', asked={'image_properties': {'hw_architecture': 's390x'}}).counts == (
        '4 of 4 hosts rejected by ImagePropertiesFilter: wanted a host for s390x.')


def test_hosts_of_other_servers(four):
    (first,), (second,) = boot(four, 'h1'), boot(four, 'h3')
    (gone,) = boot(four, 'h4', deleted=True)
    for hint, good in ((first, 'h1'), ([first, second], 'h1 h3'), (str(uuid.uuid4()), ''), (gone, '')):
        assert passing(four, 'SameHostFilter', asked={'hints': {'same_host': hint}}) == good
    for hint, good in ((first, 'h2 h3 h4'), ([first, second, gone], 'h2 h4')):
        assert passing(four, 'DifferentHostFilter', asked={'hints': {'different_host': hint}}) == good


def test_numbers_of_servers(four):
    boot(four, 'h1', 2)
    boot(four, 'h2', 1, task_state='spawning')
    boot(four, 'h3', 2, task_state='image_snapshot')
    boot(four, 'h4', 1, task_state='powering-off')
    assert passing(four, 'NumInstancesFilter', max_instances_per_host=2) == 'h2 h4'
    assert passing(four, 'IoOpsFilter', max_io_ops_per_host=1) == 'h1 h4'
    mark(four, {'max_instances_per_host': '3, 9', 'max_io_ops_per_host': 'few'}, {'max_instances_per_host': '1'})
    assert passing(four, 'AggregateNumInstancesFilter', max_instances_per_host=2) == 'h1 h4'
    assert passing(four, 'AggregateIoOpsFilter', max_io_ops_per_host=1) == 'h1 h4'
    assert look(four, 'NumInstancesFilter', max_instances_per_host=1).counts == (
        '4 of 4 hosts rejected by NumInstancesFilter: wanted fewer than 1 servers, had 1 and more.')
    assert {host.host: host.io_ops for host in look(four).hosts} == {'h1': 0, 'h2': 1, 'h3': 2, 'h4': 0}


@pytest.mark.parametrize(('image_id', 'restrict', 'good'), [
    ('i1', True, 'h2 h3'), ('i2', True, 'h1 h4'), (None, True, 'h1 h4'), ('i1', False, 'h2 h3'),
    ('i2', False, 'h1 h2 h3 h4')])
def test_isolated_hosts(four, image_id, restrict, good):
    assert passing(four, 'IsolatedHostsFilter', asked={'image_id': image_id}, isolated_images=['i1'],
                   isolated_hosts=['h2', 'h3'], restrict_isolated_hosts_to_isolated_images=restrict) == good


@pytest.mark.parametrize(('name', 'marks', 'asked', 'good'), [
    ('AggregateMultiTenancyIsolation', ({'filter_tenant_id': 'p, q'}, {'filter_tenant_id2': 'r'}),
     {'project_id': 'p'}, 'h1 h2 h4'),
    ('AggregateMultiTenancyIsolation', ({'filter_tenant_id': 'p'}, {'other': 'p'}), {'project_id': 'x'}, 'h3 h4'),
    ('AggregateTypeAffinityFilter', ({'instance_type': 'm1,m2'}, {'instance_type': 'm3'}), {'flavor_name': 'm2'},
     'h1 h2 h4'),
    ('AggregateTypeAffinityFilter', ({'a': 'b'}, {}), {'flavor_name': 'm2'}, 'h1 h2 h3 h4'),
    ('AggregateInstanceExtraSpecsFilter', ({'ssd': 'true'}, {'ssd': 'false'}),
     {'extra_specs': {'aggregate_instance_extra_specs:ssd': 'true', 'hw:x': 'y'}}, 'h1 h2'),
    ('AggregateInstanceExtraSpecsFilter', ({'ssd': 'true'}, {'tier': '3'}),
     {'extra_specs': {'aggregate_instance_extra_specs:tier': '>= 2', 'ssd': '<or> true <or> 1'}}, 'h2'),
    ('AggregateInstanceExtraSpecsFilter', (None, None), {'extra_specs': {'capabilities:x': 'y'}}, 'h1 h2 h3 h4'),
    ('AggregateImagePropertiesIsolation', ({'os.kind': 'win'}, {'os.kind': 'linux,bsd'}),
     {'image_properties': {'os.kind': 'bsd'}}, 'h2 h3 h4'),
    ('AggregateImagePropertiesIsolation', ({'os.kind': 'win'}, None), {'image_properties': {}}, 'h1 h2 h3 h4')])
def test_aggregates(four, name, marks, asked, good):
    mark(four, *marks)
    assert passing(four, name, asked=asked) == good


def test_image_properties_of_one_namespace(four):
    mark(four, {'os_kind': 'win'}, {'hw_kind': 'big'})
    asked = {'image_properties': {'os_kind': 'linux', 'hw_kind': 'small'}}
    assert passing(four, 'AggregateImagePropertiesIsolation', asked=asked) == 'h4'
    assert passing(four, 'AggregateImagePropertiesIsolation', asked=asked,
                   aggregate_image_properties_isolation_namespace='os',
                   aggregate_image_properties_isolation_separator='_') == 'h3 h4'


def test_devices_that_nobody_has(four):
    assert look(four, 'PciPassthroughFilter', asked={'extra_specs': {'pci_passthrough:alias': 'gpu:1'}}).counts == (
        '4 of 4 hosts rejected by PciPassthroughFilter: wanted PCI devices gpu:1.')


def test_what_sql_cannot_say_is_asked_of_every_page(database, monkeypatch):
    monkeypatch.setattr(place, 'PAGE', 3)
    for number in range(30):
        add_host(database, f'h{number}', host_ip=f'10.0.{number}.1', memory_mb_limit=9000 - number)
    asked = {'hints': {'build_near_host_ip': '10.0.28.9'}}
    assert [host.host for host in look(database, 'SimpleCIDRAffinityFilter', asked=asked).hosts] == ['h28']
    nowhere = look(database, 'SimpleCIDRAffinityFilter', asked={'hints': {'build_near_host_ip': '10.1.0.1'}})
    assert nowhere.counts == ('30 of 30 hosts rejected by SimpleCIDRAffinityFilter: wanted near 10.1.0.0/24, '
                              'had elsewhere.')
    assert len(nowhere.others) == 30


def test_facts_are_there_for_queries(four):
    boot(four, 'h2')
    for query, good in (('["=", "$num_instances", 1]', 'h2'), ('["=", "$free_ram_mb", 8191]', 'h2'),
                        ('["in", "$host_ip", "10.0.1.1", "10.0.4.1"]', 'h1 h4'),
                        ('["=", "$cpu_info.arch", "aarch64"]', 'h4')):
        assert passing(four, 'JsonFilter', asked={'hints': {'query': query}}) == good


@pytest.mark.parametrize(('options_', 'first'), [
    ({'ram_weight_multiplier': -2.0}, 'h0'), ({'ram_weight_multiplier': 0.0, 'cpu_weight_multiplier': -3.0}, 'h7'),
    ({'num_instances_weight_multiplier': 50.0}, 'h5'), ({'disk_weight_multiplier': 9.0}, 'h3')])
def test_hosts_are_read_by_what_counts_most(database, monkeypatch, options_, first):
    """Even if only one can be looked at."""
    monkeypatch.setattr(place, 'PAGE', 1)
    for number in range(9):
        add_host(database, f'h{number}', memory_mb_limit=1000 + number, vcpus_limit=4 if number == 7 else 8,
                 local_gb_limit=200 if number == 3 else 100)
    boot(database, 'h5')
    assert look(database, 'ComputeFilter', **options_).hosts[0].host == first


def test_a_host_on_which_builds_fail_comes_last_until_one_does_not(database, tmp_path):
    cloud = Cloud(database, tmp_path, names=('bad',))
    cloud.conf.set_override('fail_at', ['spawn:1'], group='fake')
    cloud.services.clear()
    cloud.add_host('bad', ('spawn:1',))
    cloud.add_host('good')
    with database.write() as conn:
        services = {row.host: row.id for row in conn.execute(tables.services.select())}
        conn.execute(tables.services.update().where(tables.services.c.id == services['good']).values(disabled=True))
    create(cloud.deps, who(), wish())
    assert {row.host: row.failed_builds for row in cloud.rows('hosts')} == {'bad': 1, 'good': 0}
    with database.write() as conn:
        conn.execute(tables.services.update().values(disabled=False))
    assert {cloud.create().host for _ in range(3)} == {'good'}
    with database.write() as conn:
        conn.execute(tables.services.update().where(tables.services.c.id == services['good']).values(disabled=True))
    assert cloud.create().host == 'bad'
    assert {row.failed_builds for row in cloud.rows('hosts')} == {0}


def test_many_decisions_at_once_spread_evenly(database):
    """Each sees the same best host, and only one may have it before the others look for another.

    Whoever is held up while he has a host keeps it from the others, and they do not make up for it.
    """
    chance = random.Random(3)
    for number in range(10):
        add_host(database, f'h{number}', vcpus_limit=1000, memory_mb_limit=100000, local_gb_limit=1000)
    scheduler = Scheduler(options())

    def decide(conn, number):
        found = scheduler.place(conn, request(server_uuid=f'server-{number}'), times.utcnow())
        # As long as it takes to write down the rest.
        for _ in range(chance.randrange(5)):
            conn.execute(sa.select(tables.hosts.c.id)).all()
        return found.host

    results = in_parallel(200, lambda number: database.transaction(decide, number))
    assert not [one for one in results if isinstance(one, errors.Error)]
    numbers = Counter(results)
    assert len(numbers) == 10 and max(numbers.values()) - min(numbers.values()) <= 10


def test_a_preference_is_not_lost_where_many_want_the_same(database):
    """A host is filled up while others are empty; how many others are begun depends on who is quicker."""
    for number in range(4):
        add_host(database, f'h{number}', vcpus_limit=40, memory_mb_limit=100000, local_gb_limit=1000)
    stacking = options(ram_weight_multiplier=-5.0, io_ops_weight_multiplier=0.0)
    scheduler = Scheduler(stacking)
    results = in_parallel(60, lambda number: database.transaction(
        scheduler.place, request(server_uuid=f'server-{number}'), times.utcnow()).host)
    assert max(Counter(results).values()) == 40


def test_the_flavors_name_and_the_image_reach_the_filters(database, tmp_path):
    cloud = Cloud(database, tmp_path)
    flavor = SimpleNamespace(**{**vars(FLAVOR), 'extra_specs': {'resources:VCPU': '3'}})
    row = cloud.create(flavor=flavor, image=image())
    asked = of_server(row, {})
    assert (asked.vcpus, asked.flavor_name, asked.image_id, asked.project_id) == (3, 'm1.tiny', row.image_ref, 'red')
    assert sum(host.vcpus_used for host in cloud.rows('hosts')) == 3
    cloud.check_books()
