# SPDX-License-Identifier: Apache-2.0
"""What is told of each operation, and whether it is what was promised."""

import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from nova_lite.db import tables
from nova_lite.db.queries import flavors as flavor_rows
from nova_lite.db.queries import services as service_rows
from nova_lite.model.zones import Place
from nova_lite.notifications import families
from nova_lite.ops import (
    aggregates,
    change,
    evacuate,
    flavors,
    guest,
    interfaces,
    keypairs,
    live_migrate,
    pause,
    power,
    rebuild,
    rescue,
    resize,
    restore,
    server_groups,
    services,
    shelve,
    snapshot,
    volumes,
)
from nova_lite.ops.delete import DeleteServer, delete
from tests.fixtures.cloud import Cloud, context, image
from tests.fixtures.database import sqlite_database
from tests.fixtures.disks import new_volume, with_volumes
from tests.fixtures.moves import fail_at, hold_at, move
from tests.fixtures.networks import with_networks
from tests.fixtures.notifications import check, listening, promised, said

KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS ann'
BIG = {'flavorid': 'big', 'name': 'm1.big', 'ram': 1024, 'vcpus': 2, 'disk': 3}


def do(cloud, server, handler, command, **more):
    """Have somebody do it to the server as it is now."""
    return handler(cloud.deps, context(), command(cloud.server(server.uuid), **more))


def on_h1(cloud, **known):
    return cloud.create(place=Place(host='h1'), **known)


# ---------------------------------------------------------------------- the stories

def life(cloud):
    keypairs.add(cloud.deps, keypairs.AddKeypair('ann', 'k', 'ssh', KEY, 'aa:bb'))
    server = cloud.create(tags=('t',), key_name='k', metadata={'a': 'b'})
    for handler, command, more in (
            (power.stop, power.StopServer, {}), (power.start, power.StartServer, {}),
            (power.reboot, power.RebootServer, {'manner': 'HARD'}),
            (pause.pause, pause.PauseServer, {}), (pause.unpause, pause.UnpauseServer, {}),
            (pause.suspend, pause.SuspendServer, {}), (pause.resume, pause.ResumeServer, {}),
            (rescue.rescue, rescue.RescueServer, {'password': 'secret'}),
            (rescue.unrescue, rescue.UnrescueServer, {}), (guest.trigger_crash_dump, guest.TriggerCrashDump, {}),
            (change.lock, change.LockServer, {'reason': 'mine'}), (change.unlock, change.UnlockServer, {})):
        do(cloud, server, handler, command, **more)
    delete(cloud.deps, context(), DeleteServer(cloud.server(server.uuid)))


LIFE = ['keypair.import.start', 'keypair.import.end', *(
    f'instance.{name}.{phase}' for name in (
        'create', 'power_off', 'power_on', 'reboot', 'pause', 'unpause', 'suspend', 'resume', 'rescue', 'unrescue',
        'trigger_crash_dump') for phase in ('start', 'end')),
    'instance.lock', 'instance.unlock', 'instance.delete.start', 'instance.delete.end']


def images(cloud):
    server = cloud.create()
    do(cloud, server, snapshot.create_image, snapshot.CreateImage, name='shot')
    do(cloud, server, snapshot.create_backup, snapshot.CreateBackup, name='day', backup_type='daily', rotation=1)
    do(cloud, server, rebuild.rebuild, rebuild.RebuildServer, image=image(), password='secret')
    do(cloud, server, shelve.shelve, shelve.ShelveServer)
    do(cloud, server, shelve.unshelve, shelve.UnshelveServer)


IMAGES = [f'instance.{name}.{phase}' for name in (
    'create', 'snapshot', 'snapshot', 'rebuild', 'shelve', 'shelve_offload', 'unshelve') for phase in ('start', 'end')]


def moves(cloud):
    with cloud.db.write() as conn:
        flavor_rows.create(conn, BIG)
    server = on_h1(cloud)
    for handler, command in ((resize.confirm, resize.ConfirmResize), (resize.revert, resize.RevertResize)):
        do(cloud, server, resize.migrate, resize.MigrateServer)
        do(cloud, server, handler, command)
    do(cloud, server, resize.resize, resize.ResizeServer, flavor_id='big')
    do(cloud, server, resize.confirm, resize.ConfirmResize)


_RESIZE = ['resize_prep', 'resize', 'resize_finish']
MOVES = [f'instance.{name}.{phase}' for name in (
    'create', *_RESIZE, 'resize_confirm', *_RESIZE, 'resize_revert', *_RESIZE, 'resize_confirm')
    for phase in ('start', 'end')]


def live(cloud):
    server = on_h1(cloud)
    do(cloud, server, live_migrate.live_migrate, live_migrate.LiveMigrateServer)


