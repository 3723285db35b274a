# SPDX-License-Identifier: Apache-2.0
"""What conductors ask of the volume service for servers: to make volumes, to attach them, to take them back.

Every step may be done again by another conductor, so each thing that is made has a key: the id of the device
that it is for.  Volumes that are made belong to the owner of the server; all else is done in the name of the service,
because a server's volumes follow it whoever moves it.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Mapping
from typing import Any

from nova_lite import errors
from nova_lite.auth.context import RequestContext, service_context
from nova_lite.conductor import here, steps, supplies
from nova_lite.conductor.here import NotYet, OwnStep
from nova_lite.conductor.work import Deps, Work
from nova_lite.db.queries import hosts
from nova_lite.model import block_devices, states
from nova_lite.model.block_devices import ATTACHED, ATTACHING, MAKING, VOLUME, WISHED, Device
from nova_lite.model.volumes import ATTACHING as BEING_ATTACHED
from nova_lite.model.volumes import AVAILABLE, BUSY, IN_USE, RESERVED, VolumeWish
from nova_lite.objects.operation import Operation
from nova_lite.objects.server import Server

LOG = logging.getLogger(__name__)

BUILD, COMPLETE, RELEASE, LEAVE = 'volumes_build', 'volumes_complete', 'volumes_release', 'volumes_leave'
TO_DEST, TO_SOURCE = 'volumes_to_dest', 'volumes_to_source'
#: The chore that gives back the volumes of a server which was not built.
CHORE = 'release_volumes'

#: Seconds that a step waits for the service, and after which it is done again.
PATIENCE, TICK, LATER = 5.0, 0.05, 1.0

Changes = Mapping[str, Any]


# ------------------------------------------------------- a server is built, or comes back

def begin(work: Work) -> None:
    """Remember that volumes may exist from now on, before the first one does; those of a shelf get their names."""
    found = block_devices.of_server(work.server)
    for one in found:
        if one['destination'] == VOLUME and one['status'] == WISHED:
            one['status'] = MAKING
        one['device'] = one['device'] or block_devices.next_name(found, work.server.root_device_name)
    if work.server.vm_state == states.BUILDING:
        work.change(task_state=states.BLOCK_DEVICE_MAPPING)
    work.change(block_devices=found)


def build(deps: Deps, context: RequestContext, operation: Operation, server: Server) -> Changes:
    """All volumes are there, and attached as far as the service is concerned."""
    connector = connector_of(deps, operation.params[supplies.FOR_HOST])
    made = [_made(deps, context, server, one) for one in server.block_devices]
    for one in made:
        if one['volume_id'] and not one['attachment_id']:
            # Where somebody has died at this, the volume is being attached already; to another server, it is refused
            # below.
            wait_for(deps, one['volume_id'], (AVAILABLE, RESERVED, BEING_ATTACHED, IN_USE))
    return {'block_devices': [connected(deps, server, one, connector) for one in made]}


def _made(deps: Deps, context: RequestContext, server: Server, one: Device) -> Device:
    """The device with its volume, which may still be busy."""
    if one['destination'] != VOLUME or one['volume_id']:
        return dict(one)
    sources = {f'{one["source"]}_id': one['source_id']} if one['source_id'] else {}
    volume = deps.volumes.create(owner_of(context, server), VolumeWish(
        one['size'], volume_type=one['volume_type'], key=one['id'], **sources))
    return {**one, 'volume_id': volume.id, 'size': volume.size}


def complete(deps: Deps, context: RequestContext, operation: Operation, server: Server) -> Changes:
    """The guest has its volumes."""
    return {'block_devices': [completed(deps, one) for one in server.block_devices]}


# -------------------------------------------------------------------- a server moves

def to_dest(deps: Deps, context: RequestContext, operation: Operation, server: Server) -> Changes:
    """All volumes are connected to the host that the server goes to."""
    return _moved(deps, server, operation.params[steps.DEST])


def to_source(deps: Deps, context: RequestContext, operation: Operation, server: Server) -> Changes:
    """All volumes are connected to the host that the server comes from."""
    return _moved(deps, server, operation.params[steps.SOURCE])


def _moved(deps: Deps, server: Server, host: str) -> Changes:
    connector = connector_of(deps, host)
    return {'block_devices': [completed(deps, connected(deps, server, one, connector))
                              for one in server.block_devices]}


def leave(deps: Deps, context: RequestContext, operation: Operation, server: Server) -> Changes:
    """The volumes are kept for the server, and no host reads them."""
    return {'block_devices': [_disconnected(deps, server, one) for one in server.block_devices]}


def _disconnected(deps: Deps, server: Server, one: Device) -> Device:
    if one['destination'] != VOLUME or not one['attachment_id']:
        return dict(one)
    try:
        kept = deps.volumes.disconnect(service_context(), one['volume_id'], server.uuid)
    except errors.VolumeNotFound:
        # The unshelve will say so.
        kept = one['attachment_id']
    return {**one, 'attachment_id': kept, 'connection': None}


# --------------------------------------------------------------------- a server ends

def release(deps: Deps, context: RequestContext, operation: Operation, server: Server) -> Changes:
    """No volume is the server's; those that were to end with it are gone."""
    _give_back(deps, owner_of(context, server), server.uuid, server.block_devices)
    return {'block_devices': None}


