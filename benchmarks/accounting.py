# SPDX-License-Identifier: Apache-2.0
"""Processor time and memory of whole process trees, read from /proc."""

import os
from collections.abc import Iterable
from pathlib import Path

_TICK = os.sysconf('SC_CLK_TCK')


def tree(roots: Iterable[int]) -> list[int]:
    """The processes and all their descendants."""
    found: list[int] = []
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        children = Path(f'/proc/{pid}/task/{pid}/children')
        try:
            waiting += [int(word) for word in children.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
        found.append(pid)
    return found


def cpu_ms(roots: Iterable[int]) -> float:
    """User and system time so far, in milliseconds, ended children that were waited for included."""
    total = 0
    for pid in tree(roots):
        try:
            fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(fields[index]) for index in (11, 12, 13, 14))
    return total * 1000 / _TICK


def pss_mib(roots: Iterable[int]) -> float:
    """Memory with shared pages divided among their users, in MiB."""
    total = 0
    for pid in tree(roots):
        try:
            lines = Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += next(int(line.split()[1]) for line in lines if line.startswith('Pss:'))
    return total / 1024
