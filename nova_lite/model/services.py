# SPDX-License-Identifier: Apache-2.0
"""Whether a service is up, and in which availability zone it is shown."""

import datetime
from collections.abc import Mapping
from typing import Any

COMPUTE = 'nova-compute'

# They serve the API itself: whoever reads the answer knows that they are up.
API_BINARIES = frozenset(('nova-osapi_compute', 'nova-metadata'))


def is_up(service: Any, alive_since: datetime.datetime) -> bool:
    """Whether it was heard since then, and nobody called it down."""
    return not service.forced_down and service.last_seen_at is not None and service.last_seen_at >= alive_since


def zone_of(service: Any, zones: Mapping[str, str], default: str, internal: str) -> str:
    """The zone of a service, where ``zones`` are those that aggregates give to hosts."""
    return zones.get(service.host, default) if service.binary == COMPUTE else internal
