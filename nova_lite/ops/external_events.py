# SPDX-License-Identifier: Apache-2.0
"""What other services tell about servers.

An event is accepted if its server is on a host.  Nothing here waits for an event: a port or a volume is asked for its
state when it is needed, and no hypervisor here is driven by Ironic.  An event of a port has the server's addresses read
anew.  An accepted power-update is a step of its server's
history, as the owner can read there why it came to nothing.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.db.queries import actions, servers
from nova_lite.model import times
from nova_lite.ops import interfaces, volumes
from nova_lite.ops.base import action_row

LOG = logging.getLogger(__name__)

POWER_UPDATE, VOLUME_EXTENDED, VIF_DELETED = 'power-update', 'volume-extended', 'network-vif-deleted'
_OF_PORTS = ('network-changed', 'network-vif-plugged')
#: Events that say nothing without a tag, and what it may be if that is known.
_TAGGED = {VOLUME_EXTENDED: None, 'volume-reimaged': None, 'accelerator-request-bound': None,
           POWER_UPDATE: ('POWER_ON', 'POWER_OFF')}

ACCEPTED, NO_TAG, NO_SERVER, NO_HOST = 200, 400, 404, 422


@dataclass(frozen=True)
class ExternalEvent:
    """Something happened to a server; ``tag`` says to which part of it."""

    server_uuid: str
    name: str
    status: str = 'completed'
    tag: str | None = None


def accept(deps: Any, context: RequestContext, events: Sequence[ExternalEvent]) -> list[int]:
    """What became of each event, as the code that the wire shows."""
    with deps.db.read() as conn:
        found = servers.get_many(conn, {event.server_uuid for event in events}, frozenset(('uuid', 'host', 'deleted')))
    codes = [_judge(event, found.get(event.server_uuid)) for event in events]
    good = [event for event, code in zip(events, codes, strict=True) if code == ACCEPTED]
    power = [event for event in good if event.name == POWER_UPDATE]
    if power:
        deps.db.transaction(_record, context, power, {uuid: row.host for uuid, row in found.items()})
    _of_ports(deps, context, good)
    for event in good:
        if event.name == VOLUME_EXTENDED and event.tag:
            _take_in(volumes.extended, deps, context, event.server_uuid, event.tag)
    for event, code in zip(events, codes, strict=True):
        LOG.info('Event %s (%s, tag %s) of server %s: %d', event.name, event.status, event.tag, event.server_uuid, code)
    return codes


def _of_ports(deps: Any, context: RequestContext, good: Sequence[ExternalEvent]) -> None:
    """Where the network service does not tell servers itself: take in what it says of their ports."""
    if deps.networks.tells_servers:
        return
    for server_uuid in sorted({event.server_uuid for event in good if event.name in _OF_PORTS}):
        _take_in(interfaces.refresh, deps, server_uuid)
    for event in good:
        if event.name == VIF_DELETED and event.tag:
            _take_in(interfaces.port_is_gone, deps, context, event.server_uuid, event.tag)


def _take_in(what: Callable[..., None], *about: Any) -> None:
    """One event that cannot be taken in is no reason to refuse the others, nor would its sender know what to do."""
    try:
        what(*about)
    except errors.Error as error:
        LOG.warning('An event was not taken in: %s', error)


def _judge(event: ExternalEvent, server: Any) -> int:
    if server is None or server.deleted:
        return NO_SERVER
    if event.name in _TAGGED:
        known = _TAGGED[event.name]
        if event.tag is None or known is not None and event.tag.upper() not in known:
            return NO_TAG
    return ACCEPTED if server.host else NO_HOST


def _record(conn: Any, context: RequestContext, events: Sequence[ExternalEvent], hosts: dict[str, str]) -> None:
    now = times.utcnow()
    for event in events:
        action_id = actions.insert(conn, action_row(context, event.server_uuid, POWER_UPDATE))
        row = {'event': 'compute_power_update', 'host': hosts[event.server_uuid], 'start_time': now,
               'finish_time': now, 'result': 'Error',
               'details': 'The hypervisor of this host looks after the power of its guests itself.'}
        actions.close(conn, action_id, [row], 'Error')
