# SPDX-License-Identifier: Apache-2.0
"""SIGUSR2: any process writes what it is doing, tells no secret, and goes on."""

import os
import signal

import pytest

from tests.fixtures import daemons, processes

SECRET = 'swordfish-4711'
THREADS = {'NOVA_LITE_BACKEND': 'threading'}


def local(directory, *more):
    return daemons.merged(daemons.sqlite_and_sockets(directory), daemons.without_keystone(directory), {
        'keystone_authtoken': {'auth_type': 'password', 'auth_url': 'http://127.0.0.1:9/', 'password': SECRET},
        'conductor': {'workers': 1}, 'DEFAULT': {'osapi_compute_workers': 1}}, *more)


@pytest.mark.parametrize('env', [{}, THREADS], ids=['green threads', 'native threads'])
def test_a_report_goes_to_stderr(tmp_path, env):
    with daemons.running(tmp_path, local(tmp_path), env) as one:
        for command in one.commands.values():
            for number, pid in enumerate([command.pid, *command.children()], 1):
                os.kill(pid, signal.SIGUSR2)
                processes.wait_until(lambda command=command, number=number: (
                    command.output.count('Guru Meditation') == number == command.output.count(LAST_LINE)),
                    30, f'report of {pid}')
            said = command.output
            assert 'nova-lite' in said and 'Threads' in said and 'state_path' in said
            assert SECRET not in said
        one.user.boot_and_delete()


# The last section is the configuration, its groups and their options in order.
LAST_LINE = 'tcp_keepidle = '


def test_a_report_goes_to_a_directory(tmp_path):
    reports = tmp_path / 'reports'
    reports.mkdir()
    with daemons.running(tmp_path, local(tmp_path, {'oslo_reports': {'log_dir': reports}})) as one:
        (pid,) = one.commands['api'].children()
        os.kill(pid, signal.SIGUSR2)
        processes.wait_until(lambda: any(path.stat().st_size for path in reports.iterdir()), 30, 'a report')
        (report,) = reports.iterdir()
        processes.wait_until(lambda: 'Configuration' in report.read_text(), 30, 'the whole report')
        assert report.name.startswith(f'nova-api-{pid}_')
        assert 'Guru Meditation' not in one.commands['api'].output
        one.user.boot_and_delete()
