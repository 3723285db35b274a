# SPDX-License-Identifier: Apache-2.0
"""Key pairs: the public keys and certificates with which a user gets into servers.

Source: compute API reference, "Keypairs"; microversions 2.2 (types, status codes), 2.10 (of other users),
2.35 (paging), 2.92 (nothing is made any more, names may hold @ and dot).
"""

from dataclasses import dataclass
from typing import Any

from nova_lite.api import shared
from nova_lite.auth import policy
from nova_lite.db.queries import keypairs as rows
from nova_lite.model import keys
from nova_lite.ops import keypairs as ops
from nova_lite.wsgi import formats, kinds, paging, window
from nova_lite.wsgi.body import Choice, Object, Param, Prop, Query, wrapped
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import DELETE, GET, POST, Page, answer, many, one
from nova_lite.wsgi.view import OMIT, Field, Rendering, View, column
from nova_lite.wsgi.window import only, since, until

# ------------------------------------------------------------------- policy

INDEX_RULE = 'os_compute_api:os-keypairs:index'
CREATE_RULE = 'os_compute_api:os-keypairs:create'
SHOW_RULE = 'os_compute_api:os-keypairs:show'
DELETE_RULE = 'os_compute_api:os-keypairs:delete'

_MINE_OR_ADMIN = f'({policy.ADMIN}) or user_id:%(user_id)s'
_ONE = '/os-keypairs/{id}'

RULES = (
    policy.rule(INDEX_RULE, _MINE_OR_ADMIN, 'List the key pairs of a user.', ('GET', '/os-keypairs')),
    policy.rule(CREATE_RULE, _MINE_OR_ADMIN, 'Add a key pair to a user.', ('POST', '/os-keypairs')),
    policy.rule(SHOW_RULE, _MINE_OR_ADMIN, 'See a key pair of a user.', ('GET', '/os-keypairs/{keypair_name}')),
    policy.rule(DELETE_RULE, _MINE_OR_ADMIN, 'Delete a key pair of a user.', ('DELETE', '/os-keypairs/{keypair_name}')),
)

# ------------------------------------------------------------------- bodies

_PLAIN = {'pattern': '^[a-zA-Z0-9_ -]+$'}
CREATE = wrapped('keypair', Object(
    Prop('name', Choice((formats.LOOSE_NAME | _PLAIN, window.V2), (formats.NAME | _PLAIN, only(1, 91)),
                        (formats.NAME | {'pattern': '^[a-zA-Z0-9@._ -]+$'}, since(92))), required=True),
    Prop('public_key', {'type': 'string'}, required=since(92)),
    Prop('type', {'type': 'string', 'enum': list(keys.KINDS)}, since(2)),
    Prop('user_id', {'type': 'string', 'minLength': 1, 'maxLength': 255}, since(10)),
))

_USER = Param('user_id', formats.TEXT, since(10))
ONE_QUERY = Query(_USER, open_=shared.STRICT_SINCE_75)
LIST_QUERY = Query(_USER, Param('limit', formats.NUMBER, since(35)), Param('marker', formats.TEXT, since(35)),
                   open_=shared.STRICT_SINCE_75)

PAGED = 'the list comes in pages'

# -------------------------------------------------------------------- views

_LISTED = ('fingerprint', 'name', 'public_key')


def _entry(*names: str) -> Any:
    return lambda row, _: {name: getattr(row, name) for name in names}


def _private_key(row: Any, rendering: Rendering) -> Any:
    return OMIT if row.private_key is None else row.private_key


_TYPE = kinds.word('ssh', 'x509')
_COMMON = (*(column(name, kind=kinds.TEXT) for name in _LISTED), column('type', when=since(2), kind=_TYPE),
           column('user_id', kind=kinds.TEXT))
