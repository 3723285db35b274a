# SPDX-License-Identifier: Apache-2.0
"""Runs operations on one host: each once, one at a time per server, and each one reported."""

import collections
import contextlib
import functools
import logging
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from oslo_config import cfg

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.clients.image import ImageClient
from nova_lite.compute import procedure
from nova_lite.compute.delivery import Conductor, Delivery
from nova_lite.compute.operations import PROCEDURES
from nova_lite.compute.turns import Attempts, Turns
from nova_lite.objects.operation import Operation, OperationReport
from nova_lite.objects.server import Server
from nova_lite.virt import base as virt

LOG = logging.getLogger(__name__)


class Worker:
    """The operations of one host."""

    def __init__(self, conf: cfg.ConfigOpts, host: str, driver: virt.Driver, conductor: Conductor,
                 procedures: Mapping[str, procedure.Procedure] = PROCEDURES, images: ImageClient | None = None) -> None:
        self._conf = conf
        self._host = host
        self._driver = driver
        self._procedures = procedures
        self._images = images
        self._conductor = conductor
        self._delivery = Delivery(conductor)
        self._turns = Turns()
        self._attempts = Attempts()
        self._guard = threading.Lock()
        self._current: collections.Counter[str] = collections.Counter()
        #: No conductor knows yet that it has started.
        self.fresh = True

    def start(self) -> None:
        """Begin, or begin again after a reload."""
        self._delivery.start()

    def stop(self) -> None:
        """Let operations in flight end; do not wait for a conductor that is away."""
        self._delivery.stop()

    def run(self, context: RequestContext, operation: Operation, server: Server) -> None:
        """Run the operation and report it, unless this attempt or a later one came by before."""
        if not self._attempts.is_new(operation.id, operation.attempt):
            LOG.info('Operation %s, attempt %d, of server %s came again and is left alone.',
                     operation.id, operation.attempt, server.uuid)
            return
        with self._at(operation.id), self._turns.take(server.uuid):
            # An earlier attempt may have succeeded while this one waited; by now the server may have moved on.
            if not self._attempts.is_settled(_name(operation)):
                self._run(context, procedure.Job(
                    self._conf, self._driver, operation, server, context, self._images,
                    functools.partial(self._tell, context, operation)))

    def busy(self) -> list[str]:
        """The operations that wait for their turn or run; the conductor leaves them to this host."""
        with self._guard:
            return list(self._current)

    def _run(self, context: RequestContext, job: procedure.Job) -> None:
        operation = job.operation
        known = self._procedures.get(operation.kind) or self._procedures.get(operation.step)
        result = procedure.run(known, job) if known else self._unknown(operation)
        taken = self._delivery.deliver(context, self._report(job, result))
        if result.error is not None or known is None:
            return
        if taken:
            self._attempts.settle(_name(operation))
        elif taken is False:
            LOG.warning('Operation %s (%s) of server %s is not of host %s any more; it is undone.',
                        operation.id, operation.kind, job.server.uuid, self._host)
            procedure.undo(known.steps, job)

    @contextlib.contextmanager
    def _at(self, operation_id: str) -> Iterator[None]:
        with self._guard:
            self._current[operation_id] += 1
        try:
            yield
        finally:
            with self._guard:
                self._current[operation_id] -= 1
                if not self._current[operation_id]:
                    del self._current[operation_id]

    def remove_unknown(self, server_uuids: Iterable[str]) -> None:
        """Destroy guests that no server accounts for, but none that an operation is busy with."""
        for server_uuid in server_uuids:
            with self._turns.take_if_free(server_uuid) as free:
                if free:
                    self._destroy_unknown(server_uuid)

    def _destroy_unknown(self, server_uuid: str) -> None:
        LOG.warning('Guest %s on host %s belongs to no server and is destroyed.', server_uuid, self._host)
        try:
            self._driver.destroy(server_uuid)
        except Exception:
            LOG.exception('Guest %s on host %s could not be destroyed.', server_uuid, self._host)

    def _report(self, job: procedure.Job, result: procedure.Result) -> OperationReport:
        operation = job.operation
        return OperationReport(
            operation_id=operation.id, server_uuid=job.server.uuid, attempt=operation.attempt,
            host=self._host, outcome='failed' if result.error else 'succeeded',
            changes={**self._changes(job.server.uuid), **job.changes}, error=result.error, events=result.events)

    def _tell(self, context: RequestContext, operation: Operation, progress: Mapping[str, Any]) -> str | None:
        """Report how far the operation is; what somebody wants of it meanwhile."""
        try:
            return self._conductor.report_progress(context, operation.id, operation.attempt, self._host, dict(progress))
        except Exception as error:
            LOG.info('No conductor was told how far operation %s is: %s: %s', operation.id, type(error).__name__, error)
            return None

    def _changes(self, server_uuid: str) -> dict[str, Any]:
        """What is true now, after a failure too: a reboot that failed may have left the guest off."""
        try:
            return {'power_state': int(self._driver.power_state(server_uuid))}
        except Exception:
            LOG.exception('The power state of guest %s on host %s cannot be read.', server_uuid, self._host)
            return {}

    def _unknown(self, operation: Operation) -> procedure.Result:
        error = errors.Unsupported(
            reason=f'Host {self._host} does not know operation {operation.kind}. '
                   f'It knows {", ".join(sorted(self._procedures))}.')
        return procedure.Result([], procedure.describe(error, operation.kind, ''))


def _name(operation: Operation) -> str:
    """What needs to be done once: the step, of an operation that has several on this host."""
    return f'{operation.id}/{operation.step}'
