# SPDX-License-Identifier: Apache-2.0
"""Security groups of the embedded network service: who may see and change which, and what they may not become.

``project`` is the project whose groups count, None for an administrator, who reaches those of all projects.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nova_lite import errors
from nova_lite.db.engine import Database, Duplicate
from nova_lite.db.queries import ports
from nova_lite.db.queries import security_groups as rows
from nova_lite.embedded import network_ports
from nova_lite.embedded.network_scope import asked, within
from nova_lite.model import security_groups as model

Filters = Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """A row of a group, and those of its rules."""

    group: Any
    rules: Sequence[Any]


class GroupStore:
    """The groups and rules in the database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    # ----------------------------------------------------------------- groups

    def default(self, project_id: str) -> str:
        """The id of the group that every project has."""
        with self._db.read() as conn:
            found = rows.default_id(conn, project_id)
        if found is not None:
            return found
        try:
            return self._db.transaction(rows.make_default, project_id)
        except Duplicate:
            with self._db.read() as conn:
                return str(rows.default_id(conn, project_id))

    def groups(self, project: str | None, filters: Filters | None = None) -> list[Found]:
        """The groups that match; the default one among them."""
        for project_id in filter(None, asked(filters) if project is None else (project,)):
            self.default(project_id)
        with self._db.read() as conn:
            groups = rows.find(conn, within(project, filters))
            by_group = rows.rules_by_group(conn, [group.id for group in groups])
        return [Found(group, by_group[group.id]) for group in groups]

    def get(self, project: str | None, group_id: str) -> Found:
        """One group."""
        with self._db.read() as conn:
            group = rows.get(conn, group_id, project)
            return Found(group, rows.rules(conn, {'group_id': group_id}))

    def named(self, project: str, name_or_id: str) -> Found:
        """The group of a project that has this id or name; ``SecurityGroupAmbiguous`` if several have the name."""
        groups = self.groups(project)
        by_id = [found for found in groups if found.group.id == name_or_id]
        so_called = by_id or [found for found in groups if found.group.name == name_or_id]
        if not so_called:
            raise errors.SecurityGroupNotFound(group=name_or_id)
        if len(so_called) > 1:
            raise errors.SecurityGroupAmbiguous(group=name_or_id)
        return so_called[0]

    def names(self, group_ids: Sequence[str]) -> dict[str, str]:
        """Id → name of the groups that exist."""
        with self._db.read() as conn:
            return rows.names(conn, group_ids)

    def create(self, project_id: str, name: str, description: str = '', stateful: bool = True) -> Found:
        """A new group; servers in it may send to everywhere."""
        self.default(project_id)
        return self.get(project_id, self._db.transaction(_create, project_id, {
            'name': name, 'description': description, 'stateful': stateful}))

    def update(self, project: str | None, group_id: str, values: Mapping[str, Any]) -> Found:
        """Change name, description or stateful."""
        self._db.transaction(_update, project, group_id, values)
        return self.get(project, group_id)

    def delete(self, project: str | None, group_id: str) -> None:
        """Remove a group that no port has."""
        self._db.transaction(_delete, project, group_id)

    # ---------------------------------------------------------------- servers

    def of_server(self, server_uuid: str) -> list[str]:
        """The ids of the groups of each port of a server, one after the other."""
        with self._db.read() as conn:
            return [group_id for port in ports.of_device(conn, server_uuid) for group_id in port.security_groups]

    def change_server(self, server_uuid: str, group_id: str, member: bool) -> None:
        """Put all ports of a server into a group, or take them out of it."""
        self._db.transaction(_change_server, server_uuid, group_id, member)

    # ------------------------------------------------------------------ rules

    def rules(self, project: str | None, filters: Filters | None = None) -> list[Any]:
        """The rules that match."""
        if project:
            self.default(project)
        with self._db.read() as conn:
            return rows.rules(conn, within(project, filters))

    def rule(self, project: str | None, rule_id: str) -> Any:
        """One rule."""
        with self._db.read() as conn:
            return rows.rule(conn, rule_id, project)

    def add_rule(self, project: str | None, group_id: str, rule: model.Rule) -> Any:
        """A new rule of a group."""
        self.default(self.get(project, group_id).group.project_id)
        try:
            return self.rule(None, self._db.transaction(_add_rule, project, group_id, rule))
        except Duplicate:
            (same,) = self.rules(None, {'group_id': group_id, 'sameness': rule.sameness}) or (None,)
            raise errors.SecurityGroupRuleExists(group=group_id, rule=same.id if same else '') from None

    def describe_rule(self, project: str | None, rule_id: str, description: str) -> Any:
        """Change the description of a rule."""
        self.rule(project, rule_id)
        self._db.transaction(rows.describe_rule, rule_id, description)
        return self.rule(project, rule_id)

    def delete_rule(self, project: str | None, rule_id: str) -> None:
        """Remove a rule."""
        self.rule(project, rule_id)
        self._db.transaction(rows.delete_rule, rule_id)


