# SPDX-License-Identifier: Apache-2.0
"""Conditions that several queries share."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from nova_lite.db.engine import Conn


def is_one_of(column: sa.ColumnElement[Any], wanted: Any) -> sa.ColumnElement[bool]:
    """``column`` equals ``wanted``, or one of them if it is a collection; None stands for NULL."""
    if wanted is None:
        return column.is_(None)
    if isinstance(wanted, str) or not isinstance(wanted, Collection):
        return column == wanted
    values = [value for value in wanted if value is not None]
    if len(values) == len(wanted):
        return column.in_(values)
    return sa.or_(column.is_(None), column.in_(values))


def contains(conn: Conn, column: sa.ColumnElement[str], text: str) -> sa.ColumnElement[bool]:
    """``text`` occurs in the column, byte for byte (SQLite's LIKE would ignore case)."""
    function = sa.func.strpos if conn.dialect.name == 'postgresql' else sa.func.instr
    return function(sa.type_coerce(column, sa.Text), text) > 0
