# SPDX-License-Identifier: Apache-2.0
"""Images in the old shape of Compute, fetched from the image service.

Source: compute API reference, "Images (DEPRECATED)" and "Image metadata"; 2.36 ends the images, 2.39
their metadata.
"""

import itertools
from typing import Any

from nova_lite import errors
from nova_lite.clients.image import Image
from nova_lite.wsgi import formats, kinds
from nova_lite.wsgi.body import Param, Query, wrapped
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import DELETE, GET, POST, PUT, Page, answer, many, one
from nova_lite.wsgi.view import OMIT, Field, Rendering, View
from nova_lite.wsgi.window import ALWAYS, until

RULES = ()

_IMAGES = until(35)
_METADATA = until(38)

# Filters of the query → those of the image service; a property is named by its prefix.
_FILTERS = {'name': 'name', 'status': 'status', 'marker': 'marker', 'server': 'instance_uuid', 'type': 'image_type',
            'minRam': 'min_ram', 'minDisk': 'min_disk', 'changes-since': 'updated_at'}
_PROPERTY = 'property-'
LIST_QUERY = Query(Param('limit', formats.NUMBER), *(Param(name, formats.TEXT) for name in _FILTERS),
                   Param(_PROPERTY, formats.TEXT, prefix=True), open_=ALWAYS)
METADATA = wrapped('metadata', formats.METADATA)
ITEM = wrapped('meta', {**formats.METADATA, 'minProperties': 1, 'maxProperties': 1})

# The image service's word → the word and the progress that Compute showed.
_STATES = {'queued': ('SAVING', 25), 'saving': ('SAVING', 50), 'uploading': ('SAVING', 50),
           'importing': ('SAVING', 50), 'active': ('ACTIVE', 100), 'deleted': ('DELETED', 0),
           'pending_delete': ('DELETED', 0), 'killed': ('ERROR', 0)}

# A server may be named by one of its links.
_TRANSLATED = {'status': str.lower, 'server': lambda text: text.rstrip('/').rpartition('/')[2],
               'changes-since': lambda text: f'gte:{text}'}

# -------------------------------------------------------------------- views


def _links(image: Image, rendering: Rendering) -> list[dict[str, str]]:
    path = f'images/{image.id}'
    return [*rendering.links(path), {'rel': 'alternate', 'type': 'application/vnd.openstack.image',
                                     'href': f'{rendering.bookmark}/{path}'}]


def _server(image: Image, rendering: Rendering) -> Any:
    server = image.properties.get('instance_uuid')
    return {'id': server, 'links': rendering.links(f'servers/{server}')} if server else OMIT


def _disk_config(image: Image, rendering: Rendering) -> Any:
    value = image.properties.get('auto_disk_config')
    return OMIT if value is None else 'AUTO' if formats.as_bool(value) else 'MANUAL'


_COMMON = (
    Field('id', lambda image, _: image.id, kind=kinds.TEXT),
    Field('name', lambda image, _: image.name, kind=kinds.maybe(kinds.TEXT)),
    Field('links', _links, kind=kinds.LINKS))
BRIEF = View(*_COMMON)
IMAGE = View(
    *_COMMON,
    Field('status', lambda image, _: _STATES.get(image.status, ('UNKNOWN', 0))[0], kind=kinds.TEXT),
    Field('progress', lambda image, _: _STATES.get(image.status, ('UNKNOWN', 0))[1], kind=kinds.INTEGER),
    Field('minDisk', lambda image, _: image.min_disk, kind=kinds.INTEGER),
    Field('minRam', lambda image, _: image.min_ram, kind=kinds.INTEGER),
    Field('created', lambda image, _: image.created_at, kind=kinds.TIME),
    Field('updated', lambda image, _: image.updated_at, kind=kinds.TIME),
    Field('metadata', lambda image, _: dict(image.properties), kind=kinds.mapped(kinds.ANY)),
    Field('OS-EXT-IMG-SIZE:size', lambda image, _: image.size or 0, kind=kinds.INTEGER),
    Field('OS-DCF:diskConfig', _disk_config, sometimes=True, kind=kinds.word('AUTO', 'MANUAL')),
    Field('server', _server, sometimes=True, kind=kinds.record({'id': kinds.TEXT, 'links': kinds.LINKS})))
