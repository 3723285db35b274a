# SPDX-License-Identifier: Apache-2.0
"""The port to networks, its embedded twin on the store of this installation, and one where there are none."""

from collections.abc import Collection, Sequence
from typing import Any, NoReturn, Protocol

from oslo_config import cfg

from nova_lite import errors
from nova_lite.clients.floating_ip import EmbeddedFloatingIps, FloatingIpClient, NoFloatingIps
from nova_lite.clients.security_group import EmbeddedSecurityGroups, NoSecurityGroups, SecurityGroupClient
from nova_lite.embedded.floating_ip_store import FloatingIpStore
from nova_lite.embedded.network_store import NetworkStore
from nova_lite.embedded.security_group_store import GroupStore
from nova_lite.model.networks import Network, Port, Subnet, Wish

NO_NETWORKS = 'No network service is configured here.'


class NetworkClient(Protocol):
    """What the program asks of a network service on behalf of ``context``.

    Nothing here may be called in a transaction.  What a project cannot see is ``NetworkNotFound`` or
    ``PortNotFound``; ``Unavailable`` when the service does not answer.  ``server`` has uuid, project_id and
    availability_zone.  All that changes ports may be asked for again: it says how things are to be.
    """

    @property
    def is_there(self) -> bool:
        """Whether there is a network service at all."""

    @property
    def tells_servers(self) -> bool:
        """Whether the rows of servers follow their ports by themselves."""

    def prepare(self, conf: cfg.ConfigOpts) -> None:
        """What has to be there before the first request, once the schema is."""

    @property
    def groups(self) -> SecurityGroupClient:
        """Its security groups."""

    @property
    def floating(self) -> FloatingIpClient:
        """Its floating addresses."""

    def networks(self, context: Any, ids: Collection[str] | None = None) -> list[Network]:
        """The networks that the project may use: its own and shared ones; of ``ids``, those that it sees."""

    def visible(self, context: Any) -> list[Network]:
        """All networks that the caller sees, those that lead outside among them."""

    def network(self, context: Any, network_id: str) -> Network: ...

    def make_own(self, context: Any) -> Network | None:
        """The network that is made for a project which has none; None where none is made by itself."""

    def subnets(self, context: Any, network_id: str) -> list[Subnet]: ...

    def port(self, context: Any, port_id: str) -> Port: ...

    def ports(self, context: Any, server_uuid: str) -> list[Port]:
        """The ports of a server, in the order of their slots."""

    def is_free(self, context: Any, network_id: str, address: str) -> bool:
        """Whether an address can be had on a network; ``Invalid`` if no subnet of it has it."""

    def plug(self, context: Any, server: Any, host: str | None, wishes: Sequence[Wish],
             groups: Sequence[str] = ()) -> list[Port]:
        """The ports as wished, the server's and bound to ``host``; made where there was none for the slot.

        All of them or none: what was made is gone again if one of them cannot be had.
        """

    def bind(self, context: Any, server_uuid: str, host: str | None) -> list[Port]:
        """All ports of the server are on ``host``, or on none."""

    def unplug(self, context: Any, server_uuid: str, port_id: str) -> None:
        """The server has no such port: one that was made for it is gone, another one is free again."""

    def release(self, context: Any, server_uuid: str) -> None:
        """The server has no ports at all."""

    def add_fixed_ip(self, context: Any, server_uuid: str, network_id: str) -> Port:
        """The first port of the server on the network has one address more."""

    def remove_fixed_ip(self, context: Any, server_uuid: str, address: str) -> Port:
        """The port of the server that has the address does not have it; ``Invalid`` if none does."""


