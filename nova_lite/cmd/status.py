# SPDX-License-Identifier: Apache-2.0
"""``nova-status upgrade check``: may this release be started on what is there?"""

from nova_lite import concurrency

concurrency.start('threading')  # nothing here waits for many things at once

import argparse  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402
from typing import Any, NoReturn  # noqa: E402

from nova_lite import errors  # noqa: E402
from nova_lite.cmd import daemon  # noqa: E402

PROG = 'nova-status'


class _Parser(argparse.ArgumentParser):
    """Every failure is one sentence; 255 is what deployment tools take for "could not check"."""

    def error(self, message: str) -> NoReturn:
        self.exit(255, f'{self.prog}: {message}; see {self.prog} --help.\n')


def _schema(db: Any) -> str | None:
    """The database answers, and its schema is not newer than this release."""
    from nova_lite.db import schema
    try:
        schema.check(db)
    except errors.Error as error:
        return str(error)
    return None


def _services(db: Any) -> str | None:
    """No running service is newer than this release."""
    from nova_lite.db.queries import services
    from nova_lite.rpc import versions
    with db.read() as conn:
        newer = [f'{row.binary} on {row.host}' for row in services.page(conn)
                 if row.version > versions.SERVICE_VERSION]
    return f'These services are newer than this release: {", ".join(newer)}.' if newer else None


def _old_services(db: Any) -> str | None:
    """No running service is older than the release before this one."""
    from nova_lite.db.queries import services
    from nova_lite.rpc import versions
    oldest = versions.RELEASES[-2]
    with db.read() as conn:
        older = [f'{row.binary} on {row.host}' for row in services.page(conn) if row.version < oldest.service_version]
    return f'These services are older than {oldest.name}; upgrade them first: {", ".join(older)}.' if older else None


CHECKS: tuple[Callable[[Any], str | None], ...] = (_schema, _services, _old_services)


def upgrade_check(config: Any) -> int:
    """Run all checks and print a line for each; 0 when all passed, 2 when one failed."""
    from nova_lite.db.engine import Database
    db = Database(config)
    failed = False
    for check in CHECKS:
        problem = check(db)
        print(f'{"FAILED" if problem else "OK":6} {problem or check.__doc__}')
        failed = failed or problem is not None
        if problem and check is _schema:
            break
    return 2 if failed else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = _Parser(PROG, description='Checks before an upgrade.')
    parser.add_argument('--config-file', action='append', metavar='F', help='read this nova.conf')
    groups = parser.add_subparsers(required=True, parser_class=_Parser, metavar='upgrade')
    commands = groups.add_parser('upgrade').add_subparsers(required=True, parser_class=_Parser, metavar='check')
    commands.add_parser('check', help=upgrade_check.__doc__)
    options = parser.parse_args(argv)
    try:
        return upgrade_check(daemon.configure([], PROG, options.config_file or None))
    except errors.Error as error:
        print(f'{PROG}: {error}', file=sys.stderr)
        return 255


if __name__ == '__main__':
    sys.exit(main())
