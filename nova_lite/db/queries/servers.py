# SPDX-License-Identifier: Apache-2.0
"""Servers: lists, single ones and guarded changes."""

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from oslo_utils import timeutils

from nova_lite import errors
from nova_lite.db import paging, tables
from nova_lite.db.conditions import contains, is_one_of
from nova_lite.db.engine import Conn
from nova_lite.db.queries import server_filters
from nova_lite.db.queries.server_filters import Matches
from nova_lite.model import states

__all__ = ('Matches', 'by_address', 'by_host', 'change', 'count', 'count_by_host', 'get', 'get_many', 'insert', 'lock',
           'page', 'places', 'update', 'update_if')

SERVERS = tables.servers
_C = SERVERS.c

# The wire's sort keys that are not the columns' names, beside those that are.
ORDER = paging.Order(
    marker=_C.uuid, tie=_C.id, default=(('created_at', 'desc'), ('id', 'desc')),
    keys={name: _C[name] for name in (
        'availability_zone', 'config_drive', 'created_at', 'host', 'hostname', 'id', 'image_ref', 'key_name',
        'kernel_id', 'launch_index', 'launched_at', 'locked', 'locked_by', 'node', 'power_state', 'progress',
        'project_id', 'ramdisk_id', 'root_device_name', 'task_state', 'terminated_at', 'updated_at',
        'user_id', 'uuid', 'vm_state')} | {
        'access_ip_v4': _C.access_ip_v4, 'access_ip_v6': _C.access_ip_v6, 'auto_disk_config': _C.disk_config,
        'display_description': _C.description, 'display_name': _C.name, 'instance_type_id': _C.flavor_id},
    then=('created_at',))


def page(conn: Conn, filters: Mapping[str, Any], paged: paging.Page,
         columns: frozenset[str] | None = None) -> list[sa.Row[Any]]:
    """One page of servers; ``server_filters.conditions`` says what the filters are.

    A marker is found among the servers of the filtered project, whatever the other filters say.
    """
    dialect, sort = conn.dialect.name, tuple(map(tuple, paged.sort))
    if filters.get('deleted', False) is False and not filters.get('soft_deleted'):
        filters = {name: value for name, value in filters.items() if name not in ('deleted', 'soft_deleted')}
    if paged.marker is None and paged.limit is not None and server_filters.are_plain(filters):
        statement = _plain_page(dialect, columns, tuple(filters), sort)
        return list(conn.execute(statement, {**filters, 'page_limit': paged.limit}).all())
    project = filters.get('project_id')
    scope = () if project is None else (is_one_of(_C.project_id, project),)
    ways = [[*exists, *behind] for exists in server_filters.ways_to_exist(filters)
            for behind in paging.ways_behind(conn, ORDER, paged, *scope)]
    statement = paging.columns_of(SERVERS, columns).where(*server_filters.narrowing(conn, filters))
    index = _index(dialect, tuple(filters), sort)
    return list(conn.execute(paging.select_page_of(conn, statement, ORDER, paged, ways, index)).all())


@functools.lru_cache(256)
def _plain_page(dialect: str, columns: frozenset[str] | None, names: tuple[str, ...],
                sort: tuple[Any, ...]) -> sa.Select[Any]:
    """The statement of the commonest lists: to build it anew costs more than to run it."""
    statement = paging.columns_of(SERVERS, columns).where(
        *server_filters.existing({}), *(_C[name] == sa.bindparam(name) for name in names))
    index = _index(dialect, names, sort)
    if index is not None:
        statement = statement.with_hint(SERVERS, f'FORCE INDEX ({index})', dialect)
    return statement.order_by(*paging.ordering(dialect, ORDER, paging.Page(sort=sort))).limit(
        sa.bindparam('page_limit', type_=sa.Integer))


# Filters that may leave few rows, and find them by an index of their own.
_SELECTIVE = frozenset(('uuid', 'host', 'node', 'hostname', 'reservation_id', 'flavor_id', 'changes_since', 'tags',
                        'tags_any', 'created_at', 'launched_at'))

# Filters with an index that gives the page in its order, those that leave the fewest rows first.
_PAGES_BY = {'project_id': 'ix_servers_project_page', **{name: f'ix_servers_by_{name}' for name in (
    'user_id', 'key_name', 'image_ref', 'task_state', 'vm_state', 'availability_zone', 'locked')}}


def _index(dialect: str, names: tuple[str, ...], sort: tuple[Any, ...]) -> str | None:
    """MariaDB likes to read all rows of an index instead of those of the page: say which index it is."""
    if dialect not in ('mysql', 'mariadb') or _SELECTIVE.intersection(names):
        return None
    key = sort[0][0] if sort else 'created_at'
    if key == 'created_at':
        return next((_PAGES_BY[name] for name in _PAGES_BY if name in names), 'ix_servers_page')
    name = f'ix_servers_by_{ORDER.keys[key].name}' if key in ORDER.keys else ''
    return name if name in _INDEXES and not _PAGES_BY.keys() & set(names) else None


_INDEXES = {index.name for index in SERVERS.indexes}


def count(conn: Conn, filters: Mapping[str, Any]) -> int:
    """How many servers the filters leave."""
    statement = sa.select(sa.func.count()).select_from(SERVERS)
    return int(conn.scalar(statement.where(*server_filters.conditions(conn, filters))))


def get(conn: Conn, uuid: str, columns: frozenset[str] | None = None,
        deleted: bool | None = False) -> sa.Row[Any]:
    """One server; ``deleted`` None finds it in any case."""
    row = conn.execute(_get(columns, deleted), {'server': uuid}).first()
    if row is None:
        raise errors.ServerNotFound(server=uuid)
    return row


