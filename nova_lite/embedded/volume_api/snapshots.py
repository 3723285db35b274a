# SPDX-License-Identifier: Apache-2.0
"""``/snapshots`` of the Block Storage API."""

from collections.abc import Mapping
from typing import Any

import webob

from nova_lite import errors
from nova_lite.embedded import http
from nova_lite.embedded.volume_api import asking, views
from nova_lite.embedded.volume_api.asking import READ, WRITE, Ask, Row
from nova_lite.embedded.volume_service import VolumeService
from nova_lite.model import volumes as model

STATUSES = frozenset((model.AVAILABLE, model.CREATING, model.DELETING, model.ERROR, model.ERROR_DELETING))


def _filters(ask: Ask) -> dict[str, Any]:
    found: dict[str, Any] = {**ask.whose(), **{name: ask.query[name] for name in ('name', 'status') if
                                               name in ask.query}}
    if 'volume_id' in ask.query:
        found['volume_uuid'] = ask.query['volume_id']
    if 'id' in ask.query:
        found['uuid'] = ask.query['id'].split(',')
    if 'name~' in ask.query and ask.minor >= 34:
        found['name_like'] = ask.query['name~']
    if ask.minor >= 60 and (changed := ask.changed()):
        found['changed'] = changed
    return found


class SnapshotRows:
    """The handlers of snapshots."""

    def __init__(self, service: VolumeService) -> None:
        self._snapshots = service.snapshots

    def rows(self) -> tuple[Row, ...]:
        """The operations."""
        one, metadata = '/snapshots/{id}', '/snapshots/{id}/metadata'
        return (
            Row('GET', '/snapshots', READ, self.index), Row('GET', '/snapshots/detail', READ, self.detail),
            Row('POST', '/snapshots', WRITE, self.create), Row('GET', one, READ, self.show),
            Row('PUT', one, WRITE, self.update), Row('DELETE', one, WRITE, self.delete),
            Row('POST', one + '/action', WRITE, self.act),
            Row('GET', metadata, READ, self.metadata), Row('POST', metadata, WRITE, self.add_metadata),
            Row('PUT', metadata, WRITE, self.replace_metadata),
            Row('DELETE', metadata + '/{key}', WRITE, self.remove_item))

    def index(self, ask: Ask) -> webob.Response:
        """A short list."""
        return self._list(ask, brief=True)

    def detail(self, ask: Ask) -> webob.Response:
        """A list of whole snapshots."""
        return self._list(ask)

    def _list(self, ask: Ask, brief: bool = False) -> webob.Response:
        wanted = _filters(ask)
        rows = self._snapshots.page(wanted, *ask.page())
        body = {'snapshots': [views.snapshot(ask, row, brief) for row in rows], **ask.links('snapshots', rows)}
        if ask.minor >= 45 and ask.flag('with_count'):
            body['count'] = self._snapshots.count(wanted)
        return http.answer(body)

    def show(self, ask: Ask) -> webob.Response:
        """One snapshot."""
        return self._one(ask, self._snapshots.show(ask.context, ask.args['id']))

    def _one(self, ask: Ask, row: Any, code: int = 200) -> webob.Response:
        return http.answer({'snapshot': views.snapshot(ask, row, brief=code == 202)}, code)

    def create(self, ask: Ask) -> webob.Response:
        """Make a snapshot; of a volume in use by ``force``, and from 3.66 on without."""
        body = ask.body('snapshot')
        volume = asking.uuid_of(body, 'volume_id')
        if volume is None:
            raise errors.Invalid(reason='volume_id is needed.')
        force = asking.boolean('force', body['force']) if body.get('force') is not None else ask.minor >= 66
        if ask.minor >= 66 and not force:
            raise errors.Invalid(reason='force has no meaning from version 3.66 on, and must not be false.')
        wish = {'name': asking.text(body, 'name') or '', 'description': asking.text(body, 'description'),
                'metadata': asking.strings('metadata', body.get('metadata') or {})}
        return self._one(ask, self._snapshots.create(ask.context, volume, wish, force), 202)

    def update(self, ask: Ask) -> webob.Response:
        """Change name or description."""
        body = ask.body('snapshot')
        values: dict[str, Any] = {name: asking.text(body, name) for name in ('name', 'description') if name in body}
        if not values:
            raise errors.Invalid(reason='The body changes nothing: give name or description.')
        if 'name' in values:
            values['name'] = values['name'] or ''
        return self._one(ask, self._snapshots.change(ask.context, ask.args['id'], lambda row: values))

    def delete(self, ask: Ask) -> webob.Response:
        """Delete a snapshot."""
        self._snapshots.delete(ask.context, ask.args['id'])
        return http.empty(202)

    def act(self, ask: Ask) -> webob.Response:
        """Say by force in which state it is, or delete it by force."""
        if not ask.context.is_admin:
            raise errors.Forbidden('Only an administrator does this.')
        body, snapshot = ask.json(), ask.args['id']
        if 'os-force_delete' in body:
            self._snapshots.delete(ask.context, snapshot, force=True)
            return http.empty(202)
        name = next((name for name in ('os-reset_status', 'os-update_snapshot_status') if name in body), None)
        if name is None or not isinstance(body[name], dict):
            raise errors.Invalid(reason='The body must name an action: os-reset_status or os-force_delete.')
        status = str(body[name].get('status')).lower()
        if status not in STATUSES:
            raise asking.wrong('status', status, f'one of {", ".join(sorted(STATUSES))}')
        self._snapshots.change(ask.context, snapshot, lambda row: {'status': status, 'busy_until': None})
        return http.empty(202)

    # ----------------------------------------------------------------- metadata

    def metadata(self, ask: Ask) -> webob.Response:
        """All entries."""
        return http.answer({'metadata': self._snapshots.show(ask.context, ask.args['id']).metadata})

    def add_metadata(self, ask: Ask) -> webob.Response:
        """Add or change entries."""
        more = asking.strings('metadata', ask.body('metadata'))
        return self._edit(ask, lambda have: {**have, **more})

    def replace_metadata(self, ask: Ask) -> webob.Response:
        """Have these entries only."""
        wanted = asking.strings('metadata', ask.body('metadata'))
        return self._edit(ask, lambda have: wanted)

    def remove_item(self, ask: Ask) -> webob.Response:
        """Remove one entry."""
        key = ask.args['key']

        def without(have: Mapping[str, str]) -> dict[str, str]:
            if key not in have:
                raise errors.NotFound(f'There is no metadata item {key[:64]!r}.')
            return {name: value for name, value in have.items() if name != key}
        self._edit(ask, without)
        return http.empty(200)

    def _edit(self, ask: Ask, edit: Any) -> webob.Response:
        row = self._snapshots.change(ask.context, ask.args['id'], lambda row: {'metadata': edit(row.metadata)})
        return http.answer({'metadata': row.metadata})
