# SPDX-License-Identifier: Apache-2.0
"""What becomes of a guest that goes from one libvirt daemon to another while it runs, however that ends."""

import json
import subprocess

import pytest

from nova_lite import errors
from nova_lite.model import block_devices, moves
from nova_lite.model.block_devices import VOLUME, Wish
from nova_lite.model.power import Power
from nova_lite.virt.libvirt import xml
from tests.fixtures import hypervisor, libvirtd
from tests.fixtures.processes import wait_until

HERE, THERE, LIMIT = 'here', 'there', 60
pytestmark = pytest.mark.guests


@pytest.fixture
def pair(tmp_path):
    made = libvirtd.DaemonBench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def here(pair):
    return pair.connect(HERE)


@pytest.fixture
def there(pair):
    return pair.connect(THERE)


@pytest.fixture
def spec(pair, here):
    """A guest that runs here."""
    made = pair.guest_spec(config_drive=True, flavor={**hypervisor.TINY, 'swap': 64},
                           image_properties={'hw_qemu_guest_agent': 'yes'})
    here.spawn(made)
    boots(here, made.server.uuid)
    return made


def boots(driver, server_uuid):
    wait_until(lambda: hypervisor.READY in driver.console_output(server_uuid), LIMIT, 'the guest to boot')


def received(there, spec, **wished):
    """What the destination said, as it comes over the wire."""
    return {'dest': THERE, **wished, 'there': json.loads(json.dumps(there.receive(spec, wished)))}


def nothing_is_left(pair, driver, host, spec):
    assert driver.guests() == {} and driver.set_aside() == frozenset()
    assert not (pair.tmp_path / host / 'instances' / spec.server.uuid).exists()
    assert driver._connection.run(lambda conn: [one.name() for one in conn.listAllDomains(0)]) == []


@pytest.mark.parametrize('power', [Power.RUNNING, Power.PAUSED])
def test_a_guest_goes_over_and_nothing_of_it_stays(pair, here, there, spec, power):
    uuid, seen = spec.server.uuid, []
    if power is Power.PAUSED:
        here.pause(uuid)
    move = received(there, spec)
    assert there.guests() == {} and there.set_aside() == {uuid}
    for _ in range(2):                                  # whatever dies, it may be asked for again
        said = here.live_migrate(spec, move, seen.append)
        assert said == {'arrived': True, 'host': HERE} and here.guests() == {} and here.set_aside() == {uuid}
        here = pair.connect(HERE)
    assert seen
    for _ in range(2):
        there.arrive(spec, said, power)
        assert there.guests() == {uuid: power} and there.set_aside() == frozenset()
        there.turn_away(uuid)                           # it is too late for that
    with pytest.raises(errors.HypervisorError, match='not started twice'):
        here.come_back(uuid, power)
    here.forget(uuid)
    nothing_is_left(pair, here, HERE, spec)
    there.reboot(uuid)
    boots(there, uuid)
    there.power_off(uuid, grace=LIMIT)
    assert there.power_state(uuid) is Power.SHUTDOWN
    there.destroy(uuid)
    nothing_is_left(pair, there, THERE, spec)


def test_who_began_it_may_die(pair, here, there, spec, monkeypatch):
    uuid = spec.server.uuid
    move = received(there, spec)

    class Killed(Exception):
        """As good as kill -9."""

    def die(*arguments):
        raise Killed

    monkeypatch.setattr('nova_lite.virt.libvirt.live_migration.os.rename', die)
    with pytest.raises(Killed):
        here.live_migrate(spec, move, lambda progress: None)
    monkeypatch.undo()
    with pytest.raises(errors.HypervisorError, match='not started twice'):
        here.come_back(uuid, Power.RUNNING)
    there.arrive(spec, {}, Power.RUNNING)
    assert there.guests() == {uuid: Power.RUNNING}
    assert pair.connect(HERE).live_migrate(spec, move, lambda progress: None)['arrived']
    assert here.guests() == {} and here.set_aside() == {uuid}


