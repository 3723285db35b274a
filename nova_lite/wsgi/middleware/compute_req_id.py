# SPDX-License-Identifier: Apache-2.0
"""Gives each request an id, and tells it to the client, the log and every later process.

An id sent in ``X-OpenStack-Request-ID`` is kept beside our own as the global one, so that a chain
of services can be followed.
"""

import re
import uuid
from typing import Any

OURS = 'x-compute-request-id'
COMMON = 'x-openstack-request-id'
_VALID = re.compile(r'req-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}')


def factory(global_conf: dict[str, str], **local_conf: str) -> Any:
    """Paste filter factory."""
    return ComputeReqId


class ComputeReqId:
    """Adds the two request id headers to every answer."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        request_id = f'req-{uuid.uuid4()}'
        environ['openstack.request_id'] = request_id
        given = environ.get('HTTP_X_OPENSTACK_REQUEST_ID')
        if given and _VALID.fullmatch(given):
            environ['openstack.global_request_id'] = given

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            return start_response(status, [*headers, (OURS, request_id), (COMMON, request_id)], *error)

        return self._app(environ, start)
