# SPDX-License-Identifier: Apache-2.0
"""Snapshots, backups, shelves and rebuilds, from the command to guest and image; and what a failure leaves."""

import dataclasses
import pathlib
from types import SimpleNamespace

import pytest

from nova_lite import errors
from nova_lite.clients.image import Image
from nova_lite.compute.operations.snapshot import remove_leftovers
from nova_lite.db.queries import aggregates
from nova_lite.model.power import Power
from nova_lite.model.zones import Place
from nova_lite.ops import pause, power, rebuild, shelve, snapshot
from nova_lite.ops.delete import DeleteServer, delete
from tests.fixtures.cloud import FLAVOR, context, image
from tests.fixtures.stories import bring_back, failing, files, images, outcome, put_away, state, tidy

# ---------------------------------------------------------------- snapshots

def test_a_snapshot_becomes_an_active_image(cloud):
    who = context(roles=['member', 'reader'], user_name='Ann', project_name='Red')
    server = cloud.create(who, image=image(properties={'os_type': 'linux', 'img_signature': 'x'}, min_ram=64))
    extra = {'mine': 'yes', 'os_type': 'b'}
    made = snapshot.create_image(cloud.deps, who, snapshot.CreateImage(server, 'shot', extra))
    assert state(cloud, server)[:2] == ('active', None)
    assert outcome(cloud) == ('createImage', None, 'compute_snapshot_instance')
    found = images(cloud)['shot']
    assert (found.id, found.status, found.owner, found.visibility) == (made, 'active', 'red', 'private')
    assert (found.disk_format, found.min_disk, found.min_ram) == ('raw', 1, 64)
    assert found.properties == {
        'mine': 'yes', 'os_type': 'b', 'base_image_ref': server.image_ref, 'instance_uuid': server.uuid,
        'user_id': 'ann', 'owner_id': 'red', 'image_type': 'snapshot', 'image_location': 'snapshot',
        'image_state': 'available', 'boot_roles': 'member,reader', 'owner_user_name': 'Ann',
        'owner_project_name': 'Red'}
    assert not files(cloud)


def test_a_snapshot_by_somebody_else_is_shared_with_the_owner(cloud):
    server = cloud.create()
    boss = context('blue', roles=['admin'])
    made = snapshot.create_image(cloud.deps, boss, snapshot.CreateImage(server, 'shot'))
    found = cloud.images.show(context(), made)
    assert (found.owner, found.visibility, found.status) == ('blue', 'shared', 'active')


class Dying:
    """The image service, whose client dies once it has what it asked for."""

    def __init__(self, real):
        self._real = real

    def __getattr__(self, name):
        return getattr(self._real, name)

    def create(self, *args):
        self._real.create(*args)
        raise SystemExit


@pytest.mark.parametrize('ask', [
    lambda deps, server: snapshot.create_image(deps, context(), snapshot.CreateImage(server, 'shot')),
    lambda deps, server: snapshot.create_backup(deps, context(), snapshot.CreateBackup(server, 'shot', 'daily', 1)),
    lambda deps, server: shelve.shelve(deps, context(), shelve.ShelveServer(server))])
def test_an_api_that_dies_before_its_commit_leaves_no_image(cloud, ask):
    server = cloud.create()
    was = state(cloud, server)
    with pytest.raises(SystemExit):
        ask(dataclasses.replace(cloud.deps, images=Dying(cloud.images)), server)
    assert len(images(cloud)) == 1 and state(cloud, server) == was
    cloud.sweeper.sweep()
    assert len(images(cloud)) == 1, 'the request might still be at it'
    cloud.age('operations', lease_until=61)
    cloud.sweeper.sweep()
    assert not images(cloud)


def test_a_request_with_a_key_that_is_undone_leaves_no_image(cloud):
    server = cloud.create()

    def lost(conn, answer):
        raise errors.KeyInUse()

    with pytest.raises(errors.KeyInUse):
        cloud.db.together(lambda: snapshot.create_image(
            cloud.deps, context(), snapshot.CreateImage(server, 'shot')), lost)
    assert [row.action for row in cloud.rows('server_actions')] == ['create']
    cloud.age('operations', lease_until=61)
    cloud.sweeper.sweep()
    assert not images(cloud)


