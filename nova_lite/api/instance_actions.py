# SPDX-License-Identifier: Apache-2.0
"""Instance actions: what was asked of a server, and what came of it.

Source: compute API reference, "Servers actions"; microversions 2.21 (deleted servers), 2.51 (events
for owners), 2.58 (paging, updated_at), 2.62 (hosts), 2.66 (changes-before), 2.84 (details).
"""

import functools
import hashlib
from typing import Any

from nova_lite import errors
from nova_lite.api import shared
from nova_lite.auth import policy
from nova_lite.db import paging
from nova_lite.db.queries import actions as rows
from nova_lite.db.queries import servers
from nova_lite.wsgi import formats, window
from nova_lite.wsgi import paging as wire_paging
from nova_lite.wsgi.body import Param, Query
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import GET, Page, many, one
from nova_lite.wsgi.view import Field, Rendering, View, column
from nova_lite.wsgi.window import since, until

# ------------------------------------------------------------------- policy

LIST_RULE = 'os_compute_api:os-instance-actions:list'
SHOW_RULE = 'os_compute_api:os-instance-actions:show'
EVENTS_RULE = 'os_compute_api:os-instance-actions:events'
DETAILS_RULE = 'os_compute_api:os-instance-actions:events:details'

_ALL = '/servers/{server_id}/os-instance-actions'
_ONE = _ALL + '/{request_id}'

RULES = (
    policy.rule(LIST_RULE, policy.READER_OR_ADMIN, 'List the actions on a server.', ('GET', _ALL)),
    policy.rule(SHOW_RULE, policy.READER_OR_ADMIN, 'Show an action on a server.', ('GET', _ONE)),
    policy.rule(EVENTS_RULE, policy.ADMIN, 'See hosts and stack traces of the events of an action; before 2.51 '
                                           'the events themselves.', ('GET', _ONE)),
    policy.rule(DETAILS_RULE, policy.ADMIN, 'See the details of failed events.', ('GET', _ONE)),
)

# -------------------------------------------------------------------- views


@functools.lru_cache(1024)
def _host_id(project_id: str, host: str | None) -> str:
    return hashlib.sha224((project_id + host).encode()).hexdigest() if host else ''


def _time(name: str, when: window.Window = window.ALWAYS) -> Field:
    return Field(name, lambda row, _: shared.wire_time_us(getattr(row, name)), when, columns=(name,))


_COMMON = (
    column('action'),
    column('instance_uuid', 'server_uuid'),
    column('request_id'),
    column('user_id'),
    column('project_id'),
    column('message'),
    _time('start_time'),
    _time('updated_at', since(58)),
)
ACTION = View(*_COMMON)


def _events(row: Any, rendering: Rendering) -> list[dict[str, Any]]:
    """The events of the action; the event's own view says what of them is shown."""
    show = rendering.loaded['events']
    return [{name: get(event, row) for name, get in show} for event in rendering.call.target.events]


# name, getter of (event, action), rule, versions
_EVENT = (
    ('event', lambda event, _: event.event, '', window.ALWAYS),
)
