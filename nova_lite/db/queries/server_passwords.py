# SPDX-License-Identifier: Apache-2.0
"""The password that a guest tells its owner, encrypted with the owner's key by the guest itself."""

from typing import Any

import sqlalchemy as sa

from nova_lite.db.engine import Conn
from nova_lite.db.queries import servers

#: Characters of an encrypted password that are kept.
LONGEST = 1020
_KEY = 'password'
_COLUMN = frozenset(('system_metadata',))


def get(conn: Conn, server_uuid: str) -> str:
    """The encrypted password; empty if there is none."""
    return str((servers.get(conn, server_uuid, _COLUMN).system_metadata or {}).get(_KEY, ''))


def store(conn: sa.Connection, server_uuid: str, password: str) -> None:
    """Keep a password; an empty one is forgotten."""
    def replace(known: dict[str, Any] | None) -> dict[str, Any] | None:
        others = {key: value for key, value in (known or {}).items() if key != _KEY}
        return {**others, **({_KEY: password} if password else {})} or None

    servers.change(conn, server_uuid, 'system_metadata', replace)
