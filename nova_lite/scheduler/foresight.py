# SPDX-License-Identifier: Apache-2.0
"""What the scheduler would do with servers that exist in one transaction only."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from oslo_config import cfg

from nova_lite import errors
from nova_lite.db.queries import servers
from nova_lite.scheduler import request
from nova_lite.scheduler.place import Scheduler


@dataclass(frozen=True)
class Foreseen:
    """(zone, host, hypervisor) of servers that find a place; why other hosts are out, in a sentence and by name."""

    places: tuple[tuple[str, str, str], ...]
    possible: bool
    reason: str
    others: tuple[tuple[str, str, object, object], ...]


class Foresight:
    """Decides by the options of this process, which have to be those of the conductors."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._scheduler: Scheduler | None = None

    def reload(self) -> None:
        """Take up changed options."""
        self._scheduler = None

    def foresee(self, conn: Any, uuids: Sequence[str], placing: Mapping[str, Any],
                now: datetime.datetime) -> Foreseen:
        """Place the servers, each with those before it in place."""
        scheduler = self._known()
        places: list[tuple[str, str, str]] = []
        reason: str = ''
        others: tuple[tuple[str, str, object, object], ...] = ()
        for number, uuid in enumerate(uuids):
            wish = request.of_server(servers.get(conn, uuid), placing)
            if not number:
                outlook = scheduler.look(conn, wish, now)
                reason, others = outlook.counts, outlook.others
            try:
                host = scheduler.place(conn, wish, now)
            except errors.NoValidHost as error:
                return Foreseen(tuple(places), False, str(error), tuple(error.details.get('hosts', ())))
            places.append((host.zone, host.host, host.node))
        return Foreseen(tuple(places), True, reason, others)

    def _known(self) -> Scheduler:
        if self._scheduler is None:
            try:
                self._scheduler = Scheduler(self._conf)
            except errors.StartError as error:
                # The conductors may know filters that this machine does not have.
                raise errors.Unsupported(reason=f'A dry run cannot decide as the conductors do: {error}') from None
        return self._scheduler
