# SPDX-License-Identifier: Apache-2.0
"""What the hypervisors of hosts can do beside the things that all of them can."""

import sqlalchemy as sa

from nova_lite.db import tables
from nova_lite.db.engine import Conn

HOSTS = tables.hosts
_OF_HOST = sa.select(HOSTS.c.capabilities).where(HOSTS.c.host == sa.bindparam('of_host'))


def can(conn: Conn, host: str, capability: str) -> bool:
    """Whether the driver of the host has this optional port; one that never said what it has may have it."""
    told = conn.execute(_OF_HOST, {'of_host': host}).scalar()
    return told is None or capability in told
