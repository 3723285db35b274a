# SPDX-License-Identifier: Apache-2.0
"""``nova-manage verify`` on each database: finds what is wrong, and only that, and puts it right."""

import argparse
import datetime
import json
import uuid

import pytest
import sqlalchemy as sa

from nova_lite.cmd import verify as command
from nova_lite.db import tables
from nova_lite.db.queries import operations, server_groups
from nova_lite.db.queries.verify import CHECKS
from nova_lite.model import times
from nova_lite.ops import resize
from nova_lite.ops.delete import DeleteServer, delete
from tests.fixtures import disks, networks
from tests.fixtures.cloud import Cloud, context, image
from tests.fixtures.database import database, shared_database, sqlite_path

__all__ = ('database', 'shared_database', 'sqlite_path')


@pytest.fixture
def cloud(database, tmp_path):
    return Cloud(database, tmp_path)


@pytest.fixture
def verify(cloud, capsys):
    def run(**options):
        code = command.verify_(cloud.db, argparse.Namespace(
            **{'repair': False, 'check': None, 'json': True, **options}))
        return code, json.loads(capsys.readouterr().out)
    return run


def change(cloud, table, key=None, **values):
    table = tables.metadata.tables[table]
    with cloud.db.write() as conn:
        conn.execute(table.update().where(*(table.c[name] == value for name, value in (key or {}).items()))
                     .values(**values))


def test_a_busy_cloud_is_clean(cloud, verify):
    servers = [cloud.create() for _ in range(3)]
    delete(cloud.deps, context(), DeleteServer(servers[0]))
    resize.migrate(cloud.deps, context(), resize.MigrateServer(servers[1]))
    assert cloud.server(servers[1].uuid).vm_state == 'resized'
    for name in cloud.drivers:
        cloud.compute.hold(name)
    resize.migrate(cloud.deps, context(), resize.MigrateServer(servers[2]))
    cloud.create()
    assert verify() == (0, [])


def found(result):
    return [(row['check'], row['problem']) for row in result[1]]


def test_quota(cloud, verify):
    cloud.create()
    change(cloud, 'quota_usages', instances=7, ram=0)
    assert found(verify()) == [('quota', 'instances is 7 and must be 1, ram is 0 and must be 512')]
    code, rows = verify(repair=True)
    assert code == 0 and rows[0]['repair'] == 'booked 1 instances, 1 cores, 512 ram'
    assert cloud.usage() == (1, 1, 512) and verify() == (0, [])


def test_hosts(cloud, verify):
    server = cloud.create()
    change(cloud, 'hosts', {'host': server.host}, memory_mb_used=1, servers=0)
    assert found(verify()) == [('hosts', 'memory_mb is 1 and must be 512, servers is 0 and must be 1')]
    assert verify(repair=True)[0] == 0 and verify() == (0, [])
    cloud.check_books()


def test_allocations(cloud, verify):
    gone, moved, bare, fat = (cloud.create() for _ in range(4))
    places = {row.host: row.id for row in cloud.rows('hosts')}
    other = next(host for host in places if host != moved.host)
    table = tables.allocations
    with cloud.db.write() as conn:
        conn.execute(table.insert(), [
            {'server_uuid': 'nobody', 'host_id': places['h1'], 'vcpus': 1, 'memory_mb': 1, 'local_gb': 1,
             'created_at': times.utcnow()},
            {'server_uuid': moved.uuid, 'host_id': places[other], 'vcpus': 1, 'memory_mb': 1, 'local_gb': 1,
             'created_at': times.utcnow()}])
        conn.execute(table.delete().where(table.c.server_uuid == bare.uuid))
        conn.execute(table.update().where(table.c.server_uuid == fat.uuid).values(vcpus=9))
        conn.execute(tables.servers.update().where(tables.servers.c.uuid == gone.uuid).values(deleted=True))
    seen = found(verify(check=['allocations', 'claims', 'sizes']))
    assert sorted(name for name, _ in seen) == ['allocations'] * 3 + ['claims', 'sizes']
    assert ('sizes', f'of its room on host {fat.host} vcpus is 9 and must be 1') in seen
    code, rows = verify(repair=True)
    assert code == 0 and all(row['repair'] for row in rows)
    assert verify() == (0, [])
    assert len(cloud.rows('allocations')) == 3
    cloud.check_books()


