# SPDX-License-Identifier: Apache-2.0
"""``nova-lite up``: API, conductor and compute under one launcher, with nothing else needed.

It is the same program as the three daemons; this command only writes a configuration with embedded
defaults into the state directory and starts all parts from it.
"""

from nova_lite import concurrency

concurrency.start('eventlet')  # before anything takes what it patches

import argparse  # noqa: E402
import contextlib  # noqa: E402
import fcntl  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable, Iterator, Sequence  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any, NoReturn  # noqa: E402

from nova_lite import errors  # noqa: E402
from nova_lite.cmd import apart, daemon, launch, lite_driver, lite_files, lite_screen, wiring  # noqa: E402

PROG = 'nova-lite'


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence and exits with 1, as every failure to start does."""

    def error(self, message: str) -> NoReturn:
        self.exit(1, f'{self.prog}: {message}; see {self.prog} --help.\n')


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(PROG, description='The OpenStack Compute API on one machine.')
    commands = parser.add_subparsers(dest='command', required=True, parser_class=_Parser, metavar='COMMAND')
    up = commands.add_parser('up', help='start API, conductor, compute and consoles')
    up.add_argument('--state-dir', type=Path, default=_default_state_dir(), metavar='DIR',
                    help='where everything is kept (default: %(default)s)')
    up.add_argument('--port', type=_port, default=8774, metavar='N', help='port of the API (default: %(default)s)')
    up.add_argument('--driver', choices=lite_driver.CHOICES, default=lite_driver.AUTO, metavar='NAME',
                    help='libvirt: servers are real guests; fake: they are pretended; auto: real where libvirt and '
                         'QEMU are installed (default: %(default)s)')
    up.add_argument('--computes', type=_count, default=1, metavar='N', help='fake compute hosts (default: 1)')
    up.add_argument('--workers', type=_count, default=1, metavar='N', help='processes of the API (default: 1)')
    up.add_argument('--config-file', type=Path, action='append', default=[], metavar='F',
                    help='a nova.conf laid over the defaults; may be given several times')
    return parser


def _default_state_dir() -> Path:
    base = os.environ.get('XDG_STATE_HOME') or Path.home() / '.local' / 'state'
    return Path(base) / 'nova-lite'


def _port(text: str) -> int:
    # Two more follow it: the metadata service and the consoles.
    return _number(text, 1, 65533)


def _count(text: str) -> int:
    return _number(text, 1, 10_000)


def _number(text: str, low: int, high: int) -> int:
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        raise argparse.ArgumentTypeError(f'{text!r} is not a whole number from {low} to {high}')
    return int(text)


@contextlib.contextmanager
def _alone(state_dir: Path) -> Iterator[None]:
    """Hold the state directory; errors.StartError when it cannot be written or another one holds it."""
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = open(state_dir / 'lock', 'w', opener=lite_files.private)  # noqa: SIM115 - held until the end
    except OSError as error:
        raise errors.StartError(reason=f'The state directory {state_dir} cannot be written: {error.strerror}; '
                                       'choose another with --state-dir.') from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise errors.StartError(reason=f'Another nova-lite runs with the state directory {state_dir}; '
                                           'stop it or choose another with --state-dir.') from None
        yield


def _start(options: argparse.Namespace, state_dir: Path) -> None:
    screen = lite_screen.Screen(sys.stdout)
    screen.step('writing the configuration')
    driver = lite_driver.choose(options.driver, options.computes, state_dir)
    settings = lite_files.Settings(state_dir, options.port, options.computes, options.workers, driver)
    files = [lite_files.write_configuration(settings), *map(str, options.config_file)]
    conf = daemon.configure([], PROG, files)
    daemon.warn_of_unknown_options(conf)
    sockets = wiring.open_sockets(conf)
    program = wiring.Program(conf)
    screen.step('preparing the database')
    program.prepare_database(with_flavors=True, alone=True)
    cloud = lite_files.write_clouds(settings, conf)
    screen.step('starting')
    parts = [_front(program, sockets, settings), *wiring.conductor_parts(program), *wiring.compute_parts(program)]
    daemon.report_on_signal(conf, PROG)
    with apart.beside(lambda ended: _watch(screen, program, cloud, settings, ended)):
        launch.run(conf, parts, in_terminal=True)
    screen.say('nova-lite has stopped.')


def _front(program: Any, sockets: 'wiring.Sockets', settings: 'lite_files.Settings') -> 'launch.Part':
    """All that clients and guests connect to, in the same processes; consoles where they can be served."""
    apis = wiring.api_parts(program, sockets)
    consoles = wiring.console_parts(
        program, ['novnc', 'serial'], '127.0.0.1', settings.console_port) if settings.has_consoles else []
    return launch.Part(launch.Together([part.service for part in (*apis, *consoles)]), apis[0].workers)


def _watch(screen: 'lite_screen.Screen', program: Any, cloud: 'lite_files.Cloud', settings: 'lite_files.Settings',
           ended: Callable[[float], bool]) -> None:
    """Say when it serves, and what it does; in a process of its own, as the launcher is to stay small."""
    awaited = settings.driver.awaited(settings.computes)
    if not lite_screen.wait_until_served(program, settings.endpoint, awaited, ended):
        screen.say(f'nova-lite does not answer; {cloud.log_file} tells why.')
        return
    screen.say('\n'.join(cloud.welcome(settings.endpoint)))
    if not awaited and not lite_screen.wait_for_hosts(program, settings.computes, ended):
        screen.say(f'There is no compute host, so no server can start; {cloud.log_file} tells why.')
    screen.run_status_line(program, ended)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; 0 after an orderly stop, 1 when it could not start."""
    options = _parser().parse_args(argv)
    state_dir = options.state_dir.expanduser().absolute()
    os.umask(0o077)
    with daemon.explained(PROG), _alone(state_dir):
        _start(options, state_dir)
    return 0


if __name__ == '__main__':
    sys.exit(main())
