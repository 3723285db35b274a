# SPDX-License-Identifier: Apache-2.0
"""The embedded volume service keeps what every volume service promises."""

import pytest

from nova_lite.auth.context import service_context
from tests.fixtures.database import database, shared_database, sqlite_path
from tests.fixtures.volumes import Shelf, person
from tests.promises.volume import VolumePromises

__all__ = ('database', 'shared_database', 'sqlite_path')


class Bench(Shelf):
    """The service on a database and a directory."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.client = self.port
        self.red, self.blue, self.admin = person('red'), person('blue'), person('white', 'admin')
        self.service = service_context()

    def gone(self, volume_id: str) -> None:
        """It is at once."""

    def settled_snapshot(self, snapshot_id: str) -> None:
        assert self.client.snapshot(self.red, snapshot_id).status == 'available'

    def shared_type(self) -> str:
        self.client.service.types.create(self.admin, {
            'name': 'many', 'description': None, 'is_public': True, 'extra_specs': {'multiattach': '<is> True'}})
        return 'many'


class TestEmbedded(VolumePromises):
    @pytest.fixture
    def bench(self, database, tmp_path):
        return Bench(database, tmp_path)
