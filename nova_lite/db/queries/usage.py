# SPDX-License-Identifier: Apache-2.0
"""Servers that ran in a span of time, deleted ones among them, and what each project has on a host."""

import datetime
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from nova_lite import errors
from nova_lite.db import tables
from nova_lite.db.engine import Conn

SERVERS = tables.servers
_C = SERVERS.c
_COLUMNS = (_C.id, _C.uuid, _C.project_id, _C.name, _C.flavor, _C.vm_state, _C.launched_at, _C.terminated_at)
# Both, said so that the index of a project's servers, which begins with this, can be used.
_DELETED_OR_NOT = _C.deleted.in_((sa.false(), sa.true()))
CHUNK = 5000


def page(conn: Conn, span: tuple[datetime.datetime, datetime.datetime], project_id: str | None,
         limit: int | None = None, marker: str | None = None) -> list[sa.Row[Any]]:
    """Servers that ran some time between two moments, in the order in which they were made."""
    begin, end = span
    statement = sa.select(*_COLUMNS).where(
        _C.launched_at < end, sa.or_(_C.terminated_at.is_(None), _C.terminated_at > begin)).order_by(_C.id)
    if project_id is not None:
        statement = statement.where(_DELETED_OR_NOT, _C.project_id == project_id)
    if marker is not None:
        statement = statement.where(_C.id > _id_of(conn, marker))
    return list(conn.execute(statement if limit is None else statement.limit(limit)).all())


def everything(conn: Conn, span: tuple[datetime.datetime, datetime.datetime],
               project_id: str | None) -> Iterator[sa.Row[Any]]:
    """All of them, piece by piece."""
    marker = None
    while True:
        rows = page(conn, span, project_id, CHUNK, marker)
        yield from rows
        if len(rows) < CHUNK:
            return
        marker = rows[-1].uuid


def _id_of(conn: Conn, uuid: str) -> int:
    found = conn.scalar(sa.select(_C.id).where(_C.uuid == uuid))
    if found is None:
        raise errors.MarkerNotFound(marker=uuid)
    return int(found)


def on_host(conn: Conn, host: str) -> dict[str, list[dict[str, Any]]]:
    """The flavors of the servers on a host, by project."""
    statement = sa.select(_C.project_id, _C.flavor).where(_C.host == host, _C.deleted == sa.false()).order_by(_C.id)
    found: dict[str, list[dict[str, Any]]] = {}
    for project_id, flavor in conn.execute(statement):
        found.setdefault(project_id, []).append(flavor)
    return found
