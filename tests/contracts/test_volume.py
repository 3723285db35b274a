# SPDX-License-Identifier: Apache-2.0
"""What the volume service promises to the rest of the program, on each database.

Every change is there as a whole or not at all, however many ask at once and whichever process ends in between.
"""

import os

import pytest

from nova_lite import errors
from nova_lite.clients.volume import NoVolumes, VolumeWish, no_volumes
from nova_lite.db import tables
from nova_lite.db.queries import volumes
from nova_lite.embedded.volume_work import lease
from nova_lite.model import times
from tests.fixtures.database import database, shared_database, sqlite_path
from tests.fixtures.parallel import in_parallel
from tests.fixtures.volumes import Shelf, person, some_server

__all__ = ('database', 'shared_database', 'sqlite_path')

GIB = 1 << 30
RED, BLUE, ADMIN = person('red'), person('blue'), person('white', 'admin')


@pytest.fixture
def shelf(database, tmp_path):
    return Shelf(database, tmp_path)


def at_once(count, work):
    """What each of so many threads that begin at the same moment got, or what it was told."""
    return in_parallel(count, work, count)


def good(results):
    return [result for result in results if not isinstance(result, Exception)]


# ------------------------------------------------------------------- volumes


def test_a_volume_is_made_found_changed_and_deleted(shelf):
    made = shelf.make(2, name='one', description='first', metadata={'a': 'b'})
    assert (made.status, made.size, made.bootable, made.volume_type) == ('available', 2, False, '__DEFAULT__')
    file = shelf.folder / f'volume-{made.id}'
    assert (file.stat().st_size, file.stat().st_mode & 0o777) == (2 * GIB, 0o600)
    assert file.stat().st_blocks < 100
    assert shelf.folder.stat().st_mode & 0o777 == 0o700
    assert shelf.usage() == (1, 0, 2)
    assert [one.id for one in shelf.port.list(RED)] == [made.id]
    assert shelf.port.update(RED, made.id, name='two', metadata={}).name == 'two'
    assert shelf.port.show(RED, made.id).metadata == {}
    shelf.port.delete(RED, made.id)
    assert not file.exists()
    assert shelf.usage() == (0, 0, 0)
    with pytest.raises(errors.VolumeNotFound):
        shelf.port.show(RED, made.id)


def test_what_belongs_to_others_is_not_there(shelf):
    made = shelf.make()
    snapshot = shelf.port.create_snapshot(RED, made.id)
    attachment = shelf.port.reserve(RED, made.id, some_server())
    calls = [
        lambda who: shelf.port.show(who, made.id), lambda who: shelf.port.delete(who, made.id),
        lambda who: shelf.port.update(who, made.id, name='x'), lambda who: shelf.port.reserve(who, made.id, 's'),
        lambda who: shelf.port.snapshot(who, snapshot.id), lambda who: shelf.port.delete_snapshot(who, snapshot.id),
        lambda who: shelf.port.attachment(who, attachment),
        lambda who: shelf.port.connect(who, attachment, {'host': 'h'}),
        lambda who: shelf.port.create(who, VolumeWish(1, snapshot_id=snapshot.id))]
    for call in calls:
        with pytest.raises(errors.NotFound):
            call(BLUE)
    assert shelf.port.list(BLUE) == ()
    assert [one.id for one in shelf.port.list(ADMIN, all_projects=True)] == [made.id]
    assert shelf.port.show(ADMIN, made.id).project_id == 'red'


def test_an_image_is_on_the_volume(shelf):
    image = shelf.image(b'boot' * 1000, os_type='linux')
    made = shelf.make(1, image_id=image)
    assert made.bootable
    assert made.source_image_id == image
    assert made.image_metadata['os_type'] == 'linux'
    assert shelf.bytes_of(made.id, 4004) == b'boot' * 1000 + b'\0' * 4
    assert (shelf.folder / f'volume-{made.id}').stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(('size', 'image', 'says'), [
    (1, {'min_disk': 2}, 'needs a volume of 2 GiB'),
    (1, {'disk_format': 'vmdk'}, 'format vmdk'),
    (0, {}, 'needs a volume of 1 GiB'),
])
def test_an_image_that_does_not_fit_is_refused(shelf, size, image, says):
    with pytest.raises(errors.Invalid, match=says):
        shelf.make(size, image_id=shelf.image(**image))
    assert shelf.usage() == (0, 0, 0)


