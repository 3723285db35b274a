# SPDX-License-Identifier: Apache-2.0
"""Events for OSprofiler; imported only where it is on.

A message carries the ids of the trace but not the key that signed it, as Nova's does: every receiver
has keys of its own.  The driver is made in the process that has an event for it, because most of
them hold a connection.
"""

import contextlib
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlparse

from osprofiler import drivers, notifier, profiler, web
from osprofiler.drivers import base

from nova_lite import errors, telemetry

LOG = logging.getLogger(__name__)

PROJECT = 'nova'
#: The same word as in other services, in whose messages it also holds the key.
KEY = 'trace_info'

_SQL = ('mysql', 'mysql+pymysql', 'mysql+mysqldb', 'postgresql', 'postgresql+psycopg2')


class Profiles:
    """Goes on with the traces that signed requests begin."""

    def __init__(self, conf: Any) -> None:
        self._conf = conf
        self._options = conf.profiler
        self._keys = [key.strip() for key in (self._options.hmac_keys or '').split(',') if key.strip()]
        if not self._keys:
            raise errors.StartError(reason='[profiler] enabled needs hmac_keys: the key that signs a request that '
                                           'is to be profiled.')
        _check_driver(self._options.connection_string)
        self._lock = threading.Lock()
        self._pid = 0
        self._driver_notify: Callable[[dict[str, Any]], Any] = _nowhere
        notifier.set(self._notify)
        web.enable(self._options.hmac_keys)
        if self._options.trace_requests:
            from osprofiler import requests
            requests.enable()

    def wsgi(self, app: Any) -> Any:
        """OSprofiler's own filter before an application."""
        return web.WsgiMiddleware(app, hmac_keys=self._options.hmac_keys, enabled=True)

    def sending(self, topic: str, method: str) -> contextlib.AbstractContextManager[Any]:
        """The receiver's event is enough."""
        return contextlib.nullcontext()

    def carry(self, message_context: dict[str, Any]) -> None:
        """Put the ids of the trace into a message."""
        found = profiler.get()
        if found is not None:
            message_context[KEY] = {'base_id': found.get_base_id(), 'parent_id': found.get_id()}

    @contextlib.contextmanager
    def receiving(self, message_context: Mapping[str, Any], topic: str, method: str) -> Iterator[None]:
        """A message is worked on during the block."""
        ids = message_context.get(KEY)
        if not isinstance(ids, dict):
            yield
            return
        mine = profiler.get() is None
        profiler.init(self._keys[0], ids.get('base_id'), ids.get('parent_id'))
        try:
            with profiler.Trace('rpc', info={'function': {'name': f'{topic}.{method}'}}):
                yield
        finally:
            if mine:
                profiler.clean()

    def statement(self, text: str, database: str) -> telemetry.End | None:
        """A statement of a request that is traced begins."""
        if not self._options.trace_sqlalchemy or profiler.get() is None:
            return None
        # Drivers want params; values stay here.
        profiler.start('db', info={'db': {'statement': text, 'params': {}}})
        return _end

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Send nothing more."""
        notifier.set(_nowhere)
        web.disable()

    def _notify(self, info: dict[str, Any]) -> None:
        """Hand an event to the driver; one that fails must not fail the request."""
        if self._pid != os.getpid():
            with self._lock:
                if self._pid != os.getpid():
                    self._driver_notify = self._make_driver()
                    self._pid = os.getpid()
        try:
            self._driver_notify(info)
        except Exception as error:
            LOG.warning('An event of a profiled request is lost: %s: %s', type(error).__name__, error)

    def _make_driver(self) -> Callable[[dict[str, Any]], Any]:
        try:
            driver = base.get_driver(
                self._options.connection_string, context={}, project=PROJECT, service=telemetry.role() or PROJECT,
                host=self._conf.host, conf=self._conf)
        except Exception:
            LOG.exception('Nothing is profiled: the driver of [profiler] connection_string does not start.')
            return _nowhere
        if _scheme(self._options.connection_string) == 'messaging' and self._carries_no_notifications():
            LOG.warning('Nothing is profiled: the transport local:// carries no notifications. Give [profiler] '
                        'another connection_string, such as file:///tmp/profile.')
        notify: Callable[[dict[str, Any]], Any] = driver.notify
        return notify

    def _carries_no_notifications(self) -> bool:
        url = self._conf.oslo_messaging_notifications.transport_url or self._conf.transport_url
        return str(url).startswith('local:')


class FileDriver(base.Driver):  # type: ignore[misc]
    """Keeps events in a file: what one machine without any server can have."""

    def __init__(self, connection_str: str, project: str | None = None, service: str | None = None,
                 host: str | None = None, **kwargs: Any) -> None:
        super().__init__(connection_str, project=project, service=service, host=host)
        self._path = urlparse(connection_str).path

    @classmethod
    def get_name(cls) -> str:
        """The scheme of its connection strings."""
        return 'file'

    def notify(self, info: dict[str, Any], **kwargs: Any) -> None:
        """Append an event as one write, so that processes can share the file."""
        line = json.dumps({**info, 'project': self.project, 'service': self.service}, default=str) + '\n'
        with open(self._path, 'a', opener=_private) as file:
            file.write(line)

    def get_report(self, base_id: str) -> dict[str, Any]:
        """The tree of one trace."""
        for event in self._events():
            if event['base_id'] == base_id:
                self._append_results(event['trace_id'], event['parent_id'], event['name'], event['project'],
                                     event['service'], event['info']['host'], event['timestamp'], event)
        report: dict[str, Any] = self._parse_results()
        return report

    def list_traces(self, fields: set[str] | None = None) -> list[dict[str, Any]]:
        """The first event of each trace."""
        wanted = {*self.default_trace_fields, *(fields or ())}
        return [{name: event.get(name) for name in wanted} for event in self._events()
                if event['base_id'] == event['parent_id'] and event['name'].endswith('-start')]

    def list_error_traces(self) -> list[dict[str, Any]]:
        """None are kept apart."""
        return []

    def _events(self) -> Iterator[dict[str, Any]]:
        with open(self._path) as file:
            for line in file:
                yield json.loads(line)


def _nowhere(info: dict[str, Any]) -> None:
    """Drop an event."""


def _end(error: BaseException | None) -> None:
    """A statement ends. The text of an error of a database may hold values, so only its kind is told."""
    name = type(error).__name__
    profiler.stop(info={'etype': name, 'message': name} if error is not None else None)


def _scheme(connection_string: str) -> str:
    return urlparse(connection_string if '://' in connection_string else f'{connection_string}://').scheme


def _check_driver(connection_string: str) -> None:
    known = {driver.get_name() for driver in _subclasses(drivers.base.Driver)} - {'sqlalchemy'} | {*_SQL}
    scheme = _scheme(connection_string)
    if scheme not in known:
        raise errors.StartError(reason=f'[profiler] connection_string begins with {scheme}://, which no driver of '
                                       f'OSprofiler takes; there are: {", ".join(sorted(known))}.')


def _subclasses(kind: type[Any]) -> Iterator[type[Any]]:
    for child in kind.__subclasses__():
        yield child
        yield from _subclasses(child)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
