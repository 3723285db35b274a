# SPDX-License-Identifier: Apache-2.0
"""``/volumes`` of the Block Storage API: lists, one volume, its metadata."""

import ast
from collections.abc import Mapping
from typing import Any

import webob

from nova_lite import errors
from nova_lite.embedded import http
from nova_lite.embedded.volume_api import asking, views
from nova_lite.embedded.volume_api.asking import READ, WRITE, Ask, Row
from nova_lite.embedded.volume_service import VolumeService
from nova_lite.model import volumes as model
from nova_lite.model.volumes import VolumeWish

_TEXT_FILTERS = ('name', 'status', 'availability_zone', 'volume_type', 'user_id')


def filters(ask: Ask) -> dict[str, Any]:
    """What a list of volumes is kept to."""
    found: dict[str, Any] = {**ask.whose(), **{name: ask.query[name] for name in _TEXT_FILTERS if name in ask.query}}
    if 'display_name' in ask.query:
        found['name'] = ask.query['display_name']
    if 'id' in ask.query:
        found['uuid'] = ask.query['id'].split(',')
    for name in ('bootable', 'multiattach'):
        if name in ask.query:
            found[name] = asking.boolean(name, ask.query[name])
    if 'name~' in ask.query and ask.minor >= 34:
        found['name_like'] = ask.query['name~']
    for name, column in (('metadata', 'metadata'), ('glance_metadata', 'image_metadata')):
        if name in ask.query:
            found[column] = _entries(name, ask.query[name])
    if ask.minor >= 60 and (changed := ask.changed()):
        found['changed'] = changed
    return found


def _entries(name: str, text: str) -> dict[str, str]:
    """Clients write the entries as Python writes a dictionary."""
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        found = None
    return asking.strings(name, found)


