# SPDX-License-Identifier: Apache-2.0
"""Parts of views, bodies and handlers that several rooms share."""

import functools
import hashlib
import uuid
from datetime import datetime, timedelta
from typing import Any

from nova_lite import errors
from nova_lite.db.queries import servers
from nova_lite.model import times
from nova_lite.wsgi import formats, window
from nova_lite.wsgi.body import Param, Query
from nova_lite.wsgi.view import Getter

PAGING = (Param('limit', formats.NUMBER), Param('marker', formats.TEXT))
SORTING = {'type': 'string', 'enum': ['asc', 'desc']}

# From 2.75 lists refuse unknown query parameters; everything else from 2.102.
STRICT_SINCE_75 = window.until(74)
STRICT_SINCE_102 = window.until(101)
NOTHING_KNOWN = Query(open_=STRICT_SINCE_102)
# What has no query of its own, such as most writes, never looks at one.

_MAX_DIGITS = 18  # of a row number that a database can hold


def wire_time(moment: datetime | None) -> str | None:
    """2026-01-31T12:00:00Z, the form of most times on the wire."""
    return None if moment is None else moment.isoformat(timespec='seconds') + 'Z'


def wire_time_us(moment: datetime | None) -> str | None:
    """2026-01-31T12:00:00.000000, the form of the older parts of the API."""
    return None if moment is None else moment.isoformat(timespec='microseconds')


@functools.lru_cache(8192)
def host_id(project_id: str, host: str | None) -> str:
    """What owners see in place of a host's name: the same for servers of one project on one host."""
    return hashlib.sha224((project_id + host).encode()).hexdigest() if host else ''


def parse_bool(text: str, name: str) -> bool:
    """A boolean of a query; errors.Invalid names the parameter."""
    lowered = text.strip().lower()
    if lowered in ('1', 't', 'true', 'on', 'y', 'yes'):
        return True
    if lowered in ('0', 'f', 'false', 'off', 'n', 'no'):
        return False
    raise errors.Invalid(f'Invalid input for query parameter {name}: {text[:64]!r} is not a boolean.')


def parse_count(text: str, name: str) -> int:
    """A whole number of a query, zero or more; errors.Invalid names the parameter."""
    try:
        value = int(text)
    except ValueError:
        value = -1
    if not 0 <= value <= formats.MAX_INT:
        raise errors.Invalid(f'Invalid input for query parameter {name}: {text[:64]!r} is not a whole number '
                             f'from 0 to {formats.MAX_INT}.')
    return value


def entry(name: str) -> Getter:
    """Shows one value of a dictionary."""
    return lambda found, _: found[name]


def number(value: Any) -> int:
    """A number of a body, where numbers may come as text."""
    return int(value)


def row_id(text: str) -> int | None:
    """The row number that a path names, None if no row can have it."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else None


def uuid_of(text: str, name: str) -> str:
    """A UUID of a path in its usual spelling; errors.Invalid says which part of the path is none."""
    if not formats.is_uuid(text):
        raise errors.Invalid(f'Invalid {name}: {text[:64]!r} is not a UUID.')
    return str(uuid.UUID(text))


def find_server(call: Any, uuid: str, columns: frozenset[str], deleted: bool | None = False) -> Any:
    """A server of a path, for the policy to judge; a server of another project is there for administrators only."""
    with call.services.db.read() as conn:
        found = servers.get(conn, uuid, columns, deleted=deleted)
    if found.project_id != call.context.project_id and not call.context.is_admin:
        raise errors.ServerNotFound(server=uuid)
    return found


def alive_since(call: Any) -> datetime:
    """The oldest heartbeat that still counts."""
    return times.utcnow() - timedelta(seconds=call.services.conf.service_down_time)