LIVE = [f'instance.{name}.{phase}' for name in (
    'create', 'live_migration_pre', 'live_migration_post_dest', 'live_migration_post') for phase in ('start', 'end')]


def live_with_wishes(cloud):
    server = on_h1(cloud)
    hold_at(cloud, 'h1', 'live_leave')
    do(cloud, server, live_migrate.live_migrate, live_migrate.LiveMigrateServer)
    do(cloud, server, live_migrate.force_complete, live_migrate.ForceComplete, migration_id=move(cloud).id)
    do(cloud, server, live_migrate.abort, live_migrate.AbortMigration, migration_id=move(cloud).id)


LIVE_WITH_WISHES = [f'instance.{name}.{phase}' for name in (
    'create', 'live_migration_pre', 'live_migration_force_complete', 'live_migration_abort')
    for phase in ('start', 'end')]


def live_and_back(cloud):
    server = on_h1(cloud)
    for host in ('h2', 'h3'):
        fail_at(cloud, host, 'arrive:*')
    do(cloud, server, live_migrate.live_migrate, live_migrate.LiveMigrateServer)


LIVE_AND_BACK = [
    'instance.create.start', 'instance.create.end',
    'instance.live_migration_pre.start', 'instance.live_migration_pre.end', 'instance.live_migration_post_dest.start',
    *(f'instance.live_migration_{name}.{phase}' for name in ('rollback_dest', 'rollback') for phase in (
        'start', 'end')), 'compute.exception']


def evacuated(cloud):
    server = on_h1(cloud)
    cloud.compute.away = {'h1'}
    with cloud.db.write() as conn:
        conn.execute(tables.services.update().where(tables.services.c.host == 'h1').values(forced_down=True))
    do(cloud, server, evacuate.evacuate, evacuate.EvacuateServer)


EVACUATED = ['instance.create.start', 'instance.create.end', 'instance.evacuate', 'instance.rebuild.start',
             'instance.rebuild.end']


def put_aside(cloud):
    cloud.conf.set_override('reclaim_instance_interval', 600)
    server = cloud.create()
    do(cloud, server, delete, DeleteServer)
    do(cloud, server, restore.restore, restore.RestoreServer)
    do(cloud, server, delete, DeleteServer, force=True)


PUT_ASIDE = [f'instance.{name}.{phase}' for name in ('create', 'soft_delete', 'restore', 'delete')
             for phase in ('start', 'end')]


def of_volumes(cloud):
    with_volumes(cloud)
    listening(cloud, 'both', bdms_in_notifications=True)
    server = on_h1(cloud)
    one, other = new_volume(cloud), new_volume(cloud)
    do(cloud, server, volumes.attach, volumes.AttachVolume, volume_id=one)
    do(cloud, server, volumes.swap, volumes.SwapVolume, volume_id=one, other_id=other)
    do(cloud, server, volumes.detach, volumes.DetachVolume, volume_id=other)
    fail_at(cloud, 'h1', 'attach_volume:*')
    do(cloud, server, volumes.attach, volumes.AttachVolume, volume_id=one)
    fail_at(cloud, 'h1', 'swap_volume:1')
    do(cloud, server, volumes.attach, volumes.AttachVolume, volume_id=one)
    do(cloud, server, volumes.swap, volumes.SwapVolume, volume_id=one, other_id=other)


OF_VOLUMES = [
    *(f'instance.{name}.{phase}' for name in ('create', 'volume_attach', 'volume_swap', 'volume_detach')
      for phase in ('start', 'end')),
    'instance.volume_attach.start', 'instance.volume_attach.error', 'compute.exception',
    'instance.volume_attach.start', 'instance.volume_attach.end',
    'instance.volume_swap.start', 'instance.volume_swap.error', 'compute.exception']


def of_networks(cloud):
    listening(with_networks(cloud), 'both')
    server = on_h1(cloud)
    port = do(cloud, server, interfaces.attach, interfaces.AttachInterface)
    do(cloud, server, interfaces.detach, interfaces.DetachInterface, port_id=port.id)
    fail_at(cloud, 'h1', 'attach_interface:*')
    with pytest.raises(Exception, match='interface'):
        do(cloud, server, interfaces.attach, interfaces.AttachInterface)


OF_NETWORKS = [
    *(f'instance.{name}.{phase}' for name in ('create', 'interface_attach', 'interface_detach')
      for phase in ('start', 'end')),
    'instance.interface_attach.start', 'instance.interface_attach.error', 'compute.exception']


