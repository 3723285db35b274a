# SPDX-License-Identifier: Apache-2.0
"""The password that a guest has told its owner. Source: compute API reference, "Servers password"."""

from typing import Any

from nova_lite.api import shared
from nova_lite.auth import policy
from nova_lite.db.queries import server_passwords
from nova_lite.ops import guest as ops
from nova_lite.wsgi import kinds
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import DELETE, GET, answer

SHOW = 'os_compute_api:os-server-password:show'
CLEAR = 'os_compute_api:os-server-password:clear'
_PATH = '/servers/{server_id}/os-server-password'

RULES = (
    policy.rule(SHOW, policy.READER_OR_ADMIN, 'See the encrypted password of a server.', ('GET', _PATH)),
    policy.rule(CLEAR, policy.MEMBER_OR_ADMIN, 'Forget the encrypted password of a server.', ('DELETE', _PATH)),
)

_OWNER = frozenset(('uuid', 'project_id', 'user_id'))


def find(call: Call) -> Any:
    """The server of the path."""
    return shared.find_server(call, call.params['server_id'], _OWNER)


def show(call: Call) -> dict[str, str]:
    """Show the encrypted password of a server."""
    with call.services.db.read() as conn:
        return {'password': server_passwords.get(conn, call.target.uuid)}


def clear(call: Call) -> None:
    """Forget the encrypted password; in the guest it stays as it is."""
    ops.forget_password(call.services, call.context, ops.ForgetPassword(call.target))


ENDPOINTS = (
    GET(_PATH, show, load=find, rule=SHOW, query=shared.NOTHING_KNOWN, reply=kinds.under('password', kinds.TEXT),
        errors=(404,)),
    DELETE(_PATH, clear, load=find, rule=CLEAR, answers=answer(204), errors=(404,)),
)
