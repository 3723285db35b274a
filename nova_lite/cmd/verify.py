# SPDX-License-Identifier: Apache-2.0
"""``nova-manage verify``: whether the books balance and everything that was accepted is looked after."""

import argparse
from typing import Any

from nova_lite.cmd import text
from nova_lite.db.engine import Database
from nova_lite.db.queries import verify
from nova_lite.db.queries.verify.base import Finding
from nova_lite.model import times

_BY_NAME = {check.name: check for check in verify.CHECKS}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``verify``."""
    parser.add_argument('--repair', action='store_true', help='put right what can be, each finding in one transaction')
    parser.add_argument('--check', action='append', choices=sorted(_BY_NAME), metavar='NAME',
                        help='only this check; may be given several times: ' + ', '.join(_BY_NAME))
    parser.add_argument('--json', action='store_true', help='print JSON')


def verify_(db: Database, options: argparse.Namespace) -> int:
    """Hold what is booked and what is said against what there is; exit code 1 if something is not as it must be."""
    checks = [check for check in verify.CHECKS if not options.check or check.name in options.check]
    rows, left = [], 0
    for check in checks:
        # A repair of one check may be what the next one finds, so each looks after the one before is repaired.
        with db.snapshot() as conn:
            found = list(check.find(conn, times.utcnow()))
        for finding in found:
            done = _repair(db, finding) if options.repair else None
            left += done is None
            rows.append({'check': finding.check, 'subject': finding.subject, 'problem': finding.problem,
                         'repair': done})
    if options.json:
        print(text.as_json(rows))
    else:
        _print(rows, len(checks), options.repair)
    return 1 if left else 0


def _repair(db: Database, finding: Finding) -> str | None:
    repair = _BY_NAME[finding.check].repair
    if repair is None:
        return None
    done = db.transaction(repair, finding, times.utcnow())
    if done:
        return done
    with db.snapshot() as conn:
        still = any(other.subject == finding.subject for other in _BY_NAME[finding.check].find(conn, times.utcnow()))
    return None if still else 'nothing to do any more'


def _print(rows: list[dict[str, Any]], checks: int, repaired: bool) -> None:
    if rows:
        print(text.table(rows, ('check', 'subject', 'problem', *(('repair',) if repaired else ()))))
    fixed = sum(row['repair'] is not None for row in rows)
    print(f'{checks} checks, {len(rows)} findings{f", {fixed} of them repaired" if repaired else ""}.')
