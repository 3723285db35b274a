# SPDX-License-Identifier: Apache-2.0
"""Gives each request an OpenTelemetry span; nothing at all where ``[opentelemetry]`` is off.

A W3C ``traceparent`` header is taken over.  The span is the parent of those of the request's
messages and statements.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from nova_lite import telemetry

_CARRIED = (('traceparent', 'HTTP_TRACEPARENT'), ('tracestate', 'HTTP_TRACESTATE'))
_ATTRIBUTES = (('http.request.method', 'REQUEST_METHOD'), ('url.scheme', 'wsgi.url_scheme'),
               ('client.address', 'REMOTE_ADDR'), ('server.address', 'HTTP_HOST'),
               ('user_agent.original', 'HTTP_USER_AGENT'), ('openstack.request_id', 'openstack.request_id'),
               ('openstack.global_request_id', 'openstack.global_request_id'))


def factory(global_conf: dict[str, str], **local_conf: str) -> Any:
    """Paste filter factory."""
    spans = telemetry.open_telemetry()
    if spans is None:
        return lambda app: app
    return lambda app: BeesProfiler(app, spans)


class BeesProfiler:
    """The span lasts until the last byte of the answer is handed over."""

    def __init__(self, app: Any, spans: Any) -> None:
        self._app = app
        self._spans = spans

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        answered: list[int | None] = [None]

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            answered[:] = [int(status[:3])]
            return start_response(status, headers, *error)

        carrier = {name: environ[key] for name, key in _CARRIED if key in environ}
        with self._spans.request(carrier, environ['REQUEST_METHOD'], _attributes(environ)) as request:
            body = self._app(environ, start)
            _describe(request, environ)
        if isinstance(body, list | tuple):
            request.end(answered[0])
            return body
        return _Body(body, lambda: request.end(answered[0]))


class _Body:
    """An answer that is still being made when its application has returned."""

    def __init__(self, body: Iterable[bytes], end: Callable[[], None]) -> None:
        self._body = body
        self._end = end

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        """Every WSGI server calls it, whatever became of the answer."""
        try:
            if hasattr(self._body, 'close'):
                self._body.close()
        finally:
            self._end()


def _attributes(environ: dict[str, Any]) -> dict[str, Any]:
    found = {name: environ[key] for name, key in _ATTRIBUTES if environ.get(key)}
    # Without the query: what somebody looks for is nobody else's business.
    found['url.path'] = environ.get('SCRIPT_NAME', '') + environ.get('PATH_INFO', '')
    return found


def _describe(request: Any, environ: dict[str, Any]) -> None:
    """What is known only once the request was routed."""
    if 'nova.api_version' in environ:
        request.note('openstack.microversion', environ['nova.api_version'])
    match = environ.get('wsgiorg.routing_args', ((), None))[1] or {}
    path = getattr(match.get('controller'), 'path', None)
    if path:
        route = environ.get('SCRIPT_NAME', '') + path
        request.note('http.route', route)
        request.rename(f'{environ["REQUEST_METHOD"]} {route}')