def test_an_image_that_leans_on_another_file_is_refused(shelf):
    head = b'QFI\xfb' + (3).to_bytes(4, 'big') + (0x60).to_bytes(8, 'big') + (11).to_bytes(4, 'big') + bytes(80)
    made = shelf.make(1, image_id=shelf.image(head, disk_format='qcow2'))
    assert made.status == 'error'
    assert os.listdir(shelf.folder) == []


def test_a_snapshot_keeps_what_was_there(shelf):
    made = shelf.make(1, image_id=shelf.image(b'old'))
    snapshot = shelf.port.create_snapshot(RED, made.id, 'one', 'first')
    assert (snapshot.status, snapshot.size, snapshot.volume_id) == ('available', 1, made.id)
    assert shelf.usage() == (1, 1, 2)
    with (shelf.folder / f'volume-{made.id}').open('r+b') as file:
        file.write(b'new')
    again = shelf.make(2, snapshot_id=snapshot.id)
    assert (shelf.bytes_of(again.id, 3), again.bootable, again.snapshot_id) == (b'old', True, snapshot.id)
    assert (shelf.folder / f'volume-{again.id}').stat().st_size == 2 * GIB
    assert shelf.bytes_of(shelf.make(None, source_volume_id=made.id).id, 3) == b'new'
    with pytest.raises(errors.InvalidVolume):
        shelf.port.delete(RED, made.id)
    shelf.port.delete_snapshot(RED, snapshot.id)
    shelf.port.delete(RED, made.id)
    shelf.check_books()


def test_snapshots_go_with_their_volume_if_that_is_wanted(shelf):
    made = shelf.make()
    for _ in range(2):
        shelf.port.create_snapshot(RED, made.id)
    shelf.port.service.volumes.delete(RED, made.id, cascade=True)
    assert shelf.usage() == (0, 0, 0)
    assert os.listdir(shelf.folder) == []


def test_a_volume_grows(shelf):
    made = shelf.make(1)
    shelf.port.service.volumes.extend(RED, made.id, 3)
    assert (shelf.settled(made.id).size, shelf.settled(made.id).status) == (3, 'available')
    assert (shelf.folder / f'volume-{made.id}').stat().st_size == 3 * GIB
    assert shelf.usage() == (1, 0, 3)
    with pytest.raises(errors.Invalid):
        shelf.port.service.volumes.extend(RED, made.id, 3)
    attachment = shelf.port.reserve(RED, made.id, some_server())
    shelf.port.complete(RED, attachment)
    shelf.port.service.volumes.extend(RED, made.id, 4)
    assert shelf.settled(made.id).status == 'in-use'


def test_an_image_is_written_over_a_volume(shelf):
    made = shelf.make(1)
    attachment = shelf.port.reserve(RED, made.id, some_server())
    shelf.port.reimage(RED, made.id, shelf.image(b'fresh'))
    after = shelf.settled(made.id)
    assert (after.status, after.bootable, shelf.bytes_of(made.id, 5)) == ('reserved', True, b'fresh')
    assert shelf.port.attachment(RED, attachment).status == 'reserved'


def test_a_page_begins_where_it_is_asked_to(shelf):
    made = [shelf.make(name=str(number)).id for number in range(3)][::-1]
    assert [one.id for one in shelf.port.list(RED, limit=2)] == made[:2]
    assert [one.id for one in shelf.port.list(RED, limit=2, offset=2)] == made[2:]


# --------------------------------------------------------------- attachments


def test_a_volume_goes_to_a_server_and_comes_back(shelf):
    made, server = shelf.make(), some_server()
    attachment = shelf.port.reserve(RED, made.id, server)
    assert shelf.port.show(RED, made.id).status == 'reserved'
    with pytest.raises(errors.InvalidVolume):
        shelf.port.delete(RED, made.id)
    first = shelf.port.connect(RED, attachment, {'host': 'h1'})
    assert first == shelf.port.connect(RED, attachment, {'host': 'h1'})
    assert first['data']['device_path'] == str(shelf.folder / f'volume-{made.id}')
    assert shelf.port.show(RED, made.id).status == 'attaching'
    for _ in range(2):
        shelf.port.complete(RED, attachment, '/dev/vdb')
    after = shelf.port.show(RED, made.id)
    assert after.status == 'in-use'
    assert [(one.server_uuid, one.device, one.status) for one in after.attachments] == [
        (server, '/dev/vdb', 'attached')]
    with pytest.raises(errors.InvalidVolume):
        shelf.port.create_snapshot(RED, made.id)
    assert shelf.port.create_snapshot(RED, made.id, force=True).status == 'available'
    for _ in range(2):
        shelf.port.begin_detaching(RED, made.id)
    assert shelf.port.show(RED, made.id).status == 'detaching'
    shelf.port.roll_detaching(RED, made.id)
    assert shelf.port.show(RED, made.id).status == 'in-use'
    shelf.port.begin_detaching(RED, made.id)
    for _ in range(2):
        shelf.port.detach(RED, attachment)
    assert shelf.port.show(RED, made.id).status == 'available'
    with pytest.raises(errors.VolumeAttachmentNotFound):
        shelf.port.attachment(RED, attachment)


