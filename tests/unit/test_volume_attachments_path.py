# SPDX-License-Identifier: Apache-2.0
"""Volumes that come to a server, go, and change places, with failures and undo at each step; and servers that move."""

import pytest

from nova_lite import errors
from nova_lite.auth.context import service_context
from nova_lite.db import tables
from nova_lite.db.queries import flavors
from nova_lite.model.zones import Place
from nova_lite.ops import evacuate, live_migrate, rebuild, rescue, resize, shelve, snapshot
from nova_lite.ops import volumes as ops
from nova_lite.ops.delete import DeleteServer, delete
from tests.fixtures.cloud import Cloud, context, image
from tests.fixtures.disks import (
    NEW,
    all_volumes,
    bootable,
    disks,
    new_volume,
    plan,
    recorded,
    status,
    volume,
    with_volumes,
)
from tests.fixtures.moves import fail_at
from tests.fixtures.stories import bring_back, images, outcome, put_away, state, tidy

BOOT = {'source_type': 'volume', 'destination_type': 'volume', 'boot_index': 0}
BIG = {'flavorid': 'big', 'name': 'm1.big', 'ram': 1024, 'vcpus': 2, 'disk': 3}


@pytest.fixture
def cloud(db, tmp_path):
    made = Cloud(db, tmp_path, names=('h1', 'h2'))
    with_volumes(made)
    with db.write() as conn:
        flavors.create(conn, BIG)
    return made


def attach(cloud, server, volume_id, **more):
    return ops.attach(cloud.deps, context(), ops.AttachVolume(cloud.server(server.uuid), volume_id, **more))


def detach(cloud, server, volume_id, **more):
    ops.detach(cloud.deps, context(), ops.DetachVolume(cloud.server(server.uuid), volume_id, **more))


def swap(cloud, server, volume_id, other_id):
    ops.swap(cloud.deps, context(), ops.SwapVolume(cloud.server(server.uuid), volume_id, other_id))


@pytest.fixture
def server(cloud):
    return cloud.create(place=Place(host='h1'))


@pytest.fixture
def on_volume(cloud):
    volume_id = bootable(cloud, 5)
    made = cloud.create(image=None, disks=plan({**BOOT, 'uuid': volume_id}, image_ref=None), place=Place(host='h1'))
    return made, volume_id


def connectors(cloud):
    return {row.connector['host'] for row in cloud.rows('volume_attachments')}


# ------------------------------------------------------------- attach and detach

def test_attach_and_detach(cloud, server):
    first, second = new_volume(cloud), new_volume(cloud)
    made = attach(cloud, server, first, tag='data', delete_on_termination=True)
    assert (made['device'], made['tag'], made['delete_on_termination']) == ('/dev/vdb', 'data', True)
    assert attach(cloud, server, second, device='/dev/vdx')['device'] == '/dev/vdx'
    assert recorded(cloud, server) == [('/dev/vdb', first, 'attached'), ('/dev/vdx', second, 'attached')]
    assert disks(cloud, server) == {'/dev/vdb': first, '/dev/vdx': second}
    assert status(cloud, first) == ('in-use', 1) and connectors(cloud) == {'h1'}
    assert outcome(cloud)[:2] == ('attach_volume', None)
    detach(cloud, server, first)
    assert recorded(cloud, server) == [('/dev/vdx', second, 'attached')]
    assert disks(cloud, server) == {'/dev/vdx': second}
    assert status(cloud, first) == ('available', 0) and outcome(cloud)[:2] == ('detach_volume', None)
    detach(cloud, server, second)
    assert cloud.server(server.uuid).block_devices is None


@pytest.mark.parametrize('fault, message', [('', None), ('extend_volume:1', 'Error')])
def test_a_guest_is_told_that_its_volume_has_grown(cloud, server, fault, message):
    cloud.deps.volumes.when_extended(lambda *grown: ops.extended(cloud.deps, service_context(), *grown))
    volume_id = new_volume(cloud)
    attach(cloud, server, volume_id)
    if fault:
        fail_at(cloud, 'h1', fault)
    cloud.deps.volumes.real.service.volumes.extend(context(), volume_id, 3)
    assert volume(cloud, volume_id).size == cloud.server(server.uuid).block_devices[0]['size'] == 3
    assert cloud.drivers['h1'].sizes_of(server.uuid) == {'/dev/vdb': 1 if fault else 3}
    assert outcome(cloud) == ('extend_volume', message, 'compute_extend_volume')
    assert (status(cloud, volume_id), state(cloud, server)[:2]) == (('in-use', 1), ('active', None))