def failures(cloud):
    with cloud.db.write() as conn:
        flavor_rows.create(conn, BIG)
    server = on_h1(cloud)
    fail_at(cloud, 'h1', 'reboot:*', 'spawn:*', 'pause:*', 'leave:*')
    do(cloud, server, power.reboot, power.RebootServer, manner='HARD')
    do(cloud, server, pause.pause, pause.PauseServer)
    do(cloud, server, resize.migrate, resize.MigrateServer)
    do(cloud, server, rebuild.rebuild, rebuild.RebuildServer, image=image(), password='secret')
    for host in ('h1', 'h2', 'h3'):
        fail_at(cloud, host, 'spawn:*')
    cloud.create()


FAILURES = [
    'instance.create.start', 'instance.create.end',
    'instance.reboot.start', 'instance.reboot.error', 'compute.exception',
    'instance.pause.start', 'compute.exception',
    'instance.resize_prep.start', 'instance.resize_prep.end', 'instance.resize.start', 'instance.resize.error',
    'compute.exception',
    'instance.rebuild.start', 'instance.rebuild.error', 'compute.exception',
    'instance.create.start', 'instance.create.error', 'compute.exception']


def no_hosts(cloud):
    server = on_h1(cloud)
    with cloud.db.write() as conn:
        conn.execute(tables.services.update().where(tables.services.c.host != 'h1').values(disabled=True))
    do(cloud, server, resize.migrate, resize.MigrateServer)
    with cloud.db.write() as conn:
        conn.execute(tables.services.update().values(disabled=False, forced_down=True))
    do(cloud, server, evacuate.evacuate, evacuate.EvacuateServer)
    made = cloud.create()
    do(cloud, made, delete, DeleteServer)


NO_HOSTS = [
    'instance.create.start', 'instance.create.end',
    'instance.resize.error', 'compute_task.migrate_server.error',
    'instance.evacuate', 'instance.rebuild.error', 'compute_task.rebuild_server.error',
    'instance.create.error', 'compute_task.build_instances.error',
    'instance.delete.start', 'instance.delete.end']


def of_things(cloud):
    deps = cloud.deps
    made = flavors.create(deps, flavors.CreateFlavor('tiny', 1, 1, 1, 'tiny', is_public=False))
    flavors.describe(deps, 'tiny', 'small')
    flavors.set_extra_specs(deps, 'tiny', {'a': 'b'})
    flavors.delete_extra_spec(deps, 'tiny', 'a')
    flavors.add_access(deps, made, 'red', False)
    flavors.remove_access(deps, made, 'red')
    flavors.delete(deps, 'tiny')
    one = aggregates.create(deps, 'one', 'east')
    aggregates.change(deps, aggregates.ChangeAggregate(one.id, 'two', {'a': 'b'}))
    aggregates.add_host(deps, aggregates.MoveHost(one.id, 'h1'))
    aggregates.remove_host(deps, aggregates.MoveHost(one.id, 'h1'))
    aggregates.delete(deps, one.id)
    keypairs.add(deps, keypairs.AddKeypair('ann', 'k', 'ssh', KEY, 'aa:bb', is_new=True))
    keypairs.delete(deps, 'ann', 'k')
    group = server_groups.create(deps, context(), server_groups.CreateGroup(
        'g', 'anti-affinity', {'max_server_per_host': 2}))
    cloud.create(hints={'group': group.uuid})
    server_groups.delete(deps, group.uuid)
    cloud.add_host('h9')
    with cloud.db.read() as conn:
        service = service_rows.get_by_host(conn, 'h9', 'nova-compute')
    services.change(deps, services.ChangeService(service.id, disabled=True, reason='tired'))
    services.delete(deps, service)


OF_THINGS = [
    'flavor.create', *['flavor.update'] * 5, 'flavor.delete',
    *(f'aggregate.{name}.{phase}' for name in (
        'create', 'update_prop', 'update_metadata', 'add_host', 'remove_host', 'delete') for phase in ('start', 'end')),
    'keypair.create.start', 'keypair.create.end', 'keypair.delete.start', 'keypair.delete.end',
    'server_group.create', 'server_group.add_member', 'instance.create.start', 'instance.create.end',
    'server_group.delete', 'service.create', 'service.update', 'service.delete']


def updates(cloud):
    listening(cloud, 'both', notify_on_state_change='vm_and_task_state')
    server = cloud.create(tags=('t',))
    do(cloud, server, change.update, change.UpdateServer, values={'name': 'other'})
    do(cloud, server, change.add_tag, change.AddTag, tag='u')
    do(cloud, server, change.delete_tag, change.DeleteTag, tag='u')
    do(cloud, server, change.set_metadata, change.SetMetadata, items={'a': 'b'})
    do(cloud, server, power.stop, power.StopServer)
    do(cloud, server, delete, DeleteServer)


_U = 'instance.update'
UPDATES = [_U, _U, 'instance.create.start', _U, 'instance.create.end', _U, _U, _U, _U,
           _U, 'instance.power_off.start', _U, 'instance.power_off.end',
           _U, 'instance.delete.start', _U, 'instance.delete.end']

