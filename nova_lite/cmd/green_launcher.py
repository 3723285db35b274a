# SPDX-License-Identifier: Apache-2.0
"""The launcher of the eventlet backend: oslo.service's, made to lose neither signals nor requests."""

import ctypes
import logging
import mmap
import os
import signal
from typing import Any

from oslo_service import service as oslo_service

from nova_lite import concurrency

LOG = logging.getLogger(__name__)

# Seconds between looks at the children; the default of 10 ms keeps a processor from sleeping.
_LOOK = 0.1
# Seconds that a worker waits to learn whether it is stopped alone; who stops a whole process group may reach it first.
_HEARSAY = 0.1
_SIGNALS = frozenset((signal.SIGTERM, signal.SIGHUP, signal.SIGINT))
_SET_CHILD_SUBREAPER = 36


class GreenLauncher(oslo_service.ProcessLauncher):  # type: ignore[misc]
    """Runs services that say how many workers they want (``wanted()``).

    oslo.service lets a worker die of a signal that comes while it handles another one, and forgets a signal
    that comes while it forks.
    """

    def __init__(self, conf: Any, in_terminal: bool) -> None:
        self._in_terminal = in_terminal
        self._handles = False
        self._stopping = False
        # Shared with the workers: whether all of them end.
        self._ending = mmap.mmap(-1, 1)
        _adopt_orphans()
        super().__init__(conf, wait_interval=_LOOK, restart_method='mutate')

    # ------------------------------------------------------------- the parent

    def handle_signal(self) -> None:
        """Called before each wait, but handlers add up, so only the first call adds them."""
        if not self._handles:
            self._handles = True
            self.signal_handler.add_handler('SIGTERM', self._handle_term)
            self.signal_handler.add_handler('SIGHUP', self._handle_hup)
            self.signal_handler.add_handler('SIGINT', self._handle_term if self._in_terminal else self._fast_exit)
            self.signal_handler.add_handler('SIGALRM', self._on_alarm_exit)

    def _handle_term(self, signo: int, frame: Any) -> None:
        self._ending[0] = 1
        # The next SIGTERM or Ctrl-C ends this process at once; the workers see that and end by themselves.
        super()._handle_term(signo, frame)
        self.signal_handler.add_handler('SIGALRM', self._on_alarm_exit)

    def _wait_child(self) -> Any:
        self._collect_orphans()
        wrap = super()._wait_child()
        if wrap is None and not self.running:
            # oslo.service asks again at once, which keeps a processor busy and the alarm from being heard.
            concurrency.sleep(_LOOK)
        return wrap

    def stop(self) -> None:
        """End all; those that the others report to are told last."""
        self.running = False
        first = {pid for pid, wrap in self.children.items() if not wrap.service.outlasts}
        if len(first) < len(self.children):
            for pid in first:
                os.kill(pid, signal.SIGTERM)
            while first & set(self.children):
                self._wait_child()
        super().stop()

    def _collect_orphans(self) -> None:
        try:
            while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
                if ended.si_pid in self.children:
                    return
                os.waitpid(ended.si_pid, 0)
        except ChildProcessError:
            return

    def _respawn_children(self) -> None:
        for wrap in set(self.children.values()):
            self._adjust(wrap)
        super()._respawn_children()

    def _adjust(self, wrap: Any) -> None:
        wrap.workers = wrap.service.wanted()
        while self.running and len(wrap.children) < wrap.workers:
            self._start_child(wrap)
        for pid in sorted(wrap.children)[wrap.workers:]:
            LOG.info('Worker %d is one too many and is stopped', pid)
            os.kill(pid, signal.SIGTERM)

    def _start_child(self, wrap: Any) -> Any:
        # A signal waits until the child is there to take it with its own handlers, and its own hub.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            return super()._start_child(wrap)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    # ------------------------------------------------------------- a child

    def _child_process(self, service: Any) -> Any:
        self._service = service
        self.launcher = super()._child_process(service)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        return self.launcher

    def _child_process_handle_signal(self) -> None:
        self.signal_handler.clear()
        self.signal_handler.add_handler('SIGTERM', self._child_stop)
        self.signal_handler.add_handler('SIGHUP', self._child_reload)
        # The terminal sends Ctrl-C to every process; there the parent tells the children.
        self.signal_handler.add_handler('SIGINT', _ignore if self._in_terminal else self._fast_exit)

    def _pipe_watcher(self) -> None:
        # It can be read once the parent is gone.
        self.readpipe.read(1)
        if self._stopping:
            # The parent has given up waiting.
            os._exit(1)
        LOG.info('The launcher is gone; this worker stops')
        self._ending[0] = 1
        self.signal_handler.add_handler('SIGALRM', self._on_alarm_exit)
        signal.alarm(self.conf.graceful_shutdown_timeout)
        self._child_stop()

    def _child_stop(self, *args: Any) -> None:
        # Who stops a whole process group reaches a worker twice, through the parent too.
        if not self._stopping:
            self._stopping = True
            if not self._ending[0]:
                concurrency.sleep(_HEARSAY)
            if self._ending[0]:
                self._service.leave()
            self.launcher.stop()

    def _child_reload(self, *args: Any) -> None:
        if not self._stopping:
            LOG.info('Reloading')
            self.launcher.restart()


def _adopt_orphans() -> None:
    """Become the parent of what workers leave behind, such as guests, where the system can do that.

    libvirt waits until a QEMU that it ended is collected, and the first process of a container does that late or never.
    """
    prctl = getattr(ctypes.CDLL(None), 'prctl', None)
    if prctl is not None:
        prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _ignore(*args: Any) -> None:
    """Leave it to the parent."""
