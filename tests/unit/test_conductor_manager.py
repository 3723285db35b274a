# SPDX-License-Identifier: Apache-2.0
"""A conductor process: it listens, sweeps, says that it is alive, and stops."""

import threading
import time

from nova_lite.conductor.manager import ConductorManager
from nova_lite.ops.create import create
from tests.fixtures.cloud import context, wish


class Listener:
    def __init__(self):
        self.calls = []

    def start(self):
        self.calls.append('start')

    def stop(self):
        self.calls.append('stop')

    def wait(self):
        self.calls.append('wait')


def wait_for(true, seconds=20):
    """Poll, because what is waited for happens in another thread's transaction."""
    pause, end = threading.Event(), time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, 'It did not happen in time.'
        pause.wait(0.02)


def test_a_conductor_lives_and_stops(cloud):
    cloud.conf.set_override('sweep_interval', 0.1, group='conductor')
    cloud.conductor.away = True
    created = create(cloud.deps, context(), wish())
    cloud.age('operations', lease_until=60)
    listener, endpoints = Listener(), []

    def listen(endpoint):
        endpoints.append(endpoint)
        return listener

    manager = ConductorManager(cloud.conductor_deps, listen, 7)
    manager.start()
    try:
        wait_for(lambda: cloud.server(created.servers[0]['uuid']).vm_state == 'active')
        wait_for(lambda: [row.version for row in cloud.rows('services') if row.binary == 'nova-conductor'] == [7])
        manager.reset()
    finally:
        manager.stop()
        manager.wait()
    assert listener.calls[0] == 'start' and listener.calls[-2:] == ['stop', 'wait']
    names = {thread.name for thread in threading.enumerate()}
    wait_for(lambda: not names & {'sweeper'})
    manager.start()
    manager.stop()
    manager.wait()
    assert len(endpoints) == 2
