# SPDX-License-Identifier: Apache-2.0
"""An operation on a host, as an ordered list of steps that can be undone.

``run`` goes through the steps and never raises: what went wrong is part of the result, because the owner of
the server must be told.  A step that fails may have done half of its work, so its own undo runs too.
"""

import dataclasses
import datetime
import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from oslo_config import cfg

from nova_lite import errors
from nova_lite.auth.context import RequestContext, service_context
from nova_lite.clients.image import ImageClient
from nova_lite.objects.operation import Operation
from nova_lite.objects.server import Server
from nova_lite.virt import base as virt

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Job:
    """One operation with all that its steps need.

    ``tell`` lets the conductor know how far a long step is; the answer is what somebody wants of it.
    ``changes`` is what the report says beside the power state.
    """

    conf: cfg.ConfigOpts
    driver: virt.Driver
    operation: Operation
    server: Server
    context: RequestContext = dataclasses.field(default_factory=service_context)
    images: ImageClient | None = None
    tell: Callable[[Mapping[str, Any]], str | None] = lambda progress: None
    changes: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def image_service(self) -> ImageClient:
        """The image service, if this host was told of one."""
        if self.images is None:
            raise errors.Unavailable(reason='This compute host knows no image service.')
        return self.images

    def port(self, name: str) -> Any:
        """The driver, if it has this optional port."""
        if name not in self.driver.capabilities:
            raise errors.Unsupported(reason=f'The hypervisor of this host cannot do this: it has no port {name}.')
        return self.driver


@dataclasses.dataclass(frozen=True)
class Step:
    """One thing to do, which may be done again after a crash."""

    do: Callable[[Job], None]
    undo: Callable[[Job], None] | None = None


@dataclasses.dataclass(frozen=True)
class Procedure:
    """The steps of one kind of operation, and the event name that clients know it by."""

    event: str
    steps: tuple[Step, ...]


@dataclasses.dataclass(frozen=True)
class Result:
    """How a procedure went. ``error`` is None if it went well."""

    events: list[dict[str, Any]]
    error: dict[str, Any] | None


def run(procedure: Procedure, job: Job) -> Result:
    """Do the steps in their order; after a failure, undo what was begun in reverse order."""
    start = _now()
    begun: list[Step] = []
    try:
        for step in procedure.steps:
            begun.append(step)
            step.do(job)
    except Exception as error:
        LOG.exception('%s of server %s failed.', job.operation.kind, job.server.uuid)
        trace = ''.join(traceback.format_exception(error))
        undo(begun, job)
        return Result([_event(procedure, start, 'Error', trace)], describe(error, job.operation.kind, trace))
    return Result([_event(procedure, start, 'Success', None)], None)


def undo(steps: Sequence[Step], job: Job) -> None:
    """Undo ``steps``, last first. One that cannot be undone does not keep the others from it."""
    for step in reversed(steps):
        if step.undo is None:
            continue
        try:
            step.undo(job)
        except Exception:
            LOG.exception('Could not undo %s of server %s.', job.operation.kind, job.server.uuid)


def describe(error: Exception, kind: str, trace: str) -> dict[str, Any]:
    """The error as the report carries it.

    Only errors raised on purpose are worded for the owner of a server; of others he gets the class, and the
    details are for the operator. The code is 500 whatever it was: the owner's request was right.
    """
    if isinstance(error, errors.Error):
        message = str(error)
    else:
        message = f'The compute host could not {kind} the server: {type(error).__name__}.'
    return {'code': 500, 'message': message, 'details': trace}


def _event(procedure: Procedure, start: str, result: str, trace: str | None) -> dict[str, Any]:
    return {'event': procedure.event, 'start': start, 'finish': _now(), 'result': result, 'traceback': trace}


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat()
