# SPDX-License-Identifier: Apache-2.0
"""Every compute command of the openstack client does what it is for, or is refused as Nova refuses it.

The list of commands is commands.csv; what is asked of each is in commands.yaml.
"""

import csv
import json
import re
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.fixtures import processes
from tests.fixtures import service as services
from tests.fixtures.shell import LIMIT, Shell

HERE = Path(__file__).parent
STORY = yaml.safe_load((HERE / 'commands.yaml').read_text())
STEP_KEYS = {'run', 'says', 'fails', 'keep', 'needs', 'wait'}
SETTINGS = """\
[DEFAULT]
reclaim_instance_interval = 3600
[fake]
live_migration_seconds = 5
"""


def commands() -> list[str]:
    """All of them, the longest first."""
    with (HERE / 'commands.csv').open(newline='') as file:
        return sorted((line['command'] for line in csv.DictReader(file)), key=len, reverse=True)


def command_of(step: dict[str, Any]) -> str | None:
    """The command of the list that a step runs."""
    line = re.sub(r'^(--\S+ \S+ )*', '', step.get('run', ''))
    return next((command for command in commands() if f'{line} '.startswith(f'{command} ')), None)


def due(step: dict[str, Any]) -> bool:
    """Whether what the step needs is there."""
    return set(step.get('needs', ())) <= set(STORY['there'])


def test_every_command_has_a_step() -> None:
    assert set(commands()) - {command_of(step) for step in STORY['steps']} == set()
    for step in STORY['steps']:
        assert not set(step) - STEP_KEYS, step
    later = sorted({command for step in STORY['steps'] if not due(step) and (command := command_of(step))})
    assert all(command.split()[1] in ('add', 'remove', 'volume', 'share') for command in later), later


class Teller:
    """Plays the steps one after the other."""

    def __init__(self, service: services.Service, shell: Shell) -> None:
        self._service = service
        self._shell = shell
        self._token = service.token()
        self._known = {name: STORY[name] for name in ('host', 'other')}

    def play(self, step: dict[str, Any]) -> str | None:
        """What is wrong with a step, if something is."""
        if 'wait' in step:
            return self._wait(*step['wait'].split())
        arguments = shlex.split(self._fill(step['run']))
        if 'keep' in step:
            arguments += ['-f', 'json']
        code, out, err = self._shell.ask('', *arguments)
        if 'fails' in step:
            found = re.search(str(step['fails']), out + err)
            return None if code and found else f'{step}: {code} {out}{err}'
        if code or not re.search(re.escape(self._fill(step.get('says', ''))), out + err):
            return f'{step}: {code} {out}{err}'
        self._keep(step, out)
        return None

    def _fill(self, text: str) -> str:
        for name, value in self._known.items():
            text = text.replace(f'{{{name}}}', value)
        return text

    def _keep(self, step: dict[str, Any], out: str) -> None:
        for name, column in step.get('keep', {}).items():
            found = json.loads(out)
            found = found[0] if isinstance(found, list) else found
            self._known[name] = str(found[column])
            token = re.search('token(?:=|%3D)(.+)', self._known[name])
            if token:
                self._known[f'{name}.token'] = token[1]

    def _wait(self, server: str, status: str) -> str | None:
        end = time.monotonic() + LIMIT
        while True:
            found = requests.get(
                f'{self._service.url}/v2.1/servers/detail', timeout=30, headers={'X-Auth-Token': self._token},
                params={'name': f'^{server}$', 'all_tenants': '1',
                        **({'deleted': 'False', 'status': status} if status == 'SOFT_DELETED' else {})}
            ).json()['servers']
            seen = [(one['status'], one['OS-EXT-STS:task_state']) for one in found]
            if seen == [(status, None)]:
                return None
            if time.monotonic() > end:
                return f'{server} is {seen}, not {status}'
            time.sleep(0.05)


def test_every_command(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if not (Path(sys.executable).parent / 'openstack').exists():
        processes.missing('openstack', 'python3-openstackclient')
    settings = tmp_path / 'settings.conf'
    settings.write_text(SETTINGS)
    with services.running(tmp_path / 'state', '--computes', '2', '--config-file', str(settings)) as service:
        shell = Shell(service)
        try:
            teller = Teller(service, shell)
            wrong = [text for step in STORY['steps'] if due(step) and (text := teller.play(step))]
        finally:
            shell.close()
        assert not wrong, '\n'.join(wrong) + service.log()[-3000:]
    ran = {command for step in STORY['steps'] if due(step) and (command := command_of(step))}
    with request.config.pluginmanager.getplugin('capturemanager').global_and_fixture_disabled():
        print(f'\n{len(ran)} of {len(commands())} commands; later: {", ".join(sorted(set(commands()) - ran))}')
