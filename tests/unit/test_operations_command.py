# SPDX-License-Identifier: Apache-2.0
"""``nova-manage operations``: what is listed, and what becomes of an operation that is begun again or given up."""

import json
import subprocess

import pytest

from nova_lite import errors
from nova_lite.cmd import manage
from nova_lite.db.queries import operations
from nova_lite.ops import resize
from tests.fixtures.cloud import context
from tests.fixtures.service import argv, environment


@pytest.fixture
def command(cloud, capsys):
    def run(*words):
        options = manage.parser().parse_args(['operations', *words])
        # Without the program around it, which may be configured once in a process.
        code = options.run.__wrapped__(cloud.db, options)
        out, err = capsys.readouterr()
        return code, out, err
    return run


def test_what_is_listed(cloud, command):
    assert command('list') == (0, 'There are no such operations.\n', '')
    server = cloud.create()
    cloud.conductor.held = []
    waiting = cloud.create(admin_password='hush')
    code, out, _ = command('list')
    lines = out.splitlines()
    assert code == 0 and len(lines) == 2 and lines[0].split()[:3] == ['ID', 'KIND', 'STATE']
    assert lines[1].split()[1:3] == ['build', 'pending'] and waiting.uuid in lines[1]
    both = json.loads(command('list', '--state', 'all', '--json')[1])
    assert [row['server'] for row in both] == [server.uuid, waiting.uuid]
    assert (both[0]['state'], both[0]['attempts']) == ('done', 1)
    assert json.loads(command('list', '--state', 'done', '--server', waiting.uuid, '--json')[1]) == []
    cloud.age('operations', created_at=3700)
    assert len(json.loads(command('list', '--older-than', '1h', '--json')[1])) == 1
    assert json.loads(command('list', '--older-than', '2h', '--json')[1]) == []
    assert len(json.loads(command('list', '--state', 'all', '--limit', '1', '--json')[1])) == 1


def test_one_is_shown_without_secrets(cloud, command):
    cloud.conductor.held = []
    server = cloud.create(admin_password='hush')
    (operation,) = cloud.rows('operations')
    for words in (('show', operation.id), ('show', operation.id, '--json')):
        code, out, _ = command(*words)
        assert code == 0 and server.uuid in out and 'hush' not in out
    with pytest.raises(errors.NotFound, match='no operation nothing'):
        command('show', 'nothing')


@pytest.mark.parametrize('words', [
    (), ('list', '--state', 'lost'), ('list', '--older-than', 'x'), ('show',), ('retry',)])
def test_what_is_not_understood(command, words):
    with pytest.raises(SystemExit) as end:
        command(*words)
    assert end.value.code == 1


def test_an_operation_is_begun_again(cloud, command):
    cloud.compute.dead = set(cloud.drivers)
    server = cloud.create()
    cloud.compute.dead = set()
    (operation,) = cloud.rows('operations')
    assert cloud.sweeper.sweep() == 0
    assert command('retry', operation.id)[0] == 0
    assert cloud.sweeper.sweep() == 1
    assert cloud.server(server.uuid).vm_state == 'active'
    code, out, err = command('retry', operation.id, 'nothing')
    assert (code, out) == (1, '') and err.splitlines() == [
        f'Operation {operation.id} is over: it is done.', 'There is no operation nothing.']


def test_a_build_is_given_up(cloud, command):
    for name in cloud.drivers:
        cloud.compute.hold(name)
    server = cloud.create()
    (operation,) = cloud.rows('operations')
    assert command('abandon', operation.id)[0] == 0
    cloud.sweeper.sweep()
    ended = cloud.server(server.uuid)
    assert (ended.vm_state, ended.task_state) == ('error', None)
    assert ended.fault['message'] == 'The build was given up: an administrator abandoned it.'
    # The host comes with its report, and removes what it made.
    for name in cloud.drivers:
        cloud.compute.release(name)
    assert cloud.server(server.uuid).vm_state == 'error' and not any(d.guests() for d in cloud.drivers.values())
    assert command('abandon', operation.id)[0] == 1
    cloud.check_books()


def test_a_migration_is_undone(cloud, command):
    server = cloud.create()
    for name in cloud.drivers:
        cloud.compute.hold(name)
    resize.migrate(cloud.deps, context(), resize.MigrateServer(server))
    operation = cloud.rows('operations')[-1]
    assert command('abandon', operation.id)[0] == 0
    cloud.sweeper.sweep()
    for name in cloud.drivers:
        cloud.compute.release(name)
    cloud.sweeper.sweep()
    now = cloud.server(server.uuid)
    assert (now.vm_state, now.task_state, now.host) == ('active', None, server.host)
    assert cloud.usage() == (1, 1, 512)
    cloud.check_books()


def test_what_nobody_waits_for_is_given_up_too(cloud, command):
    cloud.create()
    (build,) = cloud.rows('operations')
    chore = operations.successor(build, 'delete_image', {'image_id': 'x'}, build.created_at, build.created_at)
    cloud.db.transaction(operations.insert, [chore])
    assert command('abandon', chore['id'])[0] == 0
    cloud.sweeper.sweep()
    assert {row.kind: row.state for row in cloud.rows('operations')} == {'build': 'done', 'delete_image': 'failed'}


def test_the_program(cloud, tmp_path):
    (tmp_path / 'nova.conf').write_text(f'[database]\nconnection = {cloud.db.engine.url}\n')
    server = cloud.create()

    def run(*words):
        return subprocess.run(argv('manage', '--config-file', str(tmp_path / 'nova.conf'), *words), check=False,
                              capture_output=True, text=True, timeout=60, env=environment())

    listed = run('operations', 'list', '--state', 'all')
    assert listed.returncode == 0 and server.uuid in listed.stdout
    lost = run('operations', 'show', 'nothing')
    assert (lost.returncode, lost.stdout, lost.stderr) == (1, '', 'nova-manage: There is no operation nothing.\n')
