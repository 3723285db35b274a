# SPDX-License-Identifier: Apache-2.0
"""What a worker leaves behind, as it does guests, belongs to the launcher, which collects it when it ends.

Who waits for the end of such a process would else wait for the first process of the machine to collect it.
"""

import os
import sys

import pytest

from tests.fixtures import processes

# A service that starts a process, and lets go of it: that ends when it has got another parent.
SERVICE = """
import os
from nova_lite import concurrency
concurrency.start('eventlet')
from oslo_config import cfg
from nova_lite.cmd import launch

class Service:
    def start(self):
        between = os.fork()
        if between:
            os.waitpid(between, 0)
            return
        between = os.getpid()
        if os.fork():
            os._exit(0)
        while os.getppid() == between:
            pass
        print(os.getpid(), os.getppid(), flush=True)
        os._exit(0)

    def stop(self):
        '''Nothing runs.'''

    wait = stop

conf = cfg.ConfigOpts()
conf([])
launch.run(conf, [launch.Part(Service(), lambda: 1)])
"""


@pytest.mark.skipif(sys.platform != 'linux', reason='only Linux has such parents')
def test_the_launcher_collects_the_orphans_of_workers(tmp_path):
    log = tmp_path / 'log'
    daemon = processes.Daemon([sys.executable, '-W', 'ignore', '-c', SERVICE], log, dict(os.environ))
    daemon.start()
    try:
        processes.wait_until(lambda: log.read_text().endswith('\n'), 30, 'the orphan to speak')
        orphan, parent = map(int, log.read_text().split())
        assert parent == daemon.pid
        processes.wait_until(lambda: not os.path.exists(f'/proc/{orphan}'), 10, 'the orphan to be collected')
    finally:
        daemon.send(15)
        assert daemon.wait(30) == 0
        daemon.end()
