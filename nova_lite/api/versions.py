# SPDX-License-Identifier: Apache-2.0
"""Version documents: how a client finds out which API lies where.

Served twice: without a token at ``/``, ``/v2`` and ``/v2.1`` (``factory``), and inside the API at
``/`` and ``/versions/{id}``.
"""

from typing import Any

import orjson

from nova_lite import errors
from nova_lite.api import history
from nova_lite.wsgi import faults, kinds, provided
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import GET, Raw

RULES = ()

_JSON = 'application/json'
_DOCS = 'https://docs.openstack.org/api-ref/compute/'
_GENERATIONS: dict[str, dict[str, str]] = {
    'v2.0': {'path': '/v2/', 'status': 'DEPRECATED', 'version': '', 'min_version': '',
             'updated': '2011-01-21T11:33:21Z', 'media': '2'},
    'v2.1': {'path': '/v2.1/', 'status': 'CURRENT', 'version': f'2.{history.MAXIMUM}', 'min_version': '2.1',
             'updated': '2013-07-23T11:33:21Z', 'media': '2.1'},
}


_SHOWN = kinds.under('version', kinds.record({
    **dict.fromkeys(('id', 'version', 'min_version'), kinds.TEXT), 'updated': kinds.TIME,
    'status': kinds.word('CURRENT', 'SUPPORTED', 'DEPRECATED'), 'links': kinds.LINKS,
    'media-types': kinds.listed(kinds.record({'base': kinds.TEXT, 'type': kinds.TEXT}))}))


def _short(name: str, host: str) -> dict[str, Any]:
    facts = _GENERATIONS[name]
    return {'id': name, 'status': facts['status'], 'version': facts['version'],
            'min_version': facts['min_version'], 'updated': facts['updated'],
            'links': [{'rel': 'self', 'href': host + facts['path']}]}


def _media(name: str) -> list[dict[str, str]]:
    return [{'base': _JSON, 'type': f'application/vnd.openstack.compute+json;version={_GENERATIONS[name]["media"]}'}]


def document(name: str, host: str) -> dict[str, Any]:
    """The document of one generation (``v2.0`` or ``v2.1``); errors.NotFound for another name."""
    if name not in _GENERATIONS:
        raise errors.NotFound(f'There is no version {name[:64]!r}.')
    described = {'rel': 'describedby', 'type': 'text/html', 'href': _DOCS}
    short = _short(name, host)
    return {'version': {**short, 'links': [*short['links'], described], 'media-types': _media(name)}}


def choices(host: str, path: str) -> dict[str, Any]:
    """The answer to a path of no API: where the request might have meant to go."""
    return {'choices': [
        {'id': name, 'status': facts['status'], 'media-types': _media(name),
         'links': [{'rel': 'self', 'href': host + facts['path'].rstrip('/') + path}]}
        for name, facts in _GENERATIONS.items()]}


def factory(global_conf: dict[str, str], **local_conf: str) -> 'VersionsApp':
    """Paste application factory."""
    return VersionsApp(provided.get('conf').api.compute_link_prefix)


class VersionsApp:
    """The documents at the root of the endpoint, for which nobody needs a token."""

    def __init__(self, link_prefix: str | None) -> None:
        self._prefix = link_prefix

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        host = (self._prefix or f'{environ["wsgi.url_scheme"]}://{environ.get("HTTP_HOST", "localhost")}').rstrip('/')
        if environ['REQUEST_METHOD'] not in ('GET', 'HEAD'):
            return faults.send_error(start_response, faults.MethodNotAllowed(
                method=environ['REQUEST_METHOD'], allowed='GET'))
        status, body = self._body(environ.get('SCRIPT_NAME', ''), environ.get('PATH_INFO', ''), host)
        content = orjson.dumps(body)
        start_response(faults.line(status), [('Content-Type', _JSON), ('Content-Length', str(len(content)))])
        return [b'' if environ['REQUEST_METHOD'] == 'HEAD' else content]

    @staticmethod
    def _body(mount: str, path: str, host: str) -> tuple[int, dict[str, Any]]:
        if mount.endswith('/v2.1'):
            return 200, document('v2.1', host)
        if mount.endswith('/v2'):
            return 200, document('v2.0', host)
        if path in ('', '/'):
            return 200, {'versions': [_short(name, host) for name in _GENERATIONS]}
        return 300, choices(host, path if path.isprintable() else '/')


def show_this(call: Call) -> Raw:
    """Describe the API generation that is asked."""
    mount = call.environ.get('SCRIPT_NAME', '')
    return Raw(document('v2.0' if mount.endswith('/v2') else 'v2.1', _host(call)))


def show(call: Call) -> Raw:
    """Describe one API generation by its id."""
    return Raw(document(call.params['id'], _host(call)))


def _host(call: Call) -> str:
    return call.base.removesuffix(f'/{call.url_project}').removesuffix(call.environ.get('SCRIPT_NAME', ''))


ENDPOINTS = (
    GET('/', show_this, reply=_SHOWN, errors=(404,)),
    GET('/versions/{id}', show, reply=_SHOWN, errors=(404,)),
)
