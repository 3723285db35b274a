# SPDX-License-Identifier: Apache-2.0
"""What the program itself asks of the embedded network service: which networks there are, and ports for servers."""

import uuid
from collections.abc import Collection, Sequence
from typing import Any

from oslo_config import cfg

from nova_lite import errors
from nova_lite.db.engine import Database
from nova_lite.db.queries import floating_ips, networks, ports, security_groups, servers
from nova_lite.embedded import addresses, network_ports
from nova_lite.embedded.floating_ip_store import ensure_public
from nova_lite.embedded.security_group_store import GroupStore
from nova_lite.model import states
from nova_lite.model.networks import OWNER, Network, Port, Subnet, Wish

PRIVATE = 'private'
#: The owner of what belongs to no project.
NOBODY = ''
_SPACE = uuid.UUID('7a1d5fd4-6f6c-5f3e-9a62-3f0d6c1f2b90')


class NetworkStore:
    """The tables of the embedded network service; each change is one transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._groups = GroupStore(db)

    def ensure_defaults(self, conf: cfg.ConfigOpts) -> None:
        """The networks that are there from the beginning, if there is no network at all."""
        with self._db.read() as conn:
            present = networks.page(conn)
        if not present:
            # Several processes may start at the same time.
            network_ports.retried(self._db, ensure_defaults, conf)

    # -------------------------------------------------------------------- reads

    def usable(self, project_id: str) -> list[Network]:
        """The networks that a project may use without naming them."""
        with self._db.read() as conn:
            return self._networks(conn, networks.usable(conn, project_id))

    def named(self, context: Any, ids: Collection[str]) -> list[Network]:
        """Those of some networks that the caller sees."""
        if not ids:
            return []
        with self._db.read() as conn:
            return self._networks(conn, networks.page(conn, {'id': list(ids)}, seen_by(context)))

    def visible(self, context: Any) -> list[Network]:
        """All networks that the caller sees."""
        with self._db.read() as conn:
            return self._networks(conn, networks.page(conn, seen_by=seen_by(context)))

    def subnets(self, network_id: str) -> list[Subnet]:
        """The subnets of a network."""
        with self._db.read() as conn:
            return [network_ports.subnet_model(row) for row in networks.subnets(conn, {'network_id': network_id})]

    def port(self, context: Any, port_id: str) -> Port:
        """One port that the caller sees."""
        with self._db.read() as conn:
            found = network_ports.models(conn, ports.page(conn, {'id': port_id}, seen_by(context)))
        if not found:
            raise errors.PortNotFound(port=port_id)
        return found[0]

    def ports(self, server_uuid: str) -> list[Port]:
        """The ports of a server."""
        with self._db.read() as conn:
            return network_ports.models(conn, ports.of_device(conn, server_uuid))

    def is_free(self, network_id: str, address: str) -> bool:
        """Whether nobody has an address of a network; ``Invalid`` if no subnet of it has it."""
        with self._db.read() as conn:
            subnet, wanted = network_ports.subnet_with(
                network_id, networks.subnets(conn, {'network_id': network_id}), address)
            return wanted != subnet.gateway_ip and not ports.taken(conn, subnet.id, (wanted,))

    @staticmethod
    def _networks(conn: Any, rows: Sequence[Any]) -> list[Network]:
        subnets = networks.subnets_of(conn, [row.id for row in rows])
        return [network_ports.network_model(row, subnets[row.id]) for row in rows]

    # ------------------------------------------------------------------ changes

    def plug(self, server: Any, host: str | None, wishes: Sequence[Wish], groups: Sequence[str]) -> list[Port]:
        """The ports that a server wishes, bound to ``host``; new ones have ``groups``, or the project's default one."""
        if wishes and not groups:
            groups = (self._groups.default(server.project_id),)
        found: list[Port] = network_ports.retried(self._db, _plug, server, host, wishes, groups)
        return found

    def bind(self, server_uuid: str, host: str | None) -> list[Port]:
        """All ports of a server on another host, or on none."""
        found: list[Port] = self._db.transaction(_bind, server_uuid, host)
        return found

    def unplug(self, server_uuid: str, port_id: str | None = None) -> None:
        """Take a port, or all ports, from a server."""
        self._db.transaction(_unplug, server_uuid, port_id)

    def add_fixed_ip(self, server_uuid: str, network_id: str) -> Port:
        """One address more for the first port of a server on a network."""
        found: Port = network_ports.retried(self._db, _add_fixed_ip, server_uuid, network_id)
        return found

    def remove_fixed_ip(self, server_uuid: str, address: str) -> Port:
        """One address less for the port of a server that has it."""
        found: Port = self._db.transaction(_remove_fixed_ip, server_uuid, address)
        return found


def seen_by(context: Any) -> str | None:
    """The project whose things a caller sees; None for an administrator, who sees all."""
    return None if context.is_admin else str(context.project_id)


