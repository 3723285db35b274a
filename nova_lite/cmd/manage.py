# SPDX-License-Identifier: Apache-2.0
"""``nova-manage``: what an operator does without the API."""

from nova_lite import concurrency

concurrency.start('threading')  # nothing here waits for many things at once

import argparse  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402
from typing import Any, NoReturn  # noqa: E402

from nova_lite import errors  # noqa: E402
from nova_lite.cmd import daemon  # noqa: E402

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
    """Name every option of the configuration files that nothing reads; exit code 1 if there are any."""
    from nova_lite.conf import check
    unknown = check.unknown_options(_conf(options))
    for option in unknown:
        print(option)
    if not unknown:
        print('Every option is read by something.')
    return 1 if unknown else 0


# group, command, what it does
COMMANDS: tuple[tuple[str, str, Callable[[argparse.Namespace], int]], ...] = (
    ('db', 'sync', db_sync), ('db', 'version', db_version),
    ('api', 'routes', api_routes), ('api', 'history', api_history),
    ('config', 'check', config_check),
)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(PROG, description='Administers nova-lite beside its API.')
    parser.add_argument('--config-file', action='append', metavar='F', help='read this nova.conf')
    groups = parser.add_subparsers(dest='group', required=True, parser_class=_Parser, metavar='GROUP')
    by_group: dict[str, Any] = {}
    for group, name, run in COMMANDS:
        if group not in by_group:
            by_group[group] = groups.add_parser(group).add_subparsers(
                dest='command', required=True, parser_class=_Parser, metavar='COMMAND')
        by_group[group].add_parser(name, help=run.__doc__, description=run.__doc__).set_defaults(run=run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    options = _parser().parse_args(argv)
    try:
        return int(options.run(options))
    except errors.Error as error:
        print(f'{PROG}: {error}', file=sys.stderr)
        return 1


if __name__ == '__main__':
    sys.exit(main())
