# SPDX-License-Identifier: Apache-2.0
"""Makes each statement of an engine part of the trace of its request; imported only where tracing is on."""

from typing import Any

import sqlalchemy as sa

from nova_lite import telemetry

# In a connection's own dictionary: what to call at the ends of its statements that run.
_KEY = 'nova_lite.telemetry'


def listen(engine: sa.Engine) -> None:
    """Watch an engine."""
    sa.event.listen(engine, 'before_cursor_execute', _begin)
    sa.event.listen(engine, 'after_cursor_execute', _end)
    # Before oslo.db's, which raises and thereby ends the row.
    sa.event.listen(engine, 'handle_error', _fail, insert=True)


def _begin(conn: sa.Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
    conn.info.setdefault(_KEY, []).append(telemetry.statement(statement, conn.dialect.name))


def _end(conn: sa.Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
    for end in conn.info[_KEY].pop():
        end(None)


def _fail(context: Any) -> None:
    """An error: of a statement that runs, or of something before or after one."""
    running = context.connection is not None and not context.connection.closed and context.connection.info.get(_KEY)
    for end in running.pop() if running else ():
        end(context.original_exception)
