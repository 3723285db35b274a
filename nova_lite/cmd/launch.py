# SPDX-License-Identifier: Apache-2.0
"""Runs services in worker processes: restarts dead ones, reloads on SIGHUP, drains on SIGTERM.

oslo.service's ProcessLauncher does the work; added here are worker counts that a reload can
change, and a Ctrl-C that drains like SIGTERM where one person runs the service in a terminal.
"""

import logging
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from oslo_service import service as oslo_service

from nova_lite import concurrency

LOG = logging.getLogger(__name__)

# Seconds between looks at the children; the default of 10 ms keeps a processor from sleeping.
_LOOK = 0.1


@dataclass(frozen=True)
class Part:
    """A service and the number of processes it wants, asked again at each reload."""

    service: Any
    workers: Callable[[], int]


def run(conf: Any, parts: Sequence[Part], in_terminal: bool = False, ready: Callable[[], None] | None = None) -> None:
    """Launch all parts and wait until they are told to end; ``ready`` runs beside, once they are launched."""
    launcher = _green(conf, parts, in_terminal) if concurrency.backend() == 'eventlet' else \
        oslo_service.ProcessLauncher(conf, restart_method='mutate')
    for part in parts:
        launcher.launch_service(part.service, workers=part.workers())
    if ready is not None:
        concurrency.spawn(ready)
    launcher.wait()


def _green(conf: Any, parts: Sequence[Part], in_terminal: bool) -> Any:
    """A launcher of the eventlet backend; made here, because its class exists only when that backend runs."""
    wanted = {id(part.service): part.workers for part in parts}

    class Launcher(oslo_service.ProcessLauncher):  # type: ignore[misc, valid-type]
        """Adjusts the number of workers, and takes SIGINT as a wish to drain."""

        def handle_signal(self) -> None:
            super().handle_signal()
            if in_terminal:
                self.signal_handler.add_handler('SIGINT', self._handle_term)

        def _child_process_handle_signal(self) -> None:
            super()._child_process_handle_signal()
            if in_terminal:
                # The terminal sends Ctrl-C to every process; the parent tells the children.
                self.signal_handler.add_handler('SIGINT', lambda *args: None)

        def _respawn_children(self) -> None:
            for wrap in set(self.children.values()):
                self._adjust(wrap)
            super()._respawn_children()

        def _adjust(self, wrap: Any) -> None:
            wrap.workers = wanted[id(wrap.service)]()
            while self.running and len(wrap.children) < wrap.workers:
                self._start_child(wrap)
            for pid in sorted(wrap.children)[wrap.workers:]:
                LOG.info('Worker %d is one too many and is stopped', pid)
                _terminate(pid)

    return Launcher(conf, wait_interval=_LOOK, restart_method='mutate')


def _terminate(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        LOG.debug('Worker %d has ended by itself', pid)
