# SPDX-License-Identifier: Apache-2.0
"""Console tokens: what a proxy asks before it lets a client in.

Source: compute API reference, "Console auth tokens"; microversions 2.31 (any kind of console; before, only RDP,
which nobody has any more) and 2.99 (tls_port).
"""

from typing import Any

from nova_lite import errors
from nova_lite.auth import policy
from nova_lite.db.queries import consoles
from nova_lite.model import times
from nova_lite.wsgi import kinds
from nova_lite.wsgi.body import Query
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import GET, one
from nova_lite.wsgi.view import View, column
from nova_lite.wsgi.window import since, until

RULE = 'os_compute_api:os-console-auth-tokens'
_ONE = '/os-console-auth-tokens/{id}'

RULES = (
    policy.rule(RULE, policy.ADMIN, 'See where the console of a token is.', ('GET', _ONE)),
)

SHOWN = View(
    column('instance_uuid', 'server_uuid', kind=kinds.UUID),
    column('host', kind=kinds.TEXT),
    column('port', kind=kinds.INTEGER),
    column('tls_port', when=since(99), kind=kinds.maybe(kinds.INTEGER)),
    column('internal_access_path', kind=kinds.maybe(kinds.TEXT)))

RDP_ONLY = 'only tokens of RDP consoles are known'


def show(call: Call) -> Any:
    """Show where the console of a token is."""
    if call.has(RDP_ONLY):
        raise errors.Invalid('Tokens of RDP consoles are the only ones that can be asked for before 2.31, and there '
                             'are none.')
    token = call.params['id']
    with call.services.db.read() as conn:
        found = consoles.get(conn, token, times.utcnow())
    if found is None:
        raise errors.NotFound('No console has this token, or not any more.')
    return found


ENDPOINTS = (
    GET(_ONE, show, rule=RULE, query=Query(open_=until(98)), flags=(RDP_ONLY, until(30)),
        show=one('console', SHOWN), errors=(400, 404)),
)