def test_groups(cloud, verify):
    servers = [cloud.create() for _ in range(3)]
    with cloud.db.write() as conn:
        for policy, members in (('anti-affinity', servers[:2]), ('affinity', servers[2:])):
            uuid = server_groups.create(conn, {'project_id': 'red', 'user_id': 'ann', 'name': policy, 'policy': policy,
                                               'rules': {}})
            server_groups.add_members(conn, server_groups.get(conn, uuid).id, [one.uuid for one in members])
    assert verify() == (0, [])
    change(cloud, 'servers', {'uuid': servers[0].uuid}, host=servers[1].host)
    code, rows = verify(check=['groups'], repair=True)
    assert code == 1 and rows[0]['problem'] == f'2 members are on host {servers[1].host}, where 1 may be'
    assert rows[0]['repair'] is None
    change(cloud, 'server_groups', {'name': 'anti-affinity'}, policy='affinity')
    change(cloud, 'servers', {'uuid': servers[0].uuid}, host=servers[0].host)
    assert found(verify(check=['groups'])) == [('groups', 'its members are on 2 hosts and must be on one')]


def test_work(cloud, verify):
    stuck, lost, leaving, gone = (cloud.create() for _ in range(4))
    change(cloud, 'servers', {'uuid': stuck.uuid}, task_state='rebooting')
    change(cloud, 'servers', {'uuid': lost.uuid}, task_state=None, vm_state='building')
    change(cloud, 'servers', {'uuid': leaving.uuid}, task_state='deleting')
    delete(cloud.deps, context(), DeleteServer(gone))
    change(cloud, 'operations', {'server_uuid': gone.uuid, 'kind': 'build'}, state='pending',
           lease_until=times.utcnow() - datetime.timedelta(hours=1))
    code, rows = verify()
    assert code == 1 and sorted(row['check'] for row in rows) == ['overdue', 'pointless'] + ['tasks'] * 3
    code, rows = verify(repair=True)
    assert code == 0 and sorted(row['repair'] for row in rows) == [
        'cleared its task', 'ended it', 'put its delete on the work list again', 'set it to ERROR with a reason']
    assert cloud.server(stuck.uuid).task_state is None
    assert cloud.server(lost.uuid).fault['message'] == 'The build was lost: no operation was left of it.'
    cloud.age('operations', lease_until=1)
    cloud.sweeper.sweep()
    assert cloud.server(leaving.uuid).deleted
    assert verify() == (0, [])
    cloud.check_books()


def test_operations_that_nobody_sees(cloud, verify):
    cloud.conductor.held = []
    server = cloud.create()
    change(cloud, 'servers', {'uuid': server.uuid}, task_state=None)
    change(cloud, 'operations', lease_until=None)
    code, rows = verify(repair=True)
    assert code == 1 and [(row['check'], row['repair']) for row in rows] == [
        ('silent', None), ('overdue', 'made it due now')]
    change(cloud, 'operations', lease_until=times.utcnow() - datetime.timedelta(hours=1))
    assert [row['repair'] for row in verify(check=['overdue'], repair=True)[1]] == [None]


def test_what_is_found_may_be_gone_at_the_repair(cloud):
    server = cloud.create()
    change(cloud, 'servers', {'uuid': server.uuid}, task_state='rebooting')
    now = times.utcnow()
    with cloud.db.snapshot() as conn:
        ((check, finding),) = [(check, finding) for check in CHECKS for finding in check.find(conn, now)]
    change(cloud, 'servers', {'uuid': server.uuid}, task_state=None)
    assert cloud.db.transaction(check.repair, finding, now) == ''


def test_all_reads_see_one_moment(cloud):
    with cloud.db.snapshot() as conn:
        count = sa.select(sa.func.count()).select_from(tables.operations)
        assert conn.scalar(count) == 0
        row = {'kind': 'build', 'server_uuid': 'x', 'project_id': '', 'user_id': '', 'request_id': '',
               'action_id': None, 'state': 'done', 'step': '', 'attempt': 1, 'owner': None, 'lease_until': None,
               'params': {}, 'error': None, 'created_at': times.utcnow(), 'updated_at': times.utcnow(), 'id': 'x'}
        cloud.db.transaction(operations.insert, [row])
        assert conn.scalar(count) == 0


# ------------------------------------------------- of the embedded services