def test_a_request_that_takes_too_long_keeps_no_image(cloud):
    server = cloud.create()

    class Slow(Dying):
        def create(self, *args):
            cloud.age('operations', lease_until=61)
            cloud.sweeper.sweep()
            return self._real.create(*args)

    with pytest.raises(errors.Unavailable, match='took too long'):
        snapshot.create_image(dataclasses.replace(cloud.deps, images=Slow(cloud.images)), context(),
                              snapshot.CreateImage(server, 'shot'))
    assert not images(cloud) and state(cloud, server)[:2] == ('active', None)


def test_an_image_that_is_taken_leaves_no_chore(cloud):
    server = cloud.create()
    snapshot.create_image(cloud.deps, context(), snapshot.CreateImage(server, 'shot'))
    assert [row.kind for row in cloud.rows('operations')] == ['build', 'snapshot']


def test_a_failed_snapshot_leaves_no_image(cloud):
    server = failing(cloud, 'snapshot')
    was = state(cloud, server)
    snapshot.create_image(cloud.deps, context(), snapshot.CreateImage(server, 'shot'))
    assert state(cloud, server) == was
    assert outcome(cloud)[1] == 'Error'
    tidy(cloud)
    assert not images(cloud) and not files(cloud)
    assert {row.state for row in cloud.rows('operations') if row.kind == 'delete_image'} == {'done'}


def test_an_image_that_was_deleted_meanwhile_fails_the_snapshot(cloud):
    server = cloud.create()
    cloud.compute.hold(server.host)
    made = snapshot.create_image(cloud.deps, context(), snapshot.CreateImage(server, 'shot'))
    assert state(cloud, server)[1] == 'image_snapshot'
    cloud.images.delete(context(), made)
    cloud.compute.release(server.host)
    assert state(cloud, server)[:2] == ('active', None)
    assert cloud.rows('operations')[1].error['message'] == f'No image {made}.'


def test_a_snapshot_whose_report_was_lost_is_not_made_twice(cloud):
    server = cloud.create()
    cloud.compute.hold(server.host)
    made = snapshot.create_image(cloud.deps, context(), snapshot.CreateImage(server, 'shot'))
    cloud.images.update(context(), made, {'disk_format': 'raw'})
    with open(__file__, 'rb') as data:
        cloud.images.upload(context(), made, data)
    cloud.compute.release(server.host)
    assert state(cloud, server)[:2] == ('active', None) and outcome(cloud)[1] is None


def test_a_refused_snapshot_leaves_no_image(cloud):
    server = cloud.create()
    cloud.compute.hold(server.host)
    snapshot.create_image(cloud.deps, context(), snapshot.CreateImage(server, 'first'))
    with pytest.raises(errors.WrongState):
        snapshot.create_image(cloud.deps, context(), snapshot.CreateImage(cloud.server(server.uuid), 'second'))
    # The caller saw the server before the first one began.
    with pytest.raises(errors.WrongState):
        snapshot.create_image(cloud.deps, context(), snapshot.CreateImage(server, 'second'))
    assert list(images(cloud)) == ['first']


@pytest.mark.parametrize('reached_the_host', [True, False])
def test_a_delete_takes_the_image_of_an_unfinished_snapshot_away(cloud, reached_the_host):
    server = cloud.create()
    if reached_the_host:
        cloud.compute.hold(server.host)
    else:
        cloud.conductor.held = []
    snapshot.create_image(cloud.deps, context(), snapshot.CreateImage(server, 'shot'))
    delete(cloud.deps, context(), DeleteServer(cloud.server(server.uuid)))
    if reached_the_host:
        cloud.compute.release(server.host)
    else:
        cloud.conductor.release()
    tidy(cloud)
    assert cloud.server(server.uuid).deleted and not images(cloud)


