# SPDX-License-Identifier: Apache-2.0
"""``nova-lite up`` in a terminal: the status line, and Ctrl-C, which reaches every process at once."""

import contextlib
import os
import signal
import threading

import pytest
import requests

from tests.fixtures import processes
from tests.fixtures import service as services
from tests.fixtures.terminal import Terminal
from tests.fixtures.user import User, admin

CTRL_C = b'\x03'
# As `make up` does: a shell that becomes the program, below a program that waits for it.
MAKEFILE = 'up:\n\t@exec {command}\n'


def command(state, port, *arguments):
    return services.argv('lite', 'up', '--driver', 'fake', '--state-dir', str(state), '--port', str(port), *arguments)


@contextlib.contextmanager
def terminal(tmp_path, *arguments, port=None, make=False):
    """A nova-lite that serves in a terminal."""
    argv = command(tmp_path / 'state', port or services.free_ports(), *arguments)
    if make:
        (tmp_path / 'Makefile').write_text(MAKEFILE.format(command=' '.join(argv)))
        argv = ['make', 'up']
    one = Terminal(argv, services.environment(), tmp_path)
    try:
        one.wait_for('serves')
        yield one
    finally:
        one.close()


def of_state(state):
    """All processes that were started with a state directory."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        with contextlib.suppress(OSError), open(f'/proc/{pid}/cmdline') as file:
            if str(state) in file.read() and not services.is_zombie(int(pid)):
                found.append(int(pid))
    return found


@pytest.mark.parametrize('make', [False, True], ids=['alone', 'below make'])
def test_ctrl_c_drains_and_stops_everything(tmp_path, make):
    if make:
        processes.find_program('make', 'make')
    with terminal(tmp_path, '--computes', '2', '--workers', '2', make=make) as one:
        # The launcher, its workers, and who keeps the screen.
        assert len(of_state(tmp_path / 'state')) == 1 + len(services.PARTS) + 1 + 1
        one.press(CTRL_C)
        # make waits for what it started, and then ends by the same signal.
        assert one.wait() == (-signal.SIGINT if make else 0), one.shown
        processes.wait_until(lambda: not of_state(tmp_path / 'state'), 10, 'end of all processes')
        assert 'Traceback' not in one.shown
    log = (tmp_path / 'state' / 'nova-lite.log').read_text()
    assert 'Traceback' not in log and ' ERROR ' not in log, log
    assert log.count('exited with status 0') == len(services.PARTS) + 1 and 'instantaneous' not in log, log


def test_a_request_in_flight_survives_ctrl_c(tmp_path):
    port = services.free_ports()
    state = tmp_path / 'state'
    with terminal(tmp_path, port=port) as one:
        user = admin(services.Service(state, port=port))
        image = user.ask('POST', f'{user.image_url}/v2/images', {
            'name': 'slow', 'disk_format': 'raw', 'container_format': 'bare'}).json()['id']
        half, go_on = threading.Event(), threading.Event()
        answers = []

        def upload():
            answers.append(put(user, image, half, go_on))

        sender = threading.Thread(target=upload)
        sender.start()
        assert half.wait(30)
        one.press(CTRL_C)
        processes.wait_until(lambda: not services.answers(port), 30, 'no new requests')
        go_on.set()
        sender.join(30)
        assert answers == [204]
        assert one.wait() == 0


def put(user, image, half, go_on):
    """Upload an image, its second half only when told to."""
    def body():
        yield b'x' * 4096
        half.set()
        assert go_on.wait(60)
        yield b'y' * 4096

    return requests.put(f'{user.image_url}/v2/images/{image}/file', data=body(), timeout=60, headers={
        'X-Auth-Token': user.token, 'Content-Type': 'application/octet-stream'}).status_code


def test_the_status_line_follows_the_servers(tmp_path):
    own = tmp_path / 'own.conf'
    own.write_text('[api]\nauth_strategy = noauth2\n')
    port = services.free_ports()
    with terminal(tmp_path, '--computes', '3', '--config-file', str(own), port=port) as one:
        one.wait_for(r'^\d\d:\d\d:\d\d  hosts: 3 of 3 up  servers: none')
        user = User(f'http://127.0.0.1:{port}', 'admin:demo')
        servers = [user.boot(name) for name in 'ab']
        one.wait_for('servers: 2 active')
        user.delete(servers[0])
        one.wait_for('servers: 1 active')
        # Each state of the line replaces the one before instead of scrolling it away.
        assert one.shown.count('\n') < 20
        one.press(CTRL_C)
        assert one.wait() == 0


def test_hanging_up_a_terminal_leaves_nothing_running(tmp_path):
    with terminal(tmp_path) as one:
        one.hang_up()
        assert one.wait() in (0, -signal.SIGHUP)
        processes.wait_until(lambda: not of_state(tmp_path / 'state'), 30, 'end of all processes')
