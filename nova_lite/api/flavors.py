# SPDX-License-Identifier: Apache-2.0
"""Flavors: the sizes that servers come in.

Source: compute API reference, "Flavors"; microversions 2.55 (description), 2.61 (extra specs),
2.75 (swap of 0, strict queries), 2.102 (name filter; rxtx_factor and disabled are gone).
"""

from typing import Any

from nova_lite.api import shared
from nova_lite.auth import policy
from nova_lite.db import paging
from nova_lite.db.queries import flavors as rows
from nova_lite.ops import flavors as ops
from nova_lite.wsgi import formats, kinds, window
from nova_lite.wsgi import paging as wire_paging
from nova_lite.wsgi.body import Choice, Object, Param, Prop, Query, wrapped
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import DELETE, GET, POST, PUT, Page, answer, many, one
from nova_lite.wsgi.view import Field, Rendering, View, column
from nova_lite.wsgi.window import since, until

# ------------------------------------------------------------------- policy

CREATE_RULE = 'os_compute_api:os-flavor-manage:create'
UPDATE_RULE = 'os_compute_api:os-flavor-manage:update'
DELETE_RULE = 'os_compute_api:os-flavor-manage:delete'
EXTRA_SPECS_RULE = 'os_compute_api:os-flavor-extra-specs:index'

RULES = (
    policy.rule(CREATE_RULE, policy.ADMIN, 'Create a flavor.', ('POST', '/flavors')),
    policy.rule(UPDATE_RULE, policy.ADMIN, 'Change the description of a flavor.', ('PUT', '/flavors/{flavor_id}')),
    policy.rule(DELETE_RULE, policy.ADMIN, 'Delete a flavor.', ('DELETE', '/flavors/{flavor_id}')),
)

# ------------------------------------------------------------------- bodies

_ID = {'type': ['string', 'number', 'null'], 'minLength': 1, 'maxLength': 255,
       'pattern': '^(?! )[a-zA-Z0-9. _-]+(?<! )$', 'minimum': 0}
_FACTOR = {'type': ['number', 'string'], 'pattern': r'^[0-9]+(\.[0-9]+)?$', 'exclusiveMinimum': 0,
           'maximum': 3.40282e+38, 'maxLength': 64}

CREATE = wrapped('flavor', Object(
    Prop('name', Choice((formats.NAME, window.V21), (formats.LOOSE_NAME, window.V2)), required=True),
    Prop('id', _ID),
    Prop('ram', formats.POSITIVE, required=True),
    Prop('vcpus', formats.POSITIVE, required=True),
    Prop('disk', formats.COUNT, required=True),
    Prop('OS-FLV-EXT-DATA:ephemeral', formats.COUNT),
    Prop('swap', formats.COUNT),
    Prop('rxtx_factor', _FACTOR, until(101)),
    Prop('os-flavor-access:is_public', formats.BOOLEAN),
    Prop('description', formats.DESCRIPTION | {'maxLength': 65535}, since(55)),
))
UPDATE = wrapped('flavor', Object(
    Prop('description', formats.DESCRIPTION | {'maxLength': 65535}, required=True)))

_SORT_KEYS = ['created_at', 'description', 'ephemeral_gb', 'flavorid', 'id', 'is_public', 'memory_mb', 'name',
              'root_gb', 'swap', 'updated_at', 'vcpu_weight', 'vcpus']
LIST_QUERY = Query(
    *shared.PAGING,
    Param('is_public', formats.TEXT),
    Param('minRam', formats.TEXT),
    Param('minDisk', formats.TEXT),
    Param('name', formats.TEXT, since(102)),
    Param('sort_key', {'enum': [*_SORT_KEYS, 'disabled', 'rxtx_factor']}, until(101)),
    Param('sort_key', {'enum': _SORT_KEYS}, since(102)),
    Param('sort_dir', shared.SORTING),
    open_=shared.STRICT_SINCE_75)

# -------------------------------------------------------------------- views


def _links(row: Any, rendering: Rendering) -> list[dict[str, str]]:
    return rendering.links(f'flavors/{row.flavorid}')


