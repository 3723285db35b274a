# SPDX-License-Identifier: Apache-2.0
"""Finds the operations that nobody cares for any more, in every conductor and without a leader.

A wake-up that was lost, a conductor or a host that died: all look the same from here, a lease that
ran out.
"""

import logging
import random
import time

from oslo_config import cfg

from nova_lite.auth.context import service_context
from nova_lite.concurrency.background import Background
from nova_lite.conductor.runner import Runner

LOG = logging.getLogger(__name__)

#: Seconds between two looks for what is too old to be kept.
PRUNE_INTERVAL = 60.0


class Sweeper(Background):
    """Looks every ``[conductor] sweep_interval`` seconds, at a moment of its own."""

    def __init__(self, conf: cfg.ConfigOpts, runner: Runner) -> None:
        super().__init__()
        self._conf = conf
        self._runner = runner

    def sweep(self) -> int:
        """Look once; the number of operations that were due."""
        due = self._runner.due()
        for operation_id in due:
            if self._stopping.is_set():
                break
            try:
                self._runner.run(service_context(), operation_id)
            except Exception:
                # The next one may well work, and this one is due again.
                LOG.exception('Operation %s could not be run.', operation_id)
        return len(due)

    def _loop(self) -> None:
        next_prune = time.monotonic() + PRUNE_INTERVAL * random.random()
        # Not at once, and not when the others do.
        while not self._stopping.wait(self._conf.conductor.sweep_interval * random.uniform(0.5, 1.5)):
            try:
                self.sweep()
                if time.monotonic() >= next_prune:
                    next_prune = time.monotonic() + PRUNE_INTERVAL
                    self._runner.prune()
            except Exception as error:
                LOG.warning('Could not look for operations: %s: %s', type(error).__name__, error)
