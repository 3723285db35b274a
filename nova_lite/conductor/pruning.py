# SPDX-License-Identifier: Apache-2.0
"""Removes what was kept for a time that is over, a little at a time, in whichever conductor comes to it."""

import datetime
from collections.abc import Callable

from nova_lite.conductor.work import Deps
from nova_lite.db.queries import idempotency, operations

#: Rows of one transaction, and transactions of one go: other work comes in between.
BATCH, BATCHES = 500, 10


def prune(deps: Deps, now: datetime.datetime) -> int:
    """Remove answers and operations that are too old; the number of rows."""
    conf = deps.conf
    removed = _empty(deps, idempotency.prune, now - datetime.timedelta(seconds=conf.idempotency_key_lifetime))
    if conf.finished_operation_lifetime:
        before = now - datetime.timedelta(seconds=conf.finished_operation_lifetime)
        removed += _empty(deps, operations.prune, before)
    return removed


def _empty(deps: Deps, remove: Callable[..., int], before: datetime.datetime) -> int:
    removed = 0
    for _ in range(BATCHES):
        number = deps.db.transaction(remove, before, BATCH)
        removed += number
        if number < BATCH:
            break
    return removed
