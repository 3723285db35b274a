# SPDX-License-Identifier: Apache-2.0
"""Runs services in worker processes: restarts dead ones, reloads on SIGHUP, drains on SIGTERM.

The launchers of oslo.service do the work.  Added here is what they leave out: worker counts that a reload
changes, a reload that cannot end the service, and a drain on the backend of native threads.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from oslo_config import cfg
from oslo_service import service as oslo_service
from oslo_service.backend.base import ServiceBase

from nova_lite import concurrency, errors
from nova_lite.conf import check

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """A service and the number of processes it wants, asked again at each reload.

    One that ``outlasts`` the others is what they report to, so it goes on until they have ended.
    """

    service: Any
    workers: Callable[[], int]
    outlasts: bool = False


class Together:
    """Services that share their processes."""

    def __init__(self, services: Sequence[Any]) -> None:
        self._services = services

    def start(self) -> None:
        """Start all."""
        for service in self._services:
            service.start()

    def leave(self) -> None:
        """The stop that comes next is that of all workers."""
        for service in self._services:
            service.leave()

    def stop(self) -> None:
        """Stop all."""
        for service in self._services:
            service.stop()

    def wait(self) -> None:
        """Wait for all."""
        for service in self._services:
            service.wait()

    def reset(self) -> None:
        """Take over what changed."""
        for service in self._services:
            service.reset()


def run(conf: Any, parts: Sequence[Part], in_terminal: bool = False) -> None:
    """Launch all parts and wait until they are told to end.

    ``in_terminal`` makes Ctrl-C a wish to drain; it has a meaning with green threads only.
    """
    steady = _Configuration(conf)
    if concurrency.backend() == 'eventlet':
        # Only now, because it builds on what the running backend brings.
        from nova_lite.cmd import green_launcher
        launcher = green_launcher.GreenLauncher(steady, in_terminal)
        services = [_Service(part) for part in parts]
    else:
        launcher = oslo_service.ProcessLauncher(steady, restart_method='mutate')
        services = [_ThreadedService(part) for part in parts]
    for service in services:
        launcher.launch_service(service, workers=service.wanted())
    if concurrency.backend() == 'threading':
        _reload_threads(launcher, services)
    launcher.wait()


class _Configuration:
    """The configuration as launchers see it: a file that cannot be read changes nothing."""

    def __init__(self, conf: Any) -> None:
        self._conf = conf

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conf, name)

    def mutate_config_files(self) -> Any:
        """Read the files again, as far as options may change while the service runs."""
        try:
            check.refuse_changed_files(self._conf)
            return self._conf.mutate_config_files()
        except (errors.StartError, cfg.Error) as error:
            LOG.error('The configuration is not read again and stays as it was: %s', error)
            return {}


class _Service(ServiceBase):  # type: ignore[misc]
    """A part under a launcher."""

    def __init__(self, part: Part) -> None:
        self._service = part.service
        self._workers = part.workers
        self.outlasts = part.outlasts

    def wanted(self) -> int:
        """How many worker processes there should be."""
        return self._workers()

    def start(self) -> None:
        self._service.start()

    def leave(self) -> None:
        """The stop that comes next is that of all workers."""
        if hasattr(self._service, 'leave'):
            self._service.leave()

    def stop(self) -> None:
        self._service.stop()

    def wait(self) -> None:
        self._service.wait()

    def reset(self) -> None:
        """Take over what a reload changed; what cannot be taken over leaves the service as it was."""
        try:
            self._service.reset()
        except Exception:
            LOG.exception('%s cannot be reloaded and goes on as before', type(self._service).__name__)


class _ThreadedService(_Service):
    """A part under the launcher of native threads, which ends a worker as soon as ``stop`` returns."""

    def stop(self) -> None:
        super().stop()
        super().wait()

    def wait(self) -> None:
        """Nothing to wait for: the worker lives until it is stopped."""


def _reload_threads(launcher: Any, services: Sequence[_ThreadedService]) -> None:
    # The manager starts every worker afresh on SIGHUP, so what they share with it has to be new before that.
    manager = launcher._manager
    start_worker = manager._start_worker

    def reload() -> None:
        for service_id, service in zip(list(manager._services), services, strict=True):
            service.reset()
            manager.reconfigure(service_id, service.wanted())

    def start_if_wanted(service_id: Any, worker_id: int) -> None:
        # It would start each worker again that has ended, those too that it has stopped as surplus.
        if worker_id < manager._services[service_id].workers:
            start_worker(service_id, worker_id)

    manager._start_worker = start_if_wanted
    manager.register_hooks(on_reload=reload)
