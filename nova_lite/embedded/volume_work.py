# SPDX-License-Identifier: Apache-2.0
"""What has to be done to the files of volumes and snapshots, and who does it.

The row comes first: it says ``creating``, ``deleting`` … and until when one process is at it.  Then comes the file,
then the row again.  Whoever finds a row whose time is over does the work again, so a process that is killed leaves
nothing but a delay.
"""

import contextlib
import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from oslo_config import cfg
from oslo_log import log as logging

from nova_lite import concurrency, errors
from nova_lite.auth.context import service_context
from nova_lite.db import tables
from nova_lite.db.engine import Database
from nova_lite.db.queries import volume_attachments, volume_quotas, volumes
from nova_lite.embedded.volume_files import ABANDONED_AFTER, QUICK, SNAPSHOT, VOLUME, VolumeFiles
from nova_lite.model import times
from nova_lite.model import volumes as model

LOG = logging.getLogger(__name__)

#: Seconds after which others take the work over from a process that does not say that it is still at it, and where
#: it cannot say so in between.
LEASE, LONG_LEASE = 60.0, 300.0
RAW = 'raw'
#: What is not in an image's properties and yet belongs to what a volume made from it says.
_OF_IMAGE = ('checksum', 'container_format', 'disk_format', 'min_disk', 'min_ram', 'size')
_AS_RAW = frozenset((RAW, 'iso', 'ami', 'aki', 'ari'))
#: Formats of images that a volume can be made from.
FORMATS = _AS_RAW | {'qcow2'}


def lease(seconds: float = LEASE) -> datetime.datetime:
    """Until when whoever begins now is at it."""
    return times.utcnow() + datetime.timedelta(seconds=seconds)


@dataclass(frozen=True)
class Tools:
    """What the parts of the volume service work with."""

    conf: cfg.ConfigOpts
    db: Database
    images: Any
    files: VolumeFiles