@functools.lru_cache(128)
def _get(columns: frozenset[str] | None, deleted: bool | None) -> sa.Select[Any]:
    statement = paging.columns_of(SERVERS, columns).where(_C.uuid == sa.bindparam('server'))
    if deleted is None:
        return statement
    return statement.where(_C.deleted == (sa.true() if deleted else sa.false()))


def get_many(conn: Conn, uuids: Collection[str],
             columns: frozenset[str] | None = None) -> dict[str, sa.Row[Any]]:
    """The servers with these ids that exist, deleted ones, too; ``columns`` must have uuid."""
    statement = paging.columns_of(SERVERS, columns).where(_C.uuid.in_(uuids))
    return {row.uuid: row for row in conn.execute(statement)}


def places(conn: Conn, uuids: Collection[str]) -> dict[str, str | None]:
    """The host of each of these servers that has not been deleted, and cannot be restored either."""
    found = get_many(conn, uuids, frozenset(('uuid', 'host', 'deleted', 'vm_state')))
    return {row.uuid: row.host for row in found.values() if not row.deleted and row.vm_state != states.SOFT_DELETED}


def by_address(conn: Conn, address: str, version: int, columns: frozenset[str] | None = None) -> list[sa.Row[Any]]:
    """The servers that have an address, at most two: networks may have the same addresses."""
    # As ``types.Addresses`` writes it.
    entry = f'"addr":"{address}","version":{version}'
    statement = paging.columns_of(SERVERS, columns).where(
        *server_filters.existing({}), contains(conn, _C.addresses, entry))
    return list(conn.execute(statement.limit(2)).all())


def lock(conn: sa.Connection, uuid: str, columns: frozenset[str] | None = None) -> sa.Row[Any]:
    """One server that is not deleted, which nobody else can change before this transaction ends."""
    row = conn.execute(_get(columns, False).with_for_update(), {'server': uuid}).first()
    if row is None:
        raise errors.ServerNotFound(server=uuid)
    return row


def hold(conn: sa.Connection, uuid: str, columns: frozenset[str] | None = None) -> sa.Row[Any] | None:
    """One server, deleted or not, which nobody can change before this transaction ends; None if there is none."""
    return conn.execute(_get(columns, None).with_for_update(read=True), {'server': uuid}).first()


# What a row may leave out.
_DEFAULTS: dict[str, Any] = {
    'launch_index': 0, 'task_state': None, 'power_state': 0, 'progress': 0, 'locked': False,
    'image_properties': {}, 'config_drive': False, 'disk_config': 'MANUAL', 'addresses': {}, 'metadata': {},
    'scheduler_hints': {}, 'deleted': False,
}


def insert(conn: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Store new servers in one statement; their row ids in the same order."""
    now = timeutils.utcnow()
    base = {**_DEFAULTS, 'created_at': now, 'updated_at': now}
    # Every row must name the same columns.
    names = {name for row in rows for name in row}
    full = [_completed({**base, **{name: row.get(name, base.get(name)) for name in names}}) for row in rows]
    if len(full) == 1:
        return [int(conn.execute(SERVERS.insert(), full[0]).inserted_primary_key[0])]
    if not full:
        return []
    conn.execute(SERVERS.insert(), full)
    statement = sa.select(_C.uuid, _C.id).where(_C.uuid.in_([row['uuid'] for row in full]))
    ids = dict(conn.execute(statement).all())
    return [ids[row['uuid']] for row in full]


def _completed(values: dict[str, Any]) -> dict[str, Any]:
    if 'flavor' in values:
        values['flavor_id'] = values['flavor']['flavorid']
    return values


def update(conn: sa.Connection, uuid: str, **values: Any) -> None:
    """Change a server whatever its state; ``updated_at`` follows by itself."""
    if not update_if(conn, uuid, {}, **values):
        raise errors.ServerNotFound(server=uuid)


def update_if(conn: sa.Connection, uuid: str, expect: Mapping[str, Any], **values: Any) -> bool:
    """Change a server that is still as expected; whether it was.

    ``expect`` maps columns to the value, or a collection of values, that they must hold.
    """
    statement = SERVERS.update().where(
        _C.uuid == uuid, *(is_one_of(_C[name], wanted) for name, wanted in expect.items()))
    values.setdefault('updated_at', timeutils.utcnow())
    return conn.execute(statement.values(_completed(values))).rowcount == 1


def change(conn: sa.Connection, uuid: str, column: str, changed: Callable[[Any], Any]) -> Any:
    """Replace a JSON column (metadata, addresses …) by ``changed(value)``; two at once both last."""
    value = changed(getattr(lock(conn, uuid, frozenset((column,))), column))
    update(conn, uuid, **{column: value})
    return value


def by_host(conn: Conn, hosts: Collection[str]) -> dict[str, list[sa.Row[Any]]]:
    """The servers on each host, as rows of host, uuid, name and project_id, by their row ids."""
    statement = sa.select(_C.host, _C.uuid, _C.name, _C.project_id).where(
        _C.host.in_(hosts), _C.deleted == sa.false()).order_by(_C.id)
    found: dict[str, list[sa.Row[Any]]] = {host: [] for host in hosts}
    for row in conn.execute(statement):
        found[row.host].append(row)
    return found


def count_by_host(conn: Conn, hosts: Collection[str]) -> dict[str, int]:
    """How many servers each host has."""
    statement = sa.select(_C.host, sa.func.count()).where(
        _C.host.in_(hosts), _C.deleted == sa.false()).group_by(_C.host)
    return {**dict.fromkeys(hosts, 0), **dict(conn.execute(statement).all())}
