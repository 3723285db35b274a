# SPDX-License-Identifier: Apache-2.0
"""Errors as the compute API words them: ``{"itemNotFound": {"code": 404, "message": "…"}}``.

The one place where a kind of error becomes an HTTP status.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import orjson

from nova_lite import errors
from nova_lite.wsgi import microversion

NAMES = {400: 'badRequest', 401: 'unauthorized', 403: 'forbidden', 404: 'itemNotFound', 405: 'badMethod',
         409: 'conflictingRequest', 413: 'overLimit', 415: 'badMediaType', 429: 'overLimit',
         501: 'notImplemented', 503: 'serviceUnavailable'}
OTHER = 'computeFault'


class MethodNotAllowed(errors.Error):
    """The path exists, the method does not (405)."""

    message = '{method} is not served at this path; served: {allowed}.'


class UnsupportedMedia(errors.Error):
    """The body is not JSON (415)."""

    message = 'Content type {type!r} is not supported; send application/json.'


# The first match counts, so leaves that differ from their kind come first.
_STATUS: tuple[tuple[type[errors.Error], int], ...] = (
    (microversion.UnknownVersion, 406), (MethodNotAllowed, 405), (UnsupportedMedia, 415),
    (errors.Invalid, 400), (errors.Unauthenticated, 401), (errors.Forbidden, 403), (errors.OverQuota, 403),
    (errors.NotFound, 404), (errors.Conflict, 409), (errors.Gone, 410), (errors.TooLarge, 413),
    (errors.Unsupported, 501), (errors.Unavailable, 503))

Headers = list[tuple[str, str]]


def status_of(error: errors.Error) -> int:
    """The HTTP status of an error; 500 for a kind that has no business at the edge."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def line(status: int) -> str:
    """The status line of a code."""
    return f'{status} {HTTPStatus(status).phrase}'


def body(status: int, message: str, **more: Any) -> bytes:
    """The fault as JSON; ``more`` holds extra keys such as retryAfter."""
    return orjson.dumps({NAMES.get(status, OTHER): {'code': status, 'message': message, **more}})


def headers_of(error: errors.Error) -> Headers:
    """Headers that go with an error."""
    if isinstance(error, MethodNotAllowed):
        return [('Allow', str(error.details['allowed']))]
    if isinstance(error, (errors.Unavailable, errors.KeyInUse)):
        return [('Retry-After', str(error.retry_after))]
    return []


def send(start_response: Any, status: int, message: str, headers: Iterable[tuple[str, str]] = ()) -> list[bytes]:
    """Answer with a fault."""
    content = body(status, message)
    start_response(line(status), [('Content-Type', 'application/json; charset=UTF-8'),
                                  ('Content-Length', str(len(content))), *headers])
    return [content]


def send_error(start_response: Any, error: errors.Error, headers: Iterable[tuple[str, str]] = ()) -> list[bytes]:
    """Answer with the fault of an error."""
    return send(start_response, status_of(error), str(error), [*headers_of(error), *headers])