def release_later(deps: Deps, context: RequestContext, params: Mapping[str, Any]) -> None:
    """The same for a server that was not built."""
    owner = RequestContext(user_id=params['user_id'], project_id=params['project_id'], roles=['member', 'reader'],
                           overwrite=False)
    _give_back(deps, owner, params['server_uuid'], params['devices'])


def drop(work: Work) -> None:
    """Have the volumes given back after this transaction; the server keeps the record of its other disks."""
    server = work.server
    found = block_devices.of_server(server)
    if all(one['status'] == WISHED and not one['attachment_id'] for one in found):
        return
    work.schedule(CHORE, {'devices': found, 'server_uuid': server.uuid, 'project_id': server.project_id,
                          'user_id': server.user_id}, work.now)
    work.change(block_devices=[one for one in found if one['destination'] != VOLUME] or None)


def _give_back(deps: Deps, owner: RequestContext, server_uuid: str, devices: list[Device]) -> None:
    for one in devices:
        if one['destination'] != VOLUME or one['status'] == WISHED and not one['attachment_id']:
            continue
        volume_id = one['volume_id'] or _made_unseen(deps, owner, one)
        if volume_id is None:
            continue
        detached(deps, volume_id, server_uuid)
        if one['delete_on_termination']:
            _delete(deps, volume_id)


def _made_unseen(deps: Deps, owner: RequestContext, one: Device) -> str | None:
    """The volume that somebody may have begun to make for the device, and died: its key finds it, or makes it now."""
    sources = {f'{one["source"]}_id': one['source_id']} if one['source_id'] else {}
    try:
        return deps.volumes.create(owner, VolumeWish(
            one['size'], volume_type=one['volume_type'], key=one['id'], **sources)).id
    except errors.Unavailable:
        raise
    except errors.Error:
        return None


def _delete(deps: Deps, volume_id: str) -> None:
    try:
        wait_for(deps, volume_id, (AVAILABLE, 'error'))
        deps.volumes.delete(service_context(), volume_id)
    except errors.VolumeNotFound:
        return
    except (errors.Conflict, errors.Invalid) as error:
        LOG.warning('Volume %s was to be deleted with its server and is not: %s', volume_id, error)


# --------------------------------------------------------------------- single devices

def connected(deps: Deps, server: Server, one: Device, connector: Mapping[str, Any]) -> Device:
    """The device with its volume reserved for the server, and with the way to it from a host."""
    if one['destination'] != VOLUME:
        return dict(one)
    attachment = one['attachment_id'] or deps.volumes.reserve(
        service_context(), one['volume_id'], server.uuid, key=one['id'])
    connection = deps.volumes.connect(service_context(), attachment, {**connector, 'mountpoint': one['device']})
    status = one['status'] if one['status'] in (ATTACHED, block_devices.DETACHING) else ATTACHING
    return {**one, 'attachment_id': attachment, 'connection': connection, 'status': status}