def ensure_defaults(conn: Any, conf: cfg.ConfigOpts) -> None:
    """The network that every project may use and the one that leads outside, if there is no network at all."""
    if networks.page(conn):
        return
    cidr = str(addresses.network_of(conf.embedded.network_cidr))
    network_id = str(uuid.uuid5(_SPACE, PRIVATE))
    networks.insert(conn, {
        'id': network_id, 'project_id': NOBODY, 'name': PRIVATE, 'description': '', 'mtu': conf.embedded.network_mtu,
        'admin_state_up': True, 'shared': True, 'external': False})
    gateway = addresses.first_of(cidr)
    networks.insert_subnet(conn, {
        'id': str(uuid.uuid5(_SPACE, f'{PRIVATE} subnet')), 'network_id': network_id, 'project_id': NOBODY,
        'name': f'{PRIVATE}-subnet', 'description': '', 'ip_version': addresses.network_of(cidr).version,
        'cidr': cidr, 'gateway_ip': gateway, 'enable_dhcp': True, 'pools': addresses.pools_of(cidr, gateway),
        'dns_nameservers': list(conf.embedded.network_dns), 'host_routes': []})
    ensure_public(conn, conf)


_JUDGED = frozenset(('uuid', 'vm_state', 'task_state', 'host', 'deleted'))


def _plug(conn: Any, server: Any, host: str | None, wishes: Sequence[Wish], groups: Sequence[str]) -> list[Port]:
    _refuse_gone(conn, server.uuid)
    security_groups.hold(conn, groups)
    present = ports.of_device(conn, server.uuid)
    owner = OWNER + (server.availability_zone or 'None')
    bound = {'host': host, 'status': network_ports.ACTIVE if host else network_ports.DOWN, 'device_owner': owner}
    found = []
    for wish in wishes:
        known = _present(present, wish)
        if known is not None:
            ports.update(conn, known.id, **bound)
            found.append(known.id)
            continue
        taken = {'device_id': server.uuid, 'slot': wish.slot, 'tag': wish.tag}
        if wish.port_id is not None:
            found.append(_take(conn, wish.port_id, {**bound, **taken}))
        else:
            found.append(network_ports.make(conn, network_ports.NewPort(
                network_id=str(wish.network_id), project_id=server.project_id, ours=True, host=host,
                device_owner=owner, security_groups=tuple(groups), fixed=_fixed(wish), **taken)))
    by_id = {port.id: port for port in network_ports.models(conn, ports.page(conn, {'id': found}))}
    return [by_id[port_id] for port_id in found]


def _refuse_gone(conn: Any, server_uuid: str) -> None:
    """A server that is deleted or was not built gets nothing more: its ports are taken back once."""
    row = servers.hold(conn, server_uuid, _JUDGED)
    if row is None:
        return
    not_built = row.vm_state == states.ERROR and row.host is None
    if row.deleted or row.task_state == states.DELETING or not_built:
        raise errors.ServerNotFound(server=server_uuid)


def _present(present: Sequence[Any], wish: Wish) -> Any:
    for row in present:
        if row.slot == wish.slot and wish.port_id in (None, row.id):
            return row
    return None


def _fixed(wish: Wish) -> tuple[network_ports.Fixed, ...] | None:
    return None if wish.fixed_ip is None else ((None, wish.fixed_ip),)


def _take(conn: Any, port_id: str, values: dict[str, Any]) -> str:
    row = ports.lock(conn, port_id)
    if row is None:
        raise errors.PortNotFound(port=port_id)
    if row.device_id not in ('', values['device_id']):
        raise errors.PortInUse(port=port_id, device=row.device_id)
    ports.update(conn, port_id, **values)
    return port_id


def _bind(conn: Any, server_uuid: str, host: str | None) -> list[Port]:
    ports.update_of_device(conn, server_uuid, host=host,
                           status=network_ports.ACTIVE if host else network_ports.DOWN)
    return network_ports.models(conn, ports.of_device(conn, server_uuid))


def _unplug(conn: Any, server_uuid: str, port_id: str | None) -> None:
    network_ports.let_go(conn, [row for row in ports.of_device(conn, server_uuid) if port_id in (None, row.id)])


def _add_fixed_ip(conn: Any, server_uuid: str, network_id: str) -> Port:
    row = next((row for row in ports.of_device(conn, server_uuid) if row.network_id == network_id), None)
    if row is None:
        raise errors.NotFound(f'Server {server_uuid} has no port on network {network_id}.')
    networks.hold(conn, network_id)
    ports.lock(conn, row.id)
    position = max((one.position for one in ports.addresses(conn, [row.id])[row.id]), default=-1) + 1
    ports.give(conn, row.id, network_ports.choose(conn, network_id, ((None, None),)), position)
    return network_ports.models(conn, [row])[0]


def _remove_fixed_ip(conn: Any, server_uuid: str, address: str) -> Port:
    wanted = str(addresses.address_of(address))
    rows = {row.id: row for row in ports.of_device(conn, server_uuid)}
    for port_id, given in ports.addresses(conn, list(rows)).items():
        if wanted in {one.address for one in given}:
            ports.take_back(conn, port_id, wanted)
            floating_ips.let_go_of(conn, port_id)
            return network_ports.models(conn, [rows[port_id]])[0]
    raise errors.Invalid(reason=f'Server {server_uuid} has no fixed address {wanted}.')
