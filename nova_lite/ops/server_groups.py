# SPDX-License-Identifier: Apache-2.0
"""Writes to server groups; their quota is counted in the transaction that uses it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.db.queries import quotas, server_groups
from nova_lite.model.quotas import UNLIMITED
from nova_lite.ops.limits import Known
from nova_lite.ops.quotas import Owner


@dataclass(frozen=True)
class CreateGroup:
    """A group of the caller's project; ``rules`` may hold max_server_per_host."""

    name: str
    policy: str
    rules: Mapping[str, int] = field(default_factory=dict)


def create(deps: Any, context: RequestContext, command: CreateGroup) -> Any:
    """The new group's row, or errors.OverQuota."""
    if context.project_id is None or context.user_id is None:
        raise errors.Invalid(reason='Server groups belong to a project and a user; this token names none.')
    known = deps.limits.of(context.project_id)
    return deps.db.transaction(_create, deps, known, (context.project_id, context.user_id), command)


def _create(conn: Any, deps: Any, known: Known, owner: tuple[str, str], command: CreateGroup) -> Any:
    project_id, user_id = owner
    # The row of the project's books stands for its list of groups, which may be empty and is then nothing to lock.
    quotas.usage_locked(conn, project_id)
    limits = known.effective(conn, user_id)
    _check('server_groups', 1, server_groups.count(conn, project_id), limits.project['server_groups'])
    if 'server_groups' in limits.own:
        _check('server_groups', 1, server_groups.count(conn, project_id, user_id), limits.own['server_groups'])
    uuid = server_groups.create(conn, {
        'project_id': project_id, 'user_id': user_id, 'name': command.name, 'policy': command.policy,
        'rules': dict(command.rules)})
    deps.notifications.thing(conn, 'server_group.create', uuid)
    return server_groups.get(conn, uuid)


def delete(deps: Any, uuid: str) -> None:
    """The members stay where they are, and are free of the policy."""
    def remove(conn: Any) -> None:
        deps.notifications.thing(conn, 'server_group.delete', uuid)
        server_groups.delete(conn, uuid)

    deps.db.transaction(remove)


def lock(conn: Any, context: RequestContext, uuid: str) -> Any:
    """The group that new servers are to join; errors.Invalid unless it is there for the caller."""
    try:
        group = server_groups.lock(conn, uuid)
    except errors.ServerGroupNotFound as error:
        # What the path names is not missing; a value in the body is wrong.
        raise errors.Invalid(reason=str(error)) from None
    if group.project_id != context.project_id and not context.is_admin:
        raise errors.Invalid(reason=f'There is no server group {uuid}.')
    return group


def join(conn: Any, group: Any, owner: Owner, server_uuids: Collection[str]) -> None:
    """Put new servers of a user into a locked group, or raise errors.OverQuota."""
    _check('server_group_members', len(server_uuids), server_groups.count_members(conn, group.id, owner.user_id),
           owner.limits.user['server_group_members'])
    server_groups.add_members(conn, group.id, server_uuids)


def _check(resource: str, wanted: int, used: int, limit: int) -> None:
    if limit != UNLIMITED and used + wanted > limit:
        raise errors.OverQuota(resource=resource, requested=wanted, used=used, limit=limit)
