# SPDX-License-Identifier: Apache-2.0
"""Servers with volumes, from the command to the guest and back, with failures at each step."""

import pytest

from nova_lite import errors
from nova_lite.model import times
from nova_lite.ops.create import create
from nova_lite.ops.delete import DeleteServer, delete
from tests.fixtures.cloud import Cloud, context, image, wish
from tests.fixtures.disks import (
    NEW,
    ROOT,
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
from tests.fixtures.stories import outcome, state, tidy

BOOT = {'source_type': 'volume', 'destination_type': 'volume', 'boot_index': 0}


@pytest.fixture
def cloud(db, tmp_path):
    made = Cloud(db, tmp_path)
    with_volumes(made)
    return made


def root(**more):
    return {**ROOT, 'uuid': image().id, **more}


def test_a_server_boots_from_a_volume(cloud):
    volume_id = bootable(cloud)
    server = cloud.create(image=None, disks=plan({**BOOT, 'uuid': volume_id}, image_ref=None))
    assert state(cloud, server)[:3] == ('active', None, 1)
    assert (server.image_ref, server.root_device_name) == (None, '/dev/vda')
    assert recorded(cloud, server) == [('/dev/vda', volume_id, 'attached')]
    assert disks(cloud, server) == {'/dev/vda': volume_id}
    (attachment,) = volume(cloud, volume_id).attachments
    assert (attachment.server_uuid, attachment.device, attachment.status) == (server.uuid, '/dev/vda', 'attached')
    assert [row.local_gb for row in cloud.rows('allocations')] == [0]
    assert [row.event for row in cloud.rows('server_action_events')] == [
        'conductor_volumes_build', 'compute__do_build_and_run_instance', 'conductor_volumes_complete']
    delete(cloud.deps, context(), DeleteServer(cloud.server(server.uuid)))
    assert cloud.server(server.uuid).deleted
    assert status(cloud, volume_id) == ('available', 0)
    cloud.check_books()


def test_volumes_are_made_and_end_with_the_server_if_they_shall(cloud):
    disks_wished = plan(root(), {**NEW, 'delete_on_termination': True, 'tag': 'data'}, {**NEW, 'volume_size': 2})
    server = cloud.create(disks=disks_wished)
    assert [size for _, size in sorted((one.name, one.size) for one in all_volumes(cloud))] == [1, 2]
    assert {one.status for one in all_volumes(cloud)} == {'in-use'}
    assert {(one.project_id, one.user_id) for one in all_volumes(cloud)} == {('red', 'ann')}
    assert [name for name, _, _ in recorded(cloud, server)] == ['/dev/vda', '/dev/vdb', '/dev/vdc']
    assert [row.local_gb for row in cloud.rows('allocations')] == [1]
    delete(cloud.deps, context(), DeleteServer(cloud.server(server.uuid)))
    (left,) = all_volumes(cloud)
    assert (left.size, left.status) == (2, 'available')


def test_several_servers_of_one_request_have_volumes_of_their_own(cloud):
    create(cloud.deps, context(), wish(disks=plan(root(), NEW), min_count=2, max_count=2))
    first, second = cloud.rows('servers')
    assert disks(cloud, first) != disks(cloud, second)
    assert len(all_volumes(cloud)) == 2


def test_a_server_without_volumes_asks_no_volume_service(cloud):
    server = cloud.create()
    delete(cloud.deps, context(), DeleteServer(cloud.server(server.uuid)))
    assert server.block_devices is None
    assert cloud.deps.volumes.calls == []
    assert [row.kind for row in cloud.rows('operations')] == ['build', 'delete']


def test_another_host_gets_the_volumes_if_the_first_one_fails(cloud):
    volume_id = new_volume(cloud)
    cloud.add_host('h1', fail_at=('spawn:1',))
    for name in ('h2', 'h3'):
        cloud.add_host(name, fail_at=('spawn:1',) if name == 'h2' else ())
    server = cloud.create(disks=plan(root(), {**BOOT, 'uuid': volume_id, 'boot_index': None}))
    assert state(cloud, server)[:2] == ('active', None)
    assert disks(cloud, server) == {'/dev/vdb': volume_id}
    assert status(cloud, volume_id) == ('in-use', 1)


FAILURES = (
    ('create', errors.OverQuota(resource='gigabytes', requested=1, used=1, limit=1)),
    ('connect', errors.Conflict(reason='no')),
    ('complete', errors.Conflict(reason='no')))


def one_of(volume_id, **more):
    """A request for a server with a volume that is there."""
    return wish(disks=plan(root(), {**BOOT, 'uuid': volume_id, 'boot_index': None, **more}))


def test_a_volume_is_taken_when_the_request_is_accepted(cloud):
    volume_id = new_volume(cloud)
    cloud.conductor.held = []
    first = create(cloud.deps, context(), one_of(volume_id)).servers[0]
    (attachment,) = volume(cloud, volume_id).attachments
    assert (status(cloud, volume_id), attachment.server_uuid) == (('reserved', 1), first['uuid'])
    with pytest.raises(errors.Invalid, match='is reserved'):
        create(cloud.deps, context(), one_of(volume_id))
    cloud.conductor.release()
    assert state(cloud, cloud.server(first['uuid']))[:2] == ('active', None)
    assert [one.id for one in volume(cloud, volume_id).attachments] == [attachment.id]
    assert [row.kind for row in cloud.rows('operations')] == ['build']


@pytest.mark.parametrize('failure, words', [
    (errors.Conflict(reason='Too late.'), 'Too late'), (errors.VolumeNotFound(volume='x'), 'No volume')])
def test_who_is_late_is_told_so(cloud, failure, words):
    taken, wanted = new_volume(cloud), new_volume(cloud)
    real = cloud.deps.volumes.real.reserve

    def reserve(context, volume_id, *args, **known):
        if volume_id == wanted:
            raise failure
        return real(context, volume_id, *args, **known)

    cloud.deps.volumes.real.reserve = reserve
    disks_wished = plan(root(), *({**BOOT, 'uuid': one, 'boot_index': None} for one in (taken, wanted)))
    with pytest.raises(errors.Invalid, match=words):
        create(cloud.deps, context(), wish(disks=disks_wished))
    assert not cloud.rows('servers') and not cloud.rows('operations')
    assert status(cloud, taken) == status(cloud, wanted) == ('available', 0)


def test_a_refused_server_leaves_its_volumes_free(cloud):
    volume_id = new_volume(cloud)
    cloud.conf.set_override('instances', 0, 'quota')
    with pytest.raises(errors.OverQuota):
        create(cloud.deps, context(), one_of(volume_id, delete_on_termination=True))
    assert status(cloud, volume_id) == ('available', 0)
    assert not cloud.rows('operations')


def test_a_process_that_dies_leaves_no_volume_reserved(cloud, monkeypatch):
    volume_id = new_volume(cloud)

    def die(*args, **known):
        raise SystemExit

    with monkeypatch.context() as patched, pytest.raises(SystemExit):
        patched.setattr('nova_lite.ops.create.store', die)
        create(cloud.deps, context(), one_of(volume_id, delete_on_termination=True))
    assert status(cloud, volume_id) == ('reserved', 1)
    cloud.age('operations', lease_until=300)
    cloud.sweeper.sweep()
    assert status(cloud, volume_id) == ('available', 0)


def test_a_create_that_took_too_long_has_lost_its_volumes(cloud):
    volume_id = new_volume(cloud)
    real = cloud.deps.volumes.real.reserve

    def reserve(*args, **known):
        made = real(*args, **known)
        cloud.age('operations', lease_until=300)
        cloud.sweeper.sweep()
        return made

    cloud.deps.volumes.real.reserve = reserve
    with pytest.raises(errors.Unavailable, match='too long'):
        create(cloud.deps, context(), one_of(volume_id))
    assert not cloud.rows('servers')
    assert status(cloud, volume_id) == ('available', 0)


def test_a_server_that_finds_no_host_gives_its_volume_back(cloud):
    volume_id = new_volume(cloud)
    for name in ('h1', 'h2', 'h3'):
        cloud.compute.dead.add(name)
    cloud.age('services', last_seen_at=1000)
    create(cloud.deps, context(), one_of(volume_id))
    tidy(cloud)
    assert status(cloud, volume_id) == ('available', 0)


@pytest.mark.parametrize('call, failure', FAILURES)
def test_what_the_service_refuses_ends_the_build(cloud, call, failure):
    volume_id = new_volume(cloud)
    cloud.deps.volumes.fail(call, failure)
    server = cloud.create(disks=plan(root(), {**BOOT, 'uuid': volume_id, 'boot_index': None},
                                     {**NEW, 'delete_on_termination': True}))
    assert state(cloud, server) == ('error', None, 0, None)
    assert cloud.server(server.uuid).fault['message'] == str(failure)
    tidy(cloud)
    assert status(cloud, volume_id) == ('available', 0)
    assert [one.id for one in all_volumes(cloud)] == [volume_id]
    assert [one['destination'] for one in cloud.server(server.uuid).block_devices] == ['local']
    cloud.check_books()
    delete(cloud.deps, context(), DeleteServer(cloud.server(server.uuid)))
    assert cloud.server(server.uuid).deleted


def test_a_service_that_is_away_only_delays(cloud):
    cloud.deps.volumes.fail('create', errors.Unavailable(reason='away'))
    server = cloud.create(disks=plan(root(), NEW))
    assert state(cloud, server)[:2] == ('building', 'block_device_mapping')
    # Perhaps it is only busy; so it is asked again before the lease of whoever is at it would end.
    cloud.age('operations', lease_until=3)
    cloud.sweeper.sweep()
    assert state(cloud, server)[:2] == ('active', None)
    assert len(all_volumes(cloud)) == 1


def test_a_service_that_stays_away_is_asked_more_and_more_seldom(cloud):
    now = times.utcnow()
    assert [(cloud.conductor_deps.soon(now, tries) - now).total_seconds() for tries in range(1, 8)] == [
        2, 10, 30, 60, 120, 240, 240]


@pytest.mark.parametrize('call', ['create', 'reserve', 'connect'])
def test_a_step_whose_end_is_lost_is_done_again(cloud, call):
    """A conductor died between having something done and writing it down."""
    real, lost = getattr(cloud.deps.volumes.real, call), []

    def once(*args, **known):
        done = real(*args, **known)
        if not lost:
            lost.append(done)
            raise errors.Unavailable(reason='the answer is lost')
        return done

    setattr(cloud.deps.volumes.real, call, once)
    server = cloud.create(disks=plan(root(), NEW))
    assert lost and state(cloud, server)[:2] == ('building', 'block_device_mapping')
    cloud.age('operations', lease_until=300)
    cloud.sweeper.sweep()
    assert state(cloud, server)[:2] == ('active', None)
    (made,) = all_volumes(cloud)
    assert status(cloud, made.id) == ('in-use', 1)


def test_volumes_that_could_not_be_recorded_go_with_the_server(cloud):
    """A conductor died between making a volume and writing it down."""
    cloud.deps.volumes.fail('reserve', errors.Unavailable(reason='away'))
    server = cloud.create(disks=plan(root(), {**NEW, 'delete_on_termination': True}))
    assert [one.status for one in all_volumes(cloud)] == ['available']
    assert recorded(cloud, server)[1][1:] == (None, 'making')
    delete(cloud.deps, context(), DeleteServer(cloud.server(server.uuid)))
    assert cloud.server(server.uuid).deleted and all_volumes(cloud) == []


def test_a_delete_in_the_middle_of_the_step_takes_all_back(cloud):
    volume_id = new_volume(cloud)
    real, connected = cloud.deps.volumes.real.connect, []

    def connect(*args, **known):
        if not connected:
            connected.append(True)
            delete(cloud.deps, context(), DeleteServer(cloud.rows('servers')[0]))
        return real(*args, **known)

    cloud.deps.volumes.real.connect = connect
    server = cloud.create(disks=plan(root(), {**BOOT, 'uuid': volume_id, 'boot_index': None}))
    assert cloud.server(server.uuid).deleted
    assert status(cloud, volume_id) == ('available', 0)


def test_no_valid_host_makes_no_volume(cloud):
    for name in ('h1', 'h2', 'h3'):
        cloud.compute.dead.add(name)
    cloud.age('services', last_seen_at=1000)
    server = cloud.create(disks=plan(root(), NEW))
    assert state(cloud, server)[:2] == ('error', None)
    tidy(cloud)
    assert all_volumes(cloud) == [] and 'create' not in cloud.deps.volumes.calls
    assert outcome(cloud)[1] == 'Error'


@pytest.mark.parametrize('entry, words', [
    ({**BOOT, 'uuid': '0' * 36}, 'No volume'),
    ({'source_type': 'snapshot', 'boot_index': 0, 'uuid': '0' * 36}, 'No snapshot'),
    ({**BOOT, 'source_type': 'image', 'uuid': 'x', 'volume_size': 1}, 'No image'),
])
def test_sources_that_are_not_there(cloud, entry, words):
    with pytest.raises(errors.Invalid, match=words):
        cloud.create(image=None, disks=plan(entry, image_ref=None))


def test_sources_that_will_not_do(cloud):
    plain, taken = new_volume(cloud), bootable(cloud)
    cloud.create(disks=plan(root(), {**BOOT, 'uuid': taken, 'boot_index': None}))
    for volume_id, words in ((plain, 'not bootable'), (taken, 'is in-use; only one that is available')):
        with pytest.raises(errors.Invalid, match=words):
            cloud.create(image=None, disks=plan({**BOOT, 'uuid': volume_id}, image_ref=None))
    with pytest.raises(errors.Invalid, match='cannot be attached to 2 servers'):
        cloud.create(disks=plan(root(), {**BOOT, 'uuid': plain, 'boot_index': None}), min_count=2, max_count=2)
