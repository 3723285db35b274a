# SPDX-License-Identifier: Apache-2.0
"""The policies of server groups, held against where the members are."""

import datetime
from collections.abc import Iterator

import sqlalchemy as sa

from nova_lite.db import tables
from nova_lite.db.engine import Conn
from nova_lite.db.queries.verify.base import Check, Finding
from nova_lite.model.groups import AFFINITY, ANTI_AFFINITY, MAX_PER_HOST

GROUPS = tables.server_groups
MEMBERS = tables.server_group_members
SERVERS = tables.servers

_PLACED = (GROUPS.join(MEMBERS, MEMBERS.c.group_id == GROUPS.c.id)
           .join(SERVERS, SERVERS.c.uuid == MEMBERS.c.server_uuid))
_COUNTED = sa.and_(SERVERS.c.deleted == sa.false(), SERVERS.c.host.is_not(None))


def find(conn: Conn, now: datetime.datetime) -> Iterator[Finding]:
    """Groups with too many members on a host, or on too many hosts."""
    number = sa.func.count()
    crowded = sa.select(GROUPS.c.uuid, GROUPS.c.rules, SERVERS.c.host, number).select_from(_PLACED).where(
        _COUNTED, GROUPS.c.policy == ANTI_AFFINITY).group_by(
        GROUPS.c.uuid, GROUPS.c.rules, SERVERS.c.host).having(number > 1)
    for group, rules, host, members in conn.execute(crowded):
        most = int((rules or {}).get(MAX_PER_HOST, 1))
        if members > most:
            yield Finding('groups', f'server group {group}',
                          f'{members} members are on host {host}, where {most} may be')
    places = sa.func.count(sa.distinct(SERVERS.c.host))
    scattered = sa.select(GROUPS.c.uuid, places).select_from(_PLACED).where(
        _COUNTED, GROUPS.c.policy == AFFINITY).group_by(GROUPS.c.uuid).having(places > 1)
    for group, hosts in conn.execute(scattered):
        yield Finding('groups', f'server group {group}', f'its members are on {hosts} hosts and must be on one')


CHECKS = (Check('groups', 'The members of every server group are where its policy wants them.', find),)
