# SPDX-License-Identifier: Apache-2.0
"""The embedded network service keeps what every network service promises."""

import itertools

import pytest

from nova_lite.auth.context import service_context
from nova_lite.clients.network import EmbeddedNetworks
from nova_lite.db import Database
from nova_lite.embedded import network_ports
from nova_lite.model.networks import Network
from tests.fixtures.cloud import context
from tests.fixtures.database import database, shared_database, sqlite_path
from tests.fixtures.network_rows import make_network
from tests.fixtures.networks import add_network
from tests.promises.network import NetworkPromises

__all__ = ('database', 'shared_database', 'sqlite_path')


class Bench:
    """The service on a database."""

    def __init__(self, db: Database) -> None:
        self.client = EmbeddedNetworks(db)
        self.red, self.blue, self.service = context('red'), context('blue'), service_context()
        self.admin = context('white', roles=['admin'])
        self._db = db
        self._numbers = itertools.count(1)

    def network(self, name: str = 'net', **known: object) -> str:
        return add_network(self._db, name, **known)

    def port(self, network_id: str) -> str:
        return self._db.transaction(network_ports.make, network_ports.NewPort(network_id, 'red'))

    def routed(self, network_id: str) -> str:
        name = f'outside {next(self._numbers)}'
        make_network(self._db, name, '203.0.113.0/24', external=True, project_id='blue', shared=False)
        assert isinstance(self.client.network(self.red, network_id), Network)
        return name


class TestEmbedded(NetworkPromises):
    @pytest.fixture
    def bench(self, database):
        return Bench(database)
