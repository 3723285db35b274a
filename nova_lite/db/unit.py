# SPDX-License-Identifier: Apache-2.0
"""Several transactions of one piece of work as one: all of it is committed at its end, or none.

A request that can be sent again by its key stores its answer together with what it changed.  The answer is
known only when the handler has returned, so the transaction of the handler's first write is kept open until
then; whatever the same thread writes or reads meanwhile joins it.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import sqlalchemy as sa
from oslo_db import exception as db_exc

Begin = Callable[[], contextlib.AbstractContextManager[sa.Connection]]


class _Undone(BaseException):
    """Tells an open transaction to roll back."""


class Unit:
    """The one transaction of a piece of work; ``connection`` is None before its first write.

    ``broken``: the database has ended the transaction, so nothing can be added to it or committed.
    """

    def __init__(self, owner: Any, begin: Begin) -> None:
        self.owner = owner
        self.connection: sa.Connection | None = None
        self.broken = False
        self._begin = begin
        self._open = contextlib.ExitStack()
        self._afterwards: list[Callable[[], None]] = []

    @contextlib.contextmanager
    def part(self) -> Iterator[sa.Connection]:
        """One of its transactions: what it changed is taken back if the block raises."""
        if self.connection is not None:
            yield from self._nested(self.connection)
            return
        with contextlib.ExitStack() as stack:
            connection = stack.enter_context(self._begin())
            yield connection
            self._open, self.connection = stack.pop_all(), connection

    def _nested(self, connection: sa.Connection) -> Iterator[sa.Connection]:
        savepoint = connection.begin_nested()
        try:
            yield connection
        except BaseException:
            try:
                savepoint.rollback()
            except (db_exc.DBError, sa.exc.SQLAlchemyError):
                self.broken = True
            raise
        savepoint.commit()

    def afterwards(self, action: Callable[[], None]) -> None:
        """What to do once everything is committed."""
        self._afterwards.append(action)

    def commit(self) -> None:
        """Everything is so from now on."""
        with self._open:
            self.connection = None

    def undo(self) -> None:
        """Nothing has happened."""
        self.connection = None
        self._afterwards.clear()
        undone = _Undone()
        self._open.__exit__(_Undone, undone, None)

    def follow_up(self) -> None:
        """Do what had to wait for the commit."""
        for action in self._afterwards:
            action()


#: The unit of what runs now.
CURRENT: ContextVar[Unit | None] = ContextVar('nova_lite_unit', default=None)
