# SPDX-License-Identifier: Apache-2.0
"""The books of what projects use, held against their servers and open resizes."""

import datetime
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from nova_lite.db import tables
from nova_lite.db.engine import Conn
from nova_lite.db.queries import quotas
from nova_lite.db.queries.verify.base import Check, Finding, differences
from nova_lite.model.quotas import RESOURCES

USAGES = tables.quota_usages
_NOTHING = dict.fromkeys(RESOURCES, 0)


def find(conn: Conn, now: datetime.datetime) -> Iterator[Finding]:
    """Projects whose use is not what their servers make it."""
    counted = quotas.recount(conn)
    booked = {row.project_id: _of(row) for row in conn.execute(sa.select(USAGES))}
    for project in sorted({*counted, *booked}):
        problem = differences(counted.get(project, _NOTHING), booked.get(project, _NOTHING))
        if problem:
            yield Finding('quota', f'project {project}', problem, {'project': project})


def repair(conn: sa.Connection, finding: Finding, now: datetime.datetime) -> str:
    """Book what is counted; who books or gives back at the same time waits, and then changes the right numbers."""
    project = finding.key['project']
    booked = quotas.usage_locked(conn, project)
    counted = quotas.recount(conn, project).get(project, _NOTHING)
    if booked == counted:
        return ''
    conn.execute(sa.update(USAGES).where(USAGES.c.project_id == project).values(**counted))
    return 'booked ' + ', '.join(f'{counted[name]} {name}' for name in RESOURCES)


def _of(row: Any) -> dict[str, int]:
    return {name: int(getattr(row, name)) for name in RESOURCES}


CHECKS = (Check('quota', 'Every project has booked what its servers and open resizes use.', find, repair),)
