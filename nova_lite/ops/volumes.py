# SPDX-License-Identifier: Apache-2.0
"""Volumes of a server: attach one, take one away, put another in its place, let it grow, say what becomes of it.

An attach reserves the volume before it is answered, so that of several servers which want it all but one are told so
at once.  Whatever can only be known later is found by the operation.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nova_lite import errors
from nova_lite.auth.context import RequestContext, service_context
from nova_lite.db.queries import actions, capabilities, operations, servers
from nova_lite.model import block_devices, states, times
from nova_lite.model.block_devices import ATTACHED, ATTACHING, DETACHING, VOLUME, Device, Wish
from nova_lite.model.volumes import IN_USE, Volume
from nova_lite.ops.base import Act, Deps, accept, action_row, begin, change, judge, operation_row, require, wake
from nova_lite.ops.create_disks import check_free
from nova_lite.ops.waiting import until_over

_ATTACH = Act('attach_volume', 'attach_volume', 'attach_volume', needs='volume')
_DETACH = Act('detach_volume', 'detach_volume', 'detach_volume', needs='volume')
_SWAP = Act('swap_volume', 'swap_volume', 'swap_volume', needs='volume')
#: Holds an operation for the moment in which it is ended.
_NOBODY = 'nova-api'
_ON_THE_SHELF = (states.SHELVED, states.SHELVED_OFFLOADED)


@dataclass(frozen=True)
class AttachVolume:
    """Give a server a volume, under the name ``device`` if there is one.

    ``several``: it may be one that other servers have, too.  ``on_shelf``: the server may be shelved.
    """

    server: Any
    volume_id: str
    device: str | None = None
    tag: str | None = None
    delete_on_termination: bool = False
    several: bool = True
    on_shelf: bool = True
    override_lock: bool = False


@dataclass(frozen=True)
class DetachVolume:
    """Take a volume away from a server."""

    server: Any
    volume_id: str
    on_shelf: bool = True
    override_lock: bool = False


@dataclass(frozen=True)
class SwapVolume:
    """Put the volume ``other_id`` in the place of one that a server has, with all that is on it."""

    server: Any
    volume_id: str
    other_id: str
    override_lock: bool = False


@dataclass(frozen=True)
class UpdateAttachment:
    """Change whether a volume is deleted with its server; ``said`` is what else the caller believes of it."""

    server: Any
    volume_id: str
    delete_on_termination: bool | None = None
    said: Mapping[str, Any] | None = None


def attach(deps: Deps, context: RequestContext, command: AttachVolume) -> Device:
    """Accept an attachment; the new device."""
    server = command.server
    _judge(_ATTACH, server, command.on_shelf, command.override_lock)
    _check_known(server, command)
    volume = deps.volumes.show(context, command.volume_id)
    check_free(volume, command.several)
    if volume.multiattach and server.vm_state == states.SHELVED_OFFLOADED:
        raise errors.Invalid(reason=f'Server {server.uuid} is {server.vm_state}; a volume of several servers cannot be '
                                    'attached to it.')
    _check_number(deps, server)
    require(deps, server, _ATTACH.needs, 'attach_volume')
    device = block_devices.device(Wish(
        VOLUME, VOLUME, volume.id, size=volume.size, device=command.device, tag=command.tag,
        delete_on_termination=command.delete_on_termination))
    found, operation_id = deps.db.transaction(_record, context, command, {**device, 'status': ATTACHING})
    try:
        attachment = deps.volumes.reserve(context, volume.id, server.uuid, key=device['id'])
    except errors.Error as error:
        deps.db.transaction(_take_back, found, server.uuid, operation_id, error)
        if isinstance(error, errors.Conflict):
            # Somebody else was faster; the request is as wrong as if it had come later.
            raise errors.Invalid(reason=str(error)) from None
        raise
    if operation_id is None:
        deps.db.transaction(_store, server.uuid, {'id': device['id'], 'attachment_id': attachment})
        # No host connects it yet, but to all others the volume is taken for good.
        deps.volumes.complete(context, attachment)
    else:
        wake(deps, context, (operation_id,))
        # Whoever goes on with the volume at once finds it attached.
        until_over(deps, operation_id, deps.conf.api.volume_attach_wait)
    return found


def _judge(act: Act, server: Any, on_shelf: bool, override_lock: bool) -> None:
    judge(act.transition, server, override_lock)
    if not on_shelf and server.vm_state in _ON_THE_SHELF:
        raise errors.WrongState(operation=act.action, server=server.uuid, attribute='vm_state',
                                wanted='another one before microversion 2.20', found=server.vm_state)


def _check_known(server: Any, command: AttachVolume) -> None:
    """What the server's own record forbids."""
    if block_devices.find(server, command.volume_id) is not None:
        raise errors.Invalid(reason=f'Volume {command.volume_id} is attached to server {server.uuid} already.')
    if command.tag and server.vm_state == states.SHELVED_OFFLOADED:
        raise errors.Invalid(reason=f'Server {server.uuid} is {server.vm_state}; a tag cannot be given until it is on '
                                    'a host again.')
    _check_name(server, command.device)