def test_a_host_that_cannot_tell_a_guest_of_its_volume_is_not_asked(cloud, server):
    volume_id = new_volume(cloud)
    attach(cloud, server, volume_id)
    with cloud.db.write() as conn:
        hosts = tables.hosts
        conn.execute(hosts.update().where(hosts.c.host == 'h1').values(capabilities=['volume']))
    cloud.deps.volumes.real.service.volumes.extend(context(), volume_id, 3)
    ops.extended(cloud.deps, service_context(), server.uuid, volume_id)
    assert cloud.server(server.uuid).block_devices[0]['size'] == 3
    assert cloud.rows('server_actions')[-1].message is None
    assert cloud.drivers['h1'].sizes_of(server.uuid) == {'/dev/vdb': 1}


def test_what_cannot_be_attached(cloud, server):
    volume_id, other = new_volume(cloud), new_volume(cloud)
    attach(cloud, server, volume_id)
    for kind, words, more in (
            (errors.Invalid, 'attached to server .* already', {'volume_id': volume_id}),
            (errors.VolumeNotFound, 'No volume', {'volume_id': '0' * 36}),
            (errors.Conflict, 'has a device /dev/vdb already', {'volume_id': other, 'device': '/dev/vdb'}),
            (errors.Conflict, 'has a device /dev/vda already', {'volume_id': other, 'device': '/dev/vda'})):
        with pytest.raises(kind, match=words):
            attach(cloud, server, **more)
    with pytest.raises(errors.Invalid, match='is in-use'):
        attach(cloud, cloud.create(), volume_id)
    cloud.conf.set_override('max_disk_devices_to_attach', 2, 'compute')
    with pytest.raises(errors.Forbidden, match='has 2 disks'):
        attach(cloud, server, other)
    assert status(cloud, other) == ('available', 0)


def test_whoever_is_faster_gets_the_volume(cloud, server):
    volume_id, other = new_volume(cloud), cloud.create()
    real = cloud.deps.volumes.real.show

    def show(*args):
        found = real(*args)
        cloud.deps.volumes.real.show = real
        attach(cloud, other, volume_id)
        return found

    cloud.deps.volumes.real.show = show
    with pytest.raises(errors.Invalid, match='volume'):
        attach(cloud, server, volume_id)
    assert status(cloud, volume_id) == ('in-use', 1) and recorded(cloud, server) == []


