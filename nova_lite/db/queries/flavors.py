# SPDX-License-Identifier: Apache-2.0
"""Flavors, their extra specs and who may use the private ones."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from oslo_db import exception as db_exc
from oslo_utils import timeutils

from nova_lite import errors
from nova_lite.db import engine, paging, tables
from nova_lite.db.conditions import is_one_of
from nova_lite.db.engine import Conn

FLAVORS = tables.flavors
PROJECTS = tables.flavor_projects

# The wire sorts by some names that are not the columns'.
ORDER = paging.Order(
    marker=FLAVORS.c.flavorid, tie=FLAVORS.c.id, default=(('flavorid', 'asc'),),
    keys={name: FLAVORS.c[name] for name in (
        'created_at', 'description', 'disabled', 'flavorid', 'id', 'is_public', 'name', 'rxtx_factor',
        'swap', 'updated_at', 'vcpus')} | {
        'ephemeral_gb': FLAVORS.c.ephemeral, 'memory_mb': FLAVORS.c.ram, 'root_gb': FLAVORS.c.disk})

# flavorid, name, MiB, CPUs, GiB: the names and ids that a DevStack has.
DEFAULTS = (
    ('42', 'm1.nano', 64, 1, 1), ('84', 'm1.micro', 128, 1, 1), ('1', 'm1.tiny', 512, 1, 1),
    ('2', 'm1.small', 2048, 1, 20), ('3', 'm1.medium', 4096, 2, 40), ('4', 'm1.large', 8192, 4, 80),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Filters:
    """What a list of flavors is narrowed by; None does not narrow.

    ``is_public`` true with a ``project_id`` also shows the private flavors of that project.
    """

    project_id: str | None = None
    is_public: bool | None = None
    disabled: bool | None = None
    min_ram: int | None = None
    min_disk: int | None = None
    name: str | None = None


def page(conn: Conn, filters: Filters, paged: paging.Page,
         columns: frozenset[str] | None = None) -> list[sa.Row[Any]]:
    """One page of flavors."""
    if filters == Filters(filters.project_id, True) and paged.marker is None and paged.limit is not None:
        statement = _first_page(conn.dialect.name, columns, tuple(map(tuple, paged.sort)), filters.project_id is None)
        return list(conn.execute(statement, {'project': filters.project_id, 'page_limit': paged.limit}).all())
    c = FLAVORS.c
    scope = []
    if filters.is_public is not None:
        public = c.is_public == filters.is_public
        if filters.is_public and filters.project_id is not None:
            public = sa.or_(public, _shared_with(filters.project_id))
        scope.append(public)
    statement = paging.columns_of(FLAVORS, columns).where(*scope)
    if filters.disabled is not None:
        statement = statement.where(c.disabled == filters.disabled)
    if filters.min_ram is not None:
        statement = statement.where(c.ram >= filters.min_ram)
    if filters.min_disk is not None:
        statement = statement.where(c.disk >= filters.min_disk)
    if filters.name is not None:
        statement = statement.where(c.name == filters.name)
    return list(conn.execute(paging.select_page(conn, statement, ORDER, paged, *scope)).all())


@functools.lru_cache(64)
def _first_page(dialect: str, columns: frozenset[str] | None, sort: tuple[Any, ...],
                for_nobody: bool) -> sa.Select[Any]:
    """The statement of the commonest list: to build it anew costs more than to run it."""
    shown: Any = FLAVORS.c.is_public
    if not for_nobody:
        shown = sa.or_(shown, _shared_with(sa.bindparam('project')))
    return paging.columns_of(FLAVORS, columns).where(shown).order_by(
        *paging.ordering(dialect, ORDER, paging.Page(sort=sort))).limit(sa.bindparam('page_limit', type_=sa.Integer))


def get(conn: Conn, flavorid: str, project_id: str | None = None, is_admin: bool = False,
        columns: frozenset[str] | None = None) -> sa.Row[Any]:
    """A flavor that this project may see; an administrator sees all."""
    row = conn.execute(_get(columns, is_admin), {'flavor': flavorid, 'project': project_id}).first()
    if row is None:
        raise errors.FlavorNotFound(flavor=flavorid)
    return row


@functools.lru_cache(64)
def _get(columns: frozenset[str] | None, is_admin: bool) -> sa.Select[Any]:
    statement = paging.columns_of(FLAVORS, columns).where(FLAVORS.c.flavorid == sa.bindparam('flavor'))
    if is_admin:
        return statement
    return statement.where(sa.or_(FLAVORS.c.is_public, _shared_with(sa.bindparam('project'))))


def _shared_with(project: Any) -> sa.ColumnElement[bool]:
    return sa.exists().where(PROJECTS.c.flavor_id == FLAVORS.c.id, PROJECTS.c.project_id == project)


def create(conn: sa.Connection, values: Mapping[str, Any], project_id: str | None = None) -> int:
    """Store a flavor, and let ``project_id`` use it if it is private; its row id."""
    row = {'rxtx_factor': 1.0, 'is_public': True, 'disabled': False, 'ephemeral': 0, 'swap': 0,
           'extra_specs': {}, 'created_at': timeutils.utcnow(), **values}
    try:
        key = conn.execute(FLAVORS.insert(), row).inserted_primary_key
    except db_exc.DBDuplicateEntry as error:
        field = 'name' if 'name' in engine.duplicate_columns(error) else 'flavorid'
        raise errors.FlavorExists(field=field, value=row[field]) from None
    flavor_id = int(key[0])
    if project_id is not None and not row['is_public']:
        conn.execute(PROJECTS.insert(), {'flavor_id': flavor_id, 'project_id': project_id})
    return flavor_id


def delete(conn: sa.Connection, flavorid: str) -> None:
    """Remove a flavor, its extra specs and its access list; servers keep their copy."""
    if not conn.execute(FLAVORS.delete().where(FLAVORS.c.flavorid == flavorid)).rowcount:
        raise errors.FlavorNotFound(flavor=flavorid)


def set_description(conn: sa.Connection, flavorid: str, description: str | None) -> None:
    """Change the only attribute of a flavor that may change."""
    if not _update(conn, flavorid, description=description):
        raise errors.FlavorNotFound(flavor=flavorid)


def _update(conn: sa.Connection, flavorid: str, **values: Any) -> int:
    statement = FLAVORS.update().where(FLAVORS.c.flavorid == flavorid)
    return conn.execute(statement.values(updated_at=timeutils.utcnow(), **values)).rowcount


def lock_row(conn: sa.Connection, flavorid: str) -> sa.Row[Any]:
    """The flavor, which nobody else can change before this transaction ends."""
    row = conn.execute(sa.select(FLAVORS).where(FLAVORS.c.flavorid == flavorid).with_for_update()).first()
    if row is None:
        raise errors.FlavorNotFound(flavor=flavorid)
    return row


def change_extra_specs(conn: sa.Connection, flavorid: str,
                       change: Callable[[dict[str, str]], dict[str, str]]) -> dict[str, str]:
    """Replace the extra specs by ``change(extra specs)``; two changes at once both last."""
    specs = change(dict(lock_row(conn, flavorid).extra_specs))
    _update(conn, flavorid, extra_specs=specs)
    return specs


def update_extra_specs(conn: sa.Connection, flavorid: str, specs: Mapping[str, str]) -> dict[str, str]:
    """Add or change some extra specs; all of them."""
    return change_extra_specs(conn, flavorid, lambda present: {**present, **specs})


def delete_extra_spec(conn: sa.Connection, flavorid: str, key: str) -> None:
    """Remove one extra spec."""
    def without(present: dict[str, str]) -> dict[str, str]:
        if key not in present:
            raise errors.ExtraSpecNotFound(flavor=flavorid, key=key)
        return {name: value for name, value in present.items() if name != key}

    change_extra_specs(conn, flavorid, without)


def projects(conn: Conn, flavor_id: int) -> list[str]:
    """The projects that may use the private flavor with this row id."""
    statement = sa.select(PROJECTS.c.project_id).where(PROJECTS.c.flavor_id == flavor_id)
    return list(conn.execute(statement.order_by(PROJECTS.c.project_id)).scalars())


def add_access(conn: sa.Connection, flavor: sa.Row[Any], project_id: str) -> None:
    """Let a project use the flavor (a row with id and flavorid)."""
    try:
        conn.execute(PROJECTS.insert(), {'flavor_id': flavor.id, 'project_id': project_id})
    except db_exc.DBDuplicateEntry:
        raise errors.FlavorAccessExists(flavor=flavor.flavorid, project=project_id) from None
    except db_exc.DBReferenceError:
        raise errors.FlavorNotFound(flavor=flavor.flavorid) from None


def remove_access(conn: sa.Connection, flavor: sa.Row[Any], project_id: str) -> None:
    """Let a project no longer use the flavor (a row with id and flavorid)."""
    statement = PROJECTS.delete().where(
        PROJECTS.c.flavor_id == flavor.id, is_one_of(PROJECTS.c.project_id, project_id))
    if not conn.execute(statement).rowcount:
        raise errors.FlavorAccessNotFound(flavor=flavor.flavorid, project=project_id)


def ensure_defaults(conn: sa.Connection) -> bool:
    """Give an installation without any flavor the usual small ones; whether it did."""
    if conn.execute(sa.select(FLAVORS.c.id).limit(1)).first() is not None:
        return False
    try:
        with conn.begin_nested():
            for flavorid, name, ram, vcpus, disk in DEFAULTS:
                create(conn, {'flavorid': flavorid, 'name': name, 'ram': ram, 'vcpus': vcpus, 'disk': disk})
    except errors.FlavorExists:
        # Another process starts beside us and was first.
        return False
    return True
