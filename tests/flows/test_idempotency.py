# SPDX-License-Identifier: Apache-2.0
"""``Idempotency-Key`` on real processes: a killed API and a hundred impatient clients make one server."""

import contextlib
import json
import os
import signal
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.fixtures import daemons, hold, processes
from tests.fixtures.user import FLAVOR, LATEST

ROOT = Path(__file__).resolve().parents[2]
PASTE = ROOT / 'etc' / 'api-paste.ini'


def arranged(directory):
    """A paste file that can hold back answers."""
    text = PASTE.read_text()
    assert 'noauth2 osapi_compute_app_v21' in text
    text = text.replace('noauth2 osapi_compute_app_v21', 'noauth2 hold osapi_compute_app_v21')
    file = directory / 'hold.ini'
    file.write_text(f'{text}\n[filter:hold]\npaste.filter_factory = {hold.__name__}:factory\n')
    return {'wsgi': {'api_paste_config': file}}


@pytest.fixture(scope='module', params=['alone', pytest.param('cluster', marks=pytest.mark.live)])
def running(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp('idempotency')
    with contextlib.ExitStack() as stack:
        if request.param == 'alone':
            parts = daemons.sqlite_and_sockets(directory)
        else:
            server = request.getfixturevalue('postgresql')
            database = server.create_database()
            stack.callback(server.drop_database, database)
            parts = daemons.rabbit_and(server.url(database), request.getfixturevalue('rabbitmq'))
        yield stack.enter_context(daemons.running(
            directory, daemons.merged(parts, daemons.without_keystone(directory), arranged(directory)),
            {'PYTHONPATH': str(ROOT)}))


def post(running, key, name, **headers):
    user = running.user
    return requests.post(f'{user.url}/servers', timeout=60, headers={
        'X-Auth-Token': user.token, 'OpenStack-API-Version': f'compute {LATEST}', 'Idempotency-Key': key, **headers},
        json={'server': {'name': name, 'imageRef': user.image, 'flavorRef': FLAVOR, 'networks': 'none'}})


def named(running, name):
    return [server['id'] for server in running.user.get(f'/servers?name={name}')['servers']]


def test_an_api_that_is_killed_after_the_commit(running, tmp_path):
    key, told = str(uuid.uuid4()), tmp_path / 'answer'
    pids = running.commands['api'].children()
    lost = []

    def first():
        try:
            lost.append(post(running, key, 'held', **{hold.HEADER: str(told)}))
        except requests.RequestException as error:
            lost.append(error)

    client = threading.Thread(target=first)
    client.start()
    processes.wait_until(told.exists, 30, 'the answer that is held back')
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    client.join(30)
    assert isinstance(lost[0], requests.RequestException)
    processes.wait_until(running.user.answered, 30, 'an API')
    again = post(running, key, 'held')
    assert again.status_code == 202 and again.headers['Idempotent-Replayed'] == 'true'
    # Byte for byte what the dead one would have said, the password included.
    assert again.content == told.read_bytes()
    server = json.loads(told.read_bytes())['server']['id']
    assert named(running, 'held') == [server] and again.headers['Location'].endswith(f'/servers/{server}')
    running.user.wait_for([server])
    assert post(running, key, 'other').status_code == 409
    running.user.delete(server)
    assert post(running, key, 'held').content == told.read_bytes() and named(running, 'held') == []


def test_a_hundred_at_once(running):
    key = str(uuid.uuid4())
    assert running.user.image
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda _: post(running, key, 'crowd'), range(100)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert sum('Idempotent-Replayed' not in answer.headers for answer in answers) == 1
    (server,) = named(running, 'crowd')
    running.user.wait_for([server])
    running.user.delete(server)
