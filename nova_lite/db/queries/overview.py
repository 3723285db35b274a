# SPDX-License-Identifier: Apache-2.0
"""Counts for a person who looks at a running installation."""

from dataclasses import dataclass, field
from datetime import timedelta

import sqlalchemy as sa
from oslo_utils import timeutils

from nova_lite.db import tables
from nova_lite.db.engine import Database


@dataclass(frozen=True)
class Counts:
    """Servers by vm_state, hosts, and hosts that have reported lately."""

    hosts: int
    hosts_up: int
    servers: dict[str, int] = field(default_factory=dict)


def counts(db: Database, lately: int = 60) -> Counts:
    """Count what is there now; a host is up when it reported within ``lately`` seconds."""
    services, servers = tables.services.c, tables.servers.c
    up = sa.and_(services.last_seen_at > timeutils.utcnow() - timedelta(seconds=lately), ~services.forced_down)
    of_computes = sa.select(sa.func.count(), sa.func.sum(sa.case((up, 1), else_=0))).where(
        services.binary == 'nova-compute')
    by_state = sa.select(servers.vm_state, sa.func.count()).where(~servers.deleted).group_by(servers.vm_state)
    with db.read() as conn:
        hosts, hosts_up = conn.execute(of_computes).one()
        return Counts(hosts, int(hosts_up or 0), {state: number for state, number in conn.execute(by_state)})