def _check_name(server: Any, name: str | None) -> None:
    known = {one['device'] for one in block_devices.of_server(server)} | {server.root_device_name}
    if name is not None and name in known:
        raise errors.Conflict(reason=f'Server {server.uuid} has a device {name} already.')


def _check_number(deps: Deps, server: Any) -> None:
    most = deps.conf.compute.max_disk_devices_to_attach
    known = block_devices.of_server(server)
    # The root disk of a server that was made of an image alone is in no record.
    number = len(known) + (not any(one['boot_index'] == 0 for one in known))
    if 0 <= most <= number:
        raise errors.Forbidden(f'Server {server.uuid} has {number} disks; it may have {most} at most.')


def _record(conn: Any, context: RequestContext, command: AttachVolume, device: Device) -> tuple[Device, str | None]:
    """The device with its name, and the operation that brings it to the guest, if there is one.

    Nobody is told of the operation before the volume is reserved.  If this process dies in between, the operation
    reserves it: the device is recorded, so the volume is forgotten in no case.
    """
    accepted = dict(device)

    def prepare(conn: Any, row: Any) -> Mapping[str, Any]:
        _check_known(row, command)
        known = block_devices.of_server(row)
        if row.host is not None:
            accepted['device'] = device['device'] or block_devices.next_name(known, row.root_device_name)
        servers.update(conn, row.uuid, block_devices=[*known, accepted])
        return {'device': device['id'], 'known': dict(accepted)}

    server = command.server
    if server.host is not None:
        return accepted, accept(conn, context, server, _ATTACH, command.override_lock, {}, prepare)
    change(conn, server, _ATTACH.transition, command.override_lock)
    prepare(conn, servers.get(conn, server.uuid))
    actions.finish(conn, actions.insert(conn, action_row(context, server.uuid, _ATTACH.action)))
    return accepted, None


def _take_back(conn: Any, device: Device, server_uuid: str, operation_id: str | None, error: errors.Error) -> None:
    """The server has no such device after all."""
    if operation_id is not None:
        now = times.utcnow()
        operation = operations.take(conn, operation_id, _NOBODY, now, now)
        if operation is None:
            # A conductor is at it, and finds the same.
            return
        operations.finish(conn, operation, now, {'code': 400, 'message': str(error), 'details': ''})
        actions.finish(conn, operation.action_id, 'Error')
    row = servers.lock(conn, server_uuid, _RECORD)
    servers.update(conn, server_uuid, block_devices=block_devices.without(row.block_devices or (), device['id']))


def _store(conn: Any, server_uuid: str, changed: Mapping[str, Any]) -> None:
    row = servers.lock(conn, server_uuid, _RECORD)
    servers.update(conn, server_uuid, block_devices=block_devices.replaced(row.block_devices or (), changed) or None)


def detach(deps: Deps, context: RequestContext, command: DetachVolume) -> None:
    """Accept that a volume goes."""
    server = command.server
    found = _known(server, command.volume_id)
    _judge(_DETACH, server, command.on_shelf, command.override_lock)
    if found['boot_index'] == 0:
        raise errors.Forbidden(f'Server {server.uuid} boots from volume {command.volume_id}, which cannot be detached.')
    require(deps, server, _DETACH.needs, 'detach_volume')
    if server.host is not None:
        _check_attached(deps.volumes.show(context, command.volume_id), found)

    def prepare(conn: Any, row: Any) -> Mapping[str, Any]:
        now = _known(row, command.volume_id)
        _check_steady(now)
        going = {**now, 'status': DETACHING}
        servers.update(conn, row.uuid, block_devices=block_devices.replaced(row.block_devices, going))
        return {'device': now['id'], 'known': going}

    operation_id = deps.db.transaction(accept, context, server, _DETACH, command.override_lock, {}, prepare)
    if server.host is not None:
        # Whoever looks at the volume after our answer sees that it goes.  A conductor says it again, and why it cannot.
        with contextlib.suppress(errors.Error):
            deps.volumes.begin_detaching(service_context(), command.volume_id)
    wake(deps, context, (operation_id,))


