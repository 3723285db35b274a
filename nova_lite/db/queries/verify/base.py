# SPDX-License-Identifier: Apache-2.0
"""What a check is: one statement or a few that find what cannot be, and maybe a way to put it right."""

import datetime
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from nova_lite.db.engine import Conn


@dataclass(frozen=True)
class Finding:
    """Something that is not as it must be.

    ``subject`` says what it is about in words, ``key`` what the repair needs to find it again.
    """

    check: str
    subject: str
    problem: str
    key: Mapping[str, Any] = field(default_factory=dict)


#: All statements of a check see the database at one moment.
Find = Callable[[Conn, datetime.datetime], Iterable[Finding]]
#: Runs in a transaction of its own, looks again, and says what it did; nothing if the finding is gone by now.
Repair = Callable[[sa.Connection, Finding, datetime.datetime], str]


@dataclass(frozen=True)
class Check:
    """``about`` is what is true where it finds nothing. Without ``repair`` only a person can decide what to do."""

    name: str
    about: str
    find: Find
    repair: Repair | None = None


def differences(expected: Mapping[str, int], found: Mapping[str, int]) -> str:
    """Which numbers differ, and how; empty if none does."""
    return ', '.join(f'{name} is {found[name]} and must be {expected[name]}'
                     for name in expected if expected[name] != found[name])
