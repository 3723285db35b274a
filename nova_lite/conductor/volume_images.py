# SPDX-License-Identifier: Apache-2.0
"""Images and servers on volumes: an image that holds no bytes but names snapshots, and a volume that begins anew.

Both are the volume service's work; a host only has the guest stopped while its disk is written over.
"""

import contextlib
import io
import json
import uuid
from collections.abc import Mapping
from typing import Any

from nova_lite import errors
from nova_lite.auth.context import RequestContext, service_context
from nova_lite.conductor import here, volumes
from nova_lite.conductor import work as base
from nova_lite.conductor.here import OwnStep
from nova_lite.conductor.snapshot import drop_image
from nova_lite.conductor.steps import CONDUCTOR, SOURCE, Step, Stepwise
from nova_lite.conductor.work import Deps, Kind, Work
from nova_lite.model import block_devices, states
from nova_lite.model.power import Power
from nova_lite.model.volumes import AVAILABLE, IN_USE, RESERVED
from nova_lite.objects.operation import Operation, OperationReport
from nova_lite.objects.server import Server

_SNAPSHOTS = 'snapshots'
_TAKE, _DROP, _FILL = 'volumes_snapshot', 'volumes_drop_snapshots', 'image_of_snapshots'
_REIMAGE, _AWAIT = 'volume_reimage', 'volume_await_image'


class SnapshotVolumes(Stepwise):
    """An image of a server that boots from a volume: a snapshot of each of its volumes."""

    steps = (Step(_TAKE, CONDUCTOR, undo=_DROP), Step(_FILL, CONDUCTOR))

    def begin(self, work: Work) -> None:
        """Show it."""
        work.change(task_state=states.IMAGE_SNAPSHOT)

    def passed(self, work: Work, step: Step, report: OperationReport) -> None:
        """Keep which snapshots there are."""
        if step.name == _TAKE:
            work.params[_SNAPSHOTS] = report.changes[_SNAPSHOTS]

    def finish(self, work: Work) -> None:
        """The image can be booted from."""
        work.change(task_state=None)
        work.done()

    def undone(self, work: Work, error: Mapping[str, Any]) -> None:
        """There is no image."""
        drop_image(work, work.params.get('image_id'))
        work.change(task_state=None)
        work.fail(error)


class RebuildVolume(Stepwise):
    """A server whose root disk is a volume begins anew.  What was on it is gone, so there is no way back."""

    steps = (
        Step('rebuild_halt', SOURCE),
        Step(_REIMAGE, CONDUCTOR),
        Step(_AWAIT, CONDUCTOR),
        Step('rebuild_renew', SOURCE),
    )

    def begin(self, work: Work) -> None:
        """Find the host."""
        work.params[SOURCE] = work.server.host
        if work.server.host is None:
            self.undone(work, {'code': 500, 'message': 'The server is on no host; delete it and create another.',
                               'details': ''})
            return
        work.change(task_state=states.REBUILD_BLOCK_DEVICE_MAPPING)

    def enter(self, work: Work, step: Step) -> None:
        """Show it."""
        if step.name == self.steps[-1].name:
            work.change(task_state=states.REBUILD_SPAWNING)

    def passed(self, work: Work, step: Step, report: OperationReport) -> None:
        """Keep what the host says of the guest."""
        if step.at == SOURCE:
            work.change(power_state=base.reported_power(report, Power(work.server.power_state)))

    def finish(self, work: Work) -> None:
        """It runs from its new disk, or is off if it was before."""
        stopped = work.params.get('was_stopped')
        work.change(vm_state=states.STOPPED if stopped else states.ACTIVE, task_state=None, launched_at=work.now,
                    fault=None)
        work.done()

    def undone(self, work: Work, error: Mapping[str, Any]) -> None:
        """Nobody can say how much of the old disk is left; another rebuild mends it."""
        work.change(vm_state=states.ERROR, task_state=None, fault=base.fault(error, work.now))
        work.fail(error)


