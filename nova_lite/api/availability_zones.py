# SPDX-License-Identifier: Apache-2.0
"""Availability zones: where a server can be, made of host aggregates.

A zone is available while one of its services is enabled, up or not: so it is on the wire.
Source: compute API reference, "Availability zones".
"""

from typing import Any

from nova_lite.api import shared
from nova_lite.auth import policy
from nova_lite.db.queries import aggregates, services
from nova_lite.model import services as model
from nova_lite.wsgi import kinds
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import GET, Raw

# ------------------------------------------------------------------- policy

LIST_RULE = 'os_compute_api:os-availability-zone:list'
DETAIL_RULE = 'os_compute_api:os-availability-zone:detail'

RULES = (
    policy.rule(LIST_RULE, policy.ANYBODY, 'List availability zones without their hosts.',
                ('GET', '/os-availability-zone')),
    policy.rule(DETAIL_RULE, policy.ADMIN, 'List availability zones with their hosts.',
                ('GET', '/os-availability-zone/detail')),
)

# ----------------------------------------------------------------- handlers

Zones = dict[str, list[Any]]


def _zones(call: Call) -> tuple[Zones, list[str]]:
    """The services of each available zone, and the zones in which every service is disabled."""
    conf = call.services.conf
    with call.services.db.read() as conn:
        found = services.page(conn)
        by_host = aggregates.zones_by_host(conn)
    available: Zones = {}
    disabled: list[str] = []
    for service in found:
        zone = model.zone_of(service, by_host, conf.default_availability_zone,
                             conf.internal_service_availability_zone)
        if service.disabled:
            disabled.append(zone)
        else:
            available.setdefault(zone, []).append(service)
    return dict(sorted(available.items())), sorted(set(disabled) - set(available))


_STATE = kinds.record({'available': kinds.BOOLEAN})
_SERVICE = kinds.record({'active': kinds.BOOLEAN, 'available': kinds.BOOLEAN,
                         'updated_at': kinds.maybe(kinds.TIME_US)})


def _zones_with(hosts: kinds.Kind) -> kinds.Kind:
    return kinds.under('availabilityZoneInfo', kinds.listed(kinds.record(
        {'zoneName': kinds.TEXT, 'zoneState': _STATE, 'hosts': hosts})))


def _entry(zone: str, available: bool, hosts: Any = None) -> dict[str, Any]:
    return {'zoneName': zone, 'zoneState': {'available': available}, 'hosts': hosts}


def index(call: Call) -> Raw:
    """List the availability zones that servers can be in."""
    internal = call.services.conf.internal_service_availability_zone
    available, disabled = _zones(call)
    entries = [(zone, True) for zone in available] + [(zone, False) for zone in disabled]
    return Raw({'availabilityZoneInfo': [_entry(zone, state) for zone, state in entries if zone != internal]})


def detail(call: Call) -> Raw:
    """List all availability zones with their hosts and what runs on them."""
    alive_since = shared.alive_since(call)
    available, disabled = _zones(call)
    entries = []
    for zone, members in available.items():
        hosts: dict[str, dict[str, Any]] = {}
        for service in members:
            if service.binary not in model.API_BINARIES:
                hosts.setdefault(service.host, {})[service.binary] = {
                    'active': True, 'available': model.is_up(service, alive_since),
                    'updated_at': shared.wire_time_us(service.last_seen_at)}
        entries.append(_entry(zone, True, hosts))
    return Raw({'availabilityZoneInfo': entries + [_entry(zone, False) for zone in disabled]})


ENDPOINTS = (
    GET('/os-availability-zone', index, rule=LIST_RULE, query=shared.NOTHING_KNOWN,
        reply=_zones_with(kinds.NULL)),
    GET('/os-availability-zone/detail', detail, rule=DETAIL_RULE, query=shared.NOTHING_KNOWN,
        reply=_zones_with(kinds.maybe(kinds.mapped(kinds.mapped(_SERVICE))))),
)