class Worker:
    """Does the work that rows ask for: at once where that is quick, otherwise beside whoever asked."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._db = tools.db
        self._files = tools.files
        self._swept = False
        self.tell_extended: Callable[[str, str], None] = lambda server_uuid, volume_uuid: None

    def begin(self, kind: str, uuid: str, context: Any = None) -> None:
        """Do what the row says; ``context`` may fetch the image."""
        with self._db.read() as conn:
            row = _read(conn, kind, uuid)
        if row is None or row.busy_until is None:
            return
        if self._is_quick(kind, row):
            self._do(kind, row, context)
        else:
            concurrency.spawn(self._do, kind, row, context)

    def look_after(self, kind: str, row: Any) -> bool:
        """Go on with a row that nobody has seen to in time; whether it may have changed."""
        if row.busy_until is None or row.busy_until > times.utcnow():
            return False
        if self._db.transaction(volumes.take, _TABLES[kind], row.uuid, times.utcnow(), lease()):
            self.begin(kind, row.uuid)
        return True

    def sweep_once(self) -> None:
        """Once in the life of a process: go on with all work that was left."""
        if self._swept:
            return
        self._swept = True
        for kind, table in _TABLES.items():
            with self._db.read() as conn:
                left = volumes.left(conn, table, times.utcnow())
            for uuid in left:
                if self._db.transaction(volumes.take, table, uuid, times.utcnow(), lease()):
                    self.begin(kind, uuid)
        self.remove_strays(ABANDONED_AFTER)

    def remove_strays(self, age: float) -> None:
        """Remove files of that many seconds that are half made, or of volumes and snapshots that are not there."""
        for kind, uuids in self._files.strays(age).items():
            with self._db.read() as conn:
                known = volumes.existing(conn, _TABLES[kind], uuids)
            for uuid in set(uuids) - known:
                self._files.remove(kind, uuid)

    # ----------------------------------------------------------------- the work

    def _is_quick(self, kind: str, row: Any) -> bool:
        if row.status == model.DOWNLOADING:
            return False
        if kind == VOLUME and row.status == model.CREATING and row.image_id:
            return int(row.image_metadata.get('size') or QUICK) < QUICK
        source = self._source(kind, row) if row.status == model.CREATING else None
        return source is None or self._files.is_quick(source)

    def _source(self, kind: str, row: Any) -> str | None:
        if kind == SNAPSHOT:
            return self._files.path(VOLUME, row.volume_uuid)
        if row.snapshot_uuid:
            return self._files.path(SNAPSHOT, row.snapshot_uuid)
        return self._files.path(VOLUME, row.source_uuid) if row.source_uuid else None

    def _do(self, kind: str, row: Any, context: Any) -> None:
        turn = Turn(self._db, kind, row)
        try:
            {model.CREATING: self._create, model.DOWNLOADING: self._download, model.EXTENDING: self._extend,
             model.DELETING: self._delete}[row.status](turn, row, context)
        except _Lost:
            LOG.warning('Another process goes on with %s of %s %s.', row.status, kind, row.uuid)
        except errors.Unavailable as error:
            # The time of the row runs out, and then somebody does it again.
            LOG.warning('%s of %s %s is put off: %s', row.status, kind, row.uuid, error)
        except Exception:
            status = _FAILED.get(row.status, model.ERROR)
            LOG.exception('%s of %s %s failed: it goes into %s.', row.status, kind, row.uuid, status)
            turn.end(status=status)

    def _create(self, turn: 'Turn', row: Any, context: Any) -> None:
        source = self._source(turn.kind, row)
        if source is not None:
            self._files.copy(source, turn, row.size if row.format == RAW else None)
        elif turn.kind == VOLUME and row.image_id:
            self._download(turn, row, context)
            return
        else:
            self._files.make(turn, row.size)
        self._done(turn)

    def _download(self, turn: 'Turn', row: Any, context: Any) -> None:
        turn.renew(LONG_LEASE, status=model.DOWNLOADING)
        who = context if context is not None and context.auth_token else service_context()
        image = self._tools.images.show(who, row.image_id)
        check_format(image)
        is_raw = image.disk_format in _AS_RAW
        self._files.receive(turn, row.size if is_raw else None,
                            lambda path: self._tools.images.download(who, row.image_id, path))
        self._done(turn, format=RAW if is_raw else image.disk_format, bootable=True, image_metadata=describe(image))

    def _extend(self, turn: 'Turn', row: Any, context: Any) -> None:
        if row.format == RAW:
            self._files.grow(row.uuid, row.size)
        self._done(turn)
        with self._db.read() as conn:
            attached = volume_attachments.of_volumes(conn, [row.id])[row.id]
        for attachment in attached:
            if attachment.server_uuid and attachment.status == model.ATTACHED:
                self.tell_extended(attachment.server_uuid, row.uuid)

    def _delete(self, turn: 'Turn', row: Any, context: Any) -> None:
        if turn.kind == VOLUME:
            with self._db.read() as conn:
                snapshots = volumes.snapshots_of(conn, row.id)
            for snapshot in snapshots:
                # Only those that go with it are left, and it cannot go before them.
                self._delete(Turn(self._db, SNAPSHOT, snapshot), snapshot, context)
        self._files.remove(turn.kind, row.uuid)
        self._db.transaction(_forget, turn.kind, row.uuid)

    def _done(self, turn: 'Turn', **values: Any) -> None:
        """The file is as the row wants it; if the row is gone by now, the file goes, too."""
        if not turn.end(**values):
            with self._db.read() as conn:
                if _read(conn, turn.kind, turn.uuid) is None:
                    self._files.remove(turn.kind, turn.uuid)


class _Lost(Exception):
    """Another process has taken over, because this one took too long."""


class Turn:
    """The right to work on a volume or snapshot, as long as nobody else has taken it."""

    def __init__(self, db: Database, kind: str, row: Any) -> None:
        self.kind, self.uuid = kind, row.uuid
        self._db, self._table, self._until = db, _TABLES[kind], row.busy_until

    def renew(self, seconds: float = LEASE, **values: Any) -> None:
        """Have as many seconds again."""
        until = lease(seconds)
        if not self._db.transaction(volumes.prolong, self._table, self.uuid, self._until, until, **values):
            raise _Lost()
        self._until = until

    def tick(self) -> None:
        """Called all the time during long work."""
        if self._until - times.utcnow() < datetime.timedelta(seconds=LEASE / 2):
            self.renew()

    def end(self, **values: Any) -> bool:
        """Write down how it ended, without a ``status`` well; False if it is nobody's business any more."""
        return self._db.transaction(_end, self._table, self.uuid, self._until, values)


_TABLES = {VOLUME: tables.volumes, SNAPSHOT: tables.volume_snapshots}
_FAILED = {model.DELETING: model.ERROR_DELETING, model.EXTENDING: model.ERROR_EXTENDING}


def _read(conn: Any, kind: str, uuid: str) -> Any:
    try:
        return volumes.get(conn, uuid) if kind == VOLUME else volumes.get_snapshot(conn, uuid)
    except errors.NotFound:
        return None


def _end(conn: Any, table: Any, uuid: str, until: datetime.datetime, values: dict[str, Any]) -> bool:
    if 'status' not in values:
        values = {**values, 'status': model.AVAILABLE}
        if table is tables.volumes:
            with contextlib.suppress(errors.VolumeNotFound):
                values['status'] = volume_attachments.status_of(conn, volumes.lock(conn, uuid).id)
    return volumes.end(conn, table, uuid, until, **values)


def _forget(conn: Any, kind: str, uuid: str) -> None:
    row = volumes.delete(conn, uuid) if kind == VOLUME else volumes.delete_snapshot(conn, uuid)
    if row is not None:
        volume_quotas.give_back(conn, row.project_id, {f'{kind}s': 1, 'gigabytes': row.size})


def check_format(image: Any) -> None:
    """``Invalid`` if no volume can be made of an image."""
    if image.disk_format not in FORMATS:
        raise errors.Invalid(reason=f'Image {image.id} is of format {image.disk_format}; volumes are made of '
                                    f'{", ".join(sorted(FORMATS))}.')


def describe(image: Any) -> dict[str, str]:
    """What a volume says of the image that it was made of."""
    facts = {name: str(value) for name in _OF_IMAGE if (value := getattr(image, name)) is not None}
    return {**image.properties, **facts, 'image_id': image.id, 'image_name': image.name or ''}
