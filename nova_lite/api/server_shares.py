# SPDX-License-Identifier: Apache-2.0
"""Shares of a shared file system service that are attached to servers; microversion 2.97.

Source: compute API reference, "Servers with shares attachments".  There is no such service here, so no share can
be attached: lists are empty, and whatever names a share does not find it.
"""

from typing import Any, NoReturn

from nova_lite import errors
from nova_lite.api import shared
from nova_lite.auth import policy
from nova_lite.ops.base import NEEDED, judge
from nova_lite.wsgi import formats, kinds
from nova_lite.wsgi.body import Object, Prop, Query, wrapped
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import DELETE, GET, POST, answer
from nova_lite.wsgi.window import Window, since

_RULE = 'os_compute_api:os-server-shares:'
_ROOT, _ONE = '/servers/{server_id}/shares', '/servers/{server_id}/shares/{share_id}'

RULES = (
    policy.rule(_RULE + 'index', policy.READER, 'List the shares of a server.', ('GET', _ROOT)),
    policy.rule(_RULE + 'show', policy.READER, 'Show a share of a server.', ('GET', _ONE)),
    policy.rule(_RULE + 'create', policy.MEMBER, 'Attach a share to a server.', ('POST', _ROOT)),
    policy.rule(_RULE + 'delete', policy.MEMBER, 'Detach a share from a server.', ('DELETE', _ONE)),
)

ATTACH = wrapped('share', Object(
    Prop('share_id', formats.UUID, required=True),
    Prop('tag', {'type': 'string', 'minLength': 1, 'maxLength': 255, 'pattern': '^[a-zA-Z0-9-]*$'})))

_SHARE = kinds.record({'share_id': kinds.UUID, 'status': kinds.TEXT, 'tag': kinds.TEXT},
                      {'uuid': kinds.UUID, 'export_location': kinds.TEXT})
# These came late enough to refuse unknown parameters from the start.
_NO_QUERY = Query(open_=Window(()))


def find(call: Call) -> Any:
    """The server of the path."""
    return shared.find_server(call, call.params['server_id'], NEEDED | {'user_id'})


def index(call: Call) -> dict[str, Any]:
    """List the shares of a server."""
    return {'shares': []}


def named(call: Call) -> NoReturn:
    """Show or detach a share that is attached to a server; none is."""
    share_id = shared.uuid_of(call.params['share_id'], 'share id')
    raise errors.NotFound(f'Server {call.target.uuid} has no share {share_id}.')


def create(call: Call) -> NoReturn:
    """Attach a share to a server that is stopped; without a share service there is no share."""
    judge('attach_share', call.target, call.context.is_admin)
    raise errors.NotFound(f'There is no share {call.body["share"]["share_id"]}: no share service is configured here.')


_WHEN = since(97)
ENDPOINTS = (
    GET(_ROOT, index, load=find, rule=_RULE + 'index', when=_WHEN, query=_NO_QUERY,
        reply=kinds.under('shares', kinds.listed(_SHARE)), errors=(400, 403, 404)),
    POST(_ROOT, create, load=find, rule=_RULE + 'create', when=_WHEN, body=ATTACH, answers=answer(201),
         reply=kinds.under('share', _SHARE), errors=(400, 403, 404, 409)),
    GET(_ONE, named, load=find, rule=_RULE + 'show', when=_WHEN, query=_NO_QUERY,
        reply=kinds.under('share', _SHARE), errors=(400, 403, 404)),
    DELETE(_ONE, named, load=find, rule=_RULE + 'delete', when=_WHEN, errors=(400, 403, 404, 409)),
)