def test_only_one_of_fifty_servers_gets_a_volume(shelf):
    made = shelf.make()
    results = at_once(50, lambda number: shelf.port.reserve(RED, made.id, some_server()))
    assert len(good(results)) == 1
    assert all(isinstance(result, errors.InvalidVolume) for result in results if isinstance(result, Exception))
    assert len(shelf.port.show(RED, made.id).attachments) == 1


def test_one_key_is_one_attachment(shelf):
    made, server = shelf.make(), some_server()
    results = at_once(12, lambda number: shelf.port.reserve(RED, made.id, server, key='once'))
    assert len(set(results)) == 1
    assert len(shelf.port.show(RED, made.id).attachments) == 1


def test_a_server_that_moves_has_its_volume_twice(shelf):
    made, server = shelf.make(), some_server()
    first = shelf.port.reserve(RED, made.id, server, key='there')
    shelf.port.complete(RED, first)
    second = shelf.port.reserve(RED, made.id, server, key='here')
    shelf.port.connect(RED, second, {'host': 'h2'})
    assert shelf.port.show(RED, made.id).status == 'in-use'
    shelf.port.detach(RED, first)
    shelf.port.complete(RED, second)
    assert shelf.port.show(RED, made.id).status == 'in-use'
    shelf.port.detach(RED, second)
    assert shelf.port.show(RED, made.id).status == 'available'


def test_a_volume_is_kept_for_a_server_that_is_on_no_host(shelf):
    made, server = shelf.make(), some_server()
    attachment = shelf.port.reserve(RED, made.id, server)
    shelf.port.connect(RED, attachment, {'host': 'h1'})
    shelf.port.complete(RED, attachment, '/dev/vdb')
    for _ in range(2):
        kept = shelf.port.disconnect(RED, made.id, server)
        after = shelf.port.show(RED, made.id)
        assert (after.status, [one.id for one in after.attachments]) == ('reserved', [kept])
    with pytest.raises(errors.InvalidVolume):
        shelf.port.reserve(RED, made.id, some_server())
    assert shelf.port.disconnect(RED, made.id, some_server()) is None
    shelf.port.connect(RED, kept, {'host': 'h2'})
    shelf.port.complete(RED, kept, '/dev/vdb')
    assert shelf.port.show(RED, made.id).status == 'in-use'


def test_a_type_lets_several_servers_have_a_volume(shelf):
    shelf.port.service.types.create(ADMIN, {'name': 'many', 'description': None, 'is_public': True,
                                            'extra_specs': {'multiattach': '<is> True'}})
    made = shelf.make(volume_type='many')
    assert made.multiattach
    attachments = at_once(6, lambda number: shelf.port.reserve(RED, made.id, some_server()))
    for attachment in attachments:
        shelf.port.complete(RED, attachment)
    for attachment in attachments[1:]:
        shelf.port.detach(RED, attachment)
        assert shelf.port.show(RED, made.id).status == 'in-use'
    shelf.port.detach(RED, attachments[0])
    assert shelf.port.show(RED, made.id).status == 'available'


# ------------------------------------------------------- keys, quota and kills


def test_one_key_is_one_volume(shelf):
    results = at_once(8, lambda number: shelf.port.create(RED, VolumeWish(1, key='k' * 300)).id)
    assert len(set(results)) == 1
    assert shelf.usage() == (1, 0, 1)
    assert shelf.port.create(BLUE, VolumeWish(1, key='k' * 300)).id != results[0]
    made = results[0]
    snapshots = at_once(8, lambda number: shelf.port.create_snapshot(RED, made, key='s').id)
    assert len(set(snapshots)) == 1
    shelf.check_books()


