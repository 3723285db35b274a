# SPDX-License-Identifier: Apache-2.0
"""Sends a request to an application by the beginning of its path, as paste's urlmap does.

Beyond plain prefixes a key may end in ``/+``: then something must follow the slash, so that
``/v2.1`` and ``/v2.1/`` can go to the version document and everything below to the API.
"""

from collections.abc import Iterable
from typing import Any

from nova_lite.wsgi import faults

WILD = '/+'


def urlmap_factory(loader: Any, global_conf: dict[str, str], **local_conf: str) -> 'URLMap':
    """Paste composite: each key is a path, each value the name of an application."""
    known = {key for key in global_conf}
    return URLMap((path, loader.get_app(name, global_conf=global_conf))
                  for path, name in local_conf.items() if path.startswith('/') or path not in known)


class URLMap:
    """The longest prefix that fits gets the request."""

    def __init__(self, routes: Iterable[tuple[str, Any]]) -> None:
        pairs = [(path.rstrip('/') if not path.endswith(WILD) else path, app) for path, app in routes]
        self._routes = sorted(pairs, key=lambda pair: len(pair[0]), reverse=True)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ.get('PATH_INFO', '')
        for prefix, app in self._routes:
            base = _base(prefix, path)
            if base is not None:
                environ['SCRIPT_NAME'] = environ.get('SCRIPT_NAME', '') + base
                environ['PATH_INFO'] = path[len(base):]
                return app(environ, start_response)
        return faults.send(start_response, 404, 'No API is served at this path.')


def _base(prefix: str, path: str) -> str | None:
    """The part of the path that belongs to the prefix, None when it does not fit."""
    if prefix.endswith(WILD):
        begin = prefix[:-1]
        return prefix[:-2] if path.startswith(begin) and len(path) > len(begin) else None
    return prefix if path == prefix or path.startswith(prefix + '/') else None
