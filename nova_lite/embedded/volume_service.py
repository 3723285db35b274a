# SPDX-License-Identifier: Apache-2.0
"""The embedded volume service: its parts around one set of tools, for the HTTP API and for the program's own use."""

from collections.abc import Callable
from typing import Any

from oslo_config import cfg

from nova_lite.db import paging
from nova_lite.db.engine import Database
from nova_lite.db.queries import volumes
from nova_lite.embedded.volume_attachments import Attachments
from nova_lite.embedded.volume_files import VolumeFiles
from nova_lite.embedded.volume_snapshots import Snapshots
from nova_lite.embedded.volume_store import Volumes
from nova_lite.embedded.volume_types import Quotas, Types
from nova_lite.embedded.volume_work import Tools, Worker
from nova_lite.model import times


class VolumeService:
    """Nothing is connected or written before it is used."""

    def __init__(self, conf: cfg.ConfigOpts, db: Database, images: Any) -> None:
        tools = Tools(conf, db, images, VolumeFiles(conf.state_path))
        self._db = db
        self._worker = Worker(tools)
        self.volumes = Volumes(tools, self._worker)
        self.snapshots = Snapshots(tools, self._worker, self.volumes)
        self.attachments = Attachments(tools)
        self.types = Types(tools)
        self.quotas = Quotas(tools)

    def take_up(self) -> None:
        """Nobody is at the work that a run before this one left: the next who looks does it."""
        self._db.transaction(volumes.forget_workers, times.utcnow())
        self._worker.remove_strays(0)

    def when_extended(self, told: Callable[[str, str], None]) -> None:
        """Whom to tell the server and the volume when one that a server has grew."""
        self._worker.tell_extended = told

    @staticmethod
    def page(limit: int | None, marker: str | None = None, sort: Any = ()) -> paging.Page:
        """What to ask a list for."""
        return paging.Page(limit, marker, sort)