def completed(deps: Deps, one: Device) -> Device:
    """The device as one that the guest has."""
    if one['destination'] != VOLUME:
        return dict(one)
    deps.volumes.complete(service_context(), one['attachment_id'], one['device'])
    return {**one, 'status': one['status'] if one['status'] == block_devices.DETACHING else ATTACHED}


def detached(deps: Deps, volume_id: str, server_uuid: str, but: str | None = None) -> None:
    """The server has no attachment to the volume, except ``but``."""
    with contextlib.suppress(errors.VolumeNotFound):
        for attachment in deps.volumes.show(service_context(), volume_id).attachments:
            if attachment.server_uuid == server_uuid and attachment.id != but:
                deps.volumes.detach(service_context(), attachment.id)


def wait_for(deps: Deps, volume_id: str, fit: tuple[str, ...]) -> None:
    """Return when the volume is fit; ``NotYet`` if that takes long, ``Conflict`` if it can never be."""
    end = time.monotonic() + PATIENCE
    while True:
        volume = deps.volumes.show(service_context(), volume_id)
        if volume.status in fit:
            return
        if volume.status not in BUSY:
            raise errors.Conflict(reason=f'Volume {volume_id} is {volume.status}, not {fit[0]}.')
        if time.monotonic() >= end:
            raise NotYet(LATER)
        threading.Event().wait(TICK)


def wait_for_snapshot(deps: Deps, snapshot_id: str) -> None:
    """Return when the snapshot is there; ``NotYet`` if that takes long."""
    end = time.monotonic() + PATIENCE
    while (snapshot := deps.volumes.snapshot(service_context(), snapshot_id)).status != AVAILABLE:
        if snapshot.status not in BUSY:
            raise errors.Conflict(reason=f'Snapshot {snapshot_id} is {snapshot.status}, not {AVAILABLE}.')
        if time.monotonic() >= end:
            raise NotYet(LATER)
        threading.Event().wait(TICK)


def connector_of(deps: Deps, host: str) -> dict[str, Any]:
    """What the volume service has to know of the host that will read and write."""
    with deps.db.read() as conn:
        row = hosts.get(conn, host=host)
    if row is None:
        raise errors.HostNotFound(host=host)
    return {'host': host, 'ip': row.host_ip, 'platform': 'x86_64', 'os_type': 'linux', 'multipath': False,
            'do_local_attach': False}


def owner_of(context: RequestContext, server: Server) -> RequestContext:
    """The one to whom the server belongs; with the token of the request, if it is his."""
    token = context.auth_token if context.project_id == server.project_id else None
    return RequestContext(auth_token=token, user_id=server.user_id, project_id=server.project_id,
                          roles=['member', 'reader'], request_id=context.request_id, overwrite=False)


def retract(deps: Deps, context: RequestContext, operation: Operation, server: Server, changes: Changes) -> None:
    """The server is being deleted, or was not built: it has no volumes after all."""
    _give_back(deps, owner_of(context, server), server.uuid, changes['block_devices'])


here.RETRACT[BUILD] = retract
STEPS: dict[str, OwnStep] = {BUILD: build, COMPLETE: complete, RELEASE: release, LEAVE: leave, TO_DEST: to_dest,
                             TO_SOURCE: to_source}


def _any(devices: list[Device] | None) -> bool:
    return any(one['destination'] == VOLUME for one in devices or ())


SUPPLY = supplies.Supply(
    'block_devices', prepare=BUILD, release=RELEASE, to_dest=TO_DEST, to_source=TO_SOURCE, drop=drop, complete=COMPLETE,
    leave=LEAVE, begin=begin, counts=_any)
