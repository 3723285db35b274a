# SPDX-License-Identifier: Apache-2.0
"""How commands print: tables for people, JSON for programs, and the spans of time that people type."""

import argparse
import datetime
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_UNITS = {'': 1, 's': 1, 'm': 60, 'h': 3600, 'd': 86400}


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """The rows under their columns' names; what is None is a dash."""
    cells = [[name.upper().replace('_', ' ') for name in columns],
             *([_cell(row[name]) for name in columns] for row in rows)]
    widths = [max(len(line[number]) for line in cells) for number in range(len(columns))]
    return '\n'.join('  '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
                     for line in cells)


def _cell(value: Any) -> str:
    if isinstance(value, datetime.datetime):
        value = value.isoformat(timespec='seconds')
    return '-' if value is None or value == '' else ' '.join(str(value).split())


def as_json(value: Any) -> str:
    """JSON in which times are as in ISO 8601, in UTC."""
    return json.dumps(value, indent=2, default=lambda moment: moment.isoformat() + 'Z')


def span(text: str) -> datetime.timedelta:
    """A span such as 90, 90s, 10m, 2h or 3d."""
    found = re.fullmatch(r'(\d{1,9})([smhd]?)', text)
    if not found:
        raise argparse.ArgumentTypeError(f'{text!r} is no span of time such as 90s, 10m, 2h or 3d')
    return datetime.timedelta(seconds=int(found[1]) * _UNITS[found[2]])


def age(seconds: float) -> str:
    """A span in its largest unit: 3d, 2h, 10m, 45s."""
    whole = max(0, int(seconds))
    for unit in ('d', 'h', 'm'):
        if whole >= _UNITS[unit]:
            return f'{whole // _UNITS[unit]}{unit}'
    return f'{whole}s'