STORIES = [
    (life, LIFE), (images, IMAGES), (moves, MOVES), (live, LIVE), (live_with_wishes, LIVE_WITH_WISHES),
    (live_and_back, LIVE_AND_BACK), (evacuated, EVACUATED), (put_aside, PUT_ASIDE), (of_volumes, OF_VOLUMES),
    (of_networks, OF_NETWORKS), (failures, FAILURES), (no_hosts, NO_HOSTS), (of_things, OF_THINGS),
    (updates, UPDATES)]


@pytest.fixture(scope='module')
def told(tmp_path_factory):
    """By the name of the story, what was told of it in both forms."""
    found = {}
    for story, _ in STORIES:
        db = sqlite_database()
        cloud = Cloud(db, tmp_path_factory.mktemp(story.__name__), live_migration_seconds=0)
        story(listening(cloud, 'both'))
        found[story.__name__] = said(cloud)
        db.dispose()
    return found


@pytest.mark.parametrize(('story', 'expected'), STORIES, ids=[story.__name__ for story, _ in STORIES])
def test_what_is_told_in_which_order(told, story, expected):
    rows = told[story.__name__]
    assert [row.event_type for row in rows if row.versioned] == expected
    for row in rows:
        check(row)


def test_all_that_was_promised_is_told(told):
    seen = {row.event_type for rows in told.values() for row in rows if row.versioned}
    assert sorted(promised()) == sorted(seen)


def test_the_table_of_families_is_what_was_promised():
    assert dict(families.versioned_events()) == promised()


def test_the_guide_lists_them_all():
    guide = (Path(__file__).parents[2] / 'docs' / 'operator' / 'notifications.rst').read_text()
    found = re.findall(r'^``(\S+)`` +(–|[a-z, ]+?)(?: +``(\w+)``)?$', guide, re.MULTILINE)
    told = [(f'{name}.{phase}' if phase != '–' else name, payload)
            for name, phases, payload in found for phase in phases.split(', ')]
    assert {event: payload for event, payload in told if payload} == promised()
    assert sorted(event for event, payload in told if not payload) == sorted(families.flat_events())


def test_if_nobody_listens_nothing_is_asked_of_the_database(cloud):
    asked = []
    sa.event.listen(cloud.db.engine, 'before_cursor_execute', lambda *call: asked.append(call[2]))
    server = cloud.create(tags=('t',))
    do(cloud, server, power.stop, power.StopServer)
    do(cloud, server, change.update, change.UpdateServer, values={'name': 'other'})
    do(cloud, server, delete, DeleteServer)
    assert asked and not [statement for statement in asked if 'notifications' in statement or 'leases' in statement]
    assert not said(cloud)


@pytest.mark.parametrize('chosen', ['versioned', 'unversioned'])
def test_only_the_form_that_was_asked_for(cloud, chosen):
    server = listening(cloud, chosen).create()
    do(cloud, server, change.lock, change.LockServer)
    assert {row.versioned for row in said(cloud)} == {chosen == 'versioned'}
    assert len(said(cloud)) == (3 if chosen == 'versioned' else 2)


def test_volumes_are_listed_if_the_operator_wants_it(told):
    shown = [row.payload['nova_object.data']['block_devices'] for row in told['of_volumes']
             if row.versioned and row.event_type == 'instance.volume_detach.start']
    assert len(shown[0]) == 1
    assert {row.payload['nova_object.data'].get('block_devices') for row in told['life'] if row.versioned} == {None}


def test_a_failure_says_where_it_was(told):
    failed = next(row.payload['nova_object.data'] for row in told['failures'] if row.event_type == 'compute.exception')
    assert (failed['module_name'], failed['function_name'], failed['exception']) == (
        'nova_lite.virt.fake_faults', 'meet', 'HypervisorError')
    assert failed['traceback'].startswith('Traceback')


def test_who_did_it_and_where(told):
    create = next(row for row in told['life'] if row.event_type == 'instance.create.end')
    data = create.payload['nova_object.data']
    assert create.publisher_id == f'nova-compute:{data["host"]}' and data['state'] == 'active'
    assert data['action_initiator_user'] == create.context['user_id'] == 'ann'
    assert data['request_id'] == create.context['request_id']
    assert data['keypairs'][0]['nova_object.data']['name'] == 'k' and data['tags'] == ['t']
    lock = next(row for row in told['life'] if row.event_type == 'instance.lock')
    assert lock.publisher_id.startswith('nova-api:') and lock.payload['nova_object.data']['locked_reason'] == 'mine'
    first = next(row for row in told['updates'] if row.event_type == 'instance.update')
    assert first.payload['nova_object.data']['state_update']['nova_object.data'] == {
        'old_state': None, 'state': 'building', 'old_task_state': None, 'new_task_state': 'scheduling'}
