# SPDX-License-Identifier: Apache-2.0
"""Paths to resources, with Routes, and the checks that a table of endpoints must pass at start."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import routes
import routes.middleware

from nova_lite import errors
from nova_lite.wsgi import faults, microversion, resource
from nova_lite.wsgi.endpoint import Endpoint

PROJECT_ID = r'{project_id:[0-9a-f\-]+}'


class ProjectMapper(routes.Mapper):
    """Connects every path twice: as it is, and below ``/{project_id}``.

    Before 2.18 clients put their project into every URL and later ones need not; both forms are
    served at every version.
    """

    def resource_at(self, path: str, app: Any) -> None:
        """Send ``path`` to a WSGI application."""
        self.connect(None, path, controller=app)

    def project_resource_at(self, path: str, app: Any) -> None:
        """Send ``/{project_id}`` + ``path`` to a WSGI application."""
        self.connect(None, f'/{PROJECT_ID}{path.rstrip("/")}', controller=app)


class Redirect:
    """WSGI application that sends the client to another path (302)."""

    def __init__(self, target: str) -> None:
        self._target = target

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response(faults.line(302), [('Location', environ.get('SCRIPT_NAME', '') + self._target),
                                          ('Content-Length', '0')])
        return []


class Router:
    """WSGI application that finds the resource of a path.

    ``redirects`` maps a path to where it moved.  Paths with fewer variable parts are tried first,
    so that ``/servers/detail`` is never taken for a server's id; within that the table's order
    counts, so what is asked most should come first.
    """

    def __init__(self, endpoints: Sequence[Endpoint], versions: microversion.Versions, services: Any,
                 redirects: Mapping[str, str] | None = None) -> None:
        check(endpoints, versions)
        by_path: dict[str, list[Endpoint]] = {}
        for endpoint in endpoints:
            by_path.setdefault(endpoint.path, []).append(endpoint)
        self.resources = {path: resource.Resource(path, rows, versions, services) for path, rows in by_path.items()}
        mapper = ProjectMapper(controller_scan=None, directory=None, register=False)
        mapper.minimization = False
        mapper.always_scan = False
        paths = sorted(self.resources, key=lambda path: path.count('{'))
        for path in paths:
            mapper.resource_at(path, self.resources[path])
        for path in paths:
            mapper.project_resource_at(path, self.resources[path])
        for path, target in (redirects or {}).items():
            mapper.resource_at(path, Redirect(target))
        mapper.create_regs([])
        self._versions = versions
        self._routed = routes.middleware.RoutesMiddleware(self._dispatch, mapper, use_method_override=False,
                                                          path_info=False, singleton=False)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if not _readable(environ.get('PATH_INFO', '')):
            return faults.send(start_response, 400, 'Invalid URL: the path is not UTF-8 or holds U+0000.')
        return self._routed(environ, start_response)

    def _dispatch(self, environ: dict[str, Any], start_response: Any) -> Any:
        match = environ['wsgiorg.routing_args'][1]
        if match:
            return match['controller'](environ, start_response)
        try:
            headers = resource.version_headers(environ, self._versions)[1]
        except errors.Error as error:
            return faults.send_error(start_response, error)
        return faults.send_error(start_response, errors.NotFound(), headers)


def _readable(path: str) -> bool:
    if path.isascii():
        return '\x00' not in path
    try:
        path.encode('latin-1').decode('utf-8')
    except UnicodeError:
        return False
    return '\x00' not in path


def check(endpoints: Iterable[Endpoint], versions: microversion.Versions) -> None:
    """errors.StartError when tables contradict themselves.

    Found are: two rows of one method, path and action that meet in a version; a view with two
    fields of one name that meet; a window that names a version above the maximum; a version at
    which a live row has no success code.
    """
    found: list[str] = []
    seen: dict[tuple[str, str, str], list[Endpoint]] = {}
    for row in endpoints:
        for other in seen.setdefault((row.method, row.path, row.action), []):
            if row.when.overlaps(other.when):
                found.append(f'{row.name} is claimed twice')
        seen[(row.method, row.path, row.action)].append(row)
        found += [f'{row.name}: {text}' for show in row.show for text in show.view.faults()]
        edges = {edge for when in row.windows() for edge in when.edges()}
        found += [f'{row.name}: 2.{edge} is above the maximum {versions.highest}'
                  for edge in sorted(edges) if edge > versions.maximum + 1]
        found += [f'{row.name}: no success code at 2.{minor}' for minor in _stretch(row, edges)
                  if not any(minor in a.when for a in row.answers)]
    if found:
        raise errors.StartError(reason='The API tables are wrong: ' + '; '.join(sorted(set(found))))


def _stretch(row: Endpoint, edges: set[int]) -> list[int]:
    return [minor for minor in sorted({0, 1} | edges) if minor in row.when]
