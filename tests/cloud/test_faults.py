# SPDX-License-Identifier: Apache-2.0
"""A server's life in which the n-th request to Neutron or Cinder fails, for each n: nothing of it is left in the end.

API, conductor and hosts are in this process and on a database of their own; the services are the real ones.  A request
fails before it is sent, or after it was done and only its answer is lost.
"""

import dataclasses
import itertools

import pytest

from nova_lite import errors
from nova_lite.clients.network import network_client
from nova_lite.clients.volume import volume_client
from nova_lite.conductor.runner import Runner
from nova_lite.conductor.service import ConductorEndpoint
from nova_lite.conductor.sweeper import Sweeper
from nova_lite.db import schema
from nova_lite.model import states
from nova_lite.model.block_devices import BLANK, IMAGE, LOCAL, VOLUME, Plan, Wish
from nova_lite.ops.create import create
from nova_lite.ops.delete import DeleteServer, delete
from tests.fixtures import database as databases
from tests.fixtures import processes
from tests.fixtures.cloud import Cloud, image, wish

LIMIT = 60.0
# More requests than a life needs; a life without a fault ends the test.
MOST = 60


class Fault:
    """Lets the n-th request of a wire fail."""

    def __init__(self, wire, number, done):
        self._wire, self._number, self._done = wire, number, done
        self._call = wire.call
        self.count = 0

    def __enter__(self):
        self._wire.call = self._faulty
        return self

    def __exit__(self, *error):
        self._wire.call = self._call

    def _faulty(self, *args, **more):
        self.count += 1
        if self.count != self._number:
            return self._call(*args, **more)
        if self._done:
            self._call(*args, **more)
        raise errors.Unavailable(reason='a fault of the test')


@pytest.fixture(scope='module')
def cloud(desk, tmp_path_factory):
    path = tmp_path_factory.mktemp('faults')
    db = databases.open_database(f'sqlite:///{path}/nova.sqlite')
    schema.upgrade(db)
    made = Cloud(db, path)
    parts = {'networks': network_client(desk.conf, None), 'volumes': volume_client(desk.conf, None, None)}
    made.deps = dataclasses.replace(made.deps, **parts)
    made.conductor_deps = dataclasses.replace(made.conductor_deps, **parts)
    made.runner = Runner(made.conductor_deps)
    made.conductor.endpoint = ConductorEndpoint(made.conductor_deps, made.runner)
    made.sweeper = Sweeper(made.conf, made.runner)
    yield made
    db.dispose()


@pytest.fixture(scope='module')
def network(desk):
    url = f'{desk.openstack.url("neutron")}/v2.0'
    made = desk.openstack.ask('POST', f'{url}/networks', {'network': {'name': 'faults'}}, desk.red.auth_token)
    network_id = made.json()['network']['id']
    desk.openstack.ask('POST', f'{url}/subnets', {'subnet': {
        'network_id': network_id, 'cidr': '192.0.2.0/24', 'ip_version': 4}}, desk.red.auth_token)
    return network_id


def beat(cloud):
    """The hosts are up, however long the services take."""
    for name in cloud.services:
        cloud.beat(name)


def settle(cloud, over):
    """Let conductors go on until ``over()``."""
    def on():
        beat(cloud)
        cloud.age('operations', lease_until=1000)
        cloud.sweeper.sweep()
        return over()

    processes.wait_until(on, LIMIT, 'end of the operation')


def live(cloud, who, fault, **wished):
    """One life, however far it comes; the id of the server, if there ever was one."""
    beat(cloud)
    with fault:
        try:
            made = create(cloud.deps, who, wish(**wished))
        except errors.Unavailable:
            return None
        uuid = made.servers[0]['uuid']
        settle(cloud, lambda: cloud.server(uuid).vm_state != states.BUILDING)
        delete(cloud.deps, who, DeleteServer(cloud.server(uuid)))
        settle(cloud, lambda: cloud.server(uuid).deleted)
    # What was put on the list of things to give back.
    settle(cloud, lambda: all(row.state in ('done', 'failed') for row in cloud.rows('operations')))
    return uuid


@pytest.mark.parametrize('done', [False, True], ids=['not sent', 'answer lost'])
def test_the_nth_request_to_neutron(cloud, desk, network, done):
    wire = cloud.deps.networks._wire
    for number in itertools.count(1):
        assert number < MOST
        fault = Fault(wire, number, done)
        uuid = live(cloud, desk.red, fault, networks=[{'uuid': network}, {'uuid': network, 'tag': 'nic'}])
        assert uuid is None or wire.find(desk.service, 'ports', [('device_id', uuid)], own=True) == []
        if fault.count < number:
            break
    ports = wire.find(desk.service, 'ports', [('network_id', network)], own=True)
    assert [port for port in ports if port['device_owner'].startswith('compute:')] == []
    assert number > 5


@pytest.mark.parametrize('done', [False, True], ids=['not sent', 'answer lost'])
def test_the_nth_request_to_cinder(cloud, desk, done):
    wire = cloud.deps.volumes._wire
    disks = Plan((Wish(IMAGE, LOCAL, image().id, 0, delete_on_termination=True),
                  Wish(BLANK, VOLUME, size=1, delete_on_termination=True)))
    before = {volume.id for volume in cloud.deps.volumes.list(desk.red)}
    for number in itertools.count(1):
        assert number < MOST
        fault = Fault(wire, number, done)
        live(cloud, desk.red, fault, networks='none', disks=disks)
        if fault.count < number:
            break

    def left():
        return {volume.id for volume in cloud.deps.volumes.list(desk.red)} - before

    # Cinder deletes when it comes to it.
    processes.wait_until(lambda: not left(), LIMIT, 'end of the volumes')
    assert number > 5
