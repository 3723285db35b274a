# SPDX-License-Identifier: Apache-2.0
"""The compute API: the list of its rooms, and the application made of them.

Each room is a module with RULES (policy) and ENDPOINTS (one row for each operation).  What is asked
most comes first, because the router tries paths in this order.
"""

from types import ModuleType
from typing import Any

from oslo_policy import policy as oslo_policy

from nova_lite import errors
from nova_lite.api import (
    aggregates,
    assisted_volume_snapshots,
    availability_zones,
    console_auth_tokens,
    extensions,
    flavor_access,
    flavor_extra_specs,
    flavors,
    gone,
    history,
    hosts,
    hypervisors,
    instance_actions,
    interfaces,
    keypairs,
    limits,
    migrations,
    openapi,
    quotas,
    security_groups,
    server_diagnostics,
    server_external_events,
    server_groups,
    server_migrations,
    server_password,
    server_shares,
    server_topology,
    servers,
    services,
    simple_tenant_usage,
    usage_audit_log,
    versions,
    volume_attachments,
)
from nova_lite.api.proxies import baremetal_nodes, floating_ips, images, networks, volumes
from nova_lite.wsgi import microversion, provided, router
from nova_lite.wsgi.endpoint import Endpoint

ROOMS: tuple[ModuleType, ...] = (
    servers,
    flavors,
    keypairs,
    instance_actions,
    interfaces,
    volume_attachments,
    hypervisors,
    services,
    availability_zones,
    limits,
    server_groups,
    quotas,
    aggregates,
    simple_tenant_usage,
    server_external_events,
    flavor_extra_specs,
    flavor_access,
    hosts,
    usage_audit_log,
    assisted_volume_snapshots,
    gone,
    images,
    networks,
    security_groups,
    floating_ips,
    baremetal_nodes,
    volumes,
    extensions,
    openapi,
    versions,
    server_diagnostics,
    server_password,
    server_topology,
    server_shares,
    console_auth_tokens,
    migrations,
    server_migrations,
)

REDIRECTS = {'': '/'}


def endpoints() -> list[Endpoint]:
    """Every operation of the API."""
    return [row for room in ROOMS for row in room.ENDPOINTS]


openapi.rows_of = endpoints


def list_rules() -> list[oslo_policy.RuleDefault]:
    """Every policy rule of the API, for the engine and for the sample file."""
    return [rule for room in ROOMS for rule in room.RULES]


def check_history(rows: list[Endpoint]) -> None:
    """errors.StartError when a microversion is in the history and in no table, or the other way round."""
    edges = {edge for row in rows for when in row.windows() for edge in when.edges()}
    wanted = {change.minor for change in history.HISTORY} - set(history.NO_WINDOW) - history.NOT_SERVED
    missing = wanted - edges
    unknown = edges - wanted - {history.MAXIMUM + 1}
    if missing or unknown:
        raise errors.StartError(reason=(
            f'The API tables and the history differ: no window begins or ends at {_say(missing)}, '
            f'and windows name {_say(unknown)}, which the history does not say to be served.'))


def _say(minors: set[int]) -> str:
    return ', '.join(f'2.{minor}' for minor in sorted(minors)) or 'none'


class APIRouterV21(router.Router):
    """The whole API as one WSGI application."""

    def __init__(self, services: Any) -> None:
        rows = endpoints()
        check_history(rows)
        super().__init__(rows, microversion.Versions(history.MAXIMUM), services, REDIRECTS)

    @classmethod
    def factory(cls, global_conf: dict[str, str], **local_conf: str) -> 'APIRouterV21':
        """Paste application factory."""
        return cls(provided.get('services'))