_ALL_METADATA = kinds.under('metadata', kinds.mapped(kinds.ANY))
_META = kinds.under('meta', kinds.mapped(kinds.ANY))

# ----------------------------------------------------------------- handlers


def index(call: Call) -> Page:
    """List images."""
    limit = call.limit()
    found = list(itertools.islice(call.services.images.list(call.context, **_filters(call.query)), limit))
    return Page(found, found[-1].id if limit and len(found) == limit else None)


def _filters(query: Any) -> dict[str, str]:
    wanted = {name.removeprefix(_PROPERTY): query.get(name) for name in query.names()
              if name.startswith(_PROPERTY)}
    for name, inner in _FILTERS.items():
        text = query.get(name)
        if text:
            wanted[inner] = _TRANSLATED.get(name, str)(text)
    return wanted


def show(call: Call) -> Image:
    """Show one image."""
    return _image(call, call.params['id'])


def delete(call: Call) -> None:
    """Delete an image."""
    call.services.images.delete(call.context, call.params['id'])


def _image(call: Call, image_id: str) -> Any:
    return call.services.images.show(call.context, image_id)


def _find(call: Call) -> Any:
    """The properties of the image in the path."""
    return dict(_image(call, call.params['image_id']).properties)


def _store(call: Call, values: dict[str, str], gone: frozenset[str] = frozenset()) -> dict[str, str]:
    images = call.services.images
    return dict(images.update(call.context, call.params['image_id'], values, gone).properties)


def metadata_index(call: Call) -> dict[str, Any]:
    """Show the properties of an image."""
    return {'metadata': _find(call)}


def metadata_create(call: Call) -> dict[str, Any]:
    """Add or change properties of an image."""
    _find(call)
    return {'metadata': _store(call, call.body['metadata'])}


def metadata_replace(call: Call) -> dict[str, Any]:
    """Replace the properties of an image."""
    wanted = call.body['metadata']
    return {'metadata': _store(call, wanted, frozenset(_find(call)) - set(wanted))}


def metadata_show(call: Call) -> dict[str, Any]:
    """Show one property of an image."""
    key = call.params['id']
    return {'meta': {key: _one(_find(call), key)}}


def metadata_update(call: Call) -> dict[str, Any]:
    """Set one property of an image."""
    key, item = call.params['id'], call.body['meta']
    if key not in item:
        raise errors.Invalid(f'The body must set {key!r}, the property of the URL.')
    _find(call)
    return {'meta': {key: _store(call, item)[key]}}


def metadata_delete(call: Call) -> None:
    """Remove one property of an image."""
    key = call.params['id']
    _one(_find(call), key)
    _store(call, {}, frozenset((key,)))


def _one(properties: dict[str, str], key: str) -> str:
    if key not in properties:
        raise errors.NotFound(f'The image has no property {key[:64]!r}.')
    return properties[key]


_ALL = '/images/{image_id}/metadata'
_ONE = _ALL + '/{id}'

ENDPOINTS = (
    GET('/images/detail', index, when=_IMAGES, query=LIST_QUERY, show=many('images', IMAGE), errors=(400,)),
    GET('/images', index, when=_IMAGES, query=LIST_QUERY, show=many('images', BRIEF), errors=(400,)),
    GET('/images/{id}', show, when=_IMAGES, show=one('image', IMAGE)),
    DELETE('/images/{id}', delete, when=_IMAGES, answers=answer(204), errors=(403,)),
    GET(_ALL, metadata_index, when=_METADATA, reply=_ALL_METADATA, errors=(403,)),
    POST(_ALL, metadata_create, when=_METADATA, body=METADATA, reply=_ALL_METADATA, errors=(400, 403)),
    PUT(_ALL, metadata_replace, when=_METADATA, body=METADATA, reply=_ALL_METADATA, errors=(400, 403)),
    GET(_ONE, metadata_show, when=_METADATA, reply=_META, errors=(403,)),
    PUT(_ONE, metadata_update, when=_METADATA, body=ITEM, reply=_META, errors=(400, 403)),
    DELETE(_ONE, metadata_delete, when=_METADATA, answers=answer(204), errors=(403,)),
)
