# SPDX-License-Identifier: Apache-2.0
"""Which server has, or is about to have, which volume.

Whoever changes an attachment holds the lock of its volume, so that the state of the volume follows from all of them.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from oslo_utils import timeutils

from nova_lite import errors
from nova_lite.db import paging, tables
from nova_lite.db.conditions import is_one_of
from nova_lite.db.engine import Conn
from nova_lite.db.queries import volumes
from nova_lite.model import volumes as model

ATTACHMENTS = tables.volume_attachments
VOLUMES = tables.volumes

_SELECT = sa.select(ATTACHMENTS, VOLUMES.c.uuid.label('volume_uuid'), VOLUMES.c.project_id).join(VOLUMES)
_GET = _SELECT.where(ATTACHMENTS.c.uuid == sa.bindparam('attachment'))
_BY_KEY = _SELECT.where(ATTACHMENTS.c.request_key == sa.bindparam('request'))
_STATUSES = sa.select(ATTACHMENTS.c.status).where(ATTACHMENTS.c.volume_id == sa.bindparam('volume'))
NEWEST_FIRST = paging.Order(
    marker=ATTACHMENTS.c.uuid, tie=ATTACHMENTS.c.id, default=(('created_at', 'desc'),),
    keys={'id': ATTACHMENTS.c.uuid, 'created_at': ATTACHMENTS.c.created_at, 'status': ATTACHMENTS.c.status})


def get(conn: Conn, attachment: str) -> sa.Row[Any]:
    """One attachment, with the id (``volume_uuid``) and project of its volume."""
    row = conn.execute(_GET, {'attachment': attachment}).first()
    if row is None:
        raise errors.VolumeAttachmentNotFound(attachment=attachment)
    return row


def by_key(conn: Conn, key: str) -> sa.Row[Any] | None:
    """The attachment that a request with this key has made."""
    return conn.execute(_BY_KEY, {'request': key}).first()


def page(conn: Conn, filters: Mapping[str, Any], paged: paging.Page, offset: int = 0) -> Sequence[sa.Row[Any]]:
    """One page of attachments, the newest first; filters are columns, project_id and volume_uuid."""
    special = {'project_id': VOLUMES.c.project_id, 'volume_uuid': VOLUMES.c.uuid}
    conditions = [is_one_of(special[name] if name in special else ATTACHMENTS.c[name], value)
                  for name, value in filters.items()]
    statement = paging.select_page(conn, _SELECT.where(*conditions), NEWEST_FIRST, paged)
    return conn.execute(statement.offset(offset) if offset else statement).all()


def of_volumes(conn: Conn, volume_ids: Collection[int]) -> dict[int, list[sa.Row[Any]]]:
    """The attachments of each volume by its row id, the oldest first."""
    found: dict[int, list[sa.Row[Any]]] = {key: [] for key in volume_ids}
    if found:
        for row in conn.execute(_SELECT.where(ATTACHMENTS.c.volume_id.in_(list(found))).order_by(ATTACHMENTS.c.id)):
            found[row.volume_id].append(row)
    return found


def insert(conn: sa.Connection, values: Mapping[str, Any]) -> None:
    """Store an attachment."""
    conn.execute(ATTACHMENTS.insert(), {'created_at': timeutils.utcnow(), **values})


def update(conn: sa.Connection, attachment: str, **values: Any) -> None:
    """Change an attachment."""
    conn.execute(ATTACHMENTS.update().where(ATTACHMENTS.c.uuid == attachment).values(
        updated_at=timeutils.utcnow(), **values))


def delete(conn: sa.Connection, attachment: str) -> None:
    """Remove an attachment."""
    conn.execute(ATTACHMENTS.delete().where(ATTACHMENTS.c.uuid == attachment))


def status_of(conn: Conn, volume_id: int) -> str:
    """The state that a volume has by its attachments."""
    return model.status_of(set(conn.scalars(_STATUSES, {'volume': volume_id})))


def settle(conn: sa.Connection, volume: Any) -> None:
    """Give a locked volume the state that follows from its attachments, unless it is in one of another kind."""
    if volume.status in model.SETTLED:
        volumes.update(conn, volume.uuid, status=status_of(conn, volume.id))
