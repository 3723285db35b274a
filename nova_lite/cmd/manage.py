# SPDX-License-Identifier: Apache-2.0
"""``nova-manage``: what an operator does without the API."""

from nova_lite import concurrency

concurrency.start('threading')  # nothing here waits for many things at once

import argparse  # noqa: E402
import functools  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402
from typing import Any, NoReturn  # noqa: E402

from nova_lite import errors  # noqa: E402
from nova_lite.cmd import daemon, limits, operations, verify  # noqa: E402

PROG = 'nova-manage'


class _Parser(argparse.ArgumentParser):
    """Every failure is one sentence and exit code 1."""

    def error(self, message: str) -> NoReturn:
        self.exit(1, f'{self.prog}: {message}; see {self.prog} --help.\n')


def _conf(options: argparse.Namespace) -> Any:
    return daemon.configure([], PROG, options.config_file or None)


def _database(options: argparse.Namespace) -> Any:
    from nova_lite.db.engine import Database
    return Database(_conf(options))


def db_sync(options: argparse.Namespace) -> int:
    """Make the schema, or upgrade it to this release."""
    from nova_lite.db import schema
    changed = schema.upgrade(_database(options))
    print(f'The schema was upgraded to {schema.head()}.' if changed else f'The schema is at {schema.head()}.')
    return 0


def db_version(options: argparse.Namespace) -> int:
    """Print the version of the schema in the database."""
    from nova_lite.db import schema
    print(schema.version(_database(options)) or 'no schema')
    return 0


def api_routes(options: argparse.Namespace) -> int:
    """Print every operation of the API with its versions, success codes and policy rule."""
    from nova_lite import api
    for row in sorted(api.endpoints(), key=lambda row: (row.path, row.method, row.action)):
        codes = ','.join(str(answer.status) for answer in row.answers)
        print(f'{row.method:6} {row.path}{" " + row.action if row.action else "":24} '
              f'{row.when.describe():16} {codes:8} {row.rule or "-"}')
    return 0


def api_history(options: argparse.Namespace) -> int:
    """Print what each microversion changed."""
    from nova_lite.api import history
    for change in history.HISTORY:
        served = ' (not served yet)' if change.minor in history.NOT_SERVED else ''
        print(f'2.{change.minor:<4} {change.area}: {change.summary}{served}')
    return 0


def config_check(options: argparse.Namespace) -> int:
    """Name options that nothing reads and services that cannot be used; exit code 1 if there are any."""
    from nova_lite.clients import reach
    from nova_lite.conf import check
    conf = _conf(options)
    unknown = check.unknown_options(conf)
    for option in unknown:
        print(option)
    if not unknown:
        print('Every option is read by something.')
    problems = reach.problems(conf) + _unreachable(conf)
    for problem in problems:
        print(problem)
    if not problems:
        print('The database and every service that is configured can be used.')
    return 1 if unknown or problems else 0


def _unreachable(conf: Any) -> list[str]:
    """What is wrong with the database, if it is."""
    from nova_lite.db import schema
    from nova_lite.db.engine import Database
    try:
        schema.check(Database(conf))
    except errors.Error as error:
        return [f'The database cannot be used: [database] connection: {error}']
    return []


def limits_migrate(options: argparse.Namespace) -> int:
    """Copy the limits that are set here to Keystone ([keystone] says how to ask); what it has already stays."""
    from nova_lite.db.engine import Database
    conf = _conf(options)
    return limits.migrate(Database(conf), conf, options)


Run = Callable[[argparse.Namespace], int]
Arguments = Callable[[argparse.ArgumentParser], None]


def _none(parser: argparse.ArgumentParser) -> None:
    """A command without options of its own."""


def _on(what: Callable[[Any, argparse.Namespace], int]) -> Run:
    """A command that works on the database."""
    @functools.wraps(what)
    def run(options: argparse.Namespace) -> int:
        return what(_database(options), options)
    return run


# group, command (none if there is but one), what it does, its options
COMMANDS: tuple[tuple[str, str, Run, Arguments], ...] = (
    ('db', 'sync', db_sync, _none), ('db', 'version', db_version, _none),
    ('api', 'routes', api_routes, _none), ('api', 'history', api_history, _none),
    ('config', 'check', config_check, _none),
    ('operations', 'list', _on(operations.list_), operations.list_arguments),
    ('operations', 'show', _on(operations.show), operations.show_arguments),
    ('operations', 'retry', _on(operations.retry), operations.id_arguments),
    ('operations', 'abandon', _on(operations.abandon), operations.id_arguments),
    ('limits', 'migrate_to_unified_limits', limits_migrate, limits.arguments),
    ('verify', '', _on(verify.verify_), verify.arguments),
)


def parser() -> argparse.ArgumentParser:
    """What the command line may say."""
    made = _Parser(PROG, description='Administers nova-lite beside its API.')
    made.add_argument('--config-file', action='append', metavar='F', help='read this nova.conf')
    groups = made.add_subparsers(dest='group', required=True, parser_class=_Parser, metavar='GROUP')
    by_group: dict[str, Any] = {}
    for group, name, run, arguments in COMMANDS:
        words: dict[str, Any] = {'help': run.__doc__, 'description': run.__doc__}
        if name and group not in by_group:
            by_group[group] = groups.add_parser(group).add_subparsers(
                dest='command', required=True, parser_class=_Parser, metavar='COMMAND')
        command = by_group[group].add_parser(name, **words) if name else groups.add_parser(group, **words)
        arguments(command)
        command.set_defaults(run=run)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    options = parser().parse_args(argv)
    try:
        return int(options.run(options))
    except errors.Error as error:
        print(f'{PROG}: {error}', file=sys.stderr)
        return 1


if __name__ == '__main__':
    sys.exit(main())
