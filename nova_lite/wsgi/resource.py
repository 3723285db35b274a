# SPDX-License-Identifier: Apache-2.0
"""Runs one request against the endpoints of one path.

The order of the steps is part of the wire, because it decides which of several errors a client
sees: version (406, 400), method (405), action (400), window (404), body and query (400), load (404),
policy (403), handler; where the policy needs nothing of what is loaded it comes before that.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
import webob

from nova_lite import errors
from nova_lite.wsgi import faults, microversion, repeat, window
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import Endpoint, Page, Raw, Show

_JSON_TYPES = ('application/json', 'application/vnd.openstack.compute+json')
_WITH_BODY = ('POST', 'PUT', 'PATCH')
_DEEPEST = 64
_BAD_JSON = 'Invalid request body: it is not well-formed JSON.'


class Resource:
    """WSGI application for one path; ``wsgiorg.routing_args`` carries the parts of the path."""

    def __init__(self, path: str, endpoints: Iterable[Endpoint], versions: microversion.Versions,
                 services: Any) -> None:
        self.path = path
        self.endpoints = tuple(endpoints)
        self._versions = versions
        self._services = services
        self._by_method: dict[str, list[Endpoint]] = {}
        self._actions: dict[str, list[Endpoint]] = {}
        for endpoint in self.endpoints:
            self._by_method.setdefault(endpoint.method, []).append(endpoint)
            if endpoint.action:
                self._actions.setdefault(endpoint.action, []).append(endpoint)
        self.allowed = ', '.join(sorted(self._by_method))

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        headers: faults.Headers = []
        try:
            minor, headers = version_headers(environ, self._versions)
            return self._answer(environ, start_response, minor, headers)
        except errors.Error as error:
            if faults.status_of(error) >= 500 and not isinstance(error, (errors.Unavailable, errors.Unsupported)):
                raise
            return faults.send_error(start_response, error, headers)

    def _answer(self, environ: dict[str, Any], start_response: Any, minor: int,
                headers: faults.Headers) -> list[bytes]:
        params = {name: _text(value) for name, value in environ['wsgiorg.routing_args'][1].items()}
        params.pop('controller', None)
        url_project = params.pop('project_id', None)
        content = self._content(environ)
        endpoint = self._pick(environ['REQUEST_METHOD'], content, minor)
        call = Call(environ, endpoint, minor, params, self._services)
        self._check_project(call, url_project)
        if repeat.VARIABLE in environ and endpoint.method == 'POST':
            result = repeat.once(call, content, lambda: self._run(call, content))
        else:
            result = self._run(call, content)
        return _send(start_response, endpoint.status(minor), result, headers)

    @staticmethod
    def _run(call: Call, content: Any) -> Raw:
        endpoint, minor = call.endpoint, call.minor
        if endpoint.body is not None:
            call.body = endpoint.body.check(content if content is not None else {}, minor, endpoint.when)
            if endpoint.action:
                call.body = call.body.get(endpoint.action)
        call.query = endpoint.query.check(call.environ.get('QUERY_STRING', ''), minor)
        _admit(call, endpoint)
        show = endpoint.shown(minor)
        if show is not None:
            allowed = frozenset(rule for rule in show.view.rules(minor, show.op) if call.can(rule))
            call.plan = show.view.plan(minor, show.op, allowed)
        return _render(endpoint.handler(call), call, show)

    def _content(self, environ: dict[str, Any]) -> Any:
        """The JSON of the body, None without one."""
        if environ['REQUEST_METHOD'] not in _WITH_BODY:
            return None
        request = webob.Request(environ)
        try:
            raw = request.body
        except OSError as error:
            raise errors.Invalid('Invalid request: the connection ended before the body did.') from error
        if not raw:
            return None
        kind = request.content_type
        if kind and kind not in _JSON_TYPES:
            raise faults.UnsupportedMedia(type=kind)
        if b'\\u0000' in raw:
            raise errors.Invalid('Invalid request body: the character U+0000 is not allowed.')
        try:
            content = orjson.loads(raw)
        except orjson.JSONDecodeError:
            raise errors.Invalid(_BAD_JSON) from None
        if not isinstance(content, dict):
            raise errors.Invalid('Invalid request body: it must be a JSON object.')
        if raw.count(b'{') + raw.count(b'[') > _DEEPEST and _is_deep(content):
            raise errors.Invalid(f'Invalid request body: it is nested more than {_DEEPEST} times.')
        return content

    def _pick(self, method: str, content: Any, minor: int) -> Endpoint:
        """The row that serves this request, or the error that says why none does."""
        rows = self._by_method.get(method)
        if rows is None:
            raise faults.MethodNotAllowed(method=method, allowed=self.allowed)
        if self._actions and method == 'POST':
            rows = self._rows_of_action(content)
        for row in rows:
            if minor in row.when:
                return row
        windows = rows[0].when
        for row in rows[1:]:
            windows = windows | row.when
        raise errors.NotFound(f'{rows[0].name} is there at microversion {windows.describe()}; '
                              f'this request asks for {_say(minor)}.')

    def _rows_of_action(self, content: Any) -> list[Endpoint]:
        if not content:
            raise errors.Invalid('Invalid request body: it must name one action.')
        action = next(iter(content))
        rows = self._actions.get(action)
        if rows is None:
            raise errors.Invalid(f'There is no such action: {action[:64]!r}.')
        return rows

    @staticmethod
    def _check_project(call: Call, url_project: str | None) -> None:
        if url_project is None:
            return
        if call.context.project_id and url_project != call.context.project_id:
            raise errors.Invalid(f'The project {url_project!r} of the URL is not the project of the token, '
                                 f'{call.context.project_id!r}.')
        call.url_project = url_project


def _is_deep(content: Any) -> bool:
    """Whether some value lies deeper than what the writers of JSON and the checks of schemas take."""
    level = [content]
    for _ in range(_DEEPEST):
        level = [item for value in level if isinstance(value, (dict, list))
                 for item in (value.values() if isinstance(value, dict) else value)]
        if not level:
            return False
    return True


def _admit(call: Call, endpoint: Endpoint) -> None:
    """Load what the request is about and ask the policy about it."""
    if endpoint.rule and endpoint.rule_first:
        call.authorize(endpoint.rule)
    if endpoint.load is not None:
        call.target = endpoint.load(call)
    if endpoint.rule and not endpoint.rule_first:
        call.authorize(endpoint.rule)


def _text(part: Any) -> Any:
    """A part of the path as it was written: WSGI hands on the bytes of its UTF-8 as if they were characters."""
    if not isinstance(part, str) or part.isascii():
        return part
    return part.encode('latin-1').decode('utf-8')


def version_headers(environ: dict[str, Any], versions: microversion.Versions) -> tuple[int, faults.Headers]:
    """The version of a request, and the headers in which every answer to it tells that version."""
    if environ.get('nova.legacy_v2'):
        return window.LEGACY, []
    minor = versions.of(environ)
    text = f'2.{minor}'
    environ['nova.api_version'] = text
    return minor, [(microversion.HEADER, f'{microversion.SERVICE} {text}'), (microversion.OLD_HEADER, text),
                   ('Vary', f'{microversion.HEADER}, {microversion.OLD_HEADER}')]


def _say(minor: int) -> str:
    return f'2.{minor}' if minor else 'the old /v2'


def _render(result: Any, call: Call, show: Show | None) -> Raw:
    """What the handler returned, as status, JSON and headers."""
    if isinstance(result, Raw):
        return result
    if show is None or call.plan is None:
        return Raw(result)
    rendering = call.rendering()
    if not show.many:
        entry = call.plan.render([result], rendering)[0]
        return Raw({show.key: entry} if show.key else entry)
    page = result if isinstance(result, Page) else Page(result)
    body: dict[str, Any] = {show.key: call.plan.render(page.rows, rendering)}
    if show.links and page.marker is not None:
        body[show.links] = [{'rel': 'next', 'href': call.next_link(page.marker)}]
    return Raw(body)


def _send(start_response: Any, status: int, result: Raw, headers: faults.Headers) -> list[bytes]:
    """Answer with JSON, or without a body where there is none."""
    sent: list[tuple[str, str]] = [*headers, *_items(result.headers)]
    status = result.status or status
    if result.body is None:
        content = b''
        if status != 204:
            sent.append(('Content-Length', '0'))
    else:
        content = orjson.dumps(result.body)
        sent += [('Content-Type', 'application/json'), ('Content-Length', str(len(content)))]
    start_response(faults.line(status), sent)
    return [content] if content else []


def _items(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return list(headers.items())