class VolumeRows:
    """The handlers of volumes."""

    def __init__(self, service: VolumeService) -> None:
        self._service = service
        self._volumes = service.volumes

    def rows(self) -> tuple[Row, ...]:
        """The operations."""
        one, metadata = '/volumes/{id}', '/volumes/{id}/metadata'
        return (
            Row('GET', '/volumes', READ, self.index), Row('GET', '/volumes/detail', READ, self.detail),
            Row('GET', '/volumes/summary', READ, self.summary, 12), Row('POST', '/volumes', WRITE, self.create),
            Row('GET', one, READ, self.show), Row('PUT', one, WRITE, self.update),
            Row('DELETE', one, WRITE, self.delete),
            Row('GET', metadata, READ, self.metadata), Row('POST', metadata, WRITE, self.add_metadata),
            Row('PUT', metadata, WRITE, self.replace_metadata), Row('GET', metadata + '/{key}', READ, self.item),
            Row('PUT', metadata + '/{key}', WRITE, self.set_item),
            Row('DELETE', metadata + '/{key}', WRITE, self.remove_item))

    # -------------------------------------------------------------------- reads

    def index(self, ask: Ask) -> webob.Response:
        """A short list."""
        return self._list(ask, lambda rows: [views.brief_volume(ask, row) for row in rows])

    def detail(self, ask: Ask) -> webob.Response:
        """A list of whole volumes."""
        return self._list(ask, lambda rows: self._views(ask, rows))

    def _list(self, ask: Ask, shown: Any) -> webob.Response:
        wanted = filters(ask)
        rows = self._volumes.page(wanted, *ask.page())
        body = {'volumes': shown(rows), **ask.links('volumes', rows)}
        if ask.minor >= 45 and ask.flag('with_count'):
            body['count'] = self._volumes.count(wanted)[0]
        return http.answer(body)

    def _views(self, ask: Ask, rows: Any) -> list[dict[str, Any]]:
        attached = self._volumes.attachments(rows)
        return [views.volume(ask, row, attached[row.id]) for row in rows]

    def summary(self, ask: Ask) -> webob.Response:
        """How many volumes there are, and how big they are together."""
        wanted = filters(ask)
        count, size = self._volumes.count(wanted)
        body: dict[str, Any] = {'total_size': size, 'total_count': count}
        if ask.minor >= 36:
            values: dict[str, list[str]] = {}
            for row in self._volumes.page(wanted, VolumeService.page(asking.MOST)):
                for key, value in row.metadata.items():
                    if value not in values.setdefault(key, []):
                        values[key].append(value)
            body['metadata'] = values
        return http.answer({'volume-summary': body})

    def show(self, ask: Ask) -> webob.Response:
        """One volume."""
        return http.answer({'volume': self._views(ask, [self._volumes.show(ask.context, ask.args['id'])])[0]})

    # ------------------------------------------------------------------- writes

    def _changed(self, ask: Ask, row: Any, code: int = 200, status: str | None = None) -> webob.Response:
        attached = self._volumes.attachments([row])[row.id]
        return http.answer({'volume': views.changed_volume(ask, row, attached, status)}, code)

    def create(self, ask: Ask) -> webob.Response:
        """Make a volume."""
        body = ask.body('volume')
        for name in ('consistencygroup_id', 'group_id', 'backup_id'):
            if body.get(name):
                raise errors.Invalid(reason=f'There is nothing here for {name} to name.')
        sources = {'snapshot_id': asking.uuid_of(body, 'snapshot_id'),
                   'source_volume_id': asking.uuid_of(body, 'source_volid'),
                   'image_id': asking.uuid_of(body, 'imageRef', 'image_id')}
        if sum(value is not None for value in sources.values()) > 1:
            raise errors.Invalid(reason='A volume is made of a snapshot, another volume or an image, not of several.')
        size = body.get('size')
        if size is None and not (sources['snapshot_id'] or sources['source_volume_id']):
            raise errors.Invalid(reason='size is needed: a number of GiB.')
        wish = VolumeWish(
            size=None if size is None else asking.number('size', size, 1),
            name=_name(body) or '', description=_description(body),
            volume_type=asking.text(body, 'volume_type'), availability_zone=asking.text(body, 'availability_zone'),
            metadata=asking.strings('metadata', body.get('metadata') or {}), **sources)
        # What is quick is done by now; who asked expects to have to wait.
        return self._changed(ask, self._volumes.create(ask.context, wish), 202, model.CREATING)

    def update(self, ask: Ask) -> webob.Response:
        """Change name, description or metadata."""
        body = ask.body('volume')
        values: dict[str, Any] = {}
        if 'name' in body or 'display_name' in body:
            values['name'] = _name(body) or ''
        if 'description' in body or 'display_description' in body:
            values['description'] = _description(body)
        if body.get('metadata') is not None:
            values['metadata'] = asking.strings('metadata', body['metadata'])
        if not values:
            raise errors.Invalid(reason='The body changes nothing: give name, description or metadata.')
        return self._changed(ask, self._volumes.change(ask.context, ask.args['id'], lambda row: values))

    def delete(self, ask: Ask) -> webob.Response:
        """Delete a volume."""
        force = ask.minor >= 23 and ask.flag('force') and ask.context.is_admin
        self._volumes.delete(ask.context, ask.args['id'], ask.flag('cascade'), force)
        return http.empty(202)

    # ----------------------------------------------------------------- metadata

    def metadata(self, ask: Ask) -> webob.Response:
        """All entries."""
        return http.answer({'metadata': self._volumes.show(ask.context, ask.args['id']).metadata})

    def add_metadata(self, ask: Ask) -> webob.Response:
        """Add or change entries."""
        more = asking.strings('metadata', ask.body('metadata'))
        return http.answer({'metadata': self._edit(ask, lambda have: {**have, **more})})

    def replace_metadata(self, ask: Ask) -> webob.Response:
        """Have these entries only."""
        wanted = asking.strings('metadata', ask.body('metadata'))
        return http.answer({'metadata': self._edit(ask, lambda have: wanted)})

    def item(self, ask: Ask) -> webob.Response:
        """One entry."""
        have = self._volumes.show(ask.context, ask.args['id']).metadata
        return http.answer({'meta': {ask.args['key']: _entry(have, ask.args['key'])}})

    def set_item(self, ask: Ask) -> webob.Response:
        """Set one entry."""
        meta, key = asking.strings('meta', ask.body('meta')), ask.args['key']
        if list(meta) != [key]:
            raise errors.Invalid(reason=f'The body must set {key!r} alone, as the URL does.')
        self._edit(ask, lambda have: {**have, **meta})
        return http.answer({'meta': meta})

    def remove_item(self, ask: Ask) -> webob.Response:
        """Remove one entry."""
        key = ask.args['key']

        def without(have: Mapping[str, str]) -> dict[str, str]:
            _entry(have, key)
            return {name: value for name, value in have.items() if name != key}
        self._edit(ask, without)
        return http.empty(200)

    def _edit(self, ask: Ask, edit: Any) -> Any:
        return self._volumes.change(ask.context, ask.args['id'],
                                    lambda row: {'metadata': edit(row.metadata)}).metadata


def _entry(have: Mapping[str, str], key: str) -> str:
    if key not in have:
        raise errors.NotFound(f'There is no metadata item {key[:64]!r}.')
    return have[key]


def _name(body: Mapping[str, Any]) -> Any:
    return asking.text(body, 'name' if 'name' in body else 'display_name')


def _description(body: Mapping[str, Any]) -> Any:
    return asking.text(body, 'description' if 'description' in body else 'display_description')
