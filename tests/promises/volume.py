# SPDX-License-Identifier: Apache-2.0
"""What every volume service promises.

A class that inherits this has a fixture ``bench``: ``client``; ``red`` and ``blue``, people of two projects; ``admin``;
``service``, who has no token; ``make(size, **wish)``, a volume of red that is there; ``settled(id)``, a volume when
nobody works on it any more; ``image(data)``, the id of an image of red; ``shared_type()``, the name of a type whose
volumes several servers may have; ``bytes_of(id, count)``.
"""

import uuid

import pytest

from nova_lite import errors
from nova_lite.model.volumes import VolumeWish

CONNECTOR = {'host': 'h1', 'ip': '127.0.0.1', 'platform': 'x86_64', 'os_type': 'linux', 'multipath': False,
             'mountpoint': '/dev/vdb'}


def some_server() -> str:
    """The id of a server."""
    return str(uuid.uuid4())


class VolumePromises:
    """Tests of one twin."""

    def test_a_volume_is_made_found_changed_and_deleted(self, bench):
        made = bench.make(1, name='one', description='first', metadata={'a': 'b'})
        assert (made.status, made.size, made.bootable, made.volume_type) == ('available', 1, False, '__DEFAULT__')
        assert made.metadata == {'a': 'b'} and made.project_id == bench.red.project_id
        assert made.id in [one.id for one in bench.client.list(bench.red)]
        assert bench.client.update(bench.red, made.id, name='two').name == 'two'
        bench.client.delete(bench.red, made.id)
        bench.gone(made.id)
        with pytest.raises(errors.VolumeNotFound):
            bench.client.show(bench.red, made.id)

    def test_what_belongs_to_others_is_not_there(self, bench):
        made = bench.make()
        for call in (lambda: bench.client.show(bench.blue, made.id), lambda: bench.client.delete(bench.blue, made.id),
                     lambda: bench.client.reserve(bench.blue, made.id, some_server())):
            with pytest.raises(errors.VolumeNotFound):
                call()
        assert made.id not in [one.id for one in bench.client.list(bench.blue)]
        assert made.id in [one.id for one in bench.client.list(bench.admin, all_projects=True)]
        for wrong, kind in ((VolumeWish(1, snapshot_id=str(uuid.uuid4())), errors.VolumeSnapshotNotFound),
                            (VolumeWish(None, source_volume_id=str(uuid.uuid4())), errors.VolumeNotFound)):
            with pytest.raises(kind):
                bench.client.create(bench.red, wrong)
        with pytest.raises(errors.VolumeTypeNotFound):
            bench.client.check_type(bench.red, 'no such type')
        bench.client.check_type(bench.red, '__DEFAULT__')

    def test_a_volume_goes_to_a_server_and_comes_back(self, bench):
        made, server = bench.make(), some_server()
        attachment = bench.client.reserve(bench.red, made.id, server)
        assert bench.client.show(bench.red, made.id).status == 'reserved'
        with pytest.raises(errors.InvalidVolume):
            bench.client.reserve(bench.red, made.id, some_server())
        with pytest.raises(errors.InvalidVolume):
            bench.client.delete(bench.red, made.id)
        first = bench.client.connect(bench.service, attachment, CONNECTOR)
        assert first == bench.client.connect(bench.service, attachment, CONNECTOR)
        assert first['driver_volume_type'] == 'local' and first['data']['device_path'].endswith(made.id)
        for _ in range(2):
            bench.client.complete(bench.service, attachment, '/dev/vdb')
        after = bench.client.show(bench.service, made.id)
        assert after.status == 'in-use'
        assert [(one.server_uuid, one.status) for one in after.attachments] == [(server, 'attached')]
        # The server goes to another host.
        bench.client.connect(bench.service, attachment, {**CONNECTOR, 'host': 'h2'})
        bench.client.complete(bench.service, attachment, '/dev/vdb')
        assert bench.client.show(bench.service, made.id).status == 'in-use'
        for _ in range(2):
            bench.client.begin_detaching(bench.service, made.id)
        assert bench.client.show(bench.service, made.id).status == 'detaching'
        bench.client.roll_detaching(bench.service, made.id)
        assert bench.client.show(bench.service, made.id).status == 'in-use'
        for _ in range(2):
            bench.client.detach(bench.service, attachment)
        assert bench.client.show(bench.red, made.id).status == 'available'
        with pytest.raises(errors.VolumeAttachmentNotFound):
            bench.client.attachment(bench.red, attachment)

    def test_a_volume_is_kept_for_a_server_that_is_on_no_host(self, bench):
        made, server = bench.make(), some_server()
        assert bench.client.disconnect(bench.service, made.id, server) is None
        attachment = bench.client.reserve(bench.red, made.id, server)
        bench.client.connect(bench.service, attachment, CONNECTOR)
        bench.client.complete(bench.service, attachment, '/dev/vdb')
        kept = bench.client.disconnect(bench.service, made.id, server)
        assert kept == bench.client.disconnect(bench.service, made.id, server)
        after = bench.client.show(bench.service, made.id)
        assert (after.status, [one.id for one in after.attachments]) == ('reserved', [kept])
        bench.client.connect(bench.service, kept, CONNECTOR)
        bench.client.complete(bench.service, kept)
        assert bench.client.show(bench.service, made.id).status == 'in-use'

    def test_one_key_is_one_thing(self, bench):
        key, server = str(uuid.uuid4()), some_server()
        made = {bench.client.create(bench.red, VolumeWish(1, key=key)).id for _ in range(2)}
        assert len(made) == 1
        (volume_id,) = made
        bench.settled(volume_id)
        snapshots = {bench.client.create_snapshot(bench.red, volume_id, key=key).id for _ in range(2)}
        assert len(snapshots) == 1
        attachments = {bench.client.reserve(who, volume_id, server, key=key) for who in (bench.red, bench.service)}
        assert len(attachments) == 1

    def test_a_snapshot_keeps_what_was_there(self, bench):
        made = bench.make(1, image_id=bench.image(b'old'))
        assert made.bootable and made.source_image_id
        assert bench.bytes_of(made.id, 3) == b'old'
        snapshot = bench.client.create_snapshot(bench.red, made.id, 'one')
        bench.settled_snapshot(snapshot.id)
        again = bench.make(2, snapshot_id=snapshot.id)
        assert (bench.bytes_of(again.id, 3), again.bootable, again.size) == (b'old', True, 2)
        assert bench.bytes_of(bench.make(None, source_volume_id=made.id).id, 3) == b'old'
        with pytest.raises(errors.VolumeSnapshotNotFound):
            bench.client.snapshot(bench.blue, snapshot.id)

    def test_an_image_is_written_over_a_volume_that_a_server_has(self, bench):
        made, server = bench.make(1), some_server()
        attachment = bench.client.reserve(bench.red, made.id, server)
        bench.client.connect(bench.service, attachment, CONNECTOR)
        bench.client.complete(bench.service, attachment, '/dev/vda')
        bench.client.reimage(bench.service, made.id, bench.image(b'fresh'))
        after = bench.settled(made.id)
        assert after.status in ('reserved', 'in-use') and bench.bytes_of(made.id, 5) == b'fresh'
        assert [one.server_uuid for one in bench.client.show(bench.service, made.id).attachments] == [server]

    def test_a_type_lets_several_servers_have_a_volume(self, bench):
        made = bench.make(volume_type=bench.shared_type())
        assert made.multiattach
        attachments = []
        for number in range(2):
            attachments.append(bench.client.reserve(bench.red, made.id, some_server()))
            bench.client.connect(bench.service, attachments[-1], {**CONNECTOR, 'host': f'h{number}'})
            bench.client.complete(bench.service, attachments[-1])
        bench.client.detach(bench.service, attachments[0])
        assert bench.client.show(bench.red, made.id).status == 'in-use'
        bench.client.detach(bench.service, attachments[1])
        assert bench.client.show(bench.red, made.id).status == 'available'

    def test_there_is_a_quota(self, bench):
        with pytest.raises(errors.OverQuota):
            bench.client.create(bench.red, VolumeWish(5000))
