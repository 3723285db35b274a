# SPDX-License-Identifier: Apache-2.0
"""The fixtures' promise: a test run leaves nothing behind, however it ends."""

import os
import signal
import subprocess
import sys

import pytest

from tests.fixtures import processes

RUN = """
import sys
from tests.fixtures import processes
base = processes.make_directory('test')
daemon = processes.Daemon(['sleep', '600'], base / 'log')
daemon.start()
print(daemon.pid, base, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize('signum', [signal.SIGKILL, signal.SIGTERM, None])
def test_servers_and_files_go_with_the_process_that_started_them(signum):
    with subprocess.Popen([sys.executable, '-c', RUN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        pid, base = run.stdout.readline().split()
        assert processes.group_exists(int(pid)) and os.path.isdir(base)
        if signum is None:
            run.stdin.close()
        else:
            run.send_signal(signum)
        run.wait(10)
    # A container's first process may reap nobody, so an ended process can stay as a zombie.
    processes.wait_until(lambda: not alive(int(pid)), 10)
    processes.wait_until(lambda: not os.path.exists(base), 10)


def alive(pid):
    try:
        with open(f'/proc/{pid}/stat') as stat:
            return stat.read().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False


def test_a_server_that_cannot_start_says_why(tmp_path):
    daemon = processes.Daemon(['sh', '-c', 'echo no such luck; exit 3'], tmp_path / 'log')
    daemon.start()
    with pytest.raises(processes.StartFailed, match='no such luck'):
        daemon.wait_ready(lambda: False)
    daemon.end()