def take(deps: Deps, context: RequestContext, operation: Operation, server: Server) -> Mapping[str, Any]:
    """There is a snapshot of each volume; none at all if one of them could not be made."""
    made: dict[str, list[Any]] = {}
    try:
        for one in _volumes(server):
            key = str(uuid.uuid5(uuid.UUID(operation.id), one['id']))
            snapshot = deps.volumes.create_snapshot(
                volumes.owner_of(context, server), one['volume_id'], f'snapshot for {operation.params["name"]}', '',
                True, key)
            made[one['id']] = [snapshot.id, snapshot.size]
    except errors.Unavailable:
        raise
    except errors.Error:
        _drop(deps, made)
        raise
    return {_SNAPSHOTS: made}


def drop(deps: Deps, context: RequestContext, operation: Operation, server: Server) -> Mapping[str, Any]:
    """There are no such snapshots."""
    _drop(deps, operation.params.get(_SNAPSHOTS) or {})
    return {}


def _drop(deps: Deps, made: Mapping[str, Any]) -> None:
    for snapshot_id, _ in made.values():
        with contextlib.suppress(errors.VolumeSnapshotNotFound):
            deps.volumes.delete_snapshot(service_context(), snapshot_id)


def fill(deps: Deps, context: RequestContext, operation: Operation, server: Server) -> Mapping[str, Any]:
    """The image names the snapshots and is there, without a byte."""
    made = operation.params[_SNAPSHOTS]
    for snapshot_id, _ in made.values():
        volumes.wait_for_snapshot(deps, snapshot_id)
    entries = [block_devices.image_entry(one, *made[one['id']]) for one in _volumes(server) if one['id'] in made]
    image_id = operation.params['image_id']
    image = deps.images.show(service_context(), image_id)
    if image.status == 'queued':
        deps.images.update(service_context(), image_id, {
            'block_device_mapping': json.dumps(entries), 'bdm_v2': 'True',
            'root_device_name': next((entry['device_name'] for entry in entries if entry['boot_index'] == 0), '')})
        deps.images.upload(service_context(), image_id, io.BytesIO())
    return {}


def _volumes(server: Server) -> list[block_devices.Device]:
    return block_devices.volumes(server)


def reimage(deps: Deps, context: RequestContext, operation: Operation, server: Server) -> Mapping[str, Any]:
    """The image is being written over the root disk."""
    root = block_devices.root_of(server)
    if root is None:
        raise errors.Conflict(reason=f'Server {server.uuid} does not boot from a volume any more.')
    deps.volumes.reimage(service_context(), root['volume_id'], operation.params['image'])
    return {}


def await_image(deps: Deps, context: RequestContext, operation: Operation, server: Server) -> Mapping[str, Any]:
    """It has been written, and the volume is connected to the host as before."""
    root = block_devices.root_of(server) or {}
    volumes.wait_for(deps, root['volume_id'], (IN_USE, RESERVED, AVAILABLE))
    attachments = deps.volumes.show(service_context(), root['volume_id']).attachments
    if any(one.id == root['attachment_id'] for one in attachments):
        return {}
    # The service lets nobody be connected meanwhile, and has put a reservation in the place of the attachment.
    mine = next((one.id for one in attachments if one.server_uuid == server.uuid), None)
    connector = volumes.connector_of(deps, operation.params[SOURCE])
    again = volumes.completed(deps, volumes.connected(deps, server, {**root, 'attachment_id': mine}, connector))
    return {'block_devices': block_devices.replaced(server.block_devices, again)}


def retract(deps: Deps, context: RequestContext, operation: Operation, server: Server,
            changes: Mapping[str, Any]) -> None:
    """Nobody wants the image any more."""
    _drop(deps, changes[_SNAPSHOTS])


here.RETRACT[_TAKE] = retract
STEPS: dict[str, OwnStep] = {_TAKE: take, _DROP: drop, _FILL: fill, _REIMAGE: reimage, _AWAIT: await_image}
KINDS: dict[str, Kind] = {'snapshot_volumes': SnapshotVolumes(), 'rebuild_volume': RebuildVolume()}
