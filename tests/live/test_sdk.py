# SPDX-License-Identifier: Apache-2.0
"""The compute calls of openstacksdk: one program makes them all."""

import subprocess
import sys
from pathlib import Path

import yaml

from tests.fixtures import service as services
from tests.fixtures.shell import environment

HERE = Path(__file__).parent
LIMIT = 600
SETTINGS = '[fake]\nlive_migration_seconds = 5\n'


def test_the_compute_calls_of_the_sdk(tmp_path: Path) -> None:
    settings = tmp_path / 'settings.conf'
    settings.write_text(SETTINGS)
    there = [name for name in yaml.safe_load((HERE / 'commands.yaml').read_text())['there']
             if name in ('network', 'volume')]
    with services.running(tmp_path / 'state', '--computes', '2', '--config-file', str(settings)) as service:
        result = subprocess.run([sys.executable, str(HERE / 'sdk_story.py'), *there], capture_output=True, text=True,
                                timeout=LIMIT, env=environment(service, 'nova-lite'), cwd=tmp_path, check=False)
        assert result.returncode == 0, result.stdout + result.stderr + service.log()[-3000:]
    last = {'network': 'interfaces', 'volume': 'volumes'}[there[-1]] if there else 'what_is_refused'
    assert result.stdout.split()[-1] == last