class EmbeddedNetworks:
    """The store of this installation."""

    is_there = tells_servers = True

    def __init__(self, db: Any) -> None:
        self._store = NetworkStore(db)
        self.groups: SecurityGroupClient = EmbeddedSecurityGroups(GroupStore(db))
        self.floating: FloatingIpClient = EmbeddedFloatingIps(FloatingIpStore(db))

    def prepare(self, conf: cfg.ConfigOpts) -> None:
        self._store.ensure_defaults(conf)

    def networks(self, context: Any, ids: Collection[str] | None = None) -> list[Network]:
        return self._store.usable(context.project_id) if ids is None else self._store.named(context, ids)

    def visible(self, context: Any) -> list[Network]:
        return self._store.visible(context)

    def network(self, context: Any, network_id: str) -> Network:
        found = self._store.named(context, (network_id,))
        if not found:
            raise errors.NetworkNotFound(network=network_id)
        return found[0]

    def make_own(self, context: Any) -> None:
        return None

    def subnets(self, context: Any, network_id: str) -> list[Subnet]:
        return self._store.subnets(network_id)

    def port(self, context: Any, port_id: str) -> Port:
        return self._store.port(context, port_id)

    def ports(self, context: Any, server_uuid: str) -> list[Port]:
        return self._store.ports(server_uuid)

    def is_free(self, context: Any, network_id: str, address: str) -> bool:
        return self._store.is_free(network_id, address)

    def plug(self, context: Any, server: Any, host: str | None, wishes: Sequence[Wish],
             groups: Sequence[str] = ()) -> list[Port]:
        return self._store.plug(server, host, wishes, groups)

    def bind(self, context: Any, server_uuid: str, host: str | None) -> list[Port]:
        return self._store.bind(server_uuid, host)

    def unplug(self, context: Any, server_uuid: str, port_id: str) -> None:
        self._store.unplug(server_uuid, port_id)

    def release(self, context: Any, server_uuid: str) -> None:
        self._store.unplug(server_uuid)

    def add_fixed_ip(self, context: Any, server_uuid: str, network_id: str) -> Port:
        return self._store.add_fixed_ip(server_uuid, network_id)

    def remove_fixed_ip(self, context: Any, server_uuid: str, address: str) -> Port:
        return self._store.remove_fixed_ip(server_uuid, address)


class NoNetworks:
    """Where there is no network service: nothing is there, and whatever needs it is refused."""

    is_there = False
    tells_servers = True
    groups: SecurityGroupClient = NoSecurityGroups()
    floating: FloatingIpClient = NoFloatingIps()

    def prepare(self, conf: cfg.ConfigOpts) -> None:
        """Nothing has to be there."""

    def networks(self, context: Any, ids: Collection[str] | None = None) -> list[Network]:
        return []

    def visible(self, context: Any) -> list[Network]:
        return []

    def network(self, context: Any, network_id: str) -> NoReturn:
        raise errors.NetworkNotFound(network=network_id)

    def make_own(self, context: Any) -> None:
        return None

    def subnets(self, context: Any, network_id: str) -> list[Subnet]:
        return []

    def port(self, context: Any, port_id: str) -> NoReturn:
        raise errors.PortNotFound(port=port_id)

    def ports(self, context: Any, server_uuid: str) -> list[Port]:
        return []

    def is_free(self, context: Any, network_id: str, address: str) -> NoReturn:
        raise errors.NetworkNotFound(network=network_id)

    def plug(self, context: Any, server: Any, host: str | None, wishes: Sequence[Wish],
             groups: Sequence[str] = ()) -> list[Port]:
        if wishes:
            raise errors.Invalid(reason=NO_NETWORKS)
        return []

    def bind(self, context: Any, server_uuid: str, host: str | None) -> list[Port]:
        return []

    def unplug(self, context: Any, server_uuid: str, port_id: str) -> None:
        """There is none."""

    def release(self, context: Any, server_uuid: str) -> None:
        """There are none."""

    def add_fixed_ip(self, context: Any, server_uuid: str, network_id: str) -> NoReturn:
        raise errors.Invalid(reason=NO_NETWORKS)

    def remove_fixed_ip(self, context: Any, server_uuid: str, address: str) -> NoReturn:
        raise errors.Invalid(reason=NO_NETWORKS)


def network_client(conf: cfg.ConfigOpts, db: Any) -> NetworkClient:
    """The network service that ``conf`` names, if any."""
    if conf.embedded.network:
        return EmbeddedNetworks(db)
    options = conf.neutron
    if not (options.auth_type or options.auth_section or options.endpoint_override):
        return NoNetworks()
    from nova_lite.clients.neutron import NeutronNetworks

    return NeutronNetworks(conf)
