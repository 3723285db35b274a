# SPDX-License-Identifier: Apache-2.0
"""What happens when client and database server hear nothing of each other any more.

A host that loses its network in the middle of a transaction holds rows for others to wait for, and neither side is
told: TCP alone gives up after a quarter of an hour, or never.  So the server ends a transaction whose client says
nothing for a while, and the client asks now and then whether the server is there.
"""

from typing import Any

import sqlalchemy as sa

#: Seconds between two statements of a transaction.  Nothing of ours waits for anything else meanwhile.
QUIET = 15
#: That does not hold for a request with a key: its transaction is open while it asks other services.
QUIET_TOGETHER = 120
#: libpq's: the server has half a minute to answer.
KEEPALIVE = {'keepalives_idle': '10', 'keepalives_interval': '5', 'keepalives_count': '4', 'tcp_user_timeout': '30000'}
_LIBPQ = ('psycopg2', 'psycopg')


def guarded(url: sa.URL) -> sa.URL:
    """The URL with what its driver has to know; what an operator wrote there stays."""
    if url.get_backend_name() != 'postgresql' or url.get_driver_name() not in _LIBPQ:
        return url
    return url.update_query_dict({name: value for name, value in KEEPALIVE.items() if name not in url.query})


def prepare_postgresql(connection: Any, record: Any) -> None:
    """A new connection: have the server end its quiet transactions."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET idle_in_transaction_session_timeout = '{QUIET}s'")


def prepare_mariadb(connection: Any) -> None:
    """A new connection: have the server end its quiet transactions, if it can; MySQL cannot."""
    if 'mariadb' in connection.get_server_info().lower():
        with connection.cursor() as cursor:
            cursor.execute(f'SET SESSION idle_transaction_timeout = {QUIET}')


def allow(connection: sa.Connection) -> None:
    """The transaction that has just begun may be quiet for longer."""
    if connection.dialect.name == 'postgresql':
        connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = '{QUIET_TOGETHER}s'")
    elif getattr(connection.dialect, 'is_mariadb', False):
        connection.exec_driver_sql(f'SET SESSION idle_transaction_timeout = {QUIET_TOGETHER}')


def forbid(connection: sa.Connection) -> None:
    """That transaction is over; PostgreSQL forgets by itself."""
    if getattr(connection.dialect, 'is_mariadb', False) and not connection.invalidated:
        connection.exec_driver_sql(f'SET SESSION idle_transaction_timeout = {QUIET}')