def test_an_image_that_cannot_be_deleted_is_tried_again(cloud, monkeypatch):
    server = failing(cloud, 'snapshot')
    calls = []

    def away(context, image_id):
        calls.append(image_id)
        raise errors.Unavailable(reason='gone fishing')

    with monkeypatch.context() as patch:
        patch.setattr(cloud.images, 'delete', away)
        snapshot.create_image(cloud.deps, context(), snapshot.CreateImage(server, 'shot'))
        tidy(cloud)
    assert len(calls) == 1 and images(cloud)
    cloud.age('operations', lease_until=31)
    cloud.sweeper.sweep()
    assert not images(cloud)


def test_snapshots_of_what_is_locked_paused_or_stopped(cloud):
    server = cloud.create()
    pause.pause(cloud.deps, context(), pause.PauseServer(server))
    snapshot.create_image(cloud.deps, context(), snapshot.CreateImage(cloud.server(server.uuid), 'shot'))
    assert state(cloud, server)[:3] == ('paused', None, Power.PAUSED)


def test_metadata_of_images_have_a_quota_where_that_is_asked_for(cloud):
    server = cloud.create()
    many = {str(number): 'x' for number in range(129)}
    with pytest.raises(errors.OverQuota):
        snapshot.create_image(cloud.deps, context(), snapshot.CreateImage(server, 'shot', many, limited=True))
    assert not images(cloud)


# ------------------------------------------------------------------ backups

def test_backups_rotate_by_type(cloud):
    server = cloud.create()

    def back_up(name, kind, rotation):
        return snapshot.create_backup(cloud.deps, context(), snapshot.CreateBackup(
            cloud.server(server.uuid), name, kind, rotation))

    for number in range(3):
        back_up(f'daily-{number}', 'daily', 2)
    back_up('weekly', 'weekly', 1)
    # Which of the first two is left does not matter: they are of the same second.
    assert len(images(cloud)) == 3 and {'daily-2', 'weekly'} <= set(images(cloud))
    assert outcome(cloud) == ('createBackup', None, 'compute_backup_instance')
    assert images(cloud)['weekly'].properties['backup_type'] == 'weekly'
    assert back_up('none', 'daily', 0) is None
    assert list(images(cloud)) == ['weekly']
    assert state(cloud, server)[:2] == ('active', None)


def test_a_failed_backup_deletes_no_older_one(cloud):
    cloud.add_host('h1', fail_at=('snapshot:2',))
    server = cloud.create(place=Place(host='h1'))
    for number in range(2):
        snapshot.create_backup(cloud.deps, context(), snapshot.CreateBackup(
            cloud.server(server.uuid), f'daily-{number}', 'daily', 1))
    tidy(cloud)
    assert list(images(cloud)) == ['daily-0'] and outcome(cloud)[1] == 'Error'


# ------------------------------------------------------------------ shelves

def test_shelved_offloaded_and_back(cloud):
    server = cloud.create(name='web')
    put_away(cloud, server)
    assert state(cloud, server) == ('shelved_offloaded', None, Power.NOSTATE, None)
    assert not cloud.drivers[server.host].guests() and not cloud.rows('allocations')
    assert cloud.usage() == (1, 1, 512)
    assert [row.event for row in cloud.rows('server_action_events')][-2:] == [
        'compute_shelve_instance', 'compute_shelve_offload_instance']
    kept = images(cloud)['web-shelved']
    assert kept.status == 'active'
    bring_back(cloud, server)
    back = cloud.server(server.uuid)
    assert state(cloud, server)[:3] == ('active', None, Power.RUNNING) and back.image_ref == server.image_ref
    assert cloud.drivers[back.host]._guests[server.uuid].image == kept.id
    assert 'shelved_image' not in (back.system_metadata or {})
    tidy(cloud)
    assert not images(cloud)
    cloud.check_books()


def test_a_shelved_server_stays_a_while_on_its_host(cloud):
    cloud.conf.set_override('shelved_offload_time', 600)
    server = cloud.create()
    put_away(cloud, server)
    assert state(cloud, server) == ('shelved', None, Power.SHUTDOWN, server.host)
    cloud.sweeper.sweep()
    assert state(cloud, server)[0] == 'shelved'
    bring_back(cloud, server)
    assert state(cloud, server) == ('active', None, Power.RUNNING, server.host)
    cloud.age('operations', lease_until=700)
    cloud.sweeper.sweep()
    assert state(cloud, server)[0] == 'active'
    put_away(cloud, server)
    cloud.age('operations', lease_until=700)
    cloud.sweeper.sweep()
    assert state(cloud, server) == ('shelved_offloaded', None, Power.NOSTATE, None)
    cloud.check_books()


