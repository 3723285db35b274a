# SPDX-License-Identifier: Apache-2.0
"""Where the rest of the program says what has happened: to nobody, unless somebody wants to know.

Each method is called in the transaction that makes it true. ``Recorder`` writes it down; this one does nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

#: What is done when an operation is accepted, as ``ops.base`` has it.
Prepare = Callable[[Any, Any], Mapping[str, Any]]


class Notifications:
    """Nobody listens, so nothing is written and nothing costs anything."""

    # ------------------------------------------------------------ from the API

    def accepting(self, context: Any, server: Any, kind: str, prepare: Prepare | None) -> Prepare | None:
        """``prepare``, and what is to be said of the acceptance of an operation on ``server``."""
        return prepare

    def created(self, conn: Any, context: Any, rows: Sequence[Mapping[str, Any]]) -> None:
        """These servers were accepted."""

    def updated(self, conn: Any, context: Any, before: Any) -> None:
        """A server, whose row ``before`` is given, was changed."""

    def server(self, conn: Any, context: Any, event: str, uuid: str) -> None:
        """The API did this to a server itself: one of ``families.BY_API``."""

    def thing(self, conn: Any, event: str, *key: Any) -> None:
        """One of ``families.THINGS`` happened, or in the case of a deletion is about to; ``key`` finds the row."""

    # ------------------------------------------------------- from a conductor

    def begun(self, work: Any, step: str, host: str) -> None:
        """A host is about to be asked for a step."""

    def passed(self, work: Any) -> None:
        """The present step is done."""

    def over(self, work: Any, error: Mapping[str, Any] | None = None) -> None:
        """The operation is over; ``error`` is why it failed."""

    def changing(self, work: Any, values: Mapping[str, Any]) -> None:
        """These columns of the server change."""


#: For whoever is told nothing else.
NOBODY = Notifications()
