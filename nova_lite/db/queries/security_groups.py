# SPDX-License-Identifier: Apache-2.0
"""Security groups and their rules.

A project's default group is made when it is first needed, once: ``default_of`` is unique.  Its row is also what
is locked while groups and rules of the project are counted.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from oslo_utils import timeutils, uuidutils

from nova_lite import errors
from nova_lite.db import tables
from nova_lite.db.conditions import contains, is_one_of
from nova_lite.db.engine import Conn
from nova_lite.model.security_groups import DEFAULT, Rule, first_rules

GROUPS = tables.security_groups
RULES = tables.security_group_rules
PORTS = tables.ports

_DEFAULT_ID = sa.select(GROUPS.c.id).where(GROUPS.c.default_of == sa.bindparam('project'))


def default_id(conn: Conn, project_id: str) -> str | None:
    """The default group of a project, if it has been made."""
    return conn.execute(_DEFAULT_ID, {'project': project_id}).scalar()


def make_default(conn: sa.Connection, project_id: str) -> str:
    """The default group of a project, now made; ``Duplicate`` if somebody else has made it."""
    made = insert(conn, {'project_id': project_id, 'name': DEFAULT, 'default_of': project_id,
                         'description': 'Default security group'})
    add_rules(conn, made, project_id, first_rules(made))
    return made


def lock_project(conn: sa.Connection, project_id: str) -> None:
    """Nobody else adds groups or rules to the project, which has its default group, before this transaction ends."""
    conn.execute(_DEFAULT_ID.with_for_update(), {'project': project_id})


def find(conn: Conn, filters: Mapping[str, Any] | None = None) -> list[sa.Row[Any]]:
    """Groups; ``filters`` maps columns to a value or a collection of values."""
    return list(conn.execute(sa.select(GROUPS).where(*_where(GROUPS, filters)).order_by(
        GROUPS.c.name, GROUPS.c.id)).all())


def get(conn: Conn, group_id: str, project_id: str | None = None, lock: bool = False) -> sa.Row[Any]:
    """One group, of the project if one is given."""
    statement = sa.select(GROUPS).where(GROUPS.c.id == group_id, *_of(GROUPS, project_id))
    row = conn.execute(statement.with_for_update() if lock else statement).first()
    if row is None:
        raise errors.SecurityGroupNotFound(group=group_id)
    return row


def names(conn: Conn, group_ids: Collection[str]) -> dict[str, str]:
    """Id → name."""
    if not group_ids:
        return {}
    statement = sa.select(GROUPS.c.id, GROUPS.c.name).where(GROUPS.c.id.in_(set(group_ids)))
    return {row.id: row.name for row in conn.execute(statement)}


def hold(conn: sa.Connection, group_ids: Collection[str], project_id: str | None = None) -> None:
    """None of these groups, of the project if one is given, is deleted before this transaction ends.

    ``SecurityGroupNotFound`` if one is not there.
    """
    wanted = set(group_ids)
    statement = sa.select(GROUPS.c.id).where(GROUPS.c.id.in_(wanted), *_of(GROUPS, project_id)).order_by(GROUPS.c.id)
    missing = wanted - set(conn.execute(statement.with_for_update(read=True)).scalars()) if wanted else wanted
    if missing:
        raise errors.SecurityGroupNotFound(group=min(missing))


def count(conn: Conn, project_id: str) -> int:
    """How many groups a project has."""
    return int(conn.execute(sa.select(sa.func.count()).select_from(GROUPS).where(
        GROUPS.c.project_id == project_id)).scalar_one())


def insert(conn: sa.Connection, values: Mapping[str, Any]) -> str:
    """Store project_id, name and description; the id."""
    now = timeutils.utcnow()
    row = {'id': uuidutils.generate_uuid(), 'description': '', 'stateful': True, 'default_of': None,
           'created_at': now, 'updated_at': now, **values}
    conn.execute(sa.insert(GROUPS), row)
    return str(row['id'])


def update(conn: sa.Connection, group_id: str, values: Mapping[str, Any]) -> None:
    """Change a group."""
    conn.execute(sa.update(GROUPS).where(GROUPS.c.id == group_id).values(updated_at=timeutils.utcnow(), **values))


def delete(conn: sa.Connection, group_id: str) -> None:
    """Remove a group, its rules, and the rules that let it through."""
    # MariaDB would delete these by itself in an order that other transactions do not expect.
    conn.execute(sa.delete(RULES).where(sa.or_(RULES.c.group_id == group_id, RULES.c.remote_group_id == group_id)))
    conn.execute(sa.delete(GROUPS).where(GROUPS.c.id == group_id))


def ports_of(conn: Conn, group_id: str) -> list[sa.Row[Any]]:
    """The ports that have the group, as rows of id and device_id."""
    return list(conn.execute(sa.select(PORTS.c.id, PORTS.c.device_id).where(
        contains(conn, PORTS.c.security_groups, f'"{group_id}"'))).all())


# ---------------------------------------------------------------------- rules

def rules(conn: Conn, filters: Mapping[str, Any] | None = None) -> list[sa.Row[Any]]:
    """Rules, in the order in which they were made."""
    return list(conn.execute(sa.select(RULES).where(*_where(RULES, filters)).order_by(
        RULES.c.created_at, RULES.c.id)).all())


def rule(conn: Conn, rule_id: str, project_id: str | None = None) -> sa.Row[Any]:
    """One rule, of the project if one is given."""
    row = conn.execute(sa.select(RULES).where(RULES.c.id == rule_id, *_of(RULES, project_id))).first()
    if row is None:
        raise errors.SecurityGroupRuleNotFound(rule=rule_id)
    return row


def rules_by_group(conn: Conn, group_ids: Collection[str]) -> dict[str, list[sa.Row[Any]]]:
    """The rules of each of these groups."""
    found: dict[str, list[sa.Row[Any]]] = {group_id: [] for group_id in group_ids}
    for row in rules(conn, {'group_id': list(found)}) if found else ():
        found[row.group_id].append(row)
    return found


def count_rules(conn: Conn, project_id: str) -> int:
    """How many rules the groups of a project have."""
    return int(conn.execute(sa.select(sa.func.count()).select_from(RULES).where(
        RULES.c.project_id == project_id)).scalar_one())


def add_rules(conn: sa.Connection, group_id: str, project_id: str, wanted: Iterable[Rule]) -> list[str]:
    """Store rules; their ids. ``Duplicate`` if the group has one that says the same as one of them."""
    now = timeutils.utcnow()
    rows = [{'id': uuidutils.generate_uuid(), 'group_id': group_id, 'project_id': project_id, 'created_at': now,
             'updated_at': now, 'sameness': one.sameness, **asdict(one)} for one in wanted]
    conn.execute(sa.insert(RULES), rows)
    return [str(row['id']) for row in rows]


def describe_rule(conn: sa.Connection, rule_id: str, description: str) -> None:
    """Change the description, the only thing of a rule that can be changed."""
    conn.execute(sa.update(RULES).where(RULES.c.id == rule_id).values(
        description=description, updated_at=timeutils.utcnow()))


def delete_rule(conn: sa.Connection, rule_id: str) -> None:
    """Remove one rule."""
    conn.execute(sa.delete(RULES).where(RULES.c.id == rule_id))


def _where(table: sa.Table, filters: Mapping[str, Any] | None) -> list[sa.ColumnElement[bool]]:
    return [is_one_of(table.c[name], wanted) for name, wanted in (filters or {}).items()]


def _of(table: sa.Table, project_id: str | None) -> list[sa.ColumnElement[bool]]:
    return [] if project_id is None else [table.c.project_id == project_id]
