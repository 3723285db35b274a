# SPDX-License-Identifier: Apache-2.0
"""The part of the network port that is about floating addresses, its embedded twin, and one where there are none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from nova_lite import errors
from nova_lite.embedded.floating_ip_store import FloatingIpStore


@dataclass(frozen=True)
class FloatingIp:
    """An address outside, and which address of which server it leads to, if any."""

    id: str
    address: str
    pool: str
    fixed_address: str | None = None
    server_uuid: str | None = None
    port_id: str | None = None


class FloatingIpClient(Protocol):
    """What the program asks of floating addresses on behalf of ``context``; what it cannot see is not found."""

    def pools(self, context: Any) -> list[str]:
        """The names of what floating addresses come from."""

    def all(self, context: Any) -> list[FloatingIp]:
        """Those of the project."""

    def get(self, context: Any, floating_id: str) -> FloatingIp: ...

    def by_address(self, context: Any, address: str) -> FloatingIp: ...

    def allocate(self, context: Any, pool: str | None) -> FloatingIp:
        """A new one, of a pool by name or id, or of the first pool."""

    def release(self, context: Any, floating_id: str) -> None:
        """It is nobody's any more, wherever it led to."""

    def lead_to(self, context: Any, floating_id: str, port_id: str | None, fixed_address: str | None = None) -> None:
        """It leads to an address of a port and to nothing else; without a port to nothing."""


class EmbeddedFloatingIps:
    """The store of this installation."""

    def __init__(self, store: FloatingIpStore) -> None:
        self._store = store

    def pools(self, context: Any) -> list[str]:
        return [row.name for row in self._store.pools()]

    def all(self, context: Any) -> list[FloatingIp]:
        return self._models(self._store.find(context.project_id))

    def get(self, context: Any, floating_id: str) -> FloatingIp:
        return self._models([self._store.get(_reach(context), floating_id)])[0]

    def by_address(self, context: Any, address: str) -> FloatingIp:
        found = self._store.find(_reach(context), {'address': address})
        if not found:
            raise errors.FloatingIpNotFound(floating_ip=address)
        return self._models(found)[0]

    def allocate(self, context: Any, pool: str | None) -> FloatingIp:
        for row in self._store.pools():
            if pool in (None, row.name, row.id):
                return self._models([self._store.allocate(context.project_id, row.id)])[0]
        raise errors.FloatingIpPoolNotFound(pool=pool or '')

    def release(self, context: Any, floating_id: str) -> None:
        self._store.release(_reach(context), floating_id)

    def lead_to(self, context: Any, floating_id: str, port_id: str | None, fixed_address: str | None = None) -> None:
        self._store.update(_reach(context), floating_id, {'port_id': port_id, 'fixed_address': fixed_address})

    def _models(self, rows: Sequence[Any]) -> list[FloatingIp]:
        pools = {row.id: row.name for row in self._store.pools()}
        servers = self._store.servers(rows)
        return [FloatingIp(row.id, row.address, pools.get(row.network_id, row.network_id),
                           row.fixed_address if row.port_id else None, servers.get(row.port_id), row.port_id)
                for row in rows]


def _reach(context: Any) -> str | None:
    """The project whose addresses the caller reaches; None is all of them."""
    return None if context.is_admin else context.project_id


class NoFloatingIps:
    """Where there is no network service."""

    def pools(self, context: Any) -> list[str]:
        return []

    def all(self, context: Any) -> list[FloatingIp]:
        return []

    def get(self, context: Any, floating_id: str) -> NoReturn:
        raise errors.FloatingIpNotFound(floating_ip=floating_id)

    def by_address(self, context: Any, address: str) -> NoReturn:
        raise errors.FloatingIpNotFound(floating_ip=address)

    def allocate(self, context: Any, pool: str | None) -> NoReturn:
        raise errors.FloatingIpPoolNotFound('No network service is configured here: there is no floating address.')

    def release(self, context: Any, floating_id: str) -> NoReturn:
        raise errors.FloatingIpNotFound(floating_ip=floating_id)

    def lead_to(self, context: Any, floating_id: str, port_id: str | None,
                fixed_address: str | None = None) -> NoReturn:
        raise errors.FloatingIpNotFound(floating_ip=floating_id)
