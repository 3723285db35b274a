# SPDX-License-Identifier: Apache-2.0
"""What an administrator does to a service: take it out of use, call it down, forget it."""

from dataclasses import dataclass
from typing import Any

from nova_lite import errors
from nova_lite.db.queries import aggregates, servers, services
from nova_lite.model.services import COMPUTE


@dataclass(frozen=True)
class ChangeService:
    """What is None stays; a service that is disabled already keeps its reason unless a new one is given."""

    service_id: int
    disabled: bool | None = None
    reason: str | None = None
    forced_down: bool | None = None


def change(deps: Any, command: ChangeService) -> Any:
    """The service's row afterwards."""
    return deps.db.transaction(_change, deps, command)


def _change(conn: Any, deps: Any, command: ChangeService) -> Any:
    if command.disabled is not None:
        reason = command.reason
        if reason is None and command.disabled:
            reason = services.get(conn, command.service_id).disabled_reason
        services.set_disabled(conn, command.service_id, command.disabled, reason)
    if command.forced_down is not None:
        services.set_forced_down(conn, command.service_id, command.forced_down)
    deps.notifications.thing(conn, 'service.update', command.service_id)
    return services.get(conn, command.service_id)


def delete(deps: Any, service: Any) -> None:
    """Forget a service and its host; errors.Conflict while the host has servers."""
    deps.db.transaction(_delete, deps, service)


def _delete(conn: Any, deps: Any, service: Any) -> None:
    if service.binary == COMPUTE:
        count = servers.count_by_host(conn, [service.host])[service.host]
        if count:
            raise errors.Conflict(reason=f'Host {service.host} has {count} servers; move or delete them first.')
        for aggregate in aggregates.page(conn, service.host):
            aggregates.remove_host(conn, aggregate.id, service.host)
    # A server that is being placed here right now has an allocation, which the database does not let go.
    deps.notifications.thing(conn, 'service.delete', service.id)
    services.delete(conn, service.id)