_SWAP = {'anyOf': [kinds.INTEGER, kinds.word('')]}
_COMMON = (
    column('id', 'flavorid', kind=kinds.TEXT),
    column('name', kind=kinds.TEXT),
    Field('links', _links, columns=('flavorid',), kind=kinds.LINKS),
    column('description', when=since(55), kind=kinds.maybe(kinds.TEXT)),
)
FLAVOR = View(
    *_COMMON,
    *(column(name, kind=kinds.INTEGER) for name in ('ram', 'disk', 'vcpus')),
    Field('swap', lambda row, _: row.swap or '', until(74), columns=('swap',), kind=_SWAP),
    column('swap', when=since(75), kind=kinds.INTEGER),
    column('OS-FLV-EXT-DATA:ephemeral', 'ephemeral', kind=kinds.INTEGER),
    column('OS-FLV-DISABLED:disabled', 'disabled', until(101), kind=kinds.BOOLEAN),
    column('os-flavor-access:is_public', 'is_public', kind=kinds.BOOLEAN),
    column('rxtx_factor', when=until(101), kind=kinds.NUMBER),
    column('extra_specs', when=since(61), rule=EXTRA_SPECS_RULE, kind=kinds.TEXTS),
)
FLAVOR_BRIEF = View(*_COMMON)

# ----------------------------------------------------------------- handlers


def find(call: Call) -> Any:
    """The flavor of the path as far as the caller may see it."""
    with call.services.db.read() as conn:
        return rows.get(conn, call.params['id'], call.context.project_id, call.context.is_admin,
                        call.columns or None)


def _filters(call: Call) -> rows.Filters:
    query = call.query
    is_public: bool | None = True
    asked = query.get('is_public')
    if call.context.is_admin and asked is not None:
        is_public = None if asked.strip().lower() == 'none' else shared.parse_bool(asked, 'is_public')
    return rows.Filters(project_id=call.context.project_id, is_public=is_public, name=query.get('name'),
                        min_ram=_count(query.get('minRam'), 'minRam'), min_disk=_count(query.get('minDisk'), 'minDisk'))


def _count(text: str | None, name: str) -> int | None:
    return None if text is None else shared.parse_count(text, name)


def index(call: Call) -> Page:
    """List flavors."""
    limit = call.limit()
    paged = paging.Page(limit, call.query.get('marker'), wire_paging.sort_of(call.query, (('flavorid', 'asc'),)))
    with call.services.db.read() as conn:
        found = rows.page(conn, _filters(call), paged, call.columns | {'flavorid'})
    return Page(*wire_paging.cut(found, limit, 'flavorid'))


def show(call: Call) -> Any:
    """Show one flavor."""
    return find(call)


def create(call: Call) -> Any:
    """Create a flavor."""
    body = call.body['flavor']
    flavorid = body.get('id')
    return ops.create(call.services, ops.CreateFlavor(
        name=body['name'].strip(), ram=int(body['ram']), vcpus=int(body['vcpus']), disk=int(body['disk']),
        flavorid=None if flavorid in (None, 'auto') else str(flavorid),
        ephemeral=int(body.get('OS-FLV-EXT-DATA:ephemeral', 0)), swap=int(body.get('swap', 0)),
        rxtx_factor=float(body.get('rxtx_factor', 1.0)),
        is_public=formats.as_bool(body.get('os-flavor-access:is_public', True)),
        description=body.get('description')))


def update(call: Call) -> Any:
    """Change the description of a flavor."""
    return ops.describe(call.services, call.params['id'], call.body['flavor']['description'])


def delete(call: Call) -> None:
    """Delete a flavor."""
    ops.delete(call.services, call.params['id'])


ENDPOINTS = (
    GET('/flavors/detail', index, query=LIST_QUERY, show=many('flavors', FLAVOR), errors=(400,)),
    GET('/flavors', index, query=LIST_QUERY, show=many('flavors', FLAVOR_BRIEF), errors=(400,)),
    POST('/flavors', create, rule=CREATE_RULE, body=CREATE, show=one('flavor', FLAVOR), errors=(400, 409)),
    GET('/flavors/{id}', show, query=shared.NOTHING_KNOWN, show=one('flavor', FLAVOR), errors=(404,)),
    PUT('/flavors/{id}', update, rule=UPDATE_RULE, when=since(55), body=UPDATE, show=one('flavor', FLAVOR),
        errors=(400, 404)),
    DELETE('/flavors/{id}', delete, rule=DELETE_RULE, answers=answer(202), errors=(404,)),
)
