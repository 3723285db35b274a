# SPDX-License-Identifier: Apache-2.0
"""Limits that an administrator set, and which of them count for whom.

The first of these that is set counts: the user's in the project, the project's, the default class's, the
option of group ``[quota]``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from oslo_db import exception as db_exc

from nova_lite.db import tables
from nova_lite.db.engine import Conn
from nova_lite.model import quotas as model

LIMITS = tables.quota_limits
CLASS, PROJECT = 'class', 'project'
NOBODY = ''     # stands for the user in what is set for a whole project

_COUNTS = sa.or_(
    sa.and_(LIMITS.c.kind == CLASS, LIMITS.c.subject == model.DEFAULT_CLASS, LIMITS.c.user_id == NOBODY),
    sa.and_(LIMITS.c.kind == PROJECT, LIMITS.c.subject == sa.bindparam('project'),
            LIMITS.c.user_id.in_((NOBODY, sa.bindparam('user')))))
_OF_ALL = sa.select(LIMITS.c.kind, LIMITS.c.user_id, LIMITS.c.resource, LIMITS.c.hard_limit).where(_COUNTS)
_OF_ONE = _OF_ALL.where(LIMITS.c.resource == sa.bindparam('of_resource'))
_SET = sa.select(LIMITS.c.resource, LIMITS.c.hard_limit).where(
    LIMITS.c.kind == sa.bindparam('of_kind'), LIMITS.c.subject == sa.bindparam('of_subject'),
    LIMITS.c.user_id == sa.bindparam('user'))


def effective(conn: Conn, group: Any, project_id: str | None, user_id: str | None = None) -> model.Limits:
    """What counts for a project and one of its users; ``group`` is the option group ``[quota]``."""
    rows = conn.execute(_OF_ALL, _whose(project_id, user_id)).all()
    return model.Limits({**model.defaults(group), **_of_kind(rows, CLASS), **_of_kind(rows, PROJECT)},
                        _of_kind(rows, PROJECT, user_id) if user_id else {})


def limit(conn: Conn, group: Any, resource: str, project_id: str | None, user_id: str | None = None) -> int:
    """What counts for the user in the project, of one resource."""
    rows = conn.execute(_OF_ONE, {**_whose(project_id, user_id), 'of_resource': resource}).all()
    found = {**_of_kind(rows, CLASS), **_of_kind(rows, PROJECT), **_of_kind(rows, PROJECT, user_id or NOBODY)}
    return found[resource] if found else model.default(group, resource)


def of_class(conn: Conn, group: Any, name: str) -> dict[str, int]:
    """The limits of a class; what it does not set is as group ``[quota]`` says."""
    rows = conn.execute(_SET, {'of_kind': CLASS, 'of_subject': name, 'user': NOBODY})
    return {**model.defaults(group), **{row.resource: row.hard_limit for row in rows}}


def of_projects(conn: Conn, project_id: str | None = None) -> Sequence[sa.Row[Any]]:
    """What is set for projects and for users in them; for all of them or for one."""
    statement = sa.select(LIMITS).where(LIMITS.c.kind == PROJECT).order_by(
        LIMITS.c.subject, LIMITS.c.user_id, LIMITS.c.resource)
    return conn.execute(statement if project_id is None else statement.where(LIMITS.c.subject == project_id)).all()


def store(conn: sa.Connection, kind: str, subject: str, user_id: str, values: Mapping[str, int]) -> None:
    """Set limits of a class, of a project, or of a user in a project."""
    for resource, value in values.items():
        key = {'kind': kind, 'subject': subject, 'user_id': user_id, 'resource': resource}
        change = sa.update(LIMITS).where(*(LIMITS.c[name] == text for name, text in key.items())).values(
            hard_limit=value)
        if conn.execute(change).rowcount:
            continue
        try:
            with conn.begin_nested():
                conn.execute(sa.insert(LIMITS), {**key, 'hard_limit': value})
        except db_exc.DBDuplicateEntry:
            conn.execute(change)


def forget(conn: sa.Connection, project_id: str, user_id: str | None) -> None:
    """Take away the limits of a user in a project, or without one everything that was set for the project."""
    statement = sa.delete(LIMITS).where(LIMITS.c.kind == PROJECT, LIMITS.c.subject == project_id)
    conn.execute(statement if user_id is None else statement.where(LIMITS.c.user_id == user_id))


def _whose(project_id: str | None, user_id: str | None) -> dict[str, str]:
    return {'project': project_id or '', 'user': user_id or NOBODY}


def _of_kind(rows: Any, kind: str, user_id: str = NOBODY) -> dict[str, int]:
    return {row.resource: row.hard_limit for row in rows if row.kind == kind and row.user_id == user_id}
