# SPDX-License-Identifier: Apache-2.0
"""Attachments of the embedded volume service: reserved, connected, complete, gone.

Every change locks the volume first, so that of any number of servers that want it at once exactly one gets it.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nova_lite import errors
from nova_lite.db import paging
from nova_lite.db.engine import Duplicate
from nova_lite.db.queries import servers, volume_attachments, volumes
from nova_lite.embedded.volume_files import VOLUME
from nova_lite.embedded.volume_store import key_of, require, seen, sees
from nova_lite.embedded.volume_work import Tools
from nova_lite.model import block_devices, times
from nova_lite.model import volumes as model

MODES = ('rw', 'ro')
_HOLDER = frozenset(('uuid', 'deleted', 'block_devices'))


class Attachments:
    """The attachments."""

    def __init__(self, tools: Tools) -> None:
        self._db = tools.db
        self._files = tools.files

    def show(self, context: Any, attachment_id: str) -> Any:
        """One attachment of a volume that the caller sees."""
        with self._db.read() as conn:
            return _seen(context, volume_attachments.get(conn, attachment_id))

    def page(self, filters: Mapping[str, Any], paged: paging.Page, offset: int = 0) -> Sequence[Any]:
        """One page of attachments; ``filters`` say whose."""
        with self._db.read() as conn:
            return volume_attachments.page(conn, filters, paged, offset)

    def reserve(self, context: Any, volume_id: str, server_uuid: str | None, mode: str = 'rw',
                key: str | None = None) -> str:
        """Take a volume for a server; the id of the attachment."""
        stored = key_of(key)
        try:
            return self._db.transaction(_reserve, context, volume_id, server_uuid, mode, stored)
        except Duplicate:
            with self._db.read() as conn:
                row = volume_attachments.by_key(conn, stored or '')
            if row is None:
                raise
            return str(row.uuid)

    def connect(self, context: Any, attachment_id: str, connector: Mapping[str, Any]) -> dict[str, Any]:
        """Note who connects, and say how."""
        def apply(conn: Any) -> dict[str, Any]:
            volume, row = _lock(conn, context, attachment_id)
            connection = self._connection(volume, row)
            values: dict[str, Any] = {'connector': dict(connector), 'connection': connection}
            if row.status == model.RESERVED:
                values['status'] = model.ATTACHING
            if connector.get('mountpoint'):
                values['device'] = connector['mountpoint']
            volume_attachments.update(conn, attachment_id, **values)
            volume_attachments.settle(conn, volume)
            return connection

        return self._db.transaction(apply)

    def _connection(self, volume: Any, row: Any) -> dict[str, Any]:
        return {'driver_volume_type': 'local', 'data': {
            'device_path': self._files.path(VOLUME, volume.uuid), 'format': volume.format, 'volume_id': volume.uuid,
            'access_mode': row.mode, 'qos_specs': None, 'encrypted': False, 'cacheable': False}}

    def disconnect(self, context: Any, volume_id: str, server_uuid: str) -> str | None:
        """Forget who had connected; the id of what the server keeps."""
        def apply(conn: Any) -> str | None:
            volume = seen(context, volumes.lock(conn, volume_id))
            found = [row for row in volume_attachments.of_volumes(conn, [volume.id])[volume.id]
                     if row.server_uuid == server_uuid]
            for row in found[1:]:
                volume_attachments.delete(conn, row.uuid)
            for row in found[:1]:
                volume_attachments.update(conn, row.uuid, status=model.RESERVED, connector=None, connection=None,
                                          attached_at=None)
            volume_attachments.settle(conn, volume)
            return str(found[0].uuid) if found else None

        return self._db.transaction(apply)

    def complete(self, context: Any, attachment_id: str, device: str | None = None) -> None:
        """The server has the volume."""
        def apply(conn: Any) -> None:
            volume, row = _lock(conn, context, attachment_id)
            values = {} if row.status == model.ATTACHED else {'status': model.ATTACHED, 'attached_at': times.utcnow()}
            if device and device != row.device:
                values['device'] = device
            if values:
                volume_attachments.update(conn, attachment_id, **values)
            if volume.status != model.DETACHING:
                volume_attachments.settle(conn, volume)

        self._db.transaction(apply)

    def check_unheld(self, context: Any, rows: Iterable[Any]) -> None:
        """``VolumeHeld`` if a server knows of one of the attachments, unless a service asks."""
        if 'service' in {*context.roles, *(context.service_roles or ())}:
            return
        attached = [(row.uuid, row.server_uuid) for row in rows if row.server_uuid is not None]
        with self._db.read() as conn:
            known = servers.get_many(conn, {server for _, server in attached}, _HOLDER)
        for attachment, server in attached:
            holder = known.get(server)
            if holder and not holder.deleted and any(
                    one['attachment_id'] == attachment for one in block_devices.of_server(holder)):
                raise errors.VolumeHeld(attachment=attachment, server=server)

    def detach(self, context: Any, attachment_id: str) -> str:
        """Take an attachment away; the id of its volume."""
        def apply(conn: Any) -> str:
            volume, _ = _lock(conn, context, attachment_id)
            volume_attachments.delete(conn, attachment_id)
            volume_attachments.settle(conn, volume)
            return str(volume.uuid)

        return self._db.transaction(apply)

    def begin_detaching(self, context: Any, volume_id: str) -> None:
        """Say that a server is about to lose the volume."""
        def apply(conn: Any) -> None:
            row = seen(context, volumes.lock(conn, volume_id))
            require(row, 'detached', model.IN_USE, model.DETACHING)
            volumes.update(conn, volume_id, status=model.DETACHING)

        self._db.transaction(apply)

    def roll_detaching(self, context: Any, volume_id: str) -> None:
        """Take that back."""
        def apply(conn: Any) -> None:
            row = seen(context, volumes.lock(conn, volume_id))
            if row.status == model.DETACHING:
                volume_attachments.settle(conn, row)

        self._db.transaction(apply)


def _reserve(conn: Any, context: Any, volume_id: str, server_uuid: str | None, mode: str, key: str | None) -> str:
    volume = seen(context, volumes.lock(conn, volume_id))
    if key and (found := volume_attachments.by_key(conn, key)):
        return str(found.uuid)
    if mode not in MODES:
        raise errors.Invalid(reason=f'The mode of an attachment is {" or ".join(MODES)}, not {mode!r}.')
    if volume.readonly and mode == 'rw':
        raise errors.InvalidVolume(reason=f'volume {volume_id} is read-only.')
    if not _is_again(conn, volume, server_uuid):
        allowed = (model.AVAILABLE, *((model.RESERVED, model.ATTACHING, model.IN_USE) if volume.multiattach else ()))
        require(volume, 'attached', *allowed)
    attachment = str(uuid.uuid4())
    volume_attachments.insert(conn, {
        'uuid': attachment, 'volume_id': volume.id, 'server_uuid': server_uuid, 'mode': mode,
        'status': model.RESERVED, 'request_key': key})
    volume_attachments.settle(conn, volume)
    return attachment


def _is_again(conn: Any, volume: Any, server_uuid: str | None) -> bool:
    """A server that has the volume may have it twice: while it moves, it is connected from two hosts."""
    if volume.status not in model.SETTLED or server_uuid is None:
        return False
    return any(row.server_uuid == server_uuid and row.status == model.ATTACHED
               for row in volume_attachments.of_volumes(conn, [volume.id])[volume.id])


def _lock(conn: Any, context: Any, attachment_id: str) -> tuple[Any, Any]:
    """The volume, locked, and the attachment as it is then."""
    row = _seen(context, volume_attachments.get(conn, attachment_id))
    volume = volumes.lock(conn, row.volume_uuid)
    return volume, volume_attachments.get(conn, attachment_id)


def _seen(context: Any, row: Any) -> Any:
    if not sees(context, row):
        raise errors.VolumeAttachmentNotFound(attachment=row.uuid)
    return row
