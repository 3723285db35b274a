# SPDX-License-Identifier: Apache-2.0
"""``nova-manage operations``: the list of accepted work, and what to do about an operation that does not end."""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

from nova_lite import errors
from nova_lite.cmd import text
from nova_lite.db.engine import Database
from nova_lite.db.queries import operations, work_list
from nova_lite.model import times

_STATES = {'open': work_list.OPEN, 'all': work_list.ALL, **{state: (state,) for state in work_list.ALL}}
_COLUMNS = ('id', 'kind', 'state', 'step', 'server', 'held_by', 'attempts', 'age', 'due', 'last_error')
#: Parameters that are nobody's business, or too long to print.
_HIDDEN = operations.SECRETS | {'personality'}


def list_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``list``."""
    parser.add_argument('--state', choices=sorted(_STATES), default='open',
                        help='only these; open, which is pending or running, if not given')
    parser.add_argument('--server', metavar='UUID', help='only those of one server')
    parser.add_argument('--older-than', type=text.span, metavar='SPAN',
                        help='only those that were accepted so long ago: 90s, 10m, 2h, 3d')
    parser.add_argument('--limit', type=int, default=1000, metavar='N', help='at most so many, the oldest first')
    parser.add_argument('--json', action='store_true', help='print JSON')


def show_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``show``."""
    parser.add_argument('id')
    parser.add_argument('--json', action='store_true', help='print JSON')


def id_arguments(parser: argparse.ArgumentParser) -> None:
    """One operation or several."""
    parser.add_argument('ids', nargs='+', metavar='ID')


def list_(db: Database, options: argparse.Namespace) -> int:
    """List operations: what, in which state, of which server, at whose hands, and what went wrong last."""
    now = times.utcnow()
    before = now - options.older_than if options.older_than is not None else None
    with db.read() as conn:
        found = work_list.page(conn, _STATES[options.state], options.limit, options.server, before)
    rows = [_listed(row, now) for row in found]
    if options.json:
        print(text.as_json([{**row, 'age': int((now - one.created_at).total_seconds()), 'due': one.lease_until}
                            for row, one in zip(rows, found, strict=True)]))
    elif rows:
        print(text.table(rows, _COLUMNS))
    else:
        print('There are no such operations.')
    return 0


def show(db: Database, options: argparse.Namespace) -> int:
    """Show everything that is known of one operation."""
    row = _find(db, options.id)
    shown = {**row._mapping, 'params': {name: value for name, value in row.params.items() if name not in _HIDDEN}}
    if options.json:
        print(text.as_json(shown))
        return 0
    error = shown.pop('error') or {}
    width = max(map(len, shown))
    for name, value in shown.items():
        print(f'{name.ljust(width)}  {"-" if value is None or value == "" else value}')
    print(f'{"error".ljust(width)}  {error.get("message") or "-"}')
    if error.get('details'):
        print(error['details'])
    return 0


def retry(db: Database, options: argparse.Namespace) -> int:
    """Have another attempt begun at once, instead of when the pause or the lease is over."""
    return _each(db, options.ids, lambda conn, key: work_list.retry(conn, key, times.utcnow()),
                 'is begun again within seconds, if a conductor runs')


def abandon(db: Database, options: argparse.Namespace) -> int:
    """Have the operation given up: what it began is undone as far as that goes, and its server says so."""
    error = {'code': 500, 'message': 'an administrator abandoned it', 'details': ''}
    return _each(db, options.ids, lambda conn, key: work_list.abandon(conn, key, error, times.utcnow()),
                 'is given up within seconds, if a conductor runs')


def _each(db: Database, ids: Sequence[str], change: Callable[[Any, str], bool], done: str) -> int:
    failed = 0
    for key in ids:
        if db.transaction(change, key):
            print(f'Operation {key} {done}.')
            continue
        failed = 1
        try:
            print(f'Operation {key} is over: it is {_find(db, key).state}.', file=sys.stderr)
        except errors.NotFound as error:
            print(error, file=sys.stderr)
    return failed


def _find(db: Database, operation_id: str) -> Any:
    with db.read() as conn:
        row = operations.get(conn, operation_id)
    if row is None:
        raise errors.OperationNotFound(operation=operation_id)
    return row


def _listed(row: Any, now: Any) -> dict[str, Any]:
    due = None
    if row.lease_until is not None:
        wait = (row.lease_until - now).total_seconds()
        due = f'in {text.age(wait)}' if wait > 0 else f'{text.age(-wait)} ago'
    return {'id': row.id, 'kind': row.kind, 'state': row.state, 'step': row.step, 'server': row.server_uuid,
            'held_by': row.owner, 'attempts': row.attempt, 'age': text.age((now - row.created_at).total_seconds()),
            'due': due, 'last_error': (row.error or {}).get('message')}
