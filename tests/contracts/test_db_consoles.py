# SPDX-License-Identifier: Apache-2.0
"""Console tokens, encrypted passwords, what hosts can do, and counting what was put aside, on each database."""

import datetime

import pytest

from nova_lite.db.queries import capabilities, consoles, hosts, operations, quotas, server_passwords, servers
from nova_lite.model import times
from tests.fixtures import rows
from tests.fixtures.database import database, shared_database, sqlite_path

__all__ = ('database', 'shared_database', 'sqlite_path')

MINUTE = datetime.timedelta(minutes=1)


def put(db, token, server_uuid, expires_at, **more):
    with db.write() as conn:
        consoles.insert(conn, token, {'console_type': 'novnc', 'server_uuid': server_uuid, 'host': 'h', 'port': 5900,
                                      'expires_at': expires_at, **more}, times.utcnow())


def found(db, token):
    with db.read() as conn:
        return consoles.get(conn, token, times.utcnow())


def test_a_token_opens_until_its_time_or_its_server_ends(database):
    now = times.utcnow()
    put(database, 'one', 'server-1', now + MINUTE, tls_port=5901)
    put(database, 'two', 'server-2', now + MINUTE)
    put(database, 'late', 'server-1', now - MINUTE)
    assert (found(database, 'one').port, found(database, 'one').tls_port, found(database, 'two').tls_port) == (
        5900, 5901, None)
    assert found(database, 'late') is None and found(database, 'ONE') is None
    with database.write() as conn:
        consoles.forget(conn, 'server-1')
    assert found(database, 'one') is None and found(database, 'two') is not None


def test_a_token_is_taken_once_and_by_its_kind(database):
    put(database, 'once', 'server-3', times.utcnow() + MINUTE)

    def take(token, *kinds):
        return database.transaction(consoles.take, token, kinds, times.utcnow())

    assert take('once', 'serial') is None and take('other', 'novnc') is None
    assert take('once', 'serial', 'novnc').server_uuid == 'server-3'
    assert take('once', 'novnc') is None and found(database, 'once') is None


def test_where_servers_are_that_somebody_may_look_at(database):
    here, nowhere, gone, aside = (rows.server(**more) for more in (
        {'host': 'h1'}, {}, {'host': 'h1', 'deleted': True}, {'host': 'h1', 'vm_state': 'soft-delete'}))
    database.transaction(servers.insert, [here, nowhere, gone, aside])
    with database.read() as conn:
        assert servers.places(conn, {row['uuid'] for row in (here, nowhere, gone, aside)}) == {
            here['uuid']: 'h1', nowhere['uuid']: None}


def test_expired_tokens_are_swept_by_new_ones(database):
    with database.write() as conn:
        conn.execute(consoles.TOKENS.delete())
    put(database, 'late', 'server', times.utcnow() - MINUTE)
    put(database, 'new', 'server', times.utcnow() + MINUTE)
    with database.read() as conn:
        assert [row.token_hash for row in conn.execute(consoles.TOKENS.select())] == [consoles.hash_of('new')]


def test_a_password_is_one_of_several_memories(database):
    row = rows.server(system_metadata={'boot_roles': 'member'})
    with database.write() as conn:
        servers.insert(conn, [row, rows.server()])
        for word in ('a', 'b'):
            server_passwords.store(conn, row['uuid'], word)
        assert server_passwords.get(conn, row['uuid']) == 'b'
        server_passwords.store(conn, row['uuid'], '')
        assert server_passwords.get(conn, row['uuid']) == ''
        assert servers.get(conn, row['uuid']).system_metadata == {'boot_roles': 'member'}


@pytest.mark.parametrize(('told', 'able'), [(None, True), ([], False), (['pause'], True)])
def test_a_host_can_what_it_says_or_what_it_may(database, told, able):
    report = {'hypervisor_hostname': 'h', 'hypervisor_type': 'fake', 'hypervisor_version': 1, 'host_ip': '::1',
              'cpu_info': {}, 'traits': [], 'uptime': None, 'disk_available_least': 1, 'capabilities': told,
              **{f'{name}{suffix}': 1 for name in ('vcpus', 'memory_mb', 'local_gb') for suffix in ('', '_limit')}}
    with database.write() as conn:
        hosts.heard(conn, hosts.Report('able', 1, report), times.utcnow())
        assert capabilities.can(conn, 'able', 'pause') is able


def test_what_was_put_aside_is_not_counted(database):
    project = 'counted'
    states = (('active', None), ('soft-delete', None), ('soft-delete', 'restoring'), ('soft-delete', 'deleting'))
    with database.write() as conn:
        servers.insert(conn, [rows.server(project_id=project, vm_state=vm_state, task_state=task)
                              for vm_state, task in states])
        assert quotas.recount(conn, project)[project]['instances'] == 2
        assert quotas.usage_of_user(conn, project, 'ann')['instances'] == 2


def test_the_end_of_a_server_does_not_end_what_tidies_up_after_it(database):
    now = times.utcnow()
    with database.write() as conn:
        for number, kind in enumerate(('delete_image', 'stop', 'delete')):
            operations.insert(conn, [{
                'id': f'lasting-{number}', 'kind': kind, 'server_uuid': 'lasting', 'project_id': 'p', 'user_id': 'u',
                'request_id': 'req-1', 'action_id': None, 'state': operations.PENDING, 'step': '', 'attempt': 0,
                'owner': None, 'lease_until': now, 'params': {}, 'error': None, 'created_at': now, 'updated_at': now}])
        assert operations.supersede(conn, 'lasting', 'delete', now, keep='delete') == 1
        assert {row.kind for row in operations.open_of_server(conn, 'lasting')} == {'delete_image', 'delete'}