@pytest.fixture
def supplied(cloud):
    """A server with an interface and a volume, in a cloud that has both services."""
    networks.with_networks(cloud)
    disks.with_volumes(cloud)
    return cloud.create(disks=disks.plan({**disks.ROOT, 'uuid': image().id}, disks.NEW))


def test_a_server_with_supplies_is_clean(cloud, supplied, verify):
    assert len(cloud.rows('volume_attachments')) == 1
    assert len([row for row in cloud.rows('ports') if row.device_id == supplied.uuid]) == 1
    assert verify() == (0, [])
    delete(cloud.deps, context(), DeleteServer(cloud.server(supplied.uuid)))
    assert verify() == (0, [])


def test_ports(cloud, supplied, verify):
    known = supplied.interfaces
    change(cloud, 'servers', {'uuid': supplied.uuid}, interfaces=None)
    port = known[0]['port_id']
    assert found(verify()) == [('ports', f'it is of server {supplied.uuid}, which has no such interface')]
    change(cloud, 'ports', {'id': port}, ours=False)
    code, rows = verify(repair=True)
    assert (code, rows[0]['repair']) == (0, 'took it from the server') and verify() == (0, [])
    change(cloud, 'ports', {'id': port}, ours=True, device_id=supplied.uuid)
    change(cloud, 'servers', {'uuid': supplied.uuid}, deleted=True)
    assert ('ports', f'it is of server {supplied.uuid}, which is deleted') in found(verify(check=['ports']))
    code, rows = verify(repair=True, check=['ports'])
    assert (code, rows[0]['repair']) == (0, 'deleted it')
    assert port not in {row.id for row in cloud.rows('ports')}


def test_interfaces(cloud, supplied, verify):
    port = supplied.interfaces[0]['port_id']
    change(cloud, 'ports', {'id': port}, host='h9')
    assert found(verify()) == [('interfaces', f'its port {port} is at h9, the server at {supplied.host}')]
    change(cloud, 'ports', {'id': port}, device_id='')
    assert found(verify()) == [('interfaces', f'its port {port} is of nobody')]
    with cloud.db.write() as conn:
        conn.execute(sa.delete(tables.ports).where(tables.ports.c.id == port))
    assert found(verify()) == [('interfaces', f'its port {port} is gone')]


def test_interfaces_of_a_network_service_that_is_not_ours(cloud, supplied, verify):
    foreign = [{**supplied.interfaces[0], 'network_id': str(uuid.uuid4()), 'port_id': 'there'}]
    with cloud.db.write() as conn:
        conn.execute(sa.delete(tables.ports).where(tables.ports.c.device_id == supplied.uuid))
    change(cloud, 'servers', {'uuid': supplied.uuid}, interfaces=foreign)
    assert verify() == (0, [])


def test_attachments_and_devices(cloud, supplied, verify):
    volume = cloud.rows('volumes')[0].uuid
    known = supplied.block_devices
    change(cloud, 'servers', {'uuid': supplied.uuid}, block_devices=None)
    assert found(verify()) == [('attachments', f'it is attached to server {supplied.uuid}, which does not have it')]
    assert verify(repair=True)[1][0]['repair'] == 'detached it'
    assert disks.status(cloud, volume) == ('available', 0) and verify() == (0, [])
    change(cloud, 'servers', {'uuid': supplied.uuid}, block_devices=known)
    assert found(verify()) == [('devices', f'its volume {volume} is not attached to it')]


def test_volumes(cloud, supplied, verify):
    change(cloud, 'volumes', status='available')
    assert found(verify()) == [('volumes', 'it is available and must be in-use')]
    assert verify(repair=True)[1][0]['repair'] == 'set it to in-use' and verify() == (0, [])


def test_volume_quota(cloud, supplied, verify):
    change(cloud, 'volume_usages', gigabytes=9)
    assert found(verify()) == [('volume_quota', 'gigabytes is 9 and must be 1')]
    assert verify(repair=True)[1][0]['repair'] == 'booked 1 volumes, 0 snapshots, 1 gigabytes'
    assert verify() == (0, [])


def test_what_is_being_done_is_left_alone(cloud, supplied, verify):
    change(cloud, 'servers', {'uuid': supplied.uuid}, interfaces=None, block_devices=None)
    row = cloud.rows('operations')[-1]
    with cloud.db.write() as conn:
        operations.insert(conn, [operations.successor(row, 'attach_volume', {}, times.utcnow(), times.utcnow())])
    assert verify() == (0, [])
