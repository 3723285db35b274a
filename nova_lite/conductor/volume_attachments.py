# SPDX-License-Identifier: Apache-2.0
"""Attach a volume to a server, take it away, put another one in its place, tell that it has grown.

The server's row changes by one device at a time, because several of these may be under way at one server.
"""

from collections.abc import Mapping
from typing import Any

from nova_lite.auth.context import RequestContext, service_context
from nova_lite.conductor import here, volumes
from nova_lite.conductor.here import OwnStep
from nova_lite.conductor.steps import CONDUCTOR, SOURCE, Step, Stepwise
from nova_lite.conductor.work import Deps, Kind, Work
from nova_lite.db.queries import servers
from nova_lite.model import block_devices
from nova_lite.model.block_devices import ATTACHED, Device
from nova_lite.objects.operation import Operation, OperationReport
from nova_lite.objects.server import Server

#: Parameters of the operation: the id of the device; what the other volume of a swap will be.
DEVICE, OTHER = 'device', 'other'

_CONNECT, _GIVE_BACK, _COMPLETE = 'volume_connect', 'volume_give_back', 'volume_complete'
_BEGIN, _ROLL_BACK = 'volume_begin_detaching', 'volume_roll_back'
_CONNECT_OTHER, _GIVE_OTHER_BACK, _SETTLE = 'volume_connect_other', 'volume_give_other_back', 'volume_settle'


class _OfDevice(Stepwise):
    """What all have in common: a host, and a device that somebody may have taken away meanwhile."""

    def begin(self, work: Work) -> None:
        """Remember the host."""
        if _device(work.server, work.params) is None:
            work.fail({'code': 404, 'message': 'The volume is not attached to the server any more.', 'details': ''})
            return
        work.params[SOURCE] = work.server.host

    def passed(self, work: Work, step: Step, report: OperationReport) -> None:
        """Keep what is known of the device now."""
        if DEVICE in report.changes:
            _store(work, report.changes[DEVICE])


class AttachVolume(_OfDevice):
    """The API has reserved the volume and recorded the device."""

    steps = (
        Step(_CONNECT, CONDUCTOR, undo=_GIVE_BACK),
        Step('volume_attach', SOURCE, undo='volume_detach'),
        Step(_COMPLETE, CONDUCTOR),
    )

    def undone(self, work: Work, error: Mapping[str, Any]) -> None:
        """The server has no such device."""
        _forget(work)
        work.fail(error)


class DetachVolume(_OfDevice):
    """The API has marked the device."""

    def steps_of(self, work: Work) -> tuple[Step, ...]:
        """A server that is on no host has nothing to let go of."""
        give_back = Step(_GIVE_BACK, CONDUCTOR, sure=True)
        if work.params[SOURCE] is None:
            return (give_back,)
        return (Step(_BEGIN, CONDUCTOR, undo=_ROLL_BACK),
                Step('volume_detach', SOURCE, undo='volume_attach'), give_back)

    def finish(self, work: Work) -> None:
        """The server has no such device."""
        _forget(work)
        work.done()

    def undone(self, work: Work, error: Mapping[str, Any]) -> None:
        """The server still has it."""
        _store(work, {'id': work.params[DEVICE], 'status': ATTACHED})
        work.fail(error)


class SwapVolume(_OfDevice):
    """Another volume takes the place of one, with all that is on it."""

    steps = (
        Step(_BEGIN, CONDUCTOR, undo=_ROLL_BACK),
        Step(_CONNECT_OTHER, CONDUCTOR, undo=_GIVE_OTHER_BACK),
        Step('volume_swap', SOURCE, undo='volume_swap_back'),
        Step(_SETTLE, CONDUCTOR, sure=True),
    )

    def passed(self, work: Work, step: Step, report: OperationReport) -> None:
        """From the swap on, the device is the other volume."""
        if OTHER in report.changes:
            work.params[OTHER] = report.changes[OTHER]
        if step.name == 'volume_swap':
            _store(work, {**work.params[OTHER], 'status': ATTACHED})

    def undone(self, work: Work, error: Mapping[str, Any]) -> None:
        """The server has the volume that it had."""
        _store(work, {'id': work.params[DEVICE], 'status': ATTACHED})
        work.fail(error)


class ExtendVolume(_OfDevice):
    """A volume has grown, and its size is recorded: the guest is told."""

    steps = (Step('volume_extend', SOURCE),)


