# SPDX-License-Identifier: Apache-2.0
"""Ports of servers: what a conductor asks of the network service, and what of it a server's row remembers.

A wish for an interface stands among a server's interfaces from the moment it is accepted, so that whoever
ends the server knows that there may be a port.  ``plug_ports`` puts ports in the place of wishes.
"""

from collections.abc import Mapping
from typing import Any

from nova_lite.auth.context import RequestContext, service_context
from nova_lite.conductor import here, supplies
from nova_lite.conductor.here import OwnStep
from nova_lite.conductor.steps import CONDUCTOR, DEST, SOURCE, Step, Stepwise
from nova_lite.conductor.supplies import Supply
from nova_lite.conductor.work import Chore, Deps, Kind, Work
from nova_lite.model import networks, states
from nova_lite.objects.operation import Operation, OperationReport
from nova_lite.objects.server import Server

PLUG, LEAVE, RELEASE = 'plug_ports', 'unbind_ports', 'release_ports'
TO_DEST, TO_SOURCE = 'ports_to_dest', 'ports_to_source'
PLUG_ONE, UNPLUG_ONE, ATTACH, DETACH = 'plug_port', 'unplug_port', 'attach_port', 'detach_port'
#: Parameters of an operation on one interface: its slot, and what the server remembers of it.
SLOT, INTERFACE = 'slot', 'interface'

# ------------------------------------------------------------------- steps


def plug(deps: Deps, context: RequestContext, operation: Operation, server: Server) -> Mapping[str, Any]:
    """The ports that the server wishes, and those that it has, are on its host."""
    host = operation.params[supplies.FOR_HOST]
    known = server.interfaces
    if not networks.wishes(known):
        deps.networks.bind(context, server.uuid, host)
        return {}
    ports = _wished(deps, context, server, host, known)
    if networks.plugged(known):
        deps.networks.bind(context, server.uuid, host)
    return networks.columns(networks.fulfilled(known, ports))


def _wished(deps: Deps, context: RequestContext, server: Server, host: str,
            known: list[networks.Interface]) -> list[networks.Port]:
    groups = next((entry['group_ids'] for entry in known if entry.get('group_ids')), ())
    return deps.networks.plug(context, server, host, networks.wishes(known), groups)


def release(deps: Deps, context: RequestContext, operation: Operation, server: Server) -> Mapping[str, Any]:
    """The server has no ports."""
    deps.networks.release(context, server.uuid)
    return networks.columns([])


def leave(deps: Deps, context: RequestContext, operation: Operation, server: Server) -> Mapping[str, Any]:
    """The ports are on no host."""
    deps.networks.bind(context, server.uuid, None)
    return {}


def to_dest(deps: Deps, context: RequestContext, operation: Operation, server: Server) -> Mapping[str, Any]:
    """The ports are on the host to which the server goes."""
    deps.networks.bind(context, server.uuid, operation.params[DEST])
    return {}


def to_source(deps: Deps, context: RequestContext, operation: Operation, server: Server) -> Mapping[str, Any]:
    """The ports are on the host from which the server came."""
    deps.networks.bind(context, server.uuid, operation.params[SOURCE])
    return {}


def plug_one(deps: Deps, context: RequestContext, operation: Operation, server: Server) -> Mapping[str, Any]:
    """The port that the operation is about is on the server's host."""
    wished = [entry for entry in server.interfaces if entry['slot'] == operation.params[SLOT]]
    if not networks.wishes(wished):
        return {INTERFACE: wished[0]} if wished else {}
    (port,) = _wished(deps, context, server, operation.params[SOURCE], wished)
    return {INTERFACE: networks.interface(port)}


def unplug_one(deps: Deps, context: RequestContext, operation: Operation, server: Server) -> Mapping[str, Any]:
    """The server has no such port."""
    for port in deps.networks.ports(context, server.uuid):
        if port.slot == operation.params[SLOT]:
            deps.networks.unplug(context, server.uuid, port.id)
    return {}


STEPS: dict[str, OwnStep] = {
    PLUG: plug, LEAVE: leave, RELEASE: release, TO_DEST: to_dest, TO_SOURCE: to_source, PLUG_ONE: plug_one,
    UNPLUG_ONE: unplug_one}


def retract(deps: Deps, context: RequestContext, operation: Operation, server: Server,
            changes: Mapping[str, Any]) -> None:
    """The build was given up while its ports were made: they have no server to belong to."""
    if operation.kind == 'build':
        deps.networks.release(context, server.uuid)


def retract_one(deps: Deps, context: RequestContext, operation: Operation, server: Server,
                changes: Mapping[str, Any]) -> None:
    """The same with one interface."""
    unplug_one(deps, context, operation, server)


here.RETRACT.update({PLUG: retract, PLUG_ONE: retract_one})

# ------------------------------------------- of servers that are made or moved


def _begin(work: Work) -> None:
    if work.server.vm_state == states.BUILDING:
        work.change(task_state=states.NETWORKING)


def _drop(work: Work) -> None:
    work.schedule(RELEASE, {'server_uuid': work.server.uuid}, work.now)
    work.change(**networks.columns([]))


def release_later(deps: Deps, context: RequestContext, params: Mapping[str, Any]) -> None:
    """The ports of a server that was not built are given back."""
    deps.networks.release(service_context(), params['server_uuid'])


SUPPLY = Supply('interfaces', prepare=PLUG, leave=LEAVE, release=RELEASE, to_dest=TO_DEST, to_source=TO_SOURCE,
                drop=_drop, begin=_begin)
CHORES: dict[str, Chore] = {RELEASE: release_later}

# -------------------------------------------------------- of one interface


class AttachInterface(Stepwise):
    """A server gets one interface more."""

    steps = (
        Step(PLUG_ONE, CONDUCTOR, undo=UNPLUG_ONE),
        Step(ATTACH, SOURCE, undo=DETACH),
    )

    def passed(self, work: Work, step: Step, report: OperationReport) -> None:
        """The server has it from the moment at which there is a port."""
        if step.name != PLUG_ONE:
            return
        made = report.changes.get(INTERFACE)
        work.params[INTERFACE] = made
        if made is not None:
            _store(work, [made if entry['slot'] == made['slot'] else entry for entry in work.server.interfaces or ()])

    def undone(self, work: Work, error: Mapping[str, Any]) -> None:
        """The server has not got it."""
        _store(work, _others(work))
        work.fail(error)

    def stuck(self, work: Work, error: Mapping[str, Any]) -> None:
        """Whatever is left of it has no port."""
        self.undone(work, error)


class DetachInterface(Stepwise):
    """A server loses one interface."""

    steps = (
        Step(DETACH, SOURCE, undo=ATTACH),
        Step(UNPLUG_ONE, CONDUCTOR, sure=True),
    )

    def finish(self, work: Work) -> None:
        """The server does not have it any more."""
        _store(work, _others(work))
        work.done()


class LoseInterface(Stepwise):
    """The port of an interface is gone, and the server's record of it: the guest is told."""

    steps = (Step(DETACH, SOURCE, sure=True),)


def _others(work: Work) -> list[networks.Interface]:
    return [entry for entry in work.server.interfaces or () if entry['slot'] != work.params[SLOT]]


def _store(work: Work, known: list[networks.Interface]) -> None:
    work.change(**networks.columns(known))


KINDS: dict[str, Kind] = {
    'attach_interface': AttachInterface(),
    'detach_interface': DetachInterface(),
    'lose_interface': LoseInterface(),
}
