# SPDX-License-Identifier: Apache-2.0
"""Floating addresses of the embedded network service: given to projects, and led to the ports of their servers.

There are no routers here, so a floating address leads to any port at once.  ``project`` is the project whose
addresses count, None for an administrator, who reaches those of all projects.
"""

import functools
import ipaddress
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from oslo_config import cfg

from nova_lite import errors
from nova_lite.db.engine import Database, Duplicate
from nova_lite.db.queries import floating_ips as rows
from nova_lite.db.queries import networks, ports
from nova_lite.embedded import addresses, network_ports
from nova_lite.embedded.network_scope import within

#: Of each project.
MOST = 50
PUBLIC = 'public'
#: What owns the port that holds a floating address.
OWNER = 'network:floatingip'
_NOBODY = ''
_SPACE = uuid.UUID('0f6d5d0e-55a1-5d1d-8c63-0f3f3b9e7c11')


class FloatingIpStore:
    """The floating addresses in the database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def pools(self) -> list[Any]:
        """The networks that floating addresses come from, the oldest first."""
        with self._db.read() as conn:
            return networks.page(conn, {'external': True})

    def find(self, project: str | None, filters: Mapping[str, Any] | None = None) -> list[Any]:
        """The floating addresses that match."""
        with self._db.read() as conn:
            return rows.find(conn, within(project, filters))

    def get(self, project: str | None, floating_id: str) -> Any:
        """One floating address."""
        with self._db.read() as conn:
            return rows.get(conn, floating_id, project)

    def servers(self, found: Sequence[Any]) -> dict[str, str]:
        """Port → server of those floating addresses that lead to one."""
        wanted = [row.port_id for row in found if row.port_id]
        if not wanted:
            return {}
        with self._db.read() as conn:
            return {row.id: row.device_id for row in ports.page(conn, {'id': wanted}) if row.device_id}

    def allocate(self, project_id: str, network_id: str, address: str | None = None, description: str = '') -> Any:
        """A floating address for a project: ``address``, or whichever is free."""
        floating_id = network_ports.retried(self._db, _allocate, project_id, network_id, address, description)
        return self.get(None, floating_id)

    def update(self, project: str | None, floating_id: str, values: Mapping[str, Any]) -> Any:
        """Change the description, or with ``port_id`` and ``fixed_address`` where the address leads to."""
        try:
            self._db.transaction(_update, project, floating_id, values)
        except Duplicate:
            raise errors.FloatingIPPortAlreadyAssociated(port=values['port_id']) from None
        return self.get(project, floating_id)

    def release(self, project: str | None, floating_id: str) -> None:
        """Give the address back, wherever it leads to."""
        self._db.transaction(_release, project, floating_id)


def ensure_public(conn: Any, conf: cfg.ConfigOpts) -> None:
    """The network that floating addresses come from, if there is none."""
    if networks.page(conn, {'external': True}):
        return
    cidr = str(addresses.network_of(conf.embedded.floating_cidr))
    gateway = addresses.first_of(cidr)
    network_id = str(uuid.uuid5(_SPACE, PUBLIC))
    networks.insert(conn, {
        'id': network_id, 'project_id': _NOBODY, 'name': PUBLIC, 'description': '', 'mtu': conf.embedded.network_mtu,
        'admin_state_up': True, 'shared': False, 'external': True})
    networks.insert_subnet(conn, {
        'id': str(uuid.uuid5(_SPACE, f'{PUBLIC} subnet')), 'network_id': network_id, 'project_id': _NOBODY,
        'name': f'{PUBLIC}-subnet', 'description': '', 'ip_version': 4, 'cidr': cidr, 'gateway_ip': gateway,
        'enable_dhcp': False, 'pools': addresses.pools_of(cidr, gateway), 'dns_nameservers': [], 'host_routes': []})


def _allocate(conn: Any, project_id: str, network_id: str, address: str | None, description: str) -> str:
    network = networks.lock(conn, network_id)
    if network is None:
        raise errors.NetworkNotFound(network=network_id)
    if not network.external:
        raise errors.Invalid(f'Network {network_id} is not external: no floating addresses come from it.')
    used = rows.count(conn, project_id)
    if used >= MOST:
        raise errors.OverQuota(resource='floatingip', requested=1, used=used, limit=MOST)
    floating_id = str(uuid.uuid4())
    port_id = _own_port(conn, network_id, floating_id, address)
    given = ports.addresses(conn, [port_id])[port_id][0]
    return rows.insert(conn, {'id': floating_id, 'project_id': project_id, 'network_id': network_id,
                              'address': given.address, 'own_port_id': port_id, 'description': description})


def _own_port(conn: Any, network_id: str, floating_id: str, address: str | None) -> str:
    make = functools.partial(network_ports.NewPort, network_id=network_id, project_id=_NOBODY, device_id=floating_id,
                             device_owner=OWNER)
    if address is not None:
        return network_ports.make(conn, make(fixed=((None, address),)))
    for subnet in networks.subnets(conn, {'network_id': network_id, 'ip_version': 4}):
        try:
            return network_ports.make(conn, make(fixed=((subnet.id, None),)))
        except errors.NoMoreAddresses:
            continue
    raise errors.NoMoreAddresses(network=network_id)


def _update(conn: Any, project: str | None, floating_id: str, values: Mapping[str, Any]) -> None:
    floating = rows.get(conn, floating_id, project, lock=True)
    if 'description' in values:
        rows.update(conn, floating_id, {'description': values['description']})
    if 'port_id' not in values:
        return
    port_id = values['port_id']
    fixed = None if port_id is None else _fixed(conn, project, port_id, values.get('fixed_address'))
    rows.lead_to(conn, floating_id, port_id, fixed)
    network_ports.refresh(conn, sorted({port for port in (floating.port_id, port_id) if port}))


def _fixed(conn: Any, project: str | None, port_id: str, wanted: str | None) -> str:
    """The address of the port that is meant; without a wish the only one of IPv4."""
    port = ports.lock(conn, port_id)
    if port is None or project not in (None, port.project_id):
        raise errors.PortNotFound(port=port_id)
    known = [one.address for one in ports.addresses(conn, [port_id])[port_id]]
    if wanted is not None:
        if wanted not in known:
            raise errors.Invalid(f'Port {port_id} has no address {wanted}.')
        return wanted
    usable = [address for address in known if ipaddress.ip_address(address).version == 4]
    if len(usable) != 1:
        raise errors.Invalid(f'Port {port_id} has {len(usable)} IPv4 addresses; '
                             + ('name the one that is meant.' if usable else 'a floating address leads to one.'))
    return str(usable[0])


def _release(conn: Any, project: str | None, floating_id: str) -> None:
    floating = rows.get(conn, floating_id, project, lock=True)
    rows.delete(conn, floating_id)
    ports.delete(conn, [floating.own_port_id])
    if floating.port_id:
        network_ports.refresh(conn, [floating.port_id])
