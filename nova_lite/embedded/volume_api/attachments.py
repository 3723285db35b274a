# SPDX-License-Identifier: Apache-2.0
"""``/attachments`` of the Block Storage API, from 3.27 on."""

from typing import Any

import webob

from nova_lite import errors
from nova_lite.embedded import http
from nova_lite.embedded.volume_api import asking, views
from nova_lite.embedded.volume_api.asking import READ, WRITE, Ask, Row
from nova_lite.embedded.volume_service import VolumeService

_FIRST = 27


class AttachmentRows:
    """The handlers of attachments."""

    def __init__(self, service: VolumeService) -> None:
        self._service = service
        self._attachments = service.attachments

    def rows(self) -> tuple[Row, ...]:
        """The operations."""
        one = '/attachments/{id}'
        return (
            Row('GET', '/attachments', READ, self.index, _FIRST),
            Row('GET', '/attachments/detail', READ, self.detail, _FIRST),
            Row('POST', '/attachments', WRITE, self.create, _FIRST), Row('GET', one, READ, self.show, _FIRST),
            Row('PUT', one, WRITE, self.update, _FIRST), Row('DELETE', one, WRITE, self.delete, _FIRST),
            Row('POST', one + '/action', WRITE, self.complete, 44))

    def index(self, ask: Ask) -> webob.Response:
        """A short list."""
        return self._list(ask, views.brief_attachment)

    def detail(self, ask: Ask) -> webob.Response:
        """A list of whole attachments."""
        return self._list(ask, views.attachment)

    def _list(self, ask: Ask, view: Any) -> webob.Response:
        wanted = ask.whose()
        for name, column in (('volume_id', 'volume_uuid'), ('instance_id', 'server_uuid'), ('status', 'status'),
                             ('attach_status', 'status'), ('id', 'uuid')):
            if name in ask.query:
                wanted[column] = ask.query[name]
        rows = self._attachments.page(wanted, *ask.page())
        return http.answer({'attachments': [view(row) for row in rows], **ask.links('attachments', rows)})

    def show(self, ask: Ask) -> webob.Response:
        """One attachment."""
        return self._one(ask, ask.args['id'])

    def _one(self, ask: Ask, attachment: str) -> webob.Response:
        return http.answer({'attachment': views.attachment(self._attachments.show(ask.context, attachment))})

    def create(self, ask: Ask) -> webob.Response:
        """Reserve a volume, and connect it at once if it is said who connects."""
        body = ask.body('attachment')
        volume, server = asking.uuid_of(body, 'volume_uuid'), asking.uuid_of(body, 'instance_uuid')
        if volume is None or (server is None and _FIRST <= ask.minor < 55):
            raise errors.Invalid(reason='volume_uuid and instance_uuid are needed.')
        connector = _connector(body)
        mode = body.get('mode') if ask.minor >= 54 else None
        attachment = self._attachments.reserve(ask.context, volume, server,
                                               mode or connector.get('mode') or 'rw')
        if connector:
            self._attachments.connect(ask.context, attachment, connector)
        return self._one(ask, attachment)

    def update(self, ask: Ask) -> webob.Response:
        """Say who connects."""
        connector = _connector(ask.body('attachment'))
        if not connector:
            raise errors.Invalid(reason='connector is needed: an object that says who connects.')
        self._attachments.connect(ask.context, ask.args['id'], connector)
        return self._one(ask, ask.args['id'])

    def complete(self, ask: Ask) -> webob.Response:
        """Say that the server has the volume."""
        if 'os-complete' not in ask.json():
            raise errors.Invalid(reason='The one action of an attachment is os-complete.')
        self._attachments.complete(ask.context, ask.args['id'])
        return http.empty(204)

    def delete(self, ask: Ask) -> webob.Response:
        """Give the volume back; the attachments that it still has."""
        self._attachments.check_unheld(ask.context, [self._attachments.show(ask.context, ask.args['id'])])
        volume = self._attachments.detach(ask.context, ask.args['id'])
        rows = self._attachments.page({'volume_uuid': volume}, VolumeService.page(asking.MOST))
        return http.answer({'attachments': [views.brief_attachment(row) for row in rows]})


def _connector(body: Any) -> dict[str, Any]:
    connector = body.get('connector')
    if connector is not None and not isinstance(connector, dict):
        raise asking.wrong('connector', connector, 'an object or null')
    return connector or {}