def test_one_that_does_not_come_leaves_nothing(pair, here, there, spec):
    uuid = spec.server.uuid
    received(there, spec)
    with pytest.raises(errors.GuestNotFound):
        there.arrive(spec, {}, Power.RUNNING)
    there.turn_away(uuid)
    there.turn_away(uuid)
    nothing_is_left(pair, there, THERE, spec)
    here.come_back(uuid, Power.RUNNING)
    assert here.guests() == {uuid: Power.RUNNING}


def test_an_abort_leaves_the_guest_where_it_is(pair, here, there, spec):
    uuid = spec.server.uuid
    here._conf.set_override('live_migration_bandwidth', 1, group='libvirt')
    fill(here, spec)
    move = received(there, spec)
    with pytest.raises(errors.MigrationAborted):
        here.live_migrate(spec, move, lambda progress: moves.ABORT)
    here.come_back(uuid, Power.RUNNING)
    assert here.guests() == {uuid: Power.RUNNING} and there.guests() == {}
    there.turn_away(uuid)
    nothing_is_left(pair, there, THERE, spec)
    here._conf.clear_override('live_migration_bandwidth', group='libvirt')
    here.live_migrate(spec, received(there, spec), lambda progress: moves.COMPLETE)
    there.arrive(spec, {'arrived': True}, Power.RUNNING)
    assert there.guests() == {uuid: Power.RUNNING}


def fill(driver, spec):
    """Let there be so much on a disk that copying it takes a while."""
    disk = driver._disks.directory(spec.server.uuid) / 'swap.qcow2'
    driver.power_off(spec.server.uuid)
    subprocess.run(['qemu-io', '-f', 'qcow2', '-c', 'write -P 1 0 48M', str(disk)], check=True, capture_output=True)
    driver.power_on(spec.server.uuid)


def test_a_volume_is_where_the_destination_has_it(pair, here, there, spec):
    uuid, places = spec.server.uuid, []
    for name in ('a', 'b'):
        places.append(pair.tmp_path / f'volume-{name}')
        places[-1].write_bytes(bytes(1 << 20))
    one = block_devices.device(Wish(VOLUME, VOLUME, 'volume', size=1, device='/dev/vdc'))
    ways = [{**one, 'connection': {'driver_volume_type': 'local', 'data': {'device_path': str(path), 'format': 'raw'}}}
            for path in places]
    here.attach_volume(uuid, ways[0])
    move = received(there, spec)
    spec.server.block_devices = [ways[1]]
    here.live_migrate(spec, move, lambda progress: None)
    there.arrive(spec, {'arrived': True}, Power.RUNNING)
    assert there.disks_of(uuid) == {'/dev/vdc': 'volume'}
    for lasting in (False, True):
        assert str(places[1]) in xml.render(there._domains.description(uuid, lasting=lasting))


def test_a_guest_may_run_there_before_its_memory_has_come(here, there, spec):
    uuid, options = spec.server.uuid, here._conf
    options.set_override('live_migration_permit_post_copy', True, group='libvirt')
    options.set_override('live_migration_bandwidth', 1, group='libvirt')
    here.live_migrate(spec, received(there, spec), lambda progress: moves.COMPLETE if progress.memory_processed else '')
    there.arrive(spec, {'arrived': True}, Power.RUNNING)
    assert here.guests() == {} and there.guests() == {uuid: Power.RUNNING}


@pytest.mark.parametrize(('change', 'words'), [
    ({'kind': 'kvm'}, 'the host has kvm'), ({'version': 1}, 'older than'),
    ({'files': {}}, 'made no disk'), ({'files': {'disk.qcow2': [1, None], 'swap.qcow2': [1, None]}}, 'has .* bytes'),
    ({'directory': ''}, 'no libvirt')])
def test_a_host_that_will_not_do_is_refused_before_anything_moves(here, there, spec, change, words):
    move = received(there, spec)
    with pytest.raises(errors.HypervisorError, match=words):
        here.live_migrate(spec, {**move, 'there': {**move['there'], **change}}, lambda progress: None)
    assert here.guests() == {spec.server.uuid: Power.RUNNING}


def test_what_a_destination_refuses(here, there, spec):
    with pytest.raises(errors.HypervisorError, match='without them'):
        there.receive(spec, {'block_migration': False})
    with pytest.raises(errors.HypervisorError, match='has files'):
        here.receive(spec, {})