def test_an_attach_that_nobody_answered_is_done_or_forgotten(cloud, server):
    """The process of the API died before, or after, it reserved the volume."""
    first, second = new_volume(cloud), new_volume(cloud)
    for volume_id in (first, second):
        cloud.deps.volumes.fail('reserve', KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            attach(cloud, server, volume_id)
    assert [one[2] for one in recorded(cloud, server)] == ['attaching', 'attaching']
    attach(cloud, cloud.create(), second)
    tidy(cloud)
    assert recorded(cloud, server) == [('/dev/vdb', first, 'attached')] and disks(cloud, server) == {'/dev/vdb': first}
    assert status(cloud, first) == ('in-use', 1) and status(cloud, second) == ('in-use', 1)


def test_an_attach_that_is_refused_leaves_the_volume_alone(cloud, server):
    volume_id = new_volume(cloud)
    seen = cloud.server(server.uuid)
    cloud.compute.hold('h1')
    resize.migrate(cloud.deps, context(), resize.MigrateServer(seen))
    with pytest.raises(errors.WrongState):
        ops.attach(cloud.deps, context(), ops.AttachVolume(seen, volume_id))
    assert status(cloud, volume_id) == ('available', 0)


@pytest.mark.parametrize('where, failure', [
    ('connect', errors.Conflict(reason='no')), ('complete', errors.Conflict(reason='no')), ('host', None)])
def test_a_failed_attach_leaves_nothing(cloud, server, where, failure):
    volume_id = new_volume(cloud)
    if where == 'host':
        fail_at(cloud, 'h1', 'attach_volume:1')
    else:
        cloud.deps.volumes.fail(where, failure)
    attach(cloud, server, volume_id)
    assert recorded(cloud, server) == [] and disks(cloud, server) == {}
    assert status(cloud, volume_id) == ('available', 0)
    assert state(cloud, server)[:2] == ('active', None) and cloud.rows('server_actions')[-1].message == 'Error'
    attach(cloud, server, volume_id)
    assert disks(cloud, server) == {'/dev/vdb': volume_id}


@pytest.mark.parametrize('where', ['begin_detaching', 'host'])
def test_a_failed_detach_leaves_the_volume(cloud, server, where):
    volume_id = new_volume(cloud)
    attach(cloud, server, volume_id)
    if where == 'host':
        fail_at(cloud, 'h1', 'detach_volume:1')
    else:
        # The API says it first, and the conductor again.
        cloud.deps.volumes.fail(where, errors.Conflict(reason='no'), errors.Conflict(reason='no'))
    detach(cloud, server, volume_id)
    assert recorded(cloud, server) == [('/dev/vdb', volume_id, 'attached')]
    assert disks(cloud, server) == {'/dev/vdb': volume_id}
    assert status(cloud, volume_id) == ('in-use', 1)
    detach(cloud, server, volume_id)
    assert recorded(cloud, server) == [] and status(cloud, volume_id) == ('available', 0)


def test_a_volume_is_seen_to_go_before_anybody_works_at_it(cloud, server):
    volume_id = new_volume(cloud)
    attach(cloud, server, volume_id)
    cloud.compute.hold('h1')
    detach(cloud, server, volume_id)
    assert status(cloud, volume_id)[0] == 'detaching'


def test_a_volume_of_a_server_on_the_shelf_is_in_use(cloud, server):
    volume_id = new_volume(cloud)
    cloud.conf.set_override('shelved_offload_time', 0)
    shelve.shelve(cloud.deps, context(), shelve.ShelveServer(cloud.server(server.uuid)))
    attach(cloud, server, volume_id)
    assert status(cloud, volume_id)[0] == 'in-use'


def test_what_cannot_be_detached(cloud, on_volume):
    server, volume_id = on_volume
    with pytest.raises(errors.Forbidden, match='boots from'):
        detach(cloud, server, volume_id)
    with pytest.raises(errors.NotFound, match='not attached'):
        detach(cloud, server, new_volume(cloud))
    other = new_volume(cloud)
    attach(cloud, server, other)
    cloud.compute.hold('h1')
    detach(cloud, server, other)
    with pytest.raises(errors.Invalid, match='is detaching'):
        detach(cloud, server, other)
    cloud.compute.release('h1')
    assert status(cloud, other) == ('available', 0)


def test_a_delete_in_the_middle_of_an_attach_gives_the_volume_back(cloud, server):
    cloud.conf.set_override('volume_attach_wait', 0, group='api')
    volume_id = new_volume(cloud)
    cloud.compute.hold('h1')
    attach(cloud, server, volume_id, delete_on_termination=True)
    delete(cloud.deps, context(), DeleteServer(cloud.server(server.uuid)))
    cloud.compute.release('h1')
    assert cloud.server(server.uuid).deleted and all_volumes(cloud) == []


def test_swap(cloud, server):
    first, second, small = new_volume(cloud, 2), new_volume(cloud, 2), new_volume(cloud, 1)
    attach(cloud, server, first)
    with pytest.raises(errors.Invalid, match='has 1 GiB'):
        swap(cloud, server, first, small)
    with pytest.raises(errors.Invalid, match='volumeId'):
        swap(cloud, server, first, '0' * 36)
    swap(cloud, server, first, second)
    assert disks(cloud, server) == {'/dev/vdb': second}
    assert recorded(cloud, server) == [('/dev/vdb', second, 'attached')]
    assert status(cloud, first) == ('available', 0) and status(cloud, second) == ('in-use', 1)
    assert outcome(cloud)[:2] == ('swap_volume', None)
    detach(cloud, server, second)
    assert status(cloud, second) == ('available', 0)


@pytest.mark.parametrize('where', ['reserve', 'connect', 'host'])
def test_a_failed_swap_changes_nothing(cloud, server, where):
    first, second = new_volume(cloud), new_volume(cloud)
    attach(cloud, server, first)
    if where == 'host':
        fail_at(cloud, 'h1', 'swap_volume:1')
    else:
        cloud.deps.volumes.fail(where, errors.Conflict(reason='no'))
    swap(cloud, server, first, second)
    assert disks(cloud, server) == {'/dev/vdb': first} and recorded(cloud, server) == [('/dev/vdb', first, 'attached')]
    assert status(cloud, first) == ('in-use', 1) and status(cloud, second) == ('available', 0)


# ------------------------------------------------------------------------- moves

def test_volumes_follow_a_resize_and_come_back(cloud, on_volume):
    server, volume_id = on_volume
    resize.resize(cloud.deps, context(), resize.ResizeServer(cloud.server(server.uuid), 'big'))
    assert state(cloud, server)[0::3] == ('resized', 'h2') and connectors(cloud) == {'h2'}
    assert disks(cloud, server) == {'/dev/vda': volume_id}
    resize.revert(cloud.deps, context(), resize.RevertResize(cloud.server(server.uuid)))
    assert state(cloud, server)[0::3] == ('active', 'h1') and connectors(cloud) == {'h1'}
    assert status(cloud, volume_id) == ('in-use', 1)
    cloud.check_books()


def test_volumes_come_back_when_a_resize_fails(cloud, on_volume):
    server, volume_id = on_volume
    fail_at(cloud, 'h2', 'arrive:1')
    resize.resize(cloud.deps, context(), resize.ResizeServer(cloud.server(server.uuid), 'big'))
    assert state(cloud, server)[0::3] == ('active', 'h1') and connectors(cloud) == {'h1'}
    assert disks(cloud, server) == {'/dev/vda': volume_id}
    cloud.check_books()


@pytest.mark.parametrize('fault, host', [('', 'h2'), ('live_migrate', 'h1'), ('arrive', 'h1')])
def test_volumes_follow_a_live_migration(cloud, on_volume, fault, host):
    server, volume_id = on_volume
    if fault:
        fail_at(cloud, 'h1' if fault == 'live_migrate' else 'h2', f'{fault}:1')
    live_migrate.live_migrate(cloud.deps, context(), live_migrate.LiveMigrateServer(cloud.server(server.uuid)))
    assert state(cloud, server) == ('active', None, 1, host) and connectors(cloud) == {host}
    assert disks(cloud, server) == {'/dev/vda': volume_id}


def test_volumes_follow_an_evacuation(cloud, on_volume):
    server, volume_id = on_volume
    cloud.age('services', last_seen_at=1000)
    cloud.beat('h2')
    evacuate.evacuate(cloud.deps, context(), evacuate.EvacuateServer(cloud.server(server.uuid)))
    assert state(cloud, server)[0::3] == ('active', 'h2') and connectors(cloud) == {'h2'}
    assert disks(cloud, server) == {'/dev/vda': volume_id}


# ------------------------------------------------------- servers on volumes, otherwise

def test_a_server_on_a_volume_is_shelved_without_an_image(cloud, on_volume):
    server, volume_id = on_volume
    other = new_volume(cloud)
    put_away(cloud, server)
    assert state(cloud, server) == ('shelved_offloaded', None, 0, None) and not images(cloud)
    (kept,) = volume(cloud, volume_id).attachments
    assert (status(cloud, volume_id), kept.server_uuid) == (('reserved', 1), server.uuid)
    with pytest.raises(errors.WrongState):
        attach(cloud, server, other, on_shelf=False)
    with pytest.raises(errors.Invalid, match='tag'):
        attach(cloud, server, other, tag='x')
    assert attach(cloud, server, other)['device'] is None
    assert status(cloud, other) == ('in-use', 1)
    bring_back(cloud, server)
    assert state(cloud, server)[:3] == ('active', None, 1)
    assert sorted(disks(cloud, server).values()) == sorted((volume_id, other))
    assert status(cloud, other) == status(cloud, volume_id) == ('in-use', 1)
    assert [one.id for one in volume(cloud, volume_id).attachments] == [kept.id]
    put_away(cloud, server)
    detach(cloud, server, other)
    assert status(cloud, other) == ('available', 0)
    delete(cloud.deps, context(), DeleteServer(cloud.server(server.uuid)))
    assert cloud.server(server.uuid).deleted and status(cloud, volume_id) == ('available', 0)


def test_an_image_of_a_server_on_a_volume_names_snapshots(cloud, on_volume):
    server, _ = on_volume
    made = snapshot.create_image(cloud.deps, context(), snapshot.CreateImage(cloud.server(server.uuid), 'shot'))
    assert state(cloud, server)[:2] == ('active', None) and outcome(cloud)[:2] == ('createImage', None)
    found = cloud.images.show(context(), made)
    assert (found.status, found.size) == ('active', 0)
    (row,) = cloud.rows('volume_snapshots')
    assert row.name == 'snapshot for shot'
    again = cloud.create(image=found, disks=plan(image_ref=found.id, properties=found.properties))
    (new,) = disks(cloud, again).values()
    assert (volume(cloud, new).snapshot_id, volume(cloud, new).size) == (row.uuid, 5)
    with pytest.raises(errors.Invalid, match='backup'):
        snapshot.create_backup(cloud.deps, context(), snapshot.CreateBackup(cloud.server(server.uuid), 'b', 'daily', 1))


def test_a_failed_image_leaves_no_snapshots(cloud, on_volume):
    server, _ = on_volume
    other = new_volume(cloud)
    attach(cloud, server, other)
    cloud.deps.volumes.fail('create_snapshot')
    real, made = cloud.deps.volumes.real.create_snapshot, []

    def create(*args):
        if made:
            raise errors.Conflict(reason='no')
        made.append(True)
        return real(*args)

    cloud.deps.volumes.real.create_snapshot = create
    snapshot.create_image(cloud.deps, context(), snapshot.CreateImage(cloud.server(server.uuid), 'shot'))
    tidy(cloud)
    assert state(cloud, server)[:2] == ('active', None) and not images(cloud)
    assert not cloud.rows('volume_snapshots')


def test_a_rebuild_writes_the_volume_over(cloud, on_volume):
    server, volume_id = on_volume
    made = cloud.images.create(context(), {'name': 'new', 'disk_format': 'raw', 'container_format': 'bare'})
    with open(__file__, 'rb') as data:
        new = cloud.images.upload(context(), made.id, data)
    seen = cloud.server(server.uuid)
    with pytest.raises(errors.Invalid, match='2.93'):
        rebuild.rebuild(cloud.deps, context(), rebuild.RebuildServer(seen, new, 'x', on_volume=False))
    rebuild.rebuild(cloud.deps, context(), rebuild.RebuildServer(seen, new, 'x'))
    for _ in range(5):
        cloud.age('operations', lease_until=300)
        cloud.sweeper.sweep()
    assert state(cloud, server)[:3] == ('active', None, 1)
    assert volume(cloud, volume_id).source_image_id == new.id and status(cloud, volume_id) == ('in-use', 1)
    assert (cloud.server(server.uuid).image_ref, outcome(cloud)[1]) == (None, None)


def test_a_rescue_needs_an_image_that_is_made_for_it(cloud, on_volume):
    server, _ = on_volume
    seen = cloud.server(server.uuid)
    plain = cloud.images.create(context(), {'name': 'p', 'disk_format': 'raw', 'container_format': 'bare'})
    stable = cloud.images.create(context(), {'name': 's', 'disk_format': 'raw', 'container_format': 'bare',
                                             'hw_rescue_bus': 'virtio'})
    for one in (plain, stable):
        with open(__file__, 'rb') as data:
            cloud.images.upload(context(), one.id, data)
    for known, words in (((None, True), 'hw_rescue_bus'), ((plain.id, True), 'hw_rescue_bus'),
                         ((stable.id, False), '2.87')):
        with pytest.raises(errors.Invalid, match=words):
            rescue.rescue(cloud.deps, context(), rescue.RescueServer(seen, 'x', *known))
    rescue.rescue(cloud.deps, context(), rescue.RescueServer(seen, 'x', stable.id))
    assert state(cloud, server)[0] == 'rescued'


def test_an_unshelve_that_fails_keeps_the_volumes(cloud, on_volume):
    server, volume_id = on_volume
    put_away(cloud, server)
    for name in ('h1', 'h2'):
        fail_at(cloud, name, 'spawn:*')
    before = status(cloud, volume_id)
    bring_back(cloud, server)
    assert state(cloud, server) == ('shelved_offloaded', None, 0, None)
    assert status(cloud, volume_id) == before == ('reserved', 1)
    assert outcome(cloud)[:2] == ('unshelve', 'Error')
    assert cloud.rows('volume_attachments')[-1].connection is None
    delete(cloud.deps, context(), DeleteServer(cloud.server(server.uuid)))
    assert status(cloud, volume_id) == ('available', 0)


def test_what_becomes_of_a_volume_can_be_changed(cloud, server):
    volume_id = new_volume(cloud)
    attach(cloud, server, volume_id, tag='a')
    seen = cloud.server(server.uuid)
    ops.update(cloud.deps, context(), ops.UpdateAttachment(seen, volume_id, True, {'tag': 'a', 'device': None}))
    with pytest.raises(errors.Invalid, match='tag'):
        ops.update(cloud.deps, context(), ops.UpdateAttachment(seen, volume_id, False, {'tag': 'b'}))
    delete(cloud.deps, context(), DeleteServer(cloud.server(server.uuid)))
    assert all_volumes(cloud) == []


def test_shelve_of_a_server_with_a_second_volume_goes_by_image(cloud):
    server = cloud.create(disks=plan({'source_type': 'image', 'destination_type': 'local', 'boot_index': 0,
                                      'uuid': image().id}, NEW), place=Place(host='h1'))
    cloud.conf.set_override('shelved_offload_time', 0)
    shelve.shelve(cloud.deps, context(), shelve.ShelveServer(cloud.server(server.uuid)))
    assert state(cloud, server)[0] == 'shelved_offloaded' and images(cloud)
    bring_back(cloud, server)
    assert list(disks(cloud, server)) == ['/dev/vdb']
