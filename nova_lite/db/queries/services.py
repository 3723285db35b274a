# SPDX-License-Identifier: Apache-2.0
"""The running programs as they report themselves."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from oslo_db import exception as db_exc
from oslo_utils import timeutils, uuidutils

from nova_lite import errors
from nova_lite.db import tables
from nova_lite.db.engine import Conn

SERVICES = tables.services
_OF_HOSTS = sa.select(SERVICES).where(
    SERVICES.c.host.in_(sa.bindparam('hosts', expanding=True)), SERVICES.c.binary == sa.bindparam('binary'))


def page(conn: Conn, host: str | None = None, binary: str | None = None) -> list[sa.Row[Any]]:
    """All services, or those of a host or a binary, in the order of their ids."""
    statement = sa.select(SERVICES).order_by(SERVICES.c.id)
    if host is not None:
        statement = statement.where(SERVICES.c.host == host)
    if binary is not None:
        statement = statement.where(SERVICES.c.binary == binary)
    return list(conn.execute(statement).all())


def get(conn: Conn, service: int | str) -> sa.Row[Any]:
    """The service with this row id (an integer) or UUID (a string)."""
    column = SERVICES.c.id if isinstance(service, int) else SERVICES.c.uuid
    return _one(conn, service, column == service)


def get_by_host(conn: Conn, host: str, binary: str) -> sa.Row[Any]:
    """The service of a binary on a host."""
    return _one(conn, f'{binary} on {host}', SERVICES.c.host == host, SERVICES.c.binary == binary)


def by_hosts(conn: Conn, hosts: Collection[str], binary: str) -> list[sa.Row[Any]]:
    """The services of a binary on some hosts."""
    return list(conn.execute(_OF_HOSTS, {'hosts': list(hosts), 'binary': binary}).all())


def _one(conn: Conn, shown: int | str, *conditions: sa.ColumnElement[bool]) -> sa.Row[Any]:
    row = conn.execute(sa.select(SERVICES).where(*conditions)).first()
    if row is None:
        raise errors.ServiceNotFound(service=shown)
    return row


def register(conn: sa.Connection, host: str, binary: str, version: int,
             disabled: bool = False) -> sa.Row[Any]:
    """Say that a service starts; a new one begins as ``disabled`` says, a known one stays as it is.

    Two processes of one binary on one host may do this at once.
    """
    now = timeutils.utcnow()
    mine = (SERVICES.c.host == host, SERVICES.c.binary == binary)
    present = SERVICES.update().where(*mine).values(version=version, last_seen_at=now)
    if not conn.execute(present).rowcount:
        try:
            with conn.begin_nested():
                conn.execute(SERVICES.insert(), {
                    'uuid': uuidutils.generate_uuid(), 'host': host, 'binary': binary, 'version': version,
                    'disabled': disabled, 'forced_down': False, 'last_seen_at': now, 'created_at': now})
        except db_exc.DBDuplicateEntry:
            conn.execute(present)
    return get_by_host(conn, host, binary)


def heartbeat(conn: sa.Connection, host: str, binary: str) -> bool:
    """Note that the service is alive; false if it was deleted and has to register again."""
    statement = SERVICES.update().where(SERVICES.c.host == host, SERVICES.c.binary == binary)
    return bool(conn.execute(statement.values(last_seen_at=timeutils.utcnow())).rowcount)


def set_disabled(conn: sa.Connection, service_id: int, disabled: bool, reason: str | None = None) -> None:
    """Take a service out of use, or back into it; the reason goes with the first."""
    _update(conn, service_id, disabled=disabled, disabled_reason=reason if disabled else None)


def set_forced_down(conn: sa.Connection, service_id: int, forced_down: bool) -> None:
    """Call a service down whatever it reports."""
    _update(conn, service_id, forced_down=forced_down)


def _update(conn: sa.Connection, service_id: int, **values: Any) -> None:
    statement = SERVICES.update().where(SERVICES.c.id == service_id)
    if not conn.execute(statement.values(updated_at=timeutils.utcnow(), **values)).rowcount:
        raise errors.ServiceNotFound(service=service_id)


def delete(conn: sa.Connection, service_id: int) -> None:
    """Forget a service and the host that it reports."""
    try:
        gone = conn.execute(SERVICES.delete().where(SERVICES.c.id == service_id)).rowcount
    except db_exc.DBReferenceError:
        raise errors.Conflict(reason=f'The host of service {service_id} still has servers.') from None
    if not gone:
        raise errors.ServiceNotFound(service=service_id)


def minimum_version(conn: Conn, binary: str) -> int | None:
    """The lowest version of a binary that is registered and not forced down; None without any."""
    statement = sa.select(sa.func.min(SERVICES.c.version)).where(
        SERVICES.c.binary == binary, SERVICES.c.forced_down.is_(False))
    lowest = conn.scalar(statement)
    return None if lowest is None else int(lowest)
