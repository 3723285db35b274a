# SPDX-License-Identifier: Apache-2.0
"""The part of the network port that is about security groups, its embedded twin, and one where there are none."""

from collections.abc import Iterable
from typing import Any, NoReturn, Protocol

from nova_lite import errors
from nova_lite.embedded.security_group_store import Found, GroupStore
from nova_lite.model.security_groups import DEFAULT, Group, Rule, StoredRule

_RULE = tuple(Rule.__dataclass_fields__)


class SecurityGroupClient(Protocol):
    """What the program asks of security groups on behalf of ``context``.

    What a project cannot see is ``SecurityGroupNotFound`` or ``SecurityGroupRuleNotFound``.
    """

    def all(self, context: Any, all_projects: bool = False) -> list[Group]: ...

    def get(self, context: Any, group_id: str) -> Group: ...

    def named(self, context: Any, name_or_id: str) -> Group:
        """The group that has this id or this name; ``SecurityGroupAmbiguous`` if several are so called."""

    def create(self, context: Any, name: str, description: str) -> Group: ...

    def update(self, context: Any, group_id: str, name: str, description: str) -> Group: ...

    def delete(self, context: Any, group_id: str) -> None: ...

    def add_rule(self, context: Any, group_id: str, rule: Rule) -> StoredRule: ...

    def delete_rule(self, context: Any, rule_id: str) -> None: ...

    def of_server(self, context: Any, server_uuid: str) -> list[Group]:
        """The groups of each port of a server; one that two ports have is there twice."""

    def add(self, context: Any, server_uuid: str, group_id: str) -> None:
        """All ports of the server are in the group."""

    def remove(self, context: Any, server_uuid: str, group_id: str) -> None:
        """No port of the server is in the group; ``NotFound`` if none was."""


class EmbeddedSecurityGroups:
    """The store of this installation."""

    def __init__(self, store: GroupStore) -> None:
        self._store = store

    def all(self, context: Any, all_projects: bool = False) -> list[Group]:
        return self._models(self._store.groups(None if all_projects and context.is_admin else context.project_id))

    def get(self, context: Any, group_id: str) -> Group:
        return self._models([self._store.get(_reach(context), group_id)])[0]

    def named(self, context: Any, name_or_id: str) -> Group:
        try:
            found = self._store.get(_reach(context), name_or_id)
        except errors.SecurityGroupNotFound:
            found = self._store.named(context.project_id, name_or_id)
        return self._models([found])[0]

    def create(self, context: Any, name: str, description: str) -> Group:
        return self._models([self._store.create(context.project_id, name, description)])[0]

    def update(self, context: Any, group_id: str, name: str, description: str) -> Group:
        return self._models([self._store.update(_reach(context), group_id, {
            'name': name, 'description': description})])[0]

    def delete(self, context: Any, group_id: str) -> None:
        self._store.delete(_reach(context), group_id)

    def add_rule(self, context: Any, group_id: str, rule: Rule) -> StoredRule:
        return self._rules([self._store.add_rule(_reach(context), group_id, rule)])[0]

    def delete_rule(self, context: Any, rule_id: str) -> None:
        self._store.delete_rule(_reach(context), rule_id)

    def of_server(self, context: Any, server_uuid: str) -> list[Group]:
        ids = self._store.of_server(server_uuid)
        known = {found.id: found for found in self._models(self._store.groups(None, {'id': ids}))} if ids else {}
        return [known[group_id] for group_id in ids if group_id in known]

    def add(self, context: Any, server_uuid: str, group_id: str) -> None:
        self._store.change_server(server_uuid, group_id, True)

    def remove(self, context: Any, server_uuid: str, group_id: str) -> None:
        self._store.change_server(server_uuid, group_id, False)

    def _models(self, found: list[Found]) -> list[Group]:
        rules = self._rules([rule for one in found for rule in one.rules])
        return [Group(one.group.id, one.group.name, one.group.description, one.group.project_id,
                      tuple(rule for rule in rules if rule.group_id == one.group.id)) for one in found]

    def _rules(self, rows: Iterable[Any]) -> list[StoredRule]:
        rows = list(rows)
        names = self._store.names([row.remote_group_id for row in rows if row.remote_group_id])
        return [StoredRule(row.id, row.group_id, row.project_id, Rule(**{name: getattr(row, name) for name in _RULE}),
                           names.get(row.remote_group_id)) for row in rows]


def _reach(context: Any) -> str | None:
    """The project whose groups the caller reaches; None is all of them."""
    return None if context.is_admin else context.project_id


class NoSecurityGroups:
    """Where there is no network service."""

    def all(self, context: Any, all_projects: bool = False) -> list[Group]:
        return []

    def get(self, context: Any, group_id: str) -> NoReturn:
        raise errors.SecurityGroupNotFound(group=group_id)

    def named(self, context: Any, name_or_id: str) -> Group:
        # Clients name this one without being asked; it changes nothing.
        if name_or_id == DEFAULT:
            return Group('', DEFAULT, '', context.project_id)
        raise errors.SecurityGroupNotFound(
            f'No network service is configured here, so there is no security group {name_or_id}.')

    def create(self, context: Any, name: str, description: str) -> NoReturn:
        _refuse()

    def update(self, context: Any, group_id: str, name: str, description: str) -> NoReturn:
        raise errors.SecurityGroupNotFound(group=group_id)

    def delete(self, context: Any, group_id: str) -> NoReturn:
        raise errors.SecurityGroupNotFound(group=group_id)

    def add_rule(self, context: Any, group_id: str, rule: Rule) -> NoReturn:
        raise errors.SecurityGroupNotFound(group=group_id)

    def delete_rule(self, context: Any, rule_id: str) -> NoReturn:
        raise errors.SecurityGroupRuleNotFound(rule=rule_id)

    def of_server(self, context: Any, server_uuid: str) -> list[Group]:
        return []

    def add(self, context: Any, server_uuid: str, group_id: str) -> NoReturn:
        _refuse()

    def remove(self, context: Any, server_uuid: str, group_id: str) -> NoReturn:
        _refuse()


def _refuse() -> NoReturn:
    raise errors.Invalid('Security groups need a network service, and none is configured here.')
