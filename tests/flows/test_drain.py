# SPDX-License-Identifier: Apache-2.0
"""SIGTERM: what is under way is finished, nothing new begins, and who only listens does not hold it up."""

import json
import os
import signal
import time

import pytest
import requests

from tests.fixtures import daemons, processes
from tests.fixtures import service as services
from tests.fixtures.user import HalfSent, Load, User

NOAUTH = '[api]\nauth_strategy = noauth2\n[quota]\nkey_pairs = -1\n'


def configured(directory, text=''):
    """Arguments of a nova-lite that believes everybody."""
    own = directory / 'own.conf'
    own.write_text(NOAUTH + text)
    return '--config-file', str(own)


def admin_of(service):
    return User(service.url, 'admin:project')


def half_a_server(user):
    """A request for a server of which the last byte is missing."""
    return HalfSent(user, 'POST', '/servers', {'server': {
        'name': 'late', 'imageRef': user.image, 'flavorRef': '42', 'networks': 'none'}})


@pytest.mark.parametrize('whole_group', [False, True], ids=['the launcher', 'every process'])
def test_a_request_in_flight_is_answered(tmp_path, whole_group):
    service = services.Service(tmp_path / 'state', '--workers', '2', *configured(tmp_path)).start()
    try:
        user = admin_of(service)
        requests_in_flight = [half_a_server(user) for _ in range(6)]
        # What was accepted is read: an answer to a later request says that the earlier ones have arrived.
        assert user.ask('GET', '/servers').ok
        if whole_group:
            os.killpg(service.pid, signal.SIGTERM)
        else:
            service.send(signal.SIGTERM)
        processes.wait_until(lambda: not services.answers(service.port), 20, 'no new requests')
        assert service.running()
        answers = [request.finish() for request in requests_in_flight]
        assert [status for status, _ in answers] == [202] * 6
        assert service.wait() == 0
    finally:
        service.stop()
    made = [json.loads(body)['server']['id'] for _, body in answers]
    with services.running(tmp_path / 'state', *configured(tmp_path)) as again:
        admin_of(again).wait_for(made, limit=90)


def test_idle_connections_do_not_hold_it_up(tmp_path):
    service = services.Service(tmp_path / 'state', *configured(tmp_path)).start()
    sessions = [requests.Session() for _ in range(5)]
    try:
        for session in sessions:
            assert admin_of(service).ask('GET', '/servers', session=session).ok
        begin = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - begin < 15
    finally:
        for session in sessions:
            session.close()
        service.stop()


def test_who_hangs_up_leaves_no_trace(tmp_path):
    with services.running(tmp_path / 'state', *configured(tmp_path)) as service:
        user = admin_of(service)
        for _ in range(3):
            half_a_server(user).close()
        # The one worker answers in turn, so it has dealt with the others by now.
        user.boot_and_delete()
        assert user.get('/servers') == {'servers': []}
        log = service.log()
    assert 'Traceback' not in log and ' ERROR ' not in log, log


def test_a_stuck_request_is_cut_off_in_the_end(tmp_path):
    service = services.Service(tmp_path / 'state', *configured(tmp_path, '[DEFAULT]\ngraceful_shutdown_timeout = 2\n'))
    service.start()
    stuck = half_a_server(admin_of(service))
    try:
        assert admin_of(service).ask('GET', '/servers').ok
        workers = service.children()
        begin = time.monotonic()
        service.send(signal.SIGTERM)
        assert service.wait() == 1
        assert time.monotonic() - begin >= 1.5
        daemons.wait_gone(workers)
    finally:
        stuck.close()
        service.stop()


def test_workers_can_be_replaced_one_by_one_under_load(tmp_path):
    service = services.Service(tmp_path / 'state', '--workers', '2', *configured(tmp_path)).start()
    try:
        user = admin_of(service)
        apis = service.children()[:2]
        with Load(lambda: user.ask('GET', '/flavors/detail')) as load:
            for _ in range(3):
                for pid in apis:
                    load.more(20)
                    known = set(service.children())
                    os.kill(pid, signal.SIGTERM)
                    processes.wait_until(lambda known=known: set(service.children()) - known, 30, 'another worker')
                    daemons.wait_gone([pid])
                    service.send(signal.SIGHUP)
                apis = service.children()[-2:]
            load.more(50)
        assert load.errors == []
        log = (service.state_dir / 'nova-lite.log').read_text()
        assert log.count('exited with status 0') == 6
    finally:
        assert service.stop() == 0


def test_work_of_a_host_is_finished(tmp_path):
    changes = daemons.merged(daemons.sqlite_and_sockets(tmp_path), daemons.without_keystone(tmp_path),
                             {'fake': {'delay': 2}})
    with daemons.running(tmp_path, changes) as running:
        user = running.user
        server = user.create('slow')
        processes.wait_until(lambda: user.show(server)['OS-EXT-STS:task_state'] == 'spawning', 20, 'spawning')
        assert running.commands['compute'].stop() == 0
        # It reported before it ended, and nobody else has done the work.
        assert user.show(server)['status'] == 'ACTIVE'
        running.launch('compute')
        running.wait_ready()
        user.delete(server)


def test_who_a_host_reports_to_is_there_until_it_has(tmp_path):
    service = services.Service(tmp_path / 'state', *configured(tmp_path, '[fake]\ndelay = 2\n')).start()
    try:
        user = admin_of(service)
        server = user.create('slow')
        processes.wait_until(lambda: user.show(server)['OS-EXT-STS:task_state'] == 'spawning', 20, 'spawning')
        assert service.stop() == 0
    finally:
        service.stop()
    with services.running(tmp_path / 'state', *configured(tmp_path)) as again:
        assert admin_of(again).show(server)['status'] == 'ACTIVE'
