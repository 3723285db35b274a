# SPDX-License-Identifier: Apache-2.0
"""Brings notifications to the broker, in the one conductor process that holds the lease for it.

A row goes once the broker has confirmed the message, so whatever dies in between, it is sent again: once or more.
"""

import datetime
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from oslo_config import cfg

from nova_lite import errors
from nova_lite.concurrency.background import Background
from nova_lite.db.engine import Database
from nova_lite.db.queries import leases, outbox
from nova_lite.model import times

LOG = logging.getLogger(__name__)

#: Seconds between two looks, rows of one go, and the seconds after which another process may send.
INTERVAL, BATCH, LEASE = 0.5, 100, 30
#: Seconds to wait when the broker is away: the first time, and at most.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
#: Seconds between two looks at how many there are.
COUNT_INTERVAL = 60


class Post(Protocol):
    """What speaks to the broker."""

    def send(self, message: Mapping[str, Any], context: Mapping[str, Any], versioned: bool) -> None:
        """Send it; errors.Unavailable if nobody has it."""

    def close(self) -> None:
        """Close the connections."""


class Sender(Background):
    """The thread of one process; ``make_post`` is called in it, as a connection must not cross a fork."""

    def __init__(self, conf: cfg.ConfigOpts, db: Database, make_post: Callable[[], Post]) -> None:
        super().__init__()
        self._conf = conf
        self._db = db
        self._make_post = make_post
        self._post: Post | None = None
        self._counted: datetime.datetime | None = None

    def deliver(self) -> int:
        """Send what waits, unless another process does; the number sent. errors.Unavailable if the broker is away."""
        with self._db.read() as conn:
            if not outbox.oldest(conn, 1):
                return 0
        total = 0
        while not self._stopping.is_set() and self._hold():
            self._bound()
            with self._db.read() as conn:
                rows = outbox.oldest(conn, BATCH)
            if not rows:
                break
            total += self._send(rows)
        return total

    def _hold(self) -> bool:
        now = times.utcnow()
        return self._db.transaction(leases.take, outbox.SENDER, self._name, now,
                                    now + datetime.timedelta(seconds=LEASE))

    @property
    def _name(self) -> str:
        return f'{self._conf.host}:{os.getpid()}:{id(self)}'

    def _send(self, rows: Sequence[Any]) -> int:
        """Send these in their order as far as the broker takes them, and take those away."""
        if self._post is None:
            self._post = self._make_post()
        done: list[int] = []
        begun = times.utcnow()
        try:
            for row in rows:
                self._post.send(message(row), row.context, row.versioned)
                done.append(row.id)
                if self._stopping.is_set() or (times.utcnow() - begun).total_seconds() > LEASE / 3:
                    break
        finally:
            self._db.transaction(outbox.sent, self._name, done,
                                 times.utcnow() + datetime.timedelta(seconds=LEASE))
        return len(done)

    def _bound(self) -> None:
        """Drop the oldest if there are too many."""
        now = times.utcnow()
        if self._counted is not None and (now - self._counted).total_seconds() < COUNT_INTERVAL:
            return
        self._counted = now
        dropped = self._db.transaction(outbox.drop_beyond, self._conf.notifications.outbox_limit)
        if dropped:
            LOG.error('%d notifications were dropped: more than [notifications] outbox_limit waited for the broker.',
                      dropped)

    def _loop(self) -> None:
        pause = INTERVAL
        while not self._stopping.wait(pause):
            try:
                self.deliver()
                pause = INTERVAL
            except Exception as error:
                pause = min(max(pause * 2, FIRST_PAUSE), LONGEST_PAUSE)
                known = str(error) if isinstance(error, errors.Error) else f'{type(error).__name__}: {error}'
                LOG.warning('Notifications wait, and are tried again in %.0f seconds: %s', pause, known)
        self._let_go()

    def _let_go(self) -> None:
        """Let another process send at once."""
        if self._post is None:
            return
        self._post.close()
        self._post = None
        try:
            self._db.transaction(leases.release, outbox.SENDER, self._name)
        except errors.Unavailable as error:
            LOG.info('Another process sends notifications in %d seconds, as the lease could not be given up: %s',
                     LEASE, error)


def message(row: Any) -> dict[str, Any]:
    """A row as listeners get it."""
    return {'message_id': row.message_id, 'publisher_id': row.publisher_id, 'event_type': row.event_type,
            'priority': row.priority, 'payload': row.payload, 'timestamp': str(row.created_at)}
