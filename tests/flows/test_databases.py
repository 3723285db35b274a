# SPDX-License-Identifier: Apache-2.0
"""Daemons that start at the same moment on an empty database all succeed, on each kind of database."""

import signal

import pytest

from tests.fixtures import daemons, processes
from tests.fixtures.service import Command

KINDS = ['sqlite', pytest.param('postgresql_url', marks=pytest.mark.live),
         pytest.param('mariadb_url', marks=pytest.mark.live)]


@pytest.mark.parametrize('kind', KINDS)
def test_two_daemons_make_the_tables_of_one_database(tmp_path, request, kind):
    url = f'sqlite:///{tmp_path}/nova.sqlite' if kind == 'sqlite' else request.getfixturevalue(kind)
    changes = daemons.merged(daemons.sqlite_and_sockets(tmp_path), daemons.without_keystone(tmp_path),
                             {'database': {'connection': url}})
    one = daemons.Daemons(tmp_path, changes)
    second = Command(tmp_path / 'second.log', 'conductor', '--config-file', str(one.file))
    try:
        for name in ('api', 'conductor'):
            one.launch(name)
        second.start()
        one.launch('compute')
        one.wait_ready()
        processes.wait_until(lambda: 'nova-conductor takes work' in second.output, 60, 'second conductor')
        one.user.boot_and_delete()
        assert set(one.stop().values()) == {0} and second.stop() == 0
        assert 'Traceback' not in one.outputs() + second.output
    finally:
        second.stop(signal.SIGKILL)
        one.kill()
