# SPDX-License-Identifier: Apache-2.0
"""Changes that need no worker: names, locks, metadata, tags, a state that an administrator resets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.db.queries import actions, quotas, servers, tags
from nova_lite.model import quotas as quota_model
from nova_lite.model import states
from nova_lite.model.quotas import UNLIMITED
from nova_lite.ops.base import NEEDED, Deps, action_row, judge

UNLOCK_OVERRIDE = 'os_compute_api:os-lock-server:unlock:unlock_override'
MOST_TAGS = 50


@dataclass(frozen=True)
class UpdateServer:
    """Change columns of a server: name, description, hostname, access_ip_v4, access_ip_v6, disk_config.

    ``pinned_availability_zone`` can only become None, or the zone that the server is in.
    """

    server: Any
    values: Mapping[str, Any]


@dataclass(frozen=True)
class LockServer:
    """Keep everybody but an administrator from changing a server."""

    server: Any
    reason: str | None = None


@dataclass(frozen=True)
class UnlockServer:
    """Undo a lock; ``override`` says that the caller may undo one of an administrator."""

    server: Any
    override: bool = False


@dataclass(frozen=True)
class ResetServerState:
    """Call a server ``active`` or ``error``, whatever it is."""

    server: Any
    state: str


@dataclass(frozen=True)
class SetMetadata:
    """Add entries to a server's metadata, or with ``replace`` make them all that there is."""

    server: Any
    items: Mapping[str, str]
    replace: bool = False
    override_lock: bool = False


@dataclass(frozen=True)
class DeleteMetadataItem:
    """Take one entry away."""

    server: Any
    key: str
    override_lock: bool = False


@dataclass(frozen=True)
class ReplaceTags:
    """Give a server these tags and no others."""

    server: Any
    tags: Sequence[str]


@dataclass(frozen=True)
class AddTag:
    """Give a server one more tag."""

    server: Any
    tag: str


@dataclass(frozen=True)
class DeleteTag:
    """Take one tag away."""

    server: Any
    tag: str


_COLUMNS = frozenset(('name', 'description', 'hostname', 'access_ip_v4', 'access_ip_v6', 'disk_config',
                      'pinned_availability_zone'))


def update(deps: Deps, context: RequestContext, command: UpdateServer) -> Any:
    """Store the new values; the server's row as it is then."""
    values = {name: value for name, value in command.values.items() if name in _COLUMNS}

    def store(conn: Any) -> Any:
        pinned = values.get('pinned_availability_zone')
        if pinned is not None:
            _check_zone(servers.lock(conn, command.server.uuid, _ZONES), pinned)
        if values:
            servers.update_if(conn, command.server.uuid, {'deleted': False}, **values)
            deps.notifications.updated(conn, context, command.server)
        return servers.get(conn, command.server.uuid)

    return deps.db.transaction(store)


_ZONES = frozenset(('uuid', 'availability_zone'))


def _check_zone(server: Any, pinned: str) -> None:
    if pinned != server.availability_zone:
        raise errors.Conflict(reason=f'Server {server.uuid} is in availability zone {server.availability_zone} and '
                                     f'cannot be pinned to {pinned}.')


def lock(deps: Deps, context: RequestContext, command: LockServer) -> None:
    """Lock; an owner's lock does not replace an administrator's."""
    owner = command.server.project_id == context.project_id

    def store(conn: Any) -> None:
        server = servers.lock(conn, command.server.uuid, NEEDED)
        if server.locked and owner:
            return
        actions.finish(conn, actions.insert(conn, action_row(context, server.uuid, 'lock')))
        servers.update(conn, server.uuid, locked=True, locked_by='owner' if owner else 'admin',
                       locked_reason=command.reason)
        deps.notifications.server(conn, context, 'instance.lock', server.uuid)

    deps.db.transaction(store)


def unlock(deps: Deps, context: RequestContext, command: UnlockServer) -> None:
    """Unlock; a lock of an administrator only by who may override it."""
    def store(conn: Any) -> None:
        server = servers.lock(conn, command.server.uuid, NEEDED)
        if server.locked and server.locked_by == 'admin' and not command.override:
            raise errors.Forbidden(action=UNLOCK_OVERRIDE)
        actions.finish(conn, actions.insert(conn, action_row(context, server.uuid, 'unlock')))
        servers.update(conn, server.uuid, locked=False, locked_by=None, locked_reason=None)
        deps.notifications.server(conn, context, 'instance.unlock', server.uuid)

    deps.db.transaction(store)