def test_quota_is_exact_under_parallel_load(shelf):
    for name, value in (('volumes', 7), ('snapshots', 3), ('gigabytes', 20)):
        shelf.conf.set_override(f'{name}_per_project', value, group='embedded')
    made = good(at_once(16, lambda number: shelf.port.create(RED, VolumeWish(2)).id))
    assert len(made) == 7
    snapshots = good(at_once(8, lambda number: shelf.port.create_snapshot(RED, made[number % 7]).id))
    assert len(snapshots) == 3
    assert shelf.usage() == (7, 3, 20)
    with pytest.raises(errors.OverQuota, match='gigabytes'):
        shelf.port.service.volumes.extend(RED, made[0], 3)
    shelf.check_books()
    good(at_once(7, lambda number: shelf.port.service.volumes.delete(RED, made[number], cascade=True)))
    assert shelf.usage() == (0, 0, 0)
    assert len(shelf.port.list(RED)) == 0


def test_an_administrator_sets_limits(shelf):
    quotas = shelf.port.service.quotas
    quotas.set(None, {'volumes': 5})
    quotas.set('red', {'volumes': 1})
    assert (quotas.limits('red')['volumes'], quotas.limits('blue')['volumes']) == (1, 5)
    shelf.make()
    with pytest.raises(errors.OverQuota):
        shelf.make()
    quotas.forget('red')
    shelf.make()


def test_work_that_a_killed_process_left_is_done(shelf):
    """The rows as they are between their change and that of the file; then another process looks."""
    made, doomed = shelf.make(), shelf.make()
    with shelf.db.write() as conn:
        volumes.update(conn, made.id, status='creating', busy_until=lease())
        volumes.update(conn, doomed.id, status='deleting', busy_until=lease())
    (shelf.folder / f'volume-{made.id}').unlink()
    other = shelf.another()
    assert {one.status for one in other.list(RED)} == {'creating', 'deleting'}
    other.take_up()
    assert [(one.id, one.status) for one in other.list(RED)] == [(made.id, 'available')]
    assert [entry.name for entry in shelf.folder.iterdir()] == [f'volume-{made.id}']
    shelf.check_books()


def test_who_took_too_long_does_not_write_over_a_volume(shelf):
    made = shelf.make()
    with shelf.db.write() as conn:
        volumes.update(conn, made.id, status='creating', busy_until=times.utcnow())
    with shelf.db.read() as conn:
        late = volumes.get(conn, made.id)
    assert shelf.port.show(RED, made.id).status == 'available'
    with shelf.db.write() as conn:
        assert not volumes.end(conn, tables.volumes, made.id, late.busy_until, status='error')
    assert shelf.port.show(RED, made.id).status == 'available'


def test_a_deletion_that_cannot_be_done_shows(shelf):
    made = shelf.make()
    path = shelf.folder / f'volume-{made.id}'
    path.unlink()
    path.mkdir()
    shelf.port.delete(RED, made.id)
    assert shelf.port.show(RED, made.id).status == 'error_deleting'
    path.rmdir()
    shelf.port.service.volumes.delete(ADMIN, made.id, force=True)
    assert shelf.usage() == (0, 0, 0)


def test_files_of_volumes_that_are_not_there_are_removed(shelf):
    kept = shelf.make()
    stray, fresh = shelf.folder / 'volume-stray', shelf.folder / 'volume-fresh'
    for path in (stray, fresh, shelf.folder / 'volume-half.x.part'):
        path.touch()
    for path in (stray, shelf.folder / 'volume-half.x.part', shelf.folder / f'volume-{kept.id}'):
        os.utime(path, (0, 0))
    shelf.another().list(RED)
    assert {path.name for path in shelf.folder.iterdir()} == {f'volume-{kept.id}', 'volume-fresh'}
    shelf.another().take_up()
    assert {path.name for path in shelf.folder.iterdir()} == {f'volume-{kept.id}'}


def test_without_a_volume_service_everything_is_refused():
    port = no_volumes()
    assert isinstance(port, NoVolumes)
    assert not port.is_there
    port.take_up()
    for name in ('show', 'list', 'create', 'reserve', 'detach'):
        with pytest.raises(errors.NoVolumeService):
            getattr(port, name)(RED)
