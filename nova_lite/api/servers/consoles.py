# SPDX-License-Identifier: Apache-2.0
"""Consoles to look at and type into. Source: compute API reference, "Servers - run an action", "Server consoles";
microversions 2.6 (one operation in place of three actions), 2.8 (mks), 2.99 (spice-direct)."""

from typing import Any

from nova_lite import errors
from nova_lite.api import shared
from nova_lite.api.servers import handlers
from nova_lite.api.servers.acting import action
from nova_lite.auth import policy
from nova_lite.ops import console as ops
from nova_lite.wsgi import kinds
from nova_lite.wsgi.body import Choice, Object, Prop, wrapped
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import POST, answer
from nova_lite.wsgi.window import only, since, until

RULE = 'os_compute_api:os-remote-consoles'
_PATH = '/servers/{server_id}/remote-consoles'
_ACTION = '/servers/{id}/action'
_ERRORS = (400, 404, 409, 501)

RULES = (
    policy.rule(RULE, policy.MEMBER_OR_ADMIN, 'Open a console of a server.', ('POST', _PATH),
                *(('POST', f'{_ACTION} (os-get{kind}Console)') for kind in ('Serial', 'SPICE', 'VNC'))),
)


def _enum(*words: str) -> dict[str, Any]:
    return {'type': 'string', 'enum': list(words)}


BODY = wrapped('remote_console', Object(
    Prop('protocol', Choice((_enum('vnc', 'spice', 'serial'), until(7)),
                            (_enum('vnc', 'spice', 'serial', 'mks'), since(8))), required=True),
    Prop('type', Choice((_enum('novnc', 'spice-html5', 'serial'), until(7)),
                        (_enum('novnc', 'spice-html5', 'serial', 'webmks'), only(8, 98)),
                        (_enum('novnc', 'spice-html5', 'serial', 'webmks', 'spice-direct'), since(99))),
         required=True)))

_TYPES = {'vnc': ('novnc',), 'spice': ('spice-html5', 'spice-direct'), 'serial': ('serial',), 'mks': ('webmks',)}


def find(call: Call) -> Any:
    """The server of the path."""
    return shared.find_server(call, call.params['server_id'], handlers.TARGET)


def create(call: Call) -> dict[str, Any]:
    """Open a console."""
    asked = call.body['remote_console']
    protocol, kind = asked['protocol'], asked['type']
    if kind not in _TYPES[protocol]:
        raise errors.Invalid(f'Consoles over {protocol} are of type {" or ".join(_TYPES[protocol])}, not {kind}.')
    url = ops.open_console(call.services, call.context, ops.OpenConsole(call.target, kind))
    return {'remote_console': {'protocol': protocol, 'type': kind, 'url': url}}


def open_by_action(call: Call) -> dict[str, Any]:
    """Open a console of the kind that the action names."""
    kind = call.body['type']
    url = ops.open_console(call.services, call.context, ops.OpenConsole(call.target, kind))
    return {'console': {'type': kind, 'url': url}}


ACTIONS = tuple(
    action(name, open_by_action, RULE, wrapped(name, Object(Prop('type', _enum(kind), required=True))),
           when=until(5), answers=answer(200),
           reply=kinds.under('console', kinds.record({'type': kinds.TEXT, 'url': kinds.TEXT})), errors=_ERRORS)
    for name, kind in (('os-getVNCConsole', 'novnc'), ('os-getSPICEConsole', 'spice-html5'),
                       ('os-getSerialConsole', 'serial')))

ENDPOINTS = (
    POST(_PATH, create, load=find, rule=RULE, body=BODY, when=since(6),
         reply=kinds.under('remote_console', kinds.record(dict.fromkeys(('protocol', 'type', 'url'), kinds.TEXT))),
         errors=_ERRORS),
)
