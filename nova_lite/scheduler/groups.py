# SPDX-License-Identifier: Apache-2.0
"""Server groups: where the other members are, and what that means for the next one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nova_lite.db.queries import server_groups
from nova_lite.model.groups import AFFINITY, ANTI_AFFINITY, MAX_PER_HOST, SOFT_AFFINITY, SOFT_ANTI_AFFINITY

HINT = 'group'


@dataclass(frozen=True)
class Group:
    """The group of a server; ``members`` counts the others of it on each host that has any."""

    uuid: str
    policy: str
    most_per_host: int = 1
    members: Mapping[str, int] = field(default_factory=dict)

    @property
    def together(self) -> tuple[str, ...]:
        """The only hosts that will do; empty if the first member may go anywhere."""
        return tuple(sorted(self.members)) if self.policy == AFFINITY else ()

    @property
    def apart(self) -> tuple[str, ...]:
        """The hosts that have as many members as they may."""
        if self.policy != ANTI_AFFINITY:
            return ()
        return tuple(sorted(host for host, number in self.members.items() if number >= self.most_per_host))

    def attraction(self, host: str) -> int:
        """How many members draw the next one to the host, which it can do without."""
        return self.members.get(host, 0) if self.policy == SOFT_AFFINITY else 0

    def repulsion(self, host: str) -> int:
        """How many members keep the next one from the host, which it can bear."""
        return self.members.get(host, 0) if self.policy == SOFT_ANTI_AFFINITY else 0


def lock(conn: Any, server_uuid: str, hints: Mapping[str, Any]) -> Group | None:
    """The group of a server; no other member is placed before this transaction ends."""
    # Servers get into a group by the hint alone, so that the others need no query.
    row = server_groups.lock_of_server(conn, server_uuid) if HINT in hints else None
    return None if row is None else _group(conn, row, server_uuid)


def look(conn: Any, server_uuid: str, hints: Mapping[str, Any]) -> Group | None:
    """The group that a server would be in, as it is now."""
    return _group(conn, server_groups.get(conn, hints[HINT]), server_uuid) if hints.get(HINT) else None


def _group(conn: Any, row: Any, server_uuid: str) -> Group:
    return Group(row.uuid, row.policy, int(row.rules.get(MAX_PER_HOST, 1)),
                 server_groups.places(conn, row.id, server_uuid))
