# SPDX-License-Identifier: Apache-2.0
"""What servers have from the embedded network and volume services, held against what these services keep.

What Neutron and Cinder keep is in no table of ours, so with them there is nothing here to be compared.  A server to
which something is being done is left alone: the rows of both sides change one after the other.
"""

import datetime
from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from nova_lite.db import tables
from nova_lite.db.engine import Conn
from nova_lite.db.queries import operations, volume_attachments, volume_quotas
from nova_lite.db.queries.verify.base import Check, Finding, differences
from nova_lite.model import networks
from nova_lite.model import volumes as model
from nova_lite.model.block_devices import ATTACHED, VOLUME

SERVERS, OPERATIONS = tables.servers, tables.operations
PORTS, NETWORKS = tables.ports, tables.networks
VOLUMES, ATTACHMENTS, USAGES = tables.volumes, tables.volume_attachments, tables.volume_usages
_NOTHING = dict.fromkeys(model.RESOURCES, 0)
_AT_REST = sa.not_(sa.exists().where(
    OPERATIONS.c.server_uuid == SERVERS.c.uuid, OPERATIONS.c.state.in_((operations.PENDING, operations.RUNNING))))

# -------------------------------------------------------------------- ports


def find_ports(conn: Conn, now: datetime.datetime) -> Iterator[Finding]:
    """Ports of servers that are gone, or that do not know of them."""
    query = sa.select(PORTS.c.id, SERVERS.c.uuid, SERVERS.c.deleted, SERVERS.c.interfaces).select_from(
        PORTS.join(SERVERS, SERVERS.c.uuid == PORTS.c.device_id)).where(_AT_REST).order_by(PORTS.c.id)
    for port, server, deleted, known in conn.execute(query):
        if deleted or port not in {one['port_id'] for one in networks.plugged(known)}:
            why = 'is deleted' if deleted else 'has no such interface'
            yield Finding('ports', f'port {port}', f'it is of server {server}, which {why}', {'port': port})


def repair_ports(conn: sa.Connection, finding: Finding, now: datetime.datetime) -> str:
    """A port that was made for the server goes; one that its owner made is free again."""
    if finding.key['port'] not in {one.key['port'] for one in find_ports(conn, now)}:
        return ''
    this = PORTS.c.id == finding.key['port']
    if conn.execute(sa.select(PORTS.c.ours).where(this)).scalar():
        conn.execute(sa.delete(PORTS).where(this))
        return 'deleted it'
    conn.execute(sa.update(PORTS).where(this).values(
        device_id='', device_owner='', slot=None, host=None, status='DOWN', updated_at=now))
    return 'took it from the server'


def find_interfaces(conn: Conn, now: datetime.datetime) -> Iterator[Finding]:
    """Interfaces whose port is gone, somebody else's or bound elsewhere."""
    ports = {row.id: row for row in conn.execute(sa.select(PORTS.c.id, PORTS.c.device_id, PORTS.c.host))}
    known = set(conn.scalars(sa.select(NETWORKS.c.id)))
    query = sa.select(SERVERS.c.uuid, SERVERS.c.host, SERVERS.c.interfaces).where(
        SERVERS.c.deleted == sa.false(), SERVERS.c.interfaces.is_not(None), _AT_REST).order_by(SERVERS.c.id)
    for server, host, interfaces in conn.execute(query):
        for one in networks.plugged(interfaces):
            problem = _of_port(ports.get(one['port_id']), server, host) if one['network_id'] in known else ''
            if problem:
                yield Finding('interfaces', f'server {server}', f'its port {one["port_id"]} {problem}')


def _of_port(port: Any, server: str, host: str | None) -> str:
    if port is None:
        return 'is gone'
    if port.device_id != server:
        return f'is of {port.device_id or "nobody"}'
    return '' if port.host == host else f'is at {port.host or "no host"}, the server at {host or "none"}'


# ------------------------------------------------------------------ volumes


def find_attachments(conn: Conn, now: datetime.datetime) -> Iterator[Finding]:
    """Attachments to servers that are gone, or that do not know of them."""
    query = sa.select(ATTACHMENTS.c.uuid, VOLUMES.c.uuid.label('volume'), SERVERS.c.uuid.label('server'),
                      SERVERS.c.deleted, SERVERS.c.block_devices).select_from(
        ATTACHMENTS.join(VOLUMES).join(SERVERS, SERVERS.c.uuid == ATTACHMENTS.c.server_uuid)).where(
        _AT_REST).order_by(ATTACHMENTS.c.id)
    for attachment, volume, server, deleted, devices in conn.execute(query):
        if deleted or volume not in {one['volume_id'] for one in devices or ()}:
            why = 'is deleted' if deleted else 'does not have it'
            yield Finding('attachments', f'volume {volume}', f'it is attached to server {server}, which {why}',
                          {'attachment': attachment, 'volume': volume})


