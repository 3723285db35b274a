# SPDX-License-Identifier: Apache-2.0
"""A conductor and an API of this release work with a compute of the one before, until that is upgraded, too."""

import signal
import sys

import pytest

from nova_lite.cmd import status
from nova_lite.db import schema
from nova_lite.db.queries import services
from nova_lite.rpc import versions
from tests.architecture.tree import ROOT
from tests.fixtures import daemons, processes
from tests.fixtures import database as databases
from tests.fixtures.service import Command


class EarlierCommand(Command):
    """A command of the release before."""

    @staticmethod
    def run_by(module, *arguments):
        return [sys.executable, '-W', 'ignore', '-m', 'tests.fixtures.earlier', f'nova_lite.cmd.{module}', *arguments]


def launch_earlier(cluster):
    """Start a nova-compute of the release before."""
    command = EarlierCommand(cluster.directory / 'compute.log', 'compute', '--config-file', str(cluster.file),
                             env={'PYTHONPATH': str(ROOT)})
    cluster.commands['compute'] = command.start()
    cluster.wait_ready()


def whole_life(user):
    """What passes through every kind of message to a host."""
    server = user.boot('upgraded')
    for body, wanted in (({'reboot': {'type': 'HARD'}}, 'ACTIVE'), ({'migrate': None}, 'VERIFY_RESIZE'),
                         ({'confirmResize': None}, 'ACTIVE'), ({'os-stop': None}, 'SHUTOFF')):
        assert user.ask('POST', f'/servers/{server}/action', body).status_code in (202, 204)
        processes.wait_until(lambda wanted=wanted: (lambda seen: seen['status'] == wanted and not seen[
            'OS-EXT-STS:task_state'])(user.show(server)), 30, f'{wanted} after {body}')
    assert user.ask('POST', f'/servers/{server}/action', {'os-getConsoleOutput': {}}).ok
    user.delete(server)


def compute_versions(cluster):
    db = databases.open_database(f'sqlite:///{cluster.directory}/nova.sqlite')
    with db.read() as conn:
        found = {row.version for row in services.page(conn) if row.binary == 'nova-compute'}
    db.dispose()
    return found


@pytest.fixture
def cluster(tmp_path):
    one = daemons.Daemons(tmp_path, daemons.merged(daemons.sqlite_and_sockets(tmp_path),
                                                   daemons.without_keystone(tmp_path), {'fake': {'hosts': 2}}))
    yield one
    one.kill()


def test_a_compute_of_the_release_before_is_spoken_to_as_it_understands(cluster):
    cluster.launch('conductor')
    cluster.launch('api')
    launch_earlier(cluster)
    assert compute_versions(cluster) == {versions.RELEASES[-2].service_version}
    whole_life(cluster.user)
    left = cluster.user.boot('left')
    # The compute is upgraded, and the others are told.
    assert cluster.commands['compute'].stop() == 0
    assert 'Incompatible' not in cluster.commands['compute'].output, cluster.commands['compute'].output
    cluster.launch('compute')
    cluster.wait_ready()
    processes.wait_until(lambda: compute_versions(cluster) == {versions.SERVICE_VERSION}, 30, 'the new version')
    cluster.signal(signal.SIGHUP)
    whole_life(cluster.user)
    cluster.user.delete(left)
    assert set(cluster.stop().values()) == {0}, cluster.outputs()
    assert 'Traceback' not in cluster.outputs(), cluster.outputs()


@pytest.mark.parametrize(('version', 'says'), [
    (versions.RELEASES[-2].service_version - 1, 'are older than'), (versions.RELEASES[-2].service_version, None),
    (versions.SERVICE_VERSION, None), (versions.SERVICE_VERSION + 1, 'are newer than')])
def test_services_that_do_not_fit_are_named_before_an_upgrade(tmp_path, version, says):
    db = databases.open_database(f'sqlite:///{tmp_path}/nova.sqlite')
    schema.upgrade(db)
    db.transaction(services.register, 'far', 'nova-conductor', version)
    problems = [problem for check in status.CHECKS if (problem := check(db))]
    assert len(problems) == (says is not None)
    assert all(says in problem and 'nova-conductor on far' in problem for problem in problems)
    db.dispose()