def swap(deps: Deps, context: RequestContext, command: SwapVolume) -> None:
    """Accept that another volume takes the place of one."""
    server = command.server
    found = _known(server, command.volume_id)
    judge('swap_volume', server, command.override_lock)
    require(deps, server, _SWAP.needs, 'swap_volume')
    old = deps.volumes.show(context, command.volume_id)
    _check_attached(old, found)
    if len(old.attachments) > 1:
        raise errors.Invalid(reason=f'Volume {old.id} is attached to several servers and cannot be swapped.')
    try:
        new = deps.volumes.show(context, command.other_id)
    except errors.VolumeNotFound as error:
        # What the path names is not missing; a value in the body is wrong.
        raise errors.Invalid(reason=f'Invalid input for volumeAttachment/volumeId: {error}') from None
    check_free(new, True)
    if new.size < old.size:
        raise errors.Invalid(reason=f'Volume {new.id} has {new.size} GiB and cannot take the place of {old.id}, which '
                                    f'has {old.size} GiB.')

    def prepare(conn: Any, row: Any) -> Mapping[str, Any]:
        now = _known(row, command.volume_id)
        _check_steady(now)
        going = {**now, 'status': DETACHING}
        servers.update(conn, row.uuid, block_devices=block_devices.replaced(row.block_devices, going))
        return {'device': now['id'], 'known': going, 'old_volume': old.id,
                'other': {'volume_id': new.id, 'size': new.size}}

    begin(deps, context, server, _SWAP, override_lock=command.override_lock, prepare=prepare)


def update(deps: Deps, context: RequestContext, command: UpdateAttachment) -> None:
    """Store what becomes of the volume; ``Invalid`` if it is not what the caller believes."""
    def store(conn: Any) -> None:
        row = servers.lock(conn, command.server.uuid, _RECORD)
        found = _known(row, command.volume_id)
        for name, value in (command.said or {}).items():
            if value is not None and value != found[name]:
                raise errors.Invalid(reason=f'The {name} of the attachment of volume {command.volume_id} is '
                                            f'{found[name]} and cannot be changed.')
        if command.delete_on_termination is not None:
            changed = {**found, 'delete_on_termination': command.delete_on_termination}
            servers.update(conn, row.uuid, block_devices=block_devices.replaced(row.block_devices, changed))

    deps.db.transaction(store)


def extended(deps: Deps, context: RequestContext, server_uuid: str, volume_id: str) -> None:
    """A volume of the server is bigger now: note it down, and have the guest told."""
    try:
        size = deps.volumes.show(service_context(), volume_id).size if deps.volumes.is_there else None
    except errors.VolumeNotFound:
        size = None

    def store(conn: Any) -> list[str]:
        row = servers.lock(conn, server_uuid, _EXTENDED)
        found = block_devices.find(row, volume_id)
        # The service that tells it may be a part of this program, which is nobody.
        owner = {'project_id': row.project_id, 'user_id': row.user_id}
        who = {} if context.user_id else owner
        action_id = actions.insert(conn, {**action_row(context, server_uuid, 'extend_volume'), **who})
        if found is None or size is None:
            actions.finish(conn, action_id, 'Error')
            return []
        _store(conn, server_uuid, {'id': found['id'], 'size': size})
        if row.host is None or not capabilities.can(conn, row.host, 'volume_extend'):
            # The guest sees the size when it is made anew.
            actions.finish(conn, action_id)
            return []
        work = {**operation_row(context, 'extend_volume', server_uuid, action_id,
                                {'device': found['id'], 'known': {**found, 'size': size}}, times.utcnow()), **owner}
        operations.insert(conn, [work])
        return [work['id']]

    wake(deps, context, deps.db.transaction(store))


_RECORD = frozenset(('uuid', 'block_devices'))
_EXTENDED = _RECORD | {'host', 'project_id', 'user_id'}


def _known(server: Any, volume_id: str) -> Device:
    found = block_devices.find(server, volume_id)
    if found is None:
        raise errors.NotFound(f'Volume {volume_id} is not attached to server {server.uuid}.')
    return found


def _check_attached(volume: Volume, device: Device) -> None:
    if volume.status != IN_USE:
        raise errors.Invalid(reason=f'Volume {volume.id} is {volume.status}, not {IN_USE}.')
    _check_steady(device)


def _check_steady(device: Device) -> None:
    if device['status'] == DETACHING or device['status'] != ATTACHED and not device['attachment_id']:
        raise errors.Invalid(reason=f'Volume {device["volume_id"]} is {device["status"]}; only one that is {ATTACHED} '
                                    'can be detached.')
