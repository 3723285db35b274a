# SPDX-License-Identifier: Apache-2.0
"""Wait a while for an operation, so that the answer shows what became of it and the next request finds it done."""

import time
from typing import Any

from nova_lite.db.queries import operations
from nova_lite.ops.base import Deps

_PAUSES = (0.01, 0.02, 0.05, 0.1, 0.2)
_OVER = (operations.DONE, operations.FAILED)


def until_over(deps: Deps, operation_id: str, seconds: float) -> Any:
    """The operation when it is over, or as it is after ``seconds``; None if nobody can have begun it, or forgot it.

    Within a request that is committed as a whole it begins only afterwards.
    """
    visible: list[bool] = []
    deps.db.after_commit(lambda: visible.append(True))
    if not visible:
        return None
    end = time.monotonic() + seconds
    pauses = iter(_PAUSES)
    while True:
        with deps.db.read() as conn:
            operation = operations.get(conn, operation_id)
        if operation is None or operation.state in _OVER or time.monotonic() >= end:
            return operation
        time.sleep(next(pauses, _PAUSES[-1]))
