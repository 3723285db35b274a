# SPDX-License-Identifier: Apache-2.0
"""Servers that go from one host to another while they run, looked at from inside of their guests."""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.fixtures import processes
from tests.fixtures.two_hosts import BIGGER, HOSTS, Counter, Mover, TwoHosts

LEFT, RIGHT = HOSTS
#: More memory is changed in a second than can be copied in one.
BUSY = ('for i in 1 2; do dd if=/dev/urandom of=/tmp/busy$i bs=64k count=128 2>/dev/null; done; '
        '(while :; do cat /tmp/busy1 > /tmp/busy; cat /tmp/busy2 > /tmp/busy; done) & true')


@pytest.fixture(scope='module')
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoHosts]:
    """Both hosts and all that they need; nothing is left of any guest."""
    made = TwoHosts(tmp_path_factory.mktemp('two'))
    try:
        yield made.start()
        assert 'Traceback' not in made.commands['api'].output
    finally:
        made.stop()


@pytest.fixture
def server(cloud: TwoHosts) -> Iterator[Mover]:
    """One whose guest has booted on the left."""
    made = cloud.boot('mover')
    yield made
    made.delete()
    for host in HOSTS:
        assert cloud.left_on(host) == {'domains': [], 'files': []}


def is_only_on(cloud, server, host):
    """The API says so, and it is so."""
    other = RIGHT if host == LEFT else LEFT
    assert server.host == host
    assert cloud.left_on(host) == {'domains': [server.uuid], 'files': [server.uuid]}
    assert cloud.left_on(other) == {'domains': [], 'files': []}


def test_the_guest_notices_nothing(cloud, server):
    server.run('dd if=/dev/urandom of=/data/big bs=64k count=32 2>/dev/null; sync')
    before = server.run('md5sum /data/big; cat /sys/class/net/eth0/address; mount | grep -c iso9660 || true')
    counter = Counter(server)
    for host in (RIGHT, LEFT):
        server.migrate(host)
        server.wait_on_the_way()
        assert server.wait_settled()['status'] == 'completed'
        is_only_on(cloud, server, host)
        counter.reached(10)
        assert server.boot_id() == server.boot['boot-id']
        if host == RIGHT:
            counter.check()
            counter = Counter(server)
    counter.check()
    assert server.run('echo 3 > /proc/sys/vm/drop_caches; md5sum /data/big; cat /sys/class/net/eth0/address; '
                      'mount | grep -c iso9660 || true') == before
    server.act('reboot', {'type': 'SOFT'})
    assert server.wait_boot(server.boot['boot-id'])['boots'] == '2'


def test_a_migration_that_is_aborted_leaves_the_guest_alone(cloud, server):
    server.run(BUSY)
    counter = Counter(server)
    server.migrate()
    server.wait_on_the_way()
    assert cloud.left_on(RIGHT)['files'] == [server.uuid]
    seen = server.progress()
    assert seen['memory_total_bytes'] > 128 << 20 and seen['disk_total_bytes'] > 0
    assert server.user.ask('DELETE', f'/servers/{server.uuid}/migrations/{seen["id"]}').status_code == 202
    assert server.wait_settled()['status'] == 'cancelled'
    is_only_on(cloud, server, LEFT)
    counter.reached(10)
    counter.check()
    assert server.boot_id() == server.boot['boot-id']


def test_a_migration_that_never_ends_can_be_brought_to_its_end(cloud, server):
    server.run(BUSY)
    for host in (RIGHT, LEFT):
        counter = Counter(server)
        server.migrate()
        server.wait_on_the_way()
        answer = server.user.ask('POST', f'/servers/{server.uuid}/migrations/{server.progress()["id"]}/action',
                                 {'force_complete': None})
        assert answer.status_code == 202, answer.text
        assert server.wait_settled()['status'] == 'completed'
        is_only_on(cloud, server, host)
        counter.reached(10)
        counter.check()
    assert server.boot_id() == server.boot['boot-id']


@pytest.mark.parametrize('host', HOSTS)
def test_a_compute_that_is_killed_in_the_middle_is_taken_up_again(cloud, server, host):
    counter = Counter(server)
    server.migrate()
    server.wait_on_the_way()
    (worker,) = cloud.commands[host].children()
    os.kill(worker, signal.SIGKILL)
    found = server.wait_settled()
    assert found['status'] == 'completed'
    is_only_on(cloud, server, RIGHT)
    counter.reached(10)
    counter.check()
    assert server.boot_id() == server.boot['boot-id']


def test_a_source_that_does_not_come_back_keeps_nothing(cloud, server):
    server.migrate()
    server.wait_on_the_way()
    cloud.commands[LEFT].stop(signal.SIGKILL)
    assert server.wait_settled()['status'] == 'completed'
    assert server.host == RIGHT and server.boot_id() == server.boot['boot-id']
    assert cloud.left_on(RIGHT) == {'domains': [server.uuid], 'files': [server.uuid]}
    # What is left there is off, and is found when the host is back.
    cloud.launch(LEFT)
    processes.wait_until(lambda: cloud.left_on(LEFT) == {'domains': [], 'files': []}, 180, 'the old host to be clean')
    is_only_on(cloud, server, RIGHT)


def test_a_destination_that_does_not_come_back_has_the_guest_nevertheless(cloud, server):
    server.migrate()
    server.wait_on_the_way()
    cloud.commands[RIGHT].stop(signal.SIGKILL)
    assert server.wait_settled()['status'] == 'completed'
    assert server.host == RIGHT
    cloud.launch(RIGHT)
    processes.wait_until(lambda: cloud.up() == set(HOSTS), 60, 'the host to be back')
    assert server.boot_id() == server.boot['boot-id']
    is_only_on(cloud, server, RIGHT)


def test_a_server_goes_to_another_host_and_another_size_with_its_disk(cloud, server):
    server.run('echo kept > /data/file; sync')
    server.act('migrate', {'host': RIGHT})
    server.wait_settled('VERIFY_RESIZE')
    assert server.host == RIGHT
    server.act('revertResize')
    server.wait_settled()
    is_only_on(cloud, server, LEFT)
    server.act('resize', {'flavorRef': BIGGER})
    server.wait_settled('VERIFY_RESIZE')
    server.act('confirmResize')
    server.wait_settled()
    is_only_on(cloud, server, server.host)
    found = server.wait_boot(server.boot['boot-id'])
    assert (found['cpus'], server.run('cat /data/file')) == ('2', 'kept')


def test_a_server_is_made_anew_when_its_host_is_down(cloud, server):
    cloud.commands[LEFT].stop(signal.SIGKILL)
    processes.wait_until(lambda: cloud.up() == {RIGHT}, 60, 'the host to be missed')
    server.act('evacuate', {'host': RIGHT})
    server.wait_settled('SHUTOFF')
    server.act('os-start')
    server.wait_settled()
    assert server.wait_boot(server.boot['boot-id'])['boots'] == '1'
    cloud.launch(LEFT)
    processes.wait_until(lambda: cloud.left_on(LEFT) == {'domains': [], 'files': []}, 180, 'the old host to be clean')
    is_only_on(cloud, server, RIGHT)
