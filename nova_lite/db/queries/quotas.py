# SPDX-License-Identifier: Apache-2.0
"""The books of what each project uses.

Use is booked by one conditional update in the transaction that makes the server, so that no number
of requests at the same time can pass a limit.  Book as late in a transaction as possible: the other
requests of the project wait from then on.
"""

from collections.abc import Mapping

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

from nova_lite import errors
from nova_lite.db import tables
from nova_lite.db.engine import Conn
from nova_lite.db.queries import migrations
from nova_lite.model import moves, states
from nova_lite.model import quotas as model

USAGES = tables.quota_usages
SERVERS = tables.servers

_OF_PROJECT = USAGES.c.project_id == sa.bindparam('project')
_BOOK = sa.update(USAGES).where(_OF_PROJECT).values(
    {name: USAGES.c[name] + sa.bindparam(f'more_{name}') for name in model.RESOURCES})
_BOOK_IF = _BOOK.where(*(
    sa.or_(sa.bindparam(f'limit_{name}') < 0,
           USAGES.c[name] + sa.bindparam(f'more_{name}') <= sa.bindparam(f'limit_{name}'))
    for name in model.RESOURCES))
_USAGE = sa.select(*(USAGES.c[name] for name in model.RESOURCES)).where(_OF_PROJECT)
_USAGE_LOCKED = _USAGE.with_for_update()
_INSERT = {'mysql': mysql.insert, 'mariadb': mysql.insert, 'postgresql': postgresql.insert,
           'sqlite': sqlite.insert}


def usage(conn: Conn, project_id: str) -> dict[str, int]:
    """What the project uses now, by resource."""
    return _usage(conn, _USAGE, project_id)


def usage_locked(conn: sa.Connection, project_id: str) -> dict[str, int]:
    """What the project uses; nobody else books anything for it before this transaction ends."""
    _make_row(conn, project_id)
    return _usage(conn, _USAGE_LOCKED, project_id)


# As ``states.is_counted`` has it.
_COUNTED = sa.or_(SERVERS.c.vm_state != states.SOFT_DELETED,
                  sa.func.coalesce(SERVERS.c.task_state, '') == states.RESTORING)
_OF_USER = sa.select(SERVERS.c.flavor).where(
    SERVERS.c.deleted == sa.false(), _COUNTED, SERVERS.c.project_id == sa.bindparam('project'),
    SERVERS.c.user_id == sa.bindparam('user'))


def usage_of_user(conn: Conn, project_id: str, user_id: str) -> dict[str, int]:
    """What the servers of one user use, counted; only who has limits of his own needs it."""
    used = dict.fromkeys(model.RESOURCES, 0)
    for flavor in conn.execute(_OF_USER, {'project': project_id, 'user': user_id}).scalars():
        for resource, amount in model.use_of(flavor).items():
            used[resource] += amount
    return used


def disk_of_project(conn: Conn, project_id: str) -> int:
    """GiB that the servers of a project and their open resizes take on hosts; only who has a limit of it counts."""
    flavor = sa.type_coerce(SERVERS.c.flavor, sa.Text)
    servers = conn.execute(sa.select(flavor, sa.func.count()).where(
        sa.not_(SERVERS.c.deleted), _COUNTED, SERVERS.c.project_id == project_id).group_by(flavor))
    return sum(number * moves.amounts(orjson.loads(text))['local_gb'] for text, number in servers) + \
        migrations.held_disk(conn, project_id)


def use(conn: sa.Connection, project_id: str, wanted: Mapping[str, int], limits: Mapping[str, int]) -> None:
    """Book ``wanted``, or book nothing and raise ``OverQuota``."""
    values: dict[str, object] = {'project': project_id}
    for name in model.RESOURCES:
        values[f'more_{name}'] = wanted[name]
        values[f'limit_{name}'] = int(limits[name])
    if conn.execute(_BOOK_IF, values).rowcount:
        return
    _make_row(conn, project_id)
    if not conn.execute(_BOOK_IF, values).rowcount:
        raise over_quota(usage(conn, project_id), wanted, limits)


def give_back(conn: sa.Connection, project_id: str, freed: Mapping[str, int]) -> None:
    """Return what a server used."""
    conn.execute(_BOOK, {'project': project_id, **{f'more_{name}': -freed[name] for name in model.RESOURCES}})


def recount(conn: Conn, project_id: str | None = None) -> dict[str, dict[str, int]]:
    """What the books should say, from the servers and what resizes hold, by project."""
    # Few flavors, many servers.
    flavor = sa.type_coerce(SERVERS.c.flavor, sa.Text)
    query = sa.select(SERVERS.c.project_id, flavor, sa.func.count()).where(
        sa.not_(SERVERS.c.deleted), _COUNTED).group_by(SERVERS.c.project_id, flavor)
    if project_id is not None:
        query = query.where(SERVERS.c.project_id == project_id)
    counted: dict[str, dict[str, int]] = {}
    for project, text, number in conn.execute(query):
        used = counted.setdefault(project, dict.fromkeys(model.RESOURCES, 0))
        for resource, amount in model.use_of(orjson.loads(text), number).items():
            used[resource] += amount
    for project, held in migrations.held(conn, project_id):
        for resource, amount in held.items():
            counted.setdefault(project, dict.fromkeys(model.RESOURCES, 0))[resource] += amount
    return counted


def over_quota(used: Mapping[str, int], wanted: Mapping[str, int], limits: Mapping[str, int]) -> errors.OverQuota:
    """The error that names every resource of which too much was asked for."""
    short = model.exceeded(wanted, used, limits) or list(wanted)

    def listed(values: Mapping[str, int]) -> str:
        return ', '.join(str(values[resource]) for resource in short)

    return errors.OverQuota(resource=', '.join(short), requested=listed(wanted), used=listed(used),
                            limit=listed(limits))


def _usage(conn: Conn, query: sa.Select[tuple[int, ...]], project_id: str) -> dict[str, int]:
    row = conn.execute(query, {'project': project_id}).first()
    return dict(zip(model.RESOURCES, row if row else (0, 0, 0), strict=True))


def _make_row(conn: sa.Connection, project_id: str) -> None:
    """The row of a project that had none; another request may make it at the same moment."""
    insert = _INSERT[conn.dialect.name](USAGES).values(project_id=project_id, instances=0, cores=0, ram=0)
    if isinstance(insert, mysql.Insert):
        conn.execute(insert.on_duplicate_key_update(ram=USAGES.c.ram))
    else:
        conn.execute(insert.on_conflict_do_nothing())
