# SPDX-License-Identifier: Apache-2.0
"""Requests that schemathesis makes up from the OpenAPI document: every answer is one that the document tells of.

The document names no 500, so that an accident fails, too. The requests are the same in each run;
``make fuzz`` makes thousands of others, those at the edges of every schema among them.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures import processes
from tests.fixtures import service as services
from tests.wire.conftest import world

EXAMPLES = os.environ.get('NOVA_LITE_EXAMPLES', '')
# Far more than a run takes; this only bounds a hang.
LIMIT = 3600 if EXAMPLES else 240


@pytest.mark.parametrize('version', ['2.1', '2.53', '2.79', '2.104'])
def test_no_answer_is_undocumented(version: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    if importlib.util.find_spec('schemathesis') is None:
        processes.missing('schemathesis', 'none; pip install schemathesis')
    there = world(request.config, 'schemathesis')
    base = f'{there.url}/v2.1'
    how = ['--phases', 'coverage,fuzzing', '-n', EXAMPLES] if EXAMPLES else [
        '--phases', 'fuzzing', '-n', '1', '--seed', '20260401']
    result = subprocess.run(
        [sys.executable, '-c', 'from schemathesis.cli import schemathesis; schemathesis()', '--no-color', 'run',
         f'{base}/openapi.json', '--url', base, *how, '--no-shrink', '--continue-on-failure', '--max-failures', '50',
         '--checks', 'status_code_conformance,content_type_conformance,response_schema_conformance',
         '--warnings', 'off', '--request-timeout', '60', '--output-truncate', 'true',
         '-H', f'X-Auth-Token: {there.tokens["admin"]}', '-H', f'OpenStack-API-Version: compute {version}'],
        capture_output=True, text=True, timeout=LIMIT, cwd=tmp_path, env=services.environment(), check=False)
    assert result.returncode == 0, result.stdout[-20000:] + result.stderr[-2000:]
    cases = next((line.strip() for line in result.stdout.splitlines() if ' generated' in line), '')
    assert cases, result.stdout[-2000:]
    with request.config.pluginmanager.getplugin('capturemanager').global_and_fixture_disabled():
        print(f'\n{version}: {cases}')