def test_an_administrator_takes_a_server_off_its_host(cloud):
    cloud.conf.set_override('shelved_offload_time', -1)
    server = cloud.create()
    put_away(cloud, server)
    shelve.offload(cloud.deps, context(), shelve.OffloadServer(cloud.server(server.uuid)))
    assert state(cloud, server)[0] == 'shelved_offloaded'
    assert outcome(cloud) == ('shelveOffload', None, 'compute_shelve_offload_instance')
    with pytest.raises(errors.WrongState):
        shelve.offload(cloud.deps, context(), shelve.OffloadServer(cloud.server(server.uuid)))


def test_a_failed_shelve_leaves_the_server_as_it_was(cloud):
    server = failing(cloud, 'snapshot')
    put_away(cloud, server)
    assert state(cloud, server) == ('active', None, Power.RUNNING, 'h1')
    tidy(cloud)
    assert not images(cloud)
    put_away(cloud, server)
    assert state(cloud, server)[0] == 'shelved_offloaded'


def test_a_failed_shelve_of_a_paused_server_leaves_it_stopped(cloud):
    server = failing(cloud, 'snapshot')
    pause.pause(cloud.deps, context(), pause.PauseServer(server))
    put_away(cloud, server)
    assert state(cloud, server) == ('stopped', None, Power.SHUTDOWN, 'h1')


def test_a_failed_offload_leaves_the_server_shelved(cloud):
    server = failing(cloud, 'destroy')
    put_away(cloud, server)
    assert state(cloud, server) == ('shelved', None, Power.SHUTDOWN, 'h1')
    assert outcome(cloud)[1] == 'Error'
    shelve.offload(cloud.deps, context(), shelve.OffloadServer(cloud.server(server.uuid)))
    assert state(cloud, server)[0] == 'shelved_offloaded'
    cloud.check_books()


def test_a_failed_unshelve_goes_to_another_host_and_ends_on_the_shelf(cloud):
    server = cloud.create()
    put_away(cloud, server)
    for name in ('h1', 'h2'):
        cloud.add_host(name, fail_at=('spawn:1',))
    bring_back(cloud, server)
    assert state(cloud, server) == ('active', None, Power.RUNNING, 'h3')
    put_away(cloud, server)
    for name in ('h1', 'h2', 'h3'):
        cloud.add_host(name, fail_at=('spawn:1',))
    bring_back(cloud, server)
    assert state(cloud, server) == ('shelved_offloaded', None, Power.NOSTATE, None)
    assert outcome(cloud)[1] == 'Error' and not cloud.rows('allocations')
    cloud.check_books()


def test_no_room_to_come_back_to_says_why(cloud):
    server = cloud.create()
    put_away(cloud, server)
    cloud.age('services', last_seen_at=100)
    bring_back(cloud, server)
    assert state(cloud, server)[0] == 'shelved_offloaded'
    event = cloud.rows('server_action_events')[-1]
    assert (event.event, event.result) == ('schedule_instances', 'Error') and '3 of 3 hosts are down' in event.details


def test_without_its_image_a_server_does_not_come_back(cloud):
    server = cloud.create(name='web')
    put_away(cloud, server)
    cloud.images.delete(context(), images(cloud)['web-shelved'].id)
    bring_back(cloud, server)
    assert state(cloud, server)[0] == 'shelved_offloaded'
    assert 'No image' in cloud.rows('operations')[-1].error['message']


