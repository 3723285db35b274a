# SPDX-License-Identifier: Apache-2.0
"""Turns whatever nobody expected into a fault: the log gets the stack trace, the client never does."""

import logging
from typing import Any

from nova_lite import errors
from nova_lite.wsgi import faults

LOG = logging.getLogger(__name__)


def factory(global_conf: dict[str, str], **local_conf: str) -> Any:
    """Paste filter factory."""
    return FaultWrap


class FaultWrap:
    """Answers 500 (or the status of one of our errors) where an application raises."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        try:
            return self._app(environ, start_response)
        except errors.Error as error:
            if faults.status_of(error) < 500 or isinstance(error, (errors.Unavailable, errors.Unsupported)):
                return faults.send_error(start_response, error)
            return self._unexpected(environ, start_response)
        except Exception:
            return self._unexpected(environ, start_response)

    @staticmethod
    def _unexpected(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        request_id = environ.get('openstack.request_id', '-')
        LOG.exception('%s %s failed, request %s', environ.get('REQUEST_METHOD'), environ.get('PATH_INFO'), request_id)
        return faults.send(start_response, 500, 'An unexpected error occurred; the log of the service has it '
                                                f'under {request_id}.')
