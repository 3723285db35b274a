# SPDX-License-Identifier: Apache-2.0
"""Steps of operations that a conductor does itself, outside of a transaction: what other services have to do.

They end in a report like that of a host, and the same rules hold: a step may be done again by another
conductor, so making what exists and removing what is gone are successes.
"""

import logging
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.conductor.work import Deps
from nova_lite.model import times
from nova_lite.objects.operation import Operation, OperationReport
from nova_lite.objects.server import Server

LOG = logging.getLogger(__name__)

#: Does one step; what it returns are the ``changes`` of the report.
OwnStep = Callable[[Deps, RequestContext, Operation, Server], Mapping[str, Any]]

#: By the name of the step.
STEPS: dict[str, OwnStep] = {}
#: By the name of a step: takes back what it made, told its ``changes``, if the operation was given up meanwhile.
RETRACT: dict[str, Callable[[Deps, RequestContext, Operation, Server, Mapping[str, Any]], None]] = {}


class NotYet(Exception):
    """The other service is still at it: ask again in ``seconds``, which is no attempt of ours."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


def report(deps: Deps, context: RequestContext, operation: Operation, server: Server,
           steps: Mapping[str, OwnStep] = STEPS) -> OperationReport:
    """Do the step and say how it went.

    ``NotYet`` and ``errors.Unavailable`` pass through: the step is neither done nor failed.
    """
    start = times.utcnow()
    changes: Mapping[str, Any] = {}
    error = trace = None
    try:
        changes = steps[operation.step](deps, context, operation, server)
    except (NotYet, errors.Unavailable):
        raise
    except Exception as problem:
        LOG.exception('%s of server %s failed.', operation.step, server.uuid)
        trace = ''.join(traceback.format_exception(problem))
        known = str(problem) if isinstance(problem, errors.Error) else type(problem).__name__
        error = {'code': 500, 'message': known, 'details': trace}
    event = {'event': f'conductor_{operation.step}', 'start': start.isoformat(),
             'finish': times.utcnow().isoformat(), 'result': 'Error' if error else 'Success', 'traceback': trace}
    return OperationReport(
        operation_id=operation.id, server_uuid=server.uuid, attempt=operation.attempt, host=deps.name,
        outcome='failed' if error else 'succeeded', changes=dict(changes), error=error, events=[event])
