# SPDX-License-Identifier: Apache-2.0
"""Cinder keeps what every volume service promises, and what only it does."""

import io
import uuid

import pytest

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.clients.cinder import CinderVolumes
from nova_lite.clients.image import image_client
from nova_lite.clients.volume import volume_client
from nova_lite.model.volumes import BUSY, VolumeWish
from tests.fixtures import processes
from tests.promises.volume import CONNECTOR, VolumePromises, some_server

LIMIT = 120.0


class Bench:
    """Cinder with volumes in files, and Glance for its images."""

    def __init__(self, desk):
        self.client = volume_client(desk.conf, None, None)
        self.red, self.blue, self.admin, self.service = desk.red, desk.blue, desk.admin, desk.service
        self._desk = desk
        self._images = image_client(desk.conf)
        self._folder = desk.openstack.base / 'cinder' / 'volumes'

    def make(self, size=1, **wish):
        return self.settled(self.client.create(self.red, VolumeWish(size, **wish)).id, self.red)

    def settled(self, volume_id, who=None):
        found = []

        def is_settled():
            found[:] = [self.client.show(who or self.service, volume_id)]
            return found[0].status not in BUSY

        processes.wait_until(is_settled, LIMIT, f'end of work on {volume_id}')
        return found[0]

    def settled_snapshot(self, snapshot_id):
        processes.wait_until(lambda: self.client.snapshot(self.red, snapshot_id).status == 'available', LIMIT)

    def gone(self, volume_id):
        def is_gone():
            try:
                self.client.show(self.red, volume_id)
            except errors.VolumeNotFound:
                return True
            return False

        processes.wait_until(is_gone, LIMIT, f'end of {volume_id}')

    def image(self, data):
        made = self._images.create(self.red, {'name': 'one', 'disk_format': 'raw', 'container_format': 'bare'})
        self._images.upload(self.red, made.id, io.BytesIO(data))
        return made.id

    def bytes_of(self, volume_id, count):
        with (self._folder / f'volume-{volume_id}').open('rb') as file:
            return file.read(count)

    def shared_type(self):
        name, url = f'many {uuid.uuid4().hex[:8]}', self._desk.openstack.url('cinder')
        answer = self._desk.openstack.ask('POST', f'{url}/v3/types', {'volume_type': {
            'name': name, 'extra_specs': {'multiattach': '<is> True'}}}, token=self.admin.auth_token)
        assert answer.ok, answer.text
        return name


@pytest.fixture(scope='module')
def bench(desk):
    assert isinstance(volume_client(desk.conf, None, None), CinderVolumes)
    return Bench(desk)


class TestCinder(VolumePromises):
    def test_nothing_is_made_in_the_name_of_the_service(self, bench):
        nobody = RequestContext(project_id=bench.red.project_id, overwrite=False)
        with pytest.raises(errors.Conflict, match='token of its owner'):
            bench.client.create(nobody, VolumeWish(1, key=str(uuid.uuid4())))
        key = str(uuid.uuid4())
        made = bench.make(key=key)
        assert bench.client.create(nobody, VolumeWish(1, key=key)).id == made.id

    def test_a_token_without_a_catalogue_finds_its_project(self, bench):
        carried = RequestContext.from_dict(bench.red.with_token().to_dict())
        assert carried.auth_token == bench.red.auth_token and not carried.service_catalog
        made = bench.settled(bench.client.create(carried, VolumeWish(1)).id)
        assert made.project_id == bench.red.project_id

    def test_a_reserved_volume_can_be_read_only(self, bench):
        made = bench.make()
        attachment = bench.client.reserve(bench.red, made.id, some_server(), mode='ro')
        bench.client.connect(bench.service, attachment, CONNECTOR)
        assert bench.client.attachment(bench.service, attachment).mode == 'ro'