def _store(work: Work, changed: Mapping[str, Any]) -> None:
    work.change(block_devices=block_devices.replaced(work.server.block_devices or (), changed) or None)


def _forget(work: Work) -> None:
    left = block_devices.without(work.server.block_devices or (), work.params[DEVICE])
    servers.update(work.conn, work.server.uuid, block_devices=left)
    work.server.block_devices = left


def _device(server: Any, params: Mapping[str, Any]) -> Device | None:
    return next((one for one in block_devices.of_server(server) if one['id'] == params[DEVICE]), None)


# ---------------------------------------------------------------- steps of a conductor

def connect(deps: Deps, context: RequestContext, operation: Operation, server: Server) -> Mapping[str, Any]:
    """The volume is reserved, and the service knows the host."""
    one = _of_step(operation, server)
    return {DEVICE: volumes.connected(deps, server, one, volumes.connector_of(deps, operation.params[SOURCE]))}


def complete(deps: Deps, context: RequestContext, operation: Operation, server: Server) -> Mapping[str, Any]:
    """The guest has it."""
    return {DEVICE: volumes.completed(deps, _of_step(operation, server))}


def give_back(deps: Deps, context: RequestContext, operation: Operation, server: Server) -> Mapping[str, Any]:
    """The volume is not the server's."""
    volumes.detached(deps, _of_step(operation, server)['volume_id'], server.uuid)
    return {}


def begin_detaching(deps: Deps, context: RequestContext, operation: Operation, server: Server) -> Mapping[str, Any]:
    """Everybody can see that it goes."""
    deps.volumes.begin_detaching(service_context(), _of_step(operation, server)['volume_id'])
    return {}


def roll_back(deps: Deps, context: RequestContext, operation: Operation, server: Server) -> Mapping[str, Any]:
    """It stays."""
    deps.volumes.roll_detaching(service_context(), _of_step(operation, server)['volume_id'])
    return {}


def connect_other(deps: Deps, context: RequestContext, operation: Operation, server: Server) -> Mapping[str, Any]:
    """The other volume is reserved, too."""
    one = {**_of_step(operation, server), **operation.params[OTHER], 'attachment_id': None}
    attachment = deps.volumes.reserve(service_context(), one['volume_id'], server.uuid, key=operation.id)
    connection = deps.volumes.connect(service_context(), attachment,
                                      volumes.connector_of(deps, operation.params[SOURCE]))
    return {OTHER: {**operation.params[OTHER], 'id': one['id'], 'attachment_id': attachment,
                    'connection': connection}}


def give_other_back(deps: Deps, context: RequestContext, operation: Operation, server: Server) -> Mapping[str, Any]:
    """The other volume is not the server's."""
    volumes.detached(deps, operation.params[OTHER]['volume_id'], server.uuid)
    return {}


def settle(deps: Deps, context: RequestContext, operation: Operation, server: Server) -> Mapping[str, Any]:
    """The guest has the other volume, and nobody the first one."""
    volumes.completed(deps, _of_step(operation, server))
    volumes.detached(deps, operation.params['old_volume'], server.uuid)
    return {}


def _of_step(operation: Operation, server: Server) -> Device:
    """The device; of one that was taken away meanwhile, what the operation knows."""
    found = _device(server, operation.params)
    return found or dict(operation.params['known'])


def retract(deps: Deps, context: RequestContext, operation: Operation, server: Server,
            changes: Mapping[str, Any]) -> None:
    """The server is being deleted: it does not get the volume."""
    volumes.detached(deps, (changes.get(DEVICE) or changes[OTHER])['volume_id'], server.uuid)


here.RETRACT.update({_CONNECT: retract, _CONNECT_OTHER: retract})
STEPS: dict[str, OwnStep] = {
    _CONNECT: connect, _COMPLETE: complete, _GIVE_BACK: give_back, _BEGIN: begin_detaching, _ROLL_BACK: roll_back,
    _CONNECT_OTHER: connect_other, _GIVE_OTHER_BACK: give_other_back, _SETTLE: settle,
}
KINDS: dict[str, Kind] = {
    'attach_volume': AttachVolume(),
    'detach_volume': DetachVolume(),
    'extend_volume': ExtendVolume(),
    'swap_volume': SwapVolume(),
}
