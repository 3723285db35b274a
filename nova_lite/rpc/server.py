# SPDX-License-Identifier: Apache-2.0
"""Receives messages for a service, under any launcher of oslo.service."""

import concurrent.futures
import logging
from collections.abc import Sequence
from importlib import metadata
from typing import Any

import oslo_messaging
from oslo_messaging.rpc import dispatcher
from oslo_messaging.rpc import server as rpc_server
from oslo_service import service

from nova_lite import concurrency, errors, telemetry
from nova_lite.rpc.serializer import context_serializer

LOG = logging.getLogger(__name__)

#: Seconds that a start waits for the broker before it lets the rest of the service start without it.
PATIENCE = 5.0


def preload() -> None:
    """Load what each server would else load for itself: in processes that are forked later, all share it."""
    for executor in metadata.entry_points(group='oslo.messaging.executors', name=concurrency.executor_name()):
        executor.load()


class _Dispatcher(dispatcher.RPCDispatcher):
    """Answers with our own errors as they are; a line in the log is enough for them."""

    topic = ''

    def _do_dispatch(self, endpoint: Any, method: str, ctxt: dict[str, Any], args: dict[str, Any]) -> Any:
        try:
            return super()._do_dispatch(endpoint, method, ctxt, args)
        except errors.Error as error:
            LOG.warning('%s of request %s failed: %s: %s', method, ctxt.get('request_id'), type(error).__name__, error)
            expected = dispatcher.ExpectedException()
            known = _as_known(error)
            expected.exc_info = (type(known), known, error.__traceback__)
            raise expected from error


def _as_known(error: errors.Error) -> errors.Error:
    """The error as one that can be sent: whoever asked rebuilds only what ``nova_lite.errors`` has."""
    kind = next(kind for kind in type(error).__mro__ if kind.__module__ == errors.__name__)
    return error if kind is type(error) else kind(str(error), **error.details)


class _TracedDispatcher(_Dispatcher):
    """Works in the trace that a message belongs to."""

    def _do_dispatch(self, endpoint: Any, method: str, ctxt: dict[str, Any], args: dict[str, Any]) -> Any:
        with telemetry.receiving(ctxt, self.topic, method):
            return super()._do_dispatch(endpoint, method, ctxt, args)


class Server(service.ServiceBase):
    """Answers the messages of one topic that go to ``name`` or to anyone.

    ``endpoints`` are objects whose public methods can be called over the network, the context first.
    """

    def __init__(self, transport: Any, topic: str, name: str, endpoints: Sequence[Any]) -> None:
        self._transport = transport
        self._target = oslo_messaging.Target(topic=topic, server=name)
        self._endpoints = list(endpoints)
        self._server: Any = None
        self._started: concurrent.futures.Future[Any] | None = None

    def start(self) -> None:
        """Listen. A broker that is away is waited for in the background; any other trouble is raised."""
        # A reload stops a service and starts it again without waiting in between.
        self.wait()
        # oslo.messaging finds out by itself which executor fits the running backend, and complains if it is told.
        self._server = rpc_server.RPCServer(self._transport, self._target, self._dispatcher())
        self._started = concurrency.spawn(self._listen)
        try:
            error = self._started.result(PATIENCE)
        except concurrent.futures.TimeoutError:
            LOG.warning('%s: the broker cannot be reached yet; messages are received as soon as it is there.',
                        self._target)
            return
        if error:
            raise errors.StartError(reason=f'No messages can be received: {error}') from error

    def _listen(self) -> Exception | None:
        try:
            self._server.start()
        except oslo_messaging.MessagingException as error:
            LOG.error('%s: no messages can be received: %s', self._target, error)
            return error
        return None

    def stop(self, graceful: bool = True) -> None:
        """Take no new messages. Those that were taken are still worked on; ``wait`` waits for them."""
        if self.listening():
            self._server.stop()

    def wait(self) -> None:
        """Wait until nothing is worked on any more."""
        if self.listening():
            self._server.wait()
            telemetry.flush()

    def reset(self) -> None:
        """A reload changes nothing here: what is listened to does not depend on options that can be reloaded."""

    def _dispatcher(self) -> _Dispatcher:
        topic = self._target.topic
        telemetry.name_process(topic)
        kind = _TracedDispatcher if telemetry.is_on() else _Dispatcher
        made = kind(self._endpoints, context_serializer(), dispatcher.DefaultRPCAccessPolicy)
        made.topic = topic
        return made

    def listening(self) -> bool:
        """Whether messages are received. One that waits for the broker has nothing to finish, and cannot be stopped."""
        return self._started is not None and self._started.done() and self._started.result() is None
