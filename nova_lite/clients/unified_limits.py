# SPDX-License-Identifier: Apache-2.0
"""Limits that Keystone keeps ("unified limits"), read through oslo.limit and remembered for some seconds.

oslo.limit knows one configuration, that of the process; it is the one that daemons hand to everybody.
"""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from oslo_config import cfg
from oslo_log import log as logging

from nova_lite import errors

LOG = logging.getLogger(__name__)

#: Seconds to wait for Keystone where ``[oslo_limit] timeout`` says nothing: somebody waits for the answer.
TIMEOUT = 10
# What is remembered of more projects than this is cleared of what is too old.
_MANY = 1000
_REGISTERED = ''

Values = Mapping[str, int]


class UnifiedLimits:
    """Limits by their names in Keystone, ``Unavailable`` if they cannot be had.  Not to be asked in a transaction.

    Requests that want the same at the same time ask Keystone once.
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._lock = threading.Lock()
        self._answers: dict[str, tuple[float, Future[Values]]] = {}
        self._enforcer: Any = None

    def registered(self) -> Values:
        """What counts for every project that has no limit of its own."""
        return self._remembered(_REGISTERED, lambda: self._asked().get_registered_limits(None))

    def of_project(self, project_id: str) -> Values:
        """The limits that the project has of its own."""
        return self._remembered(project_id, lambda: self._asked().get_project_limits(project_id, None))

    def _remembered(self, key: str, ask: Callable[[], Any]) -> Values:
        now = time.monotonic()
        with self._lock:
            until, answer = self._answers.get(key, (0.0, Future()))
            mine = until <= now
            if mine:
                answer = Future()
                self._answers[key] = (float('inf'), answer)
        if not mine:
            return answer.result()
        try:
            answer.set_result(self._fetch(ask))
        except BaseException as error:
            # Who waits gets the same error; who comes later asks anew.
            answer.set_exception(error)
            self._keep(key, None)
            raise
        self._keep(key, answer)
        return answer.result()

    def _keep(self, key: str, answer: Future[Values] | None) -> None:
        now = time.monotonic()
        with self._lock:
            if answer is None:
                del self._answers[key]
            else:
                self._answers[key] = (now + self._conf.quota.unified_limits_cache_time, answer)
            if len(self._answers) > _MANY:
                self._answers = {name: kept for name, kept in self._answers.items() if kept[0] > now}

    def _fetch(self, ask: Callable[[], Any]) -> Values:
        from keystoneauth1 import exceptions as keystone
        from openstack import exceptions as sdk
        from oslo_limit import exception as limits
        try:
            return dict(ask())
        except (keystone.ClientException, sdk.SDKException, limits.SessionInitError, cfg.Error, ValueError, LookupError,
                RuntimeError) as error:
            # The last three are how oslo.limit says that [oslo_limit] names nothing in Keystone's catalogue, that
            # Keystone answered with an error, and that it enforces by another model than the flat one.
            LOG.warning('The limits in Keystone cannot be read: %s: %s', type(error).__name__, error)
            raise errors.Unavailable(reason='The limits in Keystone cannot be read.') from error

    def _asked(self) -> Any:
        """The part of oslo.limit that asks; it looks up our endpoint in Keystone when it is made."""
        if self._enforcer is None:
            from oslo_limit import limit
            self._conf.set_default('timeout', TIMEOUT, group='oslo_limit')
            # What is used is counted by ourselves, in the transaction that uses it.
            self._enforcer = limit.Enforcer(lambda project_id, names: {}, cache=False)
        return self._enforcer
