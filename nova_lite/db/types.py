# SPDX-License-Identifier: Apache-2.0
"""Column types that behave the same on SQLite, PostgreSQL and MariaDB."""

from collections.abc import Callable
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import mysql


class Json(sa.types.TypeDecorator[Any]):
    """A JSON value kept as text, read and written whole by orjson.

    Text is what all three databases store alike, and it spares the round trip through a database's
    own JSON type, which would cost more than the rest of reading a row.
    """

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """MariaDB's TEXT ends at 64 KiB and compares without regard to case."""
        wide = (mysql.MEDIUMTEXT(charset='utf8mb4', collation='utf8mb4_bin')
                if dialect.name in ('mysql', 'mariadb') else sa.Text())
        return dialect.type_descriptor(wide)

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str | None:
        """None is stored as NULL, not as the JSON word null."""
        return None if value is None else orjson.dumps(value).decode()

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Callable[[Any], Any]:
        """Without the two layers that the base class puts around each value of each row."""
        return _load


def _load(value: str | None, loads: Callable[[str], Any] = orjson.loads) -> Any:
    return None if value is None else loads(value)


class Addresses(Json):
    """The addresses of a server: ``{network: [{addr, version, …}]}``.

    The two leading keys have a fixed order in the text, so that a filter can find an address of
    one IP version by matching the text.
    """

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str | None:
        """Put ``addr`` and ``version`` first."""
        if value is not None:
            value = {network: [{'addr': port['addr'], 'version': port['version'], **port} for port in ports]
                     for network, ports in value.items()}
        return super().process_bind_param(value, dialect)
