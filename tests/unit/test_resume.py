# SPDX-License-Identifier: Apache-2.0
"""A compute host that restarts goes on at once with what it was given before."""

import pytest

from nova_lite.compute.report import Host, host_report
from nova_lite.compute.service import ComputeService
from nova_lite.conductor import heartbeat
from nova_lite.ops.delete import DeleteServer, delete
from nova_lite.ops.power import StopServer, stop
from tests.fixtures import moves
from tests.fixtures.cloud import Cloud, context


@pytest.fixture
def cloud(db, tmp_path):
    return Cloud(db, tmp_path, names=('h1',))


def test_work_that_died_with_its_host(cloud):
    cloud.compute.dead = {'h1'}
    server = cloud.create()
    cloud.compute.dead = set()
    cloud.beat('h1')
    assert cloud.server(server.uuid).vm_state == 'building'
    moves.restart(cloud)
    assert cloud.server(server.uuid).vm_state == 'active'
    assert [operation.attempt for _, operation in cloud.compute.sent] == [1, 2]
    sent = len(cloud.compute.sent)
    moves.restart(cloud)
    assert len(cloud.compute.sent) == sent
    cloud.check_books()


def test_each_server_is_what_was_asked_for(cloud):
    servers = [cloud.create() for _ in range(3)]
    cloud.compute.dead = {'h1'}
    stop(cloud.deps, context(), StopServer(servers[0]))
    delete(cloud.deps, context(), DeleteServer(servers[1]))
    cloud.compute.dead = set()
    moves.restart(cloud)
    assert cloud.server(servers[0].uuid).vm_state == 'stopped'
    assert cloud.server(servers[1].uuid).deleted
    assert cloud.server(servers[2].uuid).vm_state == 'active'
    cloud.check_books()


def test_what_is_more_than_can_wait_is_left_to_the_sweepers(cloud, monkeypatch):
    monkeypatch.setattr(heartbeat, 'RESUMED', 1)
    cloud.compute.dead = {'h1'}
    servers = [cloud.create() for _ in range(3)]
    cloud.compute.dead = set()
    moves.restart(cloud)
    assert sorted(cloud.server(one.uuid).vm_state for one in servers) == ['active', 'building', 'building']
    assert cloud.sweeper.sweep() == 2
    assert {cloud.server(one.uuid).vm_state for one in servers} == {'active'}


def test_only_the_first_report_says_so(cloud):
    def said(worker):
        return host_report(cloud.conf, Host('h1', cloud.drivers['h1'], worker), 1).operations

    assert said(cloud.services['h1'].worker) == []
    started = ComputeService(cloud.conf, 'h1', cloud.drivers['h1'], cloud.conductor, cloud.images)
    assert said(started.worker) is False
    cloud.services['h1'] = started
    cloud.beat('h1')
    assert said(started.worker) == []