def _create(conn: Any, project_id: str, values: Mapping[str, Any]) -> str:
    if values['name'] == model.DEFAULT:
        raise errors.SecurityGroupDefaultAlreadyExists()
    rows.lock_project(conn, project_id)
    _book(rows.count(conn, project_id), 1, model.MOST_GROUPS, 'security_group')
    first = model.first_rules()
    _book(rows.count_rules(conn, project_id), len(first), model.MOST_RULES, 'security_group_rule')
    group_id = rows.insert(conn, {'project_id': project_id, **values})
    rows.add_rules(conn, group_id, project_id, first)
    return group_id


def _update(conn: Any, project: str | None, group_id: str, values: Mapping[str, Any]) -> None:
    group = rows.get(conn, group_id, project, lock=True)
    name = values.get('name', group.name)
    if group.default_of is not None and name != group.name:
        raise errors.SecurityGroupCannotUpdateDefault(group=group_id)
    if group.default_of is None and name == model.DEFAULT:
        raise errors.SecurityGroupDefaultAlreadyExists()
    rows.update(conn, group_id, values)
    if name != group.name:
        network_ports.refresh(conn, [port.id for port in rows.ports_of(conn, group_id)])


def _delete(conn: Any, project: str | None, group_id: str) -> None:
    group = rows.get(conn, group_id, project, lock=True)
    if group.default_of is not None and project is not None:
        raise errors.SecurityGroupCannotRemoveDefault(group=group_id)
    ports = rows.ports_of(conn, group_id)
    if ports:
        raise errors.SecurityGroupInUse(group=group_id, port=ports[0].id)
    rows.delete(conn, group_id)


def _change_server(conn: Any, server_uuid: str, group_id: str, member: bool) -> None:
    rows.hold(conn, (group_id,))
    present = [ports.lock(conn, port.id) for port in ports.of_device(conn, server_uuid)]
    changed = [port for port in present if port is not None and (group_id in port.security_groups) != member]
    if not present:
        raise errors.NotFound(f'Server {server_uuid} has no port that could be in a security group.')
    if not changed and not member:
        raise errors.NotFound(f'Server {server_uuid} is not in security group {group_id}.')
    for port in changed:
        others = [one for one in port.security_groups if one != group_id]
        ports.update(conn, port.id, security_groups=[*others, group_id] if member else others)
    network_ports.refresh(conn, [port.id for port in changed])


def _add_rule(conn: Any, project: str | None, group_id: str, rule: model.Rule) -> str:
    group = rows.get(conn, group_id, project)
    if rule.remote_group_id is not None:
        rows.get(conn, rule.remote_group_id, project)
    rows.lock_project(conn, group.project_id)
    _book(rows.count_rules(conn, group.project_id), 1, model.MOST_RULES, 'security_group_rule')
    return rows.add_rules(conn, group_id, group.project_id, [rule])[0]


def _book(used: int, more: int, limit: int, resource: str) -> None:
    if used + more > limit:
        raise errors.OverQuota(resource=resource, requested=more, used=used, limit=limit)
