# SPDX-License-Identifier: Apache-2.0
"""The books of what each project uses of the embedded volume service, and the limits that an administrator set.

Use is booked by one conditional update in the transaction that makes the volume or snapshot, as late in it as
possible: the other requests of the project wait from then on.
"""

from collections.abc import Mapping

import sqlalchemy as sa
from oslo_db import exception as db_exc

from nova_lite.db import tables
from nova_lite.db.engine import Conn
from nova_lite.db.queries import quota_limits, quotas
from nova_lite.model.volumes import RESOURCES

USAGES = tables.volume_usages
LIMITS = tables.quota_limits
#: Rows of ``quota_limits`` that are of this service: of a project, and of everybody (the class ``default``).
PROJECT, CLASS = 'volume', 'volclass'
DEFAULT_CLASS = 'default'

_OF_PROJECT = USAGES.c.project_id == sa.bindparam('project')
_BOOK = sa.update(USAGES).where(_OF_PROJECT).values(
    {name: USAGES.c[name] + sa.bindparam(f'more_{name}') for name in RESOURCES})
_BOOK_IF = _BOOK.where(*(
    sa.or_(sa.bindparam(f'limit_{name}') < 0, sa.bindparam(f'more_{name}') <= 0,
           USAGES.c[name] + sa.bindparam(f'more_{name}') <= sa.bindparam(f'limit_{name}'))
    for name in RESOURCES))
_USAGE = sa.select(*(USAGES.c[name] for name in RESOURCES)).where(_OF_PROJECT)
_LIMITS = sa.select(LIMITS.c.kind, LIMITS.c.resource, LIMITS.c.hard_limit).where(
    LIMITS.c.user_id == quota_limits.NOBODY,
    sa.or_(sa.and_(LIMITS.c.kind == CLASS, LIMITS.c.subject == DEFAULT_CLASS),
           sa.and_(LIMITS.c.kind == PROJECT, LIMITS.c.subject == sa.bindparam('project'))))


def usage(conn: Conn, project_id: str) -> dict[str, int]:
    """What the project uses now, by resource."""
    row = conn.execute(_USAGE, {'project': project_id}).first()
    return dict(zip(RESOURCES, row if row else (0, 0, 0), strict=True))


def use(conn: sa.Connection, project_id: str, wanted: Mapping[str, int], limits: Mapping[str, int]) -> None:
    """Book ``wanted``, or book nothing and raise ``OverQuota``."""
    values: dict[str, object] = {'project': project_id}
    for name in RESOURCES:
        values[f'more_{name}'] = wanted.get(name, 0)
        values[f'limit_{name}'] = limits[name]
    if conn.execute(_BOOK_IF, values).rowcount:
        return
    _make_row(conn, project_id)
    if not conn.execute(_BOOK_IF, values).rowcount:
        raise quotas.over_quota(usage(conn, project_id), {name: n for name, n in wanted.items() if n > 0}, limits)


def give_back(conn: sa.Connection, project_id: str, freed: Mapping[str, int]) -> None:
    """Return what a volume or snapshot used."""
    conn.execute(_BOOK, {'project': project_id, **{f'more_{name}': -freed.get(name, 0) for name in RESOURCES}})


def limits(conn: Conn, defaults: Mapping[str, int], project_id: str | None = None) -> dict[str, int]:
    """What counts for a project: its own limits, those of the class ``default``, and ``defaults``, in this order."""
    found = dict(defaults)
    rows = conn.execute(_LIMITS, {'project': project_id or ''}).all()
    for kind in (CLASS, PROJECT):
        found.update({row.resource: row.hard_limit for row in rows if row.kind == kind})
    return found


def store(conn: sa.Connection, project_id: str | None, values: Mapping[str, int]) -> None:
    """Set limits of a project, or of everybody."""
    kind, subject = (PROJECT, project_id) if project_id else (CLASS, DEFAULT_CLASS)
    quota_limits.store(conn, kind, subject, quota_limits.NOBODY, values)


def forget(conn: sa.Connection, project_id: str) -> None:
    """Let the limits of everybody count again for a project."""
    conn.execute(sa.delete(LIMITS).where(LIMITS.c.kind == PROJECT, LIMITS.c.subject == project_id))


def recount(conn: Conn) -> dict[str, dict[str, int]]:
    """What the books should say, by project."""
    found: dict[str, dict[str, int]] = {}
    for resource, table in (('volumes', tables.volumes), ('snapshots', tables.volume_snapshots)):
        for project, number, size in conn.execute(
                sa.select(table.c.project_id, sa.func.count(), sa.func.sum(table.c.size)).group_by(
                    table.c.project_id)):
            used = found.setdefault(project, dict.fromkeys(RESOURCES, 0))
            used[resource] += int(number)
            used['gigabytes'] += int(size)
    return found


def _make_row(conn: sa.Connection, project_id: str) -> None:
    """The row of a project that had none; another request may make it at the same moment."""
    if conn.execute(_USAGE, {'project': project_id}).first() is not None:
        return
    try:
        with conn.begin_nested():
            conn.execute(USAGES.insert(), {'project_id': project_id, **dict.fromkeys(RESOURCES, 0)})
    except db_exc.DBDuplicateEntry:
        return
