# SPDX-License-Identifier: Apache-2.0
"""The lines of the README work as they are printed, with real guests where a newcomer would get them."""

import os
import re
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from tests.fixtures import guests, hypervisor, processes
from tests.fixtures import service as services
from tests.fixtures.user import admin

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def service():
    # Real guests have sockets in their state directory, whose path must not be long.
    with tempfile.TemporaryDirectory(prefix='nl-') as directory:
        running = services.Service(Path(directory), '--driver', 'auto').start()
        yield running
        code, left = running.stop(), guests.end(running.state_dir)
        assert (code, left) == (0, [])


def blocks(title):
    """The literal blocks of one section, as one script."""
    text = (ROOT / 'README.rst').read_text()
    section = re.split(r'\n(?=[^\n]+\n-{4,}\n)', text.split(f'\n{title}\n', 1)[1])[0]
    return '\n'.join(textwrap.dedent(block) for block in re.findall(r'::\n\n((?: {4}.*\n|\n)+)', section))


def play(script, service):
    """Run a script as somebody would who pasted it line by line, and stop at the first failure."""
    # Only where things lie differs from what is printed.
    script = script.replace('~/.local/state/nova-lite', str(service.state_dir)).replace(':8774/', f':{service.port}/')
    script = script.replace('. .venv/bin/activate', f'PATH={Path(sys.executable).parent}:$PATH')
    result = subprocess.run(['bash', '-euo', 'pipefail', '-c', script], capture_output=True, text=True, timeout=240,
                            cwd=service.state_dir, check=False,
                            env={'HOME': str(service.state_dir), 'PATH': os.environ['PATH']})
    assert result.returncode == 0, result.stdout + result.stderr + service.log()
    return result.stdout


def test_the_first_server_is_a_real_machine_although_its_host_is_still_starting(service):
    if (lacking := hypervisor.missing()) is not None:
        assert 'Servers are pretended only.' in service.output and 'apt-get install' in service.output
        processes.missing(lacking, 'see packages.apt')
    assert 'Servers are real guests (' in service.output
    user = admin(service)
    server = user.boot('real')
    processes.wait_until(lambda: 'READY' in user.ask('POST', f'/servers/{server}/action', {
        'os-getConsoleOutput': {}}).json()['output'], 60, 'the guest to be READY')
    user.delete(server)


def test_the_first_server_with_the_openstack_client(service):
    if not (Path(sys.executable).parent / 'openstack').exists():
        processes.missing('openstack', 'python3-openstackclient')
    output = play(blocks('The first server'), service)
    assert 'ACTIVE' in output and 'm1.nano' in output


def test_the_same_with_curl(service):
    processes.find_program('curl', 'curl')
    script = blocks('The same with curl')
    assert script.count('"server": {') == 2
    output = play(script.replace('curl -s ', 'curl -s --fail-with-body '), service)
    assert '"name":"second"' in output and '"name":"third"' in output
    assert output.count('"fault"') == 0