def test_a_host_and_a_zone_to_come_back_to(cloud):
    boss = context(roles=['admin'])
    with cloud.db.write() as conn:
        moon = aggregates.create(conn, 'moon', {'availability_zone': 'moon'})
        aggregates.add_host(conn, moon, 'h3')
    server = cloud.create(place=Place(host='h1'))
    with pytest.raises(errors.Conflict, match='is on a host'):
        cloud.conf.set_override('shelved_offload_time', -1)
        put_away(cloud, server)
        bring_back(cloud, server, zone='moon')
    shelve.offload(cloud.deps, context(), shelve.OffloadServer(cloud.server(server.uuid)))
    for bad, kind in (({'zone': 'mars'}, errors.Invalid), ({'host': 'h9'}, errors.Invalid),
                      ({'zone': 'moon', 'host': 'h1'}, errors.Conflict)):
        with pytest.raises(kind):
            bring_back(cloud, server, boss, **bad)
    bring_back(cloud, server, zone='moon')
    assert cloud.server(server.uuid).host == 'h3'
    assert cloud.server(server.uuid).pinned_availability_zone == 'moon'
    cloud.conf.set_override('shelved_offload_time', 0)
    put_away(cloud, server)
    with pytest.raises(errors.Conflict, match='pinned to moon'):
        bring_back(cloud, server, boss, host='h2')
    bring_back(cloud, server, boss, host='h2', zone=None)
    back = cloud.server(server.uuid)
    assert (back.host, back.pinned_availability_zone, back.availability_zone) == ('h2', None, 'nova')


@pytest.mark.parametrize('after', [0, -1])
def test_a_delete_takes_the_image_of_a_shelved_server_with_it(cloud, after):
    cloud.conf.set_override('shelved_offload_time', after)
    server = cloud.create()
    put_away(cloud, server)
    assert images(cloud)
    delete(cloud.deps, context(), DeleteServer(cloud.server(server.uuid)))
    tidy(cloud)
    assert cloud.server(server.uuid).deleted and not images(cloud)
    assert cloud.usage() == (0, 0, 0)
    cloud.check_books()


def test_an_owner_brings_back_what_an_administrator_shelved(cloud):
    server = cloud.create()
    shelve.shelve(cloud.deps, context('blue', roles=['admin']), shelve.ShelveServer(server))
    bring_back(cloud, server)
    assert state(cloud, server)[0] == 'active'
    tidy(cloud)
    assert not images(cloud)


def test_a_host_that_died_while_a_server_came_back_is_left(cloud):
    server = cloud.create()
    put_away(cloud, server)
    cloud.compute.dead = {'h1', 'h2', 'h3'}
    bring_back(cloud, server)
    first = cloud.server(server.uuid).host
    cloud.compute.dead = {first}
    cloud.age('services', last_seen_at=100)
    for name in set(cloud.drivers) - {first}:
        cloud.beat(name)
    cloud.age('operations', lease_until=31)
    cloud.sweeper.sweep()
    assert state(cloud, server)[0] == 'active' and cloud.server(server.uuid).host != first
    cloud.check_books()


# ----------------------------------------------------------------- rebuilds

OTHER: Image = image(id='6a1cd0f2-9f2c-4d9c-8b0a-0b7c2c3d4e5f', name='other', properties={'kernel_id': 'k'})


def anew(cloud, server, **more):
    return rebuild.rebuild(cloud.deps, context(), rebuild.RebuildServer(
        cloud.server(server.uuid), OTHER, 'secret', **more))


def test_a_rebuild_begins_anew_from_another_image(cloud):
    server = cloud.create()
    cloud.compute.hold(server.host)
    seen = anew(cloud, server, values={'name': 'new', 'metadata': {'a': 'b'}}, key_name=None)
    assert (seen.task_state, seen.name, seen.image_ref, seen.kernel_id) == ('rebuilding', 'new', OTHER.id, 'k')
    cloud.compute.release(server.host)
    assert state(cloud, server) == ('active', None, Power.RUNNING, server.host)
    assert cloud.drivers[server.host]._guests[server.uuid].image == OTHER.id
    assert outcome(cloud) == ('rebuild', None, 'compute_rebuild_instance')
    assert 'secret' not in str(cloud.rows('operations'))


def test_a_stopped_server_is_stopped_after_a_rebuild(cloud):
    server = cloud.create()
    power.stop(cloud.deps, context(), power.StopServer(server))
    anew(cloud, server)
    assert state(cloud, server) == ('stopped', None, Power.SHUTDOWN, server.host)


