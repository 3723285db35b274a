# SPDX-License-Identifier: Apache-2.0
"""One nova-conductor process under an oslo.service launcher."""

import dataclasses
import logging
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from oslo_service.backend.base import ServiceBase

from nova_lite import errors
from nova_lite.concurrency.background import Background
from nova_lite.conductor.runner import Runner
from nova_lite.conductor.service import ConductorEndpoint
from nova_lite.conductor.sweeper import Sweeper
from nova_lite.conductor.work import Deps
from nova_lite.db.queries import services
from nova_lite.notifications.sender import Sender

LOG = logging.getLogger(__name__)
BINARY = 'nova-conductor'


class Listener(Protocol):
    """Takes messages from the transport and hands them to the endpoint."""

    def start(self) -> None:
        """Take messages."""

    def stop(self) -> None:
        """Take no more."""

    def wait(self) -> None:
        """Return when the messages that were taken are dealt with."""


class ConductorManager(ServiceBase):
    """Listens, sweeps and says that it is alive.

    ``sender`` is there if notifications are sent.
    ``deps`` have the name of the worker process from ``start`` on.
    ``listen(endpoint)`` makes the RPC server. It is called in ``start``, thus in the worker process: a
    connection must not cross a fork.
    """

    def __init__(self, deps: Deps, listen: Callable[[ConductorEndpoint], Listener], version: int,
                 sender: Sender | None = None) -> None:
        self._deps = deps
        self._conf = deps.conf
        self._db = deps.db
        self._listen = listen
        self._version = version
        self._sender = sender
        self._listener: Listener | None = None
        self._beside: list[Background] = []
        self._stopping = threading.Event()

    def start(self) -> None:
        """Take work."""
        # A reload stops a service and starts it again without waiting in between.
        self.wait()
        self._stopping = threading.Event()
        deps = dataclasses.replace(self._deps, name=f'{self._conf.host}:{os.getpid()}')
        runner = Runner(deps)
        threading.Thread(target=self._beat, args=(self._stopping,), name='heartbeat', daemon=True).start()
        self._listener = self._listen(ConductorEndpoint(deps, runner))
        self._listener.start()
        self._beside = [Sweeper(self._conf, runner), *([self._sender] if self._sender else ()), *_mirror(deps)]
        for one in self._beside:
            one.start()
        LOG.info('%s takes work.', BINARY)

    def stop(self) -> None:
        """Take no more; what has begun goes on."""
        self._stopping.set()
        for one in self._beside:
            one.stop()
        if self._listener is not None:
            self._listener.stop()

    def wait(self) -> None:
        """Return when what had begun has ended."""
        if self._listener is not None:
            self._listener.wait()
        for one in self._beside:
            one.wait()

    def reset(self) -> None:
        """Read changed options: those that are read once are the filters."""
        self._deps.scheduler.reload()

    def _beat(self, stopping: threading.Event) -> None:
        registered = False
        while True:
            try:
                registered = self._say_alive(registered)
            except errors.Unavailable as error:
                LOG.warning('The heartbeat of %s was lost: %s', BINARY, error)
            except Exception:
                LOG.exception('The heartbeat of %s failed.', BINARY)
            if stopping.wait(self._conf.report_interval):
                return

    def _say_alive(self, registered: bool) -> bool:
        if not registered or not self._db.transaction(services.heartbeat, self._conf.host, BINARY):
            self._db.transaction(self._register)
        return True

    def _register(self, conn: Any) -> None:
        row = services.register(conn, self._conf.host, BINARY, self._version)
        if row.created_at == row.last_seen_at:
            self._deps.notifications.thing(conn, 'service.create', row.id)


def _mirror(deps: Deps) -> Iterable[Background]:
    """What tells Placement of what there is, if anybody wants that; who does not is spared the import."""
    if not deps.conf.placement.mirror:
        return ()
    from nova_lite.clients.placement import Placement
    from nova_lite.conductor.mirror import Mirror
    return [Mirror(deps, Placement(deps.conf))]
