# SPDX-License-Identifier: Apache-2.0
"""What was asked of a server and what came of it, as its owner may read it."""

import datetime
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from oslo_utils import timeutils

from nova_lite.db import paging, tables
from nova_lite.db.engine import Conn

ACTIONS = tables.server_actions
EVENTS = tables.server_action_events
NEWEST_FIRST = paging.Order(marker=ACTIONS.c.request_id, tie=ACTIONS.c.id, default=(('start_time', 'desc'),),
                            keys={'start_time': ACTIONS.c.start_time})


def insert(conn: sa.Connection, values: Mapping[str, Any]) -> int:
    """Store server_uuid, action, request_id, user_id and project_id; the row id."""
    return int(conn.execute(ACTIONS.insert(), _started(values)).inserted_primary_key[0])


def insert_many(conn: sa.Connection, rows: Collection[Mapping[str, Any]]) -> None:
    """Store several actions at once."""
    conn.execute(ACTIONS.insert(), [_started(row) for row in rows])


def _started(values: Mapping[str, Any]) -> dict[str, Any]:
    now = timeutils.utcnow()
    return {'start_time': now, 'updated_at': now, 'message': None, 'finish_time': None, **values}


def finish(conn: sa.Connection, action_id: int, message: str | None = None) -> bool:
    """Note the end of an action, once; ``message`` is ``Error`` if it failed."""
    now = timeutils.utcnow()
    statement = ACTIONS.update().where(ACTIONS.c.id == action_id, ACTIONS.c.finish_time.is_(None))
    return bool(conn.execute(statement.values(finish_time=now, updated_at=now, message=message)).rowcount)


def page(conn: Conn, server_uuid: str, paged: paging.Page,
         changes_since: datetime.datetime | None = None,
         changes_before: datetime.datetime | None = None) -> list[sa.Row[Any]]:
    """One page of a server's actions, the newest first; the marker is a request id."""
    of_server = ACTIONS.c.server_uuid == server_uuid
    statement = sa.select(ACTIONS).where(of_server)
    if changes_since is not None:
        statement = statement.where(ACTIONS.c.updated_at >= changes_since)
    if changes_before is not None:
        statement = statement.where(ACTIONS.c.updated_at <= changes_before)
    return list(conn.execute(paging.select_page(conn, statement, NEWEST_FIRST, paged, of_server)).all())


def get(conn: Conn, server_uuid: str, request_id: str) -> sa.Row[Any] | None:
    """The action that a request began on a server, or None."""
    statement = sa.select(ACTIONS).where(
        ACTIONS.c.server_uuid == server_uuid, ACTIONS.c.request_id == request_id)
    return conn.execute(statement.order_by(ACTIONS.c.id.desc()).limit(1)).first()


def insert_events(conn: sa.Connection, rows: Collection[Mapping[str, Any]]) -> None:
    """Store events: action_id, event, host, start_time, finish_time, result, traceback, details."""
    if rows:
        empty = dict.fromkeys(('host', 'finish_time', 'result', 'traceback', 'details'))
        conn.execute(EVENTS.insert(), [{**empty, **row} for row in rows])
        touched = sorted({row['action_id'] for row in rows})
        conn.execute(ACTIONS.update().where(ACTIONS.c.id.in_(touched)).values(updated_at=timeutils.utcnow()))


def events(conn: Conn, action_ids: Collection[int]) -> dict[int, list[sa.Row[Any]]]:
    """The events of each action, the newest first, in one query."""
    statement = sa.select(EVENTS).where(EVENTS.c.action_id.in_(action_ids)).order_by(
        EVENTS.c.start_time.desc(), EVENTS.c.id.desc())
    found: dict[int, list[sa.Row[Any]]] = {key: [] for key in action_ids}
    for row in conn.execute(statement):
        found[row.action_id].append(row)
    return found


def close(conn: sa.Connection, action_id: int, rows: Collection[Mapping[str, Any]], message: str | None) -> None:
    """Store the last events of an action and note its end; fewer statements than one by one."""
    if rows:
        empty = dict.fromkeys(('host', 'finish_time', 'result', 'traceback', 'details'))
        conn.execute(EVENTS.insert(), [{**empty, 'action_id': action_id, **row} for row in rows])
    finish(conn, action_id, message)


def close_open(conn: sa.Connection, server_uuid: str, message: str) -> None:
    """Note the end of all actions of a server that have none: something made them pointless."""
    now = timeutils.utcnow()
    conn.execute(ACTIONS.update().where(ACTIONS.c.server_uuid == server_uuid, ACTIONS.c.finish_time.is_(None))
                 .values(finish_time=now, updated_at=now, message=message))


def ids_of_request(conn: Conn, request_id: str, server_uuids: Collection[str]) -> dict[str, int]:
    """The row id of the action that a request began, by server."""
    statement = sa.select(ACTIONS.c.server_uuid, ACTIONS.c.id).where(
        ACTIONS.c.server_uuid.in_(server_uuids), ACTIONS.c.request_id == request_id)
    return {row.server_uuid: row.id for row in conn.execute(statement)}