@pytest.mark.parametrize('fault', ['power_off', 'destroy', 'spawn'])
def test_a_failed_rebuild_is_an_error_that_another_one_mends(cloud, fault):
    cloud.add_host('h1', fail_at=(f'{fault}:1',) if fault != 'spawn' else ('spawn:2',))
    server = cloud.create(place=Place(host='h1'))
    anew(cloud, server)
    failed = cloud.server(server.uuid)
    assert (failed.vm_state, failed.task_state) == ('error', None) and fault in failed.fault['message']
    anew(cloud, server)
    assert state(cloud, server) == ('active', None, Power.RUNNING, 'h1')
    assert cloud.server(server.uuid).fault is None


def test_ephemeral_disks_can_be_kept(cloud):
    flavor = SimpleNamespace(**{**vars(FLAVOR), 'ephemeral': 1})
    server = cloud.create(flavor=flavor)
    before = cloud.drivers[server.host].console_output(server.uuid)
    anew(cloud, server, preserve_ephemeral=True)
    after = cloud.drivers[server.host].console_output(server.uuid)
    assert after.startswith(before) and b'root disk made of' in after


@pytest.mark.parametrize(('more', 'kind'), [
    ({'key_name': 'none'}, errors.Invalid),
    ({'values': {'metadata': {str(number): 'x' for number in range(129)}}}, errors.OverQuota),
    ({'personality': [{'path': '/a', 'contents': ''}] * 6}, errors.OverQuota)])
def test_wrong_wishes_change_nothing(cloud, more, kind):
    server = cloud.create()
    with pytest.raises(kind):
        anew(cloud, server, **more)
    assert cloud.server(server.uuid).task_state is None and cloud.server(server.uuid).image_ref == server.image_ref


def test_an_image_that_does_not_fit_is_refused(cloud):
    server = cloud.create()
    big = image(min_ram=4096)
    with pytest.raises(errors.Invalid, match='memory'):
        rebuild.rebuild(cloud.deps, context(), rebuild.RebuildServer(server, big, 'secret'))


# ----------------------------------------------------------- what is given up

def test_a_chore_that_keeps_failing_is_given_up_and_listed(cloud, monkeypatch):
    cloud.conf.set_override('operation_attempts', 2, group='conductor')
    server = failing(cloud, 'snapshot')

    def away(context, image_id):
        raise errors.Unavailable(reason='gone fishing')

    monkeypatch.setattr(cloud.images, 'delete', away)
    snapshot.create_image(cloud.deps, context(), snapshot.CreateImage(server, 'shot'))
    for _ in range(3):
        cloud.age('operations', lease_until=100)
        cloud.sweeper.sweep()
    (chore,) = [row for row in cloud.rows('operations') if row.kind == 'delete_image']
    assert (chore.state, chore.error['message']) == ('failed', 'gone fishing')


def test_copies_that_a_killed_process_left_are_removed(cloud):
    directory = pathlib.Path(cloud.conf.state_path, 'snapshots', cloud.conf.host)
    directory.mkdir(parents=True)
    (directory / 'half').write_text('x')
    remove_leftovers(cloud.conf)
    assert not files(cloud)


@pytest.mark.parametrize('act', [put_away, anew, lambda cloud, server: snapshot.create_image(
    cloud.deps, context(), snapshot.CreateImage(cloud.server(server.uuid), 'shot'))])
def test_what_no_host_answers_is_given_up(cloud, act):
    cloud.conf.set_override('operation_attempts', 1, group='conductor')
    server = cloud.create()
    cloud.compute.dead = {server.host}
    act(cloud, server)
    cloud.age('operations', lease_until=300)
    cloud.sweeper.sweep()
    assert state(cloud, server)[1] is None
    assert state(cloud, server)[0] == ('error' if act is anew else 'active')
    assert outcome_message(cloud) == 'Error'
    tidy(cloud)
    assert not images(cloud)
    cloud.check_books()


def outcome_message(cloud):
    return cloud.rows('server_actions')[-1].message