NEW_KEYPAIR = View(*_COMMON, Field('private_key', _private_key, until(91), sometimes=True, kind=kinds.TEXT))
KEYPAIR = View(
    *_COMMON,
    column('id', kind=kinds.INTEGER),
    Field('created_at', lambda row, _: shared.wire_time_us(row.created_at), columns=('created_at',),
          kind=kinds.TIME_US),
    # A deleted key pair is gone at once, and none is ever changed.
    Field('updated_at', lambda row, _: None, kind=kinds.NULL),
    Field('deleted_at', lambda row, _: None, kind=kinds.NULL),
    Field('deleted', lambda row, _: False, kind=kinds.BOOLEAN),
)
KEYPAIR_ENTRY = View(
    Field('keypair', _entry(*_LISTED), until(1), columns=_LISTED,
          kind=kinds.record(dict.fromkeys(_LISTED, kinds.TEXT))),
    Field('keypair', _entry(*_LISTED, 'type'), since(2), columns=(*_LISTED, 'type'),
          kind=kinds.record({**dict.fromkeys(_LISTED, kinds.TEXT), 'type': _TYPE})),
)

# ----------------------------------------------------------------- handlers


@dataclass(frozen=True)
class Owner:
    """Whose key pairs the request is about; the policy looks at the user alone."""

    user_id: str
    project_id: str = ''


def owner_by_query(call: Call) -> Owner:
    """The user that the query names, or the caller."""
    return Owner(call.query.get('user_id') or call.context.user_id or '')


def owner_by_body(call: Call) -> Owner:
    """The user that the body names, or the caller."""
    return Owner(call.body['keypair'].get('user_id') or call.context.user_id or '')


def index(call: Call) -> Page:
    """List the key pairs of a user."""
    limit = call.limit() if call.has(PAGED) else None
    with call.services.db.read() as conn:
        found = rows.page(conn, call.target.user_id, limit, call.query.get('marker'), call.columns)
    return Page(*paging.cut(found, limit or 0, 'name'))


def show(call: Call) -> Any:
    """Show one key pair of a user."""
    with call.services.db.read() as conn:
        return rows.get(conn, call.target.user_id, call.params['id'], call.columns)


@dataclass(frozen=True)
class _Made:
    """What the answer to a create shows."""

    name: str
    type: str
    user_id: str
    public_key: str
    fingerprint: str
    private_key: str | None


def create(call: Call) -> _Made:
    """Import a public key, or make a pair and hand out its private half."""
    body = call.body['keypair']
    kind = body.get('type', keys.SSH)
    owner = call.target.user_id
    private, public = None, body.get('public_key')
    if public is not None:
        fingerprint = keys.fingerprint(kind, public)
    # Keys are dear, so nobody gets one made whom the quota refuses anyway.
    ops.check_quota(call.services, owner, call.context.project_id)
    if public is None:
        made = call.aside(keys.generate, kind, owner)
        private, public, fingerprint = made.private_key, made.public_key, made.fingerprint
    row = _Made(body['name'].strip(), kind, owner, public, fingerprint, private)
    ops.add(call.services, ops.AddKeypair(row.user_id, row.name, row.type, row.public_key, row.fingerprint,
                                          call.context.project_id, is_new=private is not None))
    return row


def delete(call: Call) -> None:
    """Delete a key pair; servers keep the key that they got."""
    ops.delete(call.services, call.target.user_id, call.params['id'])


ENDPOINTS = (
    GET('/os-keypairs', index, rule=INDEX_RULE, query=LIST_QUERY, load=owner_by_query,
        show=many('keypairs', KEYPAIR_ENTRY), flags=(PAGED, since(35)), errors=(400,)),
    POST('/os-keypairs', create, rule=CREATE_RULE, body=CREATE, load=owner_by_body,
         show=one('keypair', NEW_KEYPAIR), answers=(answer(200, until(1)), answer(201, since(2))),
         errors=(400, 403, 409)),
    GET(_ONE, show, rule=SHOW_RULE, query=ONE_QUERY, load=owner_by_query, show=one('keypair', KEYPAIR), errors=(404,)),
    DELETE(_ONE, delete, rule=DELETE_RULE, query=ONE_QUERY, load=owner_by_query,
           answers=(answer(202, until(1)), answer(204, since(2))), errors=(404,)),
)
