# SPDX-License-Identifier: Apache-2.0
"""What a driver promises whose guests can move. Each such driver runs the same tests on two of its hosts."""

import copy
import dataclasses
import json

import pytest

from nova_lite import errors
from nova_lite.model.power import Power
from tests.fixtures import hypervisor, libvirtd

HERE, THERE = 'here', 'there'

pair = hypervisor.bench_fixture(libvirtd.BENCHES, 'pair')
fakes = hypervisor.bench_fixture({'fake': hypervisor.FakeBench}, 'fakes')


@pytest.fixture
def spec(pair):
    return pair.guest_spec()


@pytest.fixture
def here(pair, spec):
    driver = pair.connect(HERE)
    driver.spawn(spec)
    return driver


def bigger(spec):
    server = copy.copy(spec.server)
    server.flavor = {**spec.server.flavor, 'ram': spec.server.flavor['ram'] * 2, 'vcpus': 2, 'disk': 2}
    return dataclasses.replace(spec, server=server)


def carried(disk):
    """What the source said, as it arrives."""
    return json.loads(json.dumps(disk))


@pytest.mark.parametrize('power', [Power.RUNNING, Power.SHUTDOWN])
def test_a_guest_goes_from_host_to_host(pair, here, spec, power):
    uuid, there = spec.server.uuid, pair.connect(THERE)
    for _ in range(2):                                  # whatever dies, it may be asked for again
        there.prepare_move(spec)
        disk = carried(here.leave(uuid))
        assert here.guests() == {} and here.set_aside() == {uuid}
        here = pair.connect(HERE)
        assert here.guests() == {} and here.set_aside() == {uuid}
    for _ in range(2):
        there.arrive(bigger(spec), disk, power)
        assert there.guests() == {uuid: power}
        there = pair.connect(THERE)
    for _ in range(2):
        here.forget(uuid)
        assert here.guests() == {} and here.set_aside() == frozenset()


def test_a_guest_comes_back(pair, here, spec):
    uuid = spec.server.uuid
    here.come_back(uuid, Power.RUNNING)                 # it never left
    assert here.guests() == {uuid: Power.RUNNING}
    here.leave(uuid)
    here = pair.connect(HERE)
    for power in (Power.SHUTDOWN, Power.RUNNING):
        here.come_back(uuid, power)
        assert here.guests() == {uuid: power} and here.set_aside() == frozenset()


def test_a_guest_changes_its_size_where_it_is(pair, here, spec):
    uuid = spec.server.uuid
    disk = carried(here.leave(uuid))
    here.arrive(bigger(spec), disk, Power.RUNNING)
    assert here.guests() == {uuid: Power.RUNNING} and here.set_aside() == {uuid}
    here.withdraw(uuid)
    assert here.guests() == {} and here.set_aside() == {uuid}
    here.arrive(bigger(spec), disk, Power.RUNNING)
    here.come_back(uuid, Power.RUNNING)
    assert here.guests() == {uuid: Power.RUNNING} and here.set_aside() == frozenset()
    disk = carried(here.leave(uuid))
    here.arrive(bigger(spec), disk, Power.RUNNING)
    here.forget(uuid)
    assert here.guests() == {uuid: Power.RUNNING} and here.set_aside() == frozenset()


def test_destroy_leaves_nothing(pair, here, spec):
    uuid = spec.server.uuid
    disk = carried(here.leave(uuid))
    here.arrive(spec, disk, Power.RUNNING)
    for _ in range(2):
        here.destroy(uuid)
        assert here.guests() == {} and here.set_aside() == frozenset()
    assert pair.connect(HERE).set_aside() == frozenset()


def test_what_is_not_there_cannot_leave(here):
    for leave in (here.leave, lambda uuid: here.come_back(uuid, Power.RUNNING)):
        with pytest.raises(errors.GuestNotFound):
            leave('nobody')
    for gone in (here.withdraw, here.forget):
        gone('nobody')


def test_nobody_moves_while_it_runs(fakes):
    for missing in ({}, {'block_migration': True}):
        with pytest.raises(errors.GuestNotFound):
            fakes.connect(HERE).live_migrate(fakes.guest_spec(), missing, lambda progress: None)


def test_a_guest_moves_while_it_runs(fakes):
    spec, here, there = fakes.guest_spec(), fakes.connect(HERE), fakes.connect(THERE)
    uuid = spec.server.uuid
    here.spawn(spec)
    here.pause(uuid)
    there.receive(spec, {})
    for _ in range(2):
        disk = carried(here.live_migrate(spec, {'dest': THERE, 'block_migration': True}, lambda progress: None))
        assert here.guests() == {} and here.set_aside() == {uuid}
    there.arrive(spec, disk, Power.PAUSED)
    assert there.guests() == {uuid: Power.PAUSED}


def test_an_aborted_live_migration_changes_nothing(fakes):
    fakes.conf.set_override('live_migration_seconds', 60, group='fake')
    spec, here = fakes.guest_spec(), fakes.connect(HERE)
    here.spawn(spec)
    seen = []

    def watch(progress):
        seen.append(progress)
        return 'abort'

    with pytest.raises(errors.MigrationAborted):
        here.live_migrate(spec, {'block_migration': True}, watch)
    assert here.guests() == {spec.server.uuid: Power.RUNNING} and here.set_aside() == frozenset()
    (progress,) = seen
    assert progress.memory_processed + progress.memory_remaining == progress.memory_total == 512 << 20
    assert progress.disk_total == 1 << 30
    here.live_migrate(spec, {}, lambda progress: 'complete')
    assert here.set_aside() == {spec.server.uuid}
