# SPDX-License-Identifier: Apache-2.0
"""Aggregates: groups of hosts with metadata, among them the availability zones.

Source: compute API reference, "Host aggregates"; microversions 2.41 (uuid), 2.81 (images to fetch beforehand).

No hypervisor here keeps images beside those of its servers, so a list of images to fetch beforehand is
checked, accepted and then needs no work: a build fetches what it needs.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from nova_lite import errors
from nova_lite.api import shared
from nova_lite.auth import policy
from nova_lite.db.queries import aggregates as rows
from nova_lite.ops import aggregates as ops
from nova_lite.wsgi import formats, kinds, window
from nova_lite.wsgi.body import Array, Body, Choice, Object, Prop, wrapped
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import ACTION, DELETE, GET, POST, PUT, answer, many, one
from nova_lite.wsgi.view import Field, Rendering, View, column
from nova_lite.wsgi.window import since

LOG = logging.getLogger(__name__)

# ------------------------------------------------------------------- policy

_RULE = 'os_compute_api:os-aggregates:'
INDEX_RULE, SHOW_RULE, CREATE_RULE = f'{_RULE}index', f'{_RULE}show', f'{_RULE}create'
UPDATE_RULE, DELETE_RULE = f'{_RULE}update', f'{_RULE}delete'
ADD_RULE, REMOVE_RULE, METADATA_RULE = f'{_RULE}add_host', f'{_RULE}remove_host', f'{_RULE}set_metadata'
IMAGES_RULE = 'compute:aggregates:images'

_ROOT = '/os-aggregates'
_ONE = _ROOT + '/{id}'
_ACTION = _ONE + '/action'
_IN_POLICY = _ROOT + '/{aggregate_id}'

RULES = (
    policy.rule(INDEX_RULE, policy.ADMIN, 'List aggregates.', ('GET', _ROOT)),
    policy.rule(SHOW_RULE, policy.ADMIN, 'See an aggregate.', ('GET', _IN_POLICY)),
    policy.rule(CREATE_RULE, policy.ADMIN, 'Make an aggregate.', ('POST', _ROOT)),
    policy.rule(UPDATE_RULE, policy.ADMIN, 'Rename an aggregate, or change its availability zone.',
                ('PUT', _IN_POLICY)),
    policy.rule(DELETE_RULE, policy.ADMIN, 'Delete an aggregate.', ('DELETE', _IN_POLICY)),
    policy.rule(ADD_RULE, policy.ADMIN, 'Put a host into an aggregate.', ('POST', f'{_IN_POLICY}/action (add_host)')),
    policy.rule(REMOVE_RULE, policy.ADMIN, 'Take a host out of an aggregate.',
                ('POST', f'{_IN_POLICY}/action (remove_host)')),
    policy.rule(METADATA_RULE, policy.ADMIN, 'Change the metadata of an aggregate.',
                ('POST', f'{_IN_POLICY}/action (set_metadata)')),
    policy.rule(IMAGES_RULE, policy.ADMIN, 'Have the hosts of an aggregate fetch images beforehand.',
                ('POST', f'{_IN_POLICY}/images')),
)

# ------------------------------------------------------------------- bodies

_NAME = Choice((formats.NAME, window.V21), (formats.LOOSE_NAME, window.V2))
_WITHOUT_COLON = {'type': ['string', 'null'], 'pattern': '^[^:]*$'}
_ZONE = Choice((formats.NAME | _WITHOUT_COLON, window.V21), (formats.LOOSE_NAME | _WITHOUT_COLON, window.V2))
_HOST = Object(Prop('host', {'type': 'string', 'minLength': 1, 'maxLength': 255, 'pattern': '^[a-zA-Z0-9-._]*$'},
                    required=True))
_METADATA = {
    'type': 'object', 'additionalProperties': False,
    'patternProperties': {'^[a-zA-Z0-9-_:. ]{1,255}$': {'type': ['string', 'null'], 'maxLength': 255,
                                                        'format': 'printable'}}}

CREATE = wrapped('aggregate', Object(Prop('name', _NAME, required=True), Prop('availability_zone', _ZONE)))
UPDATE = wrapped('aggregate', Object(
    Prop('name', _NAME), Prop('availability_zone', _ZONE),
    extra={'anyOf': [{'required': ['name']}, {'required': ['availability_zone']}]}))
ADD_HOST = wrapped('add_host', _HOST)
REMOVE_HOST = wrapped('remove_host', _HOST)
SET_METADATA = wrapped('set_metadata', Object(Prop('metadata', _METADATA, required=True)))
IMAGES = Body(Object(Prop('cache', Array(Object(Prop('id', formats.UUID, required=True)), minItems=1), required=True)))

# -------------------------------------------------------------------- views


def _zone(row: Any, rendering: Rendering) -> str | None:
    return row.metadata.get(rows.ZONE)


def _hosts(row: Any, rendering: Rendering) -> list[str]:
    return list(rendering.loaded['hosts'][row.id])


def _load_hosts(rendering: Rendering, found: Sequence[Any]) -> Mapping[int, list[str]]:
    with rendering.call.services.db.read() as conn:
        return rows.members(conn, [row.id for row in found])


# What a create answers leaves out what is empty or said already.
_MORE = frozenset(('show', 'list'))
AGGREGATE = View(
    column('id', kind=kinds.INTEGER), column('name', kind=kinds.TEXT),
    Field('availability_zone', _zone, columns=('metadata',), kind=kinds.maybe(kinds.TEXT)),
    Field('created_at', lambda row, _: shared.wire_time_us(row.created_at), columns=('created_at',),
          kind=kinds.TIME_US),
    Field('updated_at', lambda row, _: shared.wire_time_us(row.updated_at), columns=('updated_at',),
          kind=kinds.maybe(kinds.TIME_US)),
    # A deleted aggregate is gone at once.
    Field('deleted_at', lambda row, _: None, kind=kinds.NULL),
    Field('deleted', lambda row, _: False, kind=kinds.BOOLEAN),
    Field('hosts', _hosts, ops=_MORE, needs=('hosts',), kind=kinds.listed(kinds.TEXT)),
    column('metadata', ops=_MORE, kind=kinds.TEXTS),
    column('uuid', when=since(41), kind=kinds.UUID),
    loaders={'hosts': _load_hosts})

# ----------------------------------------------------------------- handlers


def _id(call: Call) -> int:
    text = call.params['id']
    try:
        number = int(text)
    except ValueError:
        raise errors.Invalid(f'Invalid aggregate id: {text[:64]!r} is not a number.') from None
    if shared.row_id(str(number)) is None:
        raise errors.AggregateNotFound(aggregate=text[:64])
    return number


def _get(call: Call) -> Any:
    number = _id(call)
    with call.services.db.read() as conn:
        found = rows.get(conn, number)
    if found is None:
        raise errors.AggregateNotFound(aggregate=number)
    return found


def index(call: Call) -> list[Any]:
    """List the aggregates."""
    with call.services.db.read() as conn:
        return rows.page(conn)


def show(call: Call) -> Any:
    """Show one aggregate."""
    return _get(call)


def create(call: Call) -> Any:
    """Make an aggregate, with a zone or without."""
    body = call.body['aggregate']
    zone = body.get('availability_zone')
    return ops.create(call.services, body['name'].strip(), zone and zone.strip())


def update(call: Call) -> Any:
    """Rename an aggregate, or change its zone."""
    body = call.body['aggregate']
    name, zone = body.get('name'), body.get('availability_zone')
    metadata = {rows.ZONE: zone and zone.strip()} if 'availability_zone' in body else {}
    return ops.change(call.services, ops.ChangeAggregate(_id(call), name and name.strip(), metadata))


def delete(call: Call) -> None:
    """Delete an aggregate that has no hosts."""
    ops.delete(call.services, _id(call))


def add_host(call: Call) -> Any:
    """Put a host into an aggregate."""
    return ops.add_host(call.services, ops.MoveHost(_id(call), call.body['host']))


def remove_host(call: Call) -> Any:
    """Take a host out of an aggregate."""
    return ops.remove_host(call.services, ops.MoveHost(_id(call), call.body['host']))


def set_metadata(call: Call) -> Any:
    """Add, change and take away entries of the metadata."""
    return ops.change(call.services, ops.ChangeAggregate(_id(call), metadata=call.body['metadata']))


def cache_images(call: Call) -> None:
    """Name images that the hosts of an aggregate should fetch beforehand."""
    wanted = [image['id'] for image in call.body['cache']]
    twice = sorted({image for image in wanted if wanted.count(image) > 1})
    if twice:
        raise errors.Invalid(f'Invalid input for cache: image {twice[0]} is named more than once.')
    aggregate = _get(call)
    LOG.info('The hosts of aggregate %s need not fetch images beforehand; asked for: %s', aggregate.name,
             ', '.join(wanted))


ENDPOINTS = (
    GET(_ROOT, index, rule=INDEX_RULE, query=shared.NOTHING_KNOWN, show=many('aggregates', AGGREGATE, links=False)),
    POST(_ROOT, create, rule=CREATE_RULE, body=CREATE, show=one('aggregate', AGGREGATE, op='create'),
         errors=(400, 409)),
    GET(_ONE, show, rule=SHOW_RULE, query=shared.NOTHING_KNOWN, show=one('aggregate', AGGREGATE), errors=(400, 404)),
    PUT(_ONE, update, rule=UPDATE_RULE, body=UPDATE, show=one('aggregate', AGGREGATE), errors=(400, 404, 409)),
    DELETE(_ONE, delete, rule=DELETE_RULE, errors=(400, 404)),
    ACTION('add_host', add_host, _ACTION, rule=ADD_RULE, body=ADD_HOST, show=one('aggregate', AGGREGATE),
           errors=(400, 404, 409)),
    ACTION('remove_host', remove_host, _ACTION, rule=REMOVE_RULE, body=REMOVE_HOST, show=one('aggregate', AGGREGATE),
           errors=(400, 404, 409)),
    ACTION('set_metadata', set_metadata, _ACTION, rule=METADATA_RULE, body=SET_METADATA,
           show=one('aggregate', AGGREGATE), errors=(400, 404)),
    POST(_ONE + '/images', cache_images, rule=IMAGES_RULE, when=since(81), body=IMAGES, answers=answer(202),
         errors=(400, 404)),
)
