# SPDX-License-Identifier: Apache-2.0
"""One line in the log for each request: who, what, how it ended, how long it took."""

import logging
import time
from typing import Any

LOG = logging.getLogger(__name__)


def factory(global_conf: dict[str, str], **local_conf: str) -> Any:
    """Paste filter factory."""
    return RequestLog


class RequestLog:
    """Logs at INFO when the answer is ready to be sent."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if not LOG.isEnabledFor(logging.INFO):
            return self._app(environ, start_response)
        begin = time.monotonic()
        seen: list[Any] = ['-', '-']

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            seen[0] = status[:3]
            seen[1] = next((value for name, value in headers if name == 'Content-Length'), '-')
            return start_response(status, headers, *error)

        # The path as it came in: applications shift its parts into SCRIPT_NAME.
        path = _path(environ)
        try:
            return self._app(environ, start)
        finally:
            LOG.info('%s "%s %s" status: %s len: %s microversion: %s time: %.6f [%s]',
                     environ.get('REMOTE_ADDR', '-'), environ.get('REQUEST_METHOD'), path, seen[0], seen[1],
                     environ.get('nova.api_version', '-'), time.monotonic() - begin,
                     environ.get('openstack.request_id', '-'))


def _path(environ: dict[str, Any]) -> str:
    """Path and query; never printed raw, so that nobody can forge a second line."""
    query = environ.get('QUERY_STRING')
    path = environ.get('SCRIPT_NAME', '') + environ.get('PATH_INFO', '') + (f'?{query}' if query else '')
    return path if path.isprintable() else path.encode('unicode_escape').decode('ascii')
