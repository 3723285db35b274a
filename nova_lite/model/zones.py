# SPDX-License-Identifier: Apache-2.0
"""How a request says where a server should be."""

from dataclasses import dataclass

from nova_lite import errors


@dataclass(frozen=True)
class Place:
    """A zone and, from an administrator, a host or its hypervisor's name."""

    zone: str | None = None
    host: str | None = None
    node: str | None = None

    @property
    def forced(self) -> bool:
        """Whether more than a zone is asked for."""
        return self.host is not None or self.node is not None


def parse(text: str | None) -> Place:
    """``zone``, ``zone:host``, ``zone:host:node`` or ``zone::node``."""
    if not text:
        return Place()
    zone, *rest = text.split(':')
    if len(rest) > 2:
        raise errors.Invalid(
            reason=f'availability_zone {text!r} has too many colons; it is zone, zone:host or zone:host:node.')
    host, node = [*rest, '', ''][:2]
    return Place(zone or None, host or None, node or None)