def reset_state(deps: Deps, context: RequestContext, command: ResetServerState) -> None:
    """Store the state; operations that are under way go on and have the last word."""
    def store(conn: Any) -> None:
        server = servers.lock(conn, command.server.uuid, NEEDED)
        if not states.is_counted(server):
            # It lives again, whatever the limits say.
            use = quota_model.use_of(server.flavor)
            quotas.give_back(conn, server.project_id, {resource: -amount for resource, amount in use.items()})
        servers.update(conn, server.uuid, vm_state=states.RESET_STATES[command.state], task_state=None,
                       deleted_at=None)
        deps.notifications.updated(conn, context, server)

    deps.db.transaction(store)


def set_metadata(deps: Deps, context: RequestContext, command: SetMetadata) -> dict[str, str]:
    """Store the entries; all that there is then."""
    known = deps.limits.of(command.server.project_id)
    with deps.db.read() as conn:
        limit = known.limit(conn, 'metadata_items', context.user_id)

    def merge(old: Mapping[str, str]) -> dict[str, str]:
        new = dict(command.items) if command.replace else {**old, **command.items}
        check_metadata(new, limit)
        return new

    return _change_metadata(deps, context, command.server, command.override_lock, merge)


def delete_metadata_item(deps: Deps, context: RequestContext, command: DeleteMetadataItem) -> None:
    """Take the entry away, or ``MetadataItemNotFound``."""
    def without(old: Mapping[str, str]) -> dict[str, str]:
        if command.key not in old:
            raise errors.MetadataItemNotFound(server=command.server.uuid, key=command.key)
        return {key: value for key, value in old.items() if key != command.key}

    _change_metadata(deps, context, command.server, command.override_lock, without)


def check_metadata(items: Mapping[str, str], limit: int) -> None:
    """``OverQuota`` if these are more entries than a server may have."""
    if limit != UNLIMITED and len(items) > limit:
        raise errors.OverQuota(resource='metadata_items', requested=len(items), used=0, limit=limit)


def _change_metadata(deps: Deps, context: RequestContext, server: Any, override_lock: bool,
                     merge: Callable[[Mapping[str, str]], dict[str, str]]) -> dict[str, str]:
    judge('metadata', server, override_lock)

    def store(conn: Any) -> dict[str, str]:
        changed: dict[str, str] = servers.change(conn, server.uuid, 'metadata', merge)
        deps.notifications.updated(conn, context, server)
        return changed

    return deps.db.transaction(store)


def replace_tags(deps: Deps, context: RequestContext, command: ReplaceTags) -> list[str]:
    """Store the tags; they come back sorted."""
    wanted = sorted(set(command.tags))
    _check_tags(command.server, len(wanted))

    def store(conn: Any) -> None:
        servers.lock(conn, command.server.uuid, NEEDED)
        tags.replace(conn, command.server.uuid, wanted)
        deps.notifications.updated(conn, context, command.server)

    deps.db.transaction(store)
    return wanted


def add_tag(deps: Deps, context: RequestContext, command: AddTag) -> bool:
    """Add the tag; False if the server had it."""
    _check_tags(command.server)

    def store(conn: Any) -> bool:
        servers.lock(conn, command.server.uuid, NEEDED)
        present = tags.page(conn, command.server.uuid)
        if command.tag in present:
            return False
        _check_tags(command.server, len(present) + 1)
        tags.add(conn, command.server.uuid, [command.tag])
        deps.notifications.updated(conn, context, command.server)
        return True

    return deps.db.transaction(store)


def delete_tag(deps: Deps, context: RequestContext, command: DeleteTag) -> None:
    """Take the tag away, or ``TagNotFound``."""
    _check_tags(command.server)

    def store(conn: Any) -> None:
        if not tags.delete(conn, command.server.uuid, command.tag):
            raise errors.TagNotFound(server=command.server.uuid, tag=command.tag)
        deps.notifications.updated(conn, context, command.server)

    deps.db.transaction(store)


def _check_tags(server: Any, count: int = 0) -> None:
    states.check('tags', server)
    if count > MOST_TAGS:
        raise errors.Invalid(reason=f'A server has at most {MOST_TAGS} tags, not {count}.')
