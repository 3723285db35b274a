# SPDX-License-Identifier: Apache-2.0
"""Plays the calls of clients that are not written in Python, as they are written down in ``calls/``."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.fixtures import processes
from tests.fixtures import service as services

CALLS = sorted(Path(__file__).with_name('calls').glob('*.yaml'))
KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKtVPbFPOD5OXg2rqyXDYp8N5VOeGSoGcJNq3PuTfYlz me@here'


@pytest.fixture(scope='module')
def service(tmp_path_factory):
    with services.running(tmp_path_factory.mktemp('calls') / 'state') as running:
        yield running
        assert 'Traceback' not in running.log(), running.log()


class Play:
    """One sequence of calls, and the names that it has learnt."""

    def __init__(self, **known: str) -> None:
        self.known = known

    def run(self, step: dict[str, Any]) -> None:
        """One step; the assertion that fails names it."""
        seen: list[tuple[requests.Response, Any]] = []

        def goes_on() -> bool:
            seen[:] = [self._call(step)]
            return all(self._part(seen[0], path) == value for path, value in step.get('until', {}).items())

        processes.wait_until(goes_on, 30, step['what'])
        answer, body = seen[0]
        assert answer.status_code == step['answers'], f'{step["what"]}: {answer.status_code} {answer.text}'
        for path, value in step.get('expect', {}).items():
            assert self._part(seen[0], path) == self._filled(value), f'{step["what"]}: {path} in {body}'
        for name, path in step.get('save', {}).items():
            self.known[name] = self._part(seen[0], path)
            assert self.known[name], f'{step["what"]}: {path} in {body}'

    def _call(self, step: dict[str, Any]) -> tuple[requests.Response, Any]:
        method, url = self._filled(step['call']).split(' ', 1)
        answer = requests.request(method, url, headers=self._filled(step.get('headers', {})), timeout=30,
                                  json=self._filled(step.get('body')), allow_redirects=False)
        return answer, answer.json() if answer.text else None

    def _filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._filled(part) for key, part in value.items()}
        if isinstance(value, list):
            return [self._filled(part) for part in value]
        if isinstance(value, str):
            return re.sub(r'\{(\w+)}', lambda found: self.known[found[1]], value)
        return value

    @staticmethod
    def _part(seen: tuple[requests.Response, Any], path: str) -> Any:
        """``a.0.b``, ``a.[key=value].b``, or ``header Name``; None if there is no such part."""
        answer, part = seen
        if path.startswith('header '):
            return answer.headers.get(path.removeprefix('header '))
        for word in re.findall(r'\[[^]]*]|[^.]+', path):
            if word.startswith('['):
                key, value = word[1:-1].split('=')
                part = next((one for one in part if one[key] == value), None)
            elif isinstance(part, list):
                part = part[int(word)]
            else:
                part = (part or {}).get(word)
        return part


@pytest.mark.parametrize('file', CALLS, ids=lambda file: file.stem)
def test_calls_are_answered_as_their_client_expects(service, file):
    play = Play(auth_url=f'{service.url}/identity', user='demo', password=service.passwords()['demo'], project='demo',
                public_key=KEY)
    for step in yaml.safe_load(file.read_text())['steps']:
        play.run(step)


SDK = """
import json, sys, openstack
cloud = openstack.connect(cloud=sys.argv[1])
server = cloud.create_server('sdk', image='nova-lite-nano', flavor='m1.nano', wait=True,
                             timeout=60, meta={'role': 'test'})
seen = [server.status, server.metadata['role'], cloud.compute.get_server(server.id).name,
        [one.name for one in cloud.compute.servers(details=True)], cloud.get_server('sdk').id == server.id]
cloud.compute.stop_server(server)
cloud.compute.wait_for_server(cloud.compute.get_server(server.id), status='SHUTOFF', interval=0.2, wait=30)
cloud.compute.start_server(server)
cloud.compute.wait_for_server(cloud.compute.get_server(server.id), interval=0.2, wait=30)
proxy = cloud.compute.create_server(name='proxy', image_id=cloud.image.find_image('nova-lite-nano').id,
                                    flavor_id=cloud.compute.find_flavor('m1.nano').id, networks='none')
proxy = cloud.compute.wait_for_server(proxy, interval=0.2, wait=30)
seen.append(proxy.status)
cloud.compute.delete_server(proxy)
cloud.compute.wait_for_delete(proxy, interval=0.2, wait=30)
seen.append(cloud.delete_server('sdk', wait=True, timeout=60))
seen.append([one.name for one in cloud.compute.servers()])
print(json.dumps(seen))
"""


@pytest.mark.parametrize('cloud', ['nova-lite', 'nova-lite-demo'])
def test_openstacksdk_creates_waits_and_deletes(service, cloud):
    result = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', SDK, cloud], capture_output=True, text=True, timeout=240, check=False,
        env=services.environment({'OS_CLIENT_CONFIG_FILE': str(service.state_dir / 'clouds.yaml')}),
        cwd=os.path.dirname(service.state_dir))
    if 'No module named' in result.stderr:
        processes.missing('openstacksdk', 'python3-openstacksdk')
    assert result.returncode == 0, result.stderr
    assert yaml.safe_load(result.stdout) == ['ACTIVE', 'test', 'sdk', ['sdk'], True, 'ACTIVE', True, []]