def repair_attachments(conn: sa.Connection, finding: Finding, now: datetime.datetime) -> str:
    """The volume is free of that server."""
    attachment = finding.key['attachment']
    volume = _lock_volume(conn, finding)
    if volume is None or attachment not in {one.key['attachment'] for one in find_attachments(conn, now)}:
        return ''
    volume_attachments.delete(conn, attachment)
    _settle(conn, volume, now)
    return 'detached it'


def find_devices(conn: Conn, now: datetime.datetime) -> Iterator[Finding]:
    """Volumes that servers are said to have and that are not attached to them."""
    attached = {(volume, server) for volume, server in conn.execute(
        sa.select(VOLUMES.c.uuid, ATTACHMENTS.c.server_uuid).select_from(ATTACHMENTS.join(VOLUMES)))}
    known = set(conn.scalars(sa.select(VOLUMES.c.uuid)))
    query = sa.select(SERVERS.c.uuid, SERVERS.c.block_devices).where(
        SERVERS.c.deleted == sa.false(), SERVERS.c.block_devices.is_not(None), _AT_REST).order_by(SERVERS.c.id)
    for server, devices in conn.execute(query):
        for one in devices or ():
            has = one['destination'] == VOLUME and one['status'] == ATTACHED and one['volume_id'] in known
            if has and (one['volume_id'], server) not in attached:
                yield Finding('devices', f'server {server}', f'its volume {one["volume_id"]} is not attached to it')


def find_volumes(conn: Conn, now: datetime.datetime) -> Iterator[Finding]:
    """Volumes that say something else than their attachments."""
    states: dict[str, set[str]] = {}
    for volume, state in conn.execute(sa.select(VOLUMES.c.uuid, ATTACHMENTS.c.status).select_from(
            ATTACHMENTS.join(VOLUMES))):
        states.setdefault(volume, set()).add(state)
    # What is on its way from one to the other says so.
    settled = sorted(model.SETTLED - {model.DETACHING})
    query = sa.select(VOLUMES.c.uuid, VOLUMES.c.status).where(VOLUMES.c.status.in_(settled)).order_by(VOLUMES.c.id)
    for volume, status in conn.execute(query):
        expected = model.status_of(states.get(volume, ()))
        # A volume can be reserved for an attachment that is still to come.
        if status != expected and (status, expected) != (model.RESERVED, model.AVAILABLE):
            yield Finding('volumes', f'volume {volume}', f'it is {status} and must be {expected}', {'volume': volume})


def repair_volumes(conn: sa.Connection, finding: Finding, now: datetime.datetime) -> str:
    """Let it follow its attachments."""
    volume = _lock_volume(conn, finding)
    if volume is None or volume.uuid not in {one.key['volume'] for one in find_volumes(conn, now)}:
        return ''
    return f'set it to {_settle(conn, volume, now)}'


def _lock_volume(conn: sa.Connection, finding: Finding) -> Any:
    return conn.execute(sa.select(VOLUMES).where(VOLUMES.c.uuid == finding.key['volume']).with_for_update()).first()


def _settle(conn: sa.Connection, volume: Any, now: datetime.datetime) -> str:
    status = volume_attachments.status_of(conn, volume.id)
    conn.execute(sa.update(VOLUMES).where(VOLUMES.c.id == volume.id).values(status=status, updated_at=now))
    return status


# -------------------------------------------------------------------- quota


def find_use(conn: Conn, now: datetime.datetime) -> Iterator[Finding]:
    """Projects whose use is not what their volumes and snapshots make it."""
    counted = volume_quotas.recount(conn)
    booked = {row.project_id: _of(row) for row in conn.execute(sa.select(USAGES))}
    for project in sorted({*counted, *booked}):
        problem = differences(counted.get(project, _NOTHING), booked.get(project, _NOTHING))
        if problem:
            yield Finding('volume_quota', f'project {project}', problem, {'project': project})


def repair_use(conn: sa.Connection, finding: Finding, now: datetime.datetime) -> str:
    """Book what is counted."""
    this = USAGES.c.project_id == finding.key['project']
    booked = conn.execute(sa.select(USAGES).where(this).with_for_update()).first()
    counted = volume_quotas.recount(conn).get(finding.key['project'], _NOTHING)
    if booked is None:
        conn.execute(sa.insert(USAGES), {'project_id': finding.key['project'], **counted})
    elif _of(booked) == counted:
        return ''
    else:
        conn.execute(sa.update(USAGES).where(this).values(**counted))
    return 'booked ' + ', '.join(f'{counted[name]} {name}' for name in model.RESOURCES)


def _of(row: Any) -> Mapping[str, int]:
    return {name: int(getattr(row, name)) for name in model.RESOURCES}


CHECKS = (
    Check('ports', 'Every port of a server is one of its interfaces.', find_ports, repair_ports),
    Check('interfaces', 'Every interface of a server has its port, on its host.', find_interfaces),
    Check('attachments', 'Every attachment of a volume is known to its server.', find_attachments, repair_attachments),
    Check('devices', 'Every volume of a server is attached to it.', find_devices),
    Check('volumes', 'Every volume is what its attachments make it.', find_volumes, repair_volumes),
    Check('volume_quota', 'Every project has booked its volumes and snapshots.', find_use, repair_use),
)
