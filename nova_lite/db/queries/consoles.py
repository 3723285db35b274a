# SPDX-License-Identifier: Apache-2.0
"""Tokens for consoles. Only a hash of each is kept, so that who reads the database cannot use them."""

import datetime
import hashlib
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from nova_lite.db import tables
from nova_lite.db.engine import Conn

TOKENS = tables.console_auth_tokens
_GET = sa.select(TOKENS).where(TOKENS.c.token_hash == sa.bindparam('hashed'), TOKENS.c.expires_at > sa.bindparam('now'))
_FORGET = sa.delete(TOKENS).where(TOKENS.c.server_uuid == sa.bindparam('of_server'))
_TAKE = sa.delete(TOKENS).where(TOKENS.c.token_hash == sa.bindparam('hashed'))
_EXPIRED = sa.delete(TOKENS).where(TOKENS.c.expires_at <= sa.bindparam('now'))


def hash_of(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def insert(conn: sa.Connection, token: str, values: Mapping[str, Any], now: datetime.datetime) -> None:
    """Keep a token: console_type, server_uuid, host, port, expires_at and, where there are, the rest.

    Those that have expired are forgotten on this occasion.
    """
    conn.execute(_EXPIRED, {'now': now})
    conn.execute(TOKENS.insert(), {'tls_port': None, 'internal_access_path': None, **values,
                                   'token_hash': hash_of(token), 'created_at': now})


def get(conn: Conn, token: str, now: datetime.datetime) -> sa.Row[Any] | None:
    """What a token opens, as long as it has not expired."""
    return conn.execute(_GET, {'hashed': hash_of(token), 'now': now}).first()


def take(conn: sa.Connection, token: str, kinds: Collection[str], now: datetime.datetime) -> sa.Row[Any] | None:
    """What a token opens if it is a console of these kinds; it opens nothing from then on.

    Of several who come with the same token, one gets it.
    """
    found = get(conn, token, now)
    if found is None or found.console_type not in kinds:
        return None
    return found if conn.execute(_TAKE, {'hashed': found.token_hash}).rowcount == 1 else None


def forget(conn: sa.Connection, server_uuid: str) -> None:
    """No token opens a console of the server any more."""
    conn.execute(_FORGET, {'of_server': server_uuid})
