# SPDX-License-Identifier: Apache-2.0
"""The little HTTP that the embedded APIs need: a route table, bounded bodies, JSON answers.

They have no microversions, policies or schemas, so the machinery of the compute
API would cost more than it gives here.
"""

import re
import secrets
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

import orjson
import webob
import webob.exc
from oslo_log import log as logging

from nova_lite import errors

LOG = logging.getLogger(__name__)

Handler = Callable[..., webob.Response]

CHUNK = 64 * 1024
_STATUS = (
    (errors.TooLarge, 413), (errors.Unauthenticated, 401), (errors.Forbidden, 403), (errors.OverQuota, 403),
    (errors.NotFound, 404), (errors.Conflict, 409), (errors.Gone, 410), (errors.Unavailable, 503),
    (errors.Unsupported, 501), (errors.Invalid, 400),
)


class Refused(Exception):
    """An answer that only HTTP has a word for."""

    def __init__(self, status: int, message: str, headers: tuple[tuple[str, str], ...] = ()):
        super().__init__(message)
        self.status = status
        self.headers = headers


class Routes:
    """Rows of (method, path template, handler); a ``{name}`` in a template is one path segment."""

    def __init__(self, *rows: tuple[str, str, Handler]):
        self._fixed: dict[str, dict[str, Handler]] = {}
        self._patterns: dict[str, tuple[re.Pattern[str], dict[str, Handler]]] = {}
        for method, template, handler in rows:
            if '{' in template:
                pattern = re.compile(re.sub(r'\{(\w+)\}', r'(?P<\1>[^/]+)', template))
                self._patterns.setdefault(template, (pattern, {}))[1][method] = handler
            else:
                self._fixed.setdefault(template, {})[method] = handler

    def find(self, method: str, path: str) -> tuple[Handler, dict[str, str]]:
        """The handler and the path's variables; fixed paths win over templates."""
        methods, variables = self._fixed.get(path), {}
        if methods is None:
            for pattern, candidates in self._patterns.values():
                match = pattern.fullmatch(path)
                if match:
                    methods, variables = candidates, match.groupdict()
                    break
            else:
                raise errors.NotFound(f'No resource at {path}.')
        handler = methods.get(method) or (methods.get('GET') if method == 'HEAD' else None)
        if handler is None:
            allow = ', '.join(sorted(methods))
            raise Refused(405, f'{path} answers {allow}, not {method}.', (('Allow', allow),))
        return handler, variables


class App:
    """A WSGI callable over a route table; a subclass gives the routes and the shape of an error."""

    routes: Routes

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        request = webob.Request(environ)
        try:
            self.prepare(environ)
            handler, variables = self.routes.find(request.method, path_of(environ))
            response = handler(request, **variables)
        except Refused as refused:
            response = self._refusal(request, refused.status, str(refused))
            response.headers.update(refused.headers)
        except errors.Error as error:
            response = self._refusal(request, self.status_of(error), str(error), type(error).__name__)
            if isinstance(error, errors.Unavailable):
                response.headers['Retry-After'] = str(error.retry_after)
        except webob.exc.HTTPError as error:
            # a filter before us, such as the one that limits sizes, speaks up while the body is read
            response = self._refusal(request, error.status_int, error.explanation)
        except Exception:
            LOG.exception('%s %s failed', request.method, request.path)
            response = self._refusal(request, 500, 'An unexpected error occurred; the log has more.')
        response.headers.setdefault('x-openstack-request-id', request_id(environ))
        self.decorate(environ, response)
        return response(environ, start_response)

    def prepare(self, environ: dict[str, Any]) -> None:
        """A subclass reads what is the same for all requests, before the route is looked for."""

    def decorate(self, environ: dict[str, Any], response: webob.Response) -> None:
        """A subclass adds the headers that every answer carries."""

    def status_of(self, error: errors.Error) -> int:
        """The HTTP status of an error."""
        return next((code for kind, code in _STATUS if isinstance(error, kind)), 500)

    def _refusal(self, request: webob.Request, status: int, message: str, kind: str = '') -> webob.Response:
        title = HTTPStatus(status).phrase
        response = answer(self.named_error_body(kind or title.replace(' ', ''), status, title, message), status)
        self.decorate_error(request, response)
        return response

    def named_error_body(self, name: str, status: int, title: str, message: str) -> Any:
        """For an API whose errors have names; ours are the names of the classes."""
        return self.error_body(status, title, message)

    def error_body(self, status: int, title: str, message: str) -> Any:
        return {'error': {'code': status, 'title': title, 'message': message}}

    def decorate_error(self, request: webob.Request, response: webob.Response) -> None:
        """A subclass adds the headers that its errors carry."""


class Off(App):
    """Stands where an embedded API is switched off."""

    def __init__(self, option: str):
        self._option = option
        self.routes = Routes()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        message = f'This API is off here ({self._option} = false); the service catalogue names the real one.'
        return self._refusal(webob.Request(environ), 404, message)(environ, start_response)


def path_of(environ: dict[str, Any]) -> str:
    """The path below the mount point, without a slash at the end."""
    try:
        path = environ.get('PATH_INFO', '').encode('latin-1').decode('utf-8')
    except UnicodeDecodeError:
        raise errors.Invalid(reason='The path is not UTF-8.') from None
    return path.rstrip('/') or '/'


def request_id(environ: dict[str, Any]) -> str:
    context = environ.get('nova.context')
    return getattr(context, 'request_id', None) or f'req-{secrets.token_hex(16)}'


def answer(body: Any, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> webob.Response:
    """A JSON response."""
    response = webob.Response(
        status=status, body=orjson.dumps(body), content_type='application/json', charset=None)
    response.headers.update(headers)
    return response


def empty(status: int = 204) -> webob.Response:
    response = webob.Response(status=status)
    del response.content_type
    return response


def query(request: webob.Request) -> Any:
    """The query string, whose encoding is checked here once for all readers."""
    try:
        return request.GET.copy()
    except UnicodeDecodeError:
        raise errors.Invalid(reason='The query string is not UTF-8.') from None


def chunks(environ: dict[str, Any]) -> Iterator[bytes]:
    """The body as it comes; a body that ends before its announced length raises Invalid."""
    source = environ['wsgi.input']
    announced = environ.get('CONTENT_LENGTH') or ''
    if not announced:
        if 'chunked' in environ.get('HTTP_TRANSFER_ENCODING', '').lower():
            while chunk := _read(source, CHUNK):
                yield chunk
        return
    if not announced.isdecimal() or len(announced) > 18:
        raise errors.Invalid(reason=f'Content-Length {announced!r} is not a number.')
    missing = int(announced)
    while missing:
        chunk = _read(source, min(CHUNK, missing))
        if not chunk:
            raise errors.Invalid(reason=f'The body ended {missing} bytes before its Content-Length.')
        missing -= len(chunk)
        yield chunk


def _read(source: Any, size: int) -> bytes:
    """A connection that breaks, or a malformed chunk, is the sender's fault and not ours."""
    try:
        return source.read(size)
    except (OSError, ValueError) as error:
        raise errors.Invalid(reason=f'The body broke off: {error}.') from None


def read_json(request: webob.Request, limit: int) -> Any:
    """The body as JSON, whose size is bounded before it is parsed."""
    body = bytearray()
    for chunk in chunks(request.environ):
        body += chunk
        if len(body) > limit:
            raise errors.TooLarge(limit=limit)
    try:
        return orjson.loads(bytes(body))
    except orjson.JSONDecodeError as error:
        raise errors.Invalid(reason=f'The body is not JSON: {error}.') from None
