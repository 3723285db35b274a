# SPDX-License-Identifier: Apache-2.0
"""Images of servers: snapshots, and backups of which only the latest are kept."""

import contextlib
import datetime
import logging
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.db.queries import operations, servers
from nova_lite.model import block_devices, snapshots, times
from nova_lite.ops.base import Act, Deps, begin, judge, operation_row, require
from nova_lite.ops.change import check_metadata

LOG = logging.getLogger(__name__)

_SNAPSHOT = Act('snapshot', 'createImage', 'snapshot', needs='snapshot')
_OF_VOLUMES = Act('snapshot', 'createImage', 'snapshot_volumes')
_BACKUP = Act('backup', 'createBackup', 'backup', needs='snapshot')
#: The chore of conductors that deletes an image, and how long a request may take from its image to its operation.
_CHORE, _LIMIT = 'delete_image', datetime.timedelta(seconds=60)


@dataclass(frozen=True)
class CreateImage:
    """Make an image of a server's disk; ``metadata`` become properties of it, as many as a server may have
    where ``limited``."""

    server: Any
    name: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    limited: bool = False


@dataclass(frozen=True)
class CreateBackup:
    """Make an image and remove older ones of the same ``backup_type``, so that ``rotation`` of them are left."""

    server: Any
    name: str
    backup_type: str
    rotation: int
    metadata: Mapping[str, str] = field(default_factory=dict)
    limited: bool = False


def create_image(deps: Deps, context: RequestContext, command: CreateImage) -> str:
    """Accept a snapshot; the id of the image, which has no data yet."""
    on_volume = block_devices.is_on_volume(command.server)
    act = _OF_VOLUMES if on_volume else _SNAPSHOT
    _check(deps, context, act, command)
    with image_for(deps, context, command.server.uuid, command.name, snapshots.SNAPSHOT, command.metadata) as image:
        begin(deps, context, command.server, act, prepare=image.keep,
              params={'name': command.name} if on_volume else {})
    return image.id


def create_backup(deps: Deps, context: RequestContext, command: CreateBackup) -> str | None:
    """Accept a backup; the id of the image, None where none is to be kept."""
    if block_devices.is_on_volume(command.server):
        raise errors.Invalid(reason=f'Server {command.server.uuid} boots from a volume; a backup of it cannot be made.')
    _check(deps, context, _BACKUP, command)
    params = {'backup_type': command.backup_type, 'rotation': command.rotation}
    if not command.rotation:
        begin(deps, context, command.server, _BACKUP, params=params)
        return None
    extra = {**command.metadata, 'backup_type': command.backup_type}
    with image_for(deps, context, command.server.uuid, command.name, snapshots.BACKUP, extra) as image:
        begin(deps, context, command.server, _BACKUP, params=params, prepare=image.keep)
    return image.id


def _check(deps: Deps, context: RequestContext, act: Act, command: CreateImage | CreateBackup) -> None:
    """What can be known before an image is made for it."""
    judge(act.transition, command.server, False)
    if act.needs:
        require(deps, command.server, act.needs, act.action)
    if command.limited:
        known = deps.limits.of(context.project_id)
        with deps.db.read() as conn:
            limit = known.limit(conn, 'metadata_items', context.user_id)
        check_metadata(command.metadata, limit)


@dataclass(frozen=True)
class Queued:
    """An image that has no data yet, and the chore that deletes it if nothing comes of it."""

    id: str
    chore: str

    def keep(self, conn: Any, server: Any) -> Mapping[str, Any]:
        """The image is the operation's, if this transaction comes to its end: parameters of that."""
        if not operations.withdraw(conn, self.chore):
            raise errors.Unavailable(reason=f'Image {self.id} was deleted, because the request took too long.')
        return {'image_id': self.id}


@contextlib.contextmanager
def image_for(deps: Deps, context: RequestContext, server_uuid: str, name: str, kind: str,
              extra: Mapping[str, str]) -> Iterator[Queued]:
    """A queued image for a server's disk; the block has to ``keep`` it.

    Before there is an image, the work list says that it has to be deleted in a minute.  So none is left, whatever
    happens to this process or to the transaction.
    """
    with deps.db.read() as conn:
        row = servers.get(conn, server_uuid)
    image_id = str(uuid.uuid4())
    now = times.utcnow()
    chore = {**operation_row(context, _CHORE, server_uuid, None, {'image_id': image_id}, now),
             'lease_until': now + _LIMIT}
    deps.db.apart(operations.insert, [chore])
    values = snapshots.image(row, name, kind, context.user_id, context.project_id, extra)
    try:
        deps.images.create(context, {**values, 'id': image_id})
        if context.project_id != row.project_id:
            deps.images.share(context, image_id, row.project_id)
        yield Queued(image_id, chore['id'])
    except errors.Error:
        try:
            with contextlib.suppress(errors.ImageNotFound):
                deps.images.delete(context, image_id)
            deps.db.apart(operations.withdraw, chore['id'])
        except errors.Error as error:
            LOG.warning('Image %s of server %s, which is not needed, is deleted within %d seconds: %s', image_id,
                        server_uuid, _LIMIT.total_seconds(), error)
        raise
