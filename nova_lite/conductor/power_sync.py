# SPDX-License-Identifier: Apache-2.0
"""Servers and guests that do not agree on whether they run.

A guest that went off by itself leaves a server that is stopped.  A guest that runs though its server is stopped is
stopped, too: somebody started it behind the back of its owner, who pays for it or has given its volumes away.
"""

import datetime
import logging
import time
import uuid
from collections.abc import Mapping
from typing import Any

from oslo_config import cfg
from oslo_context import context as oslo_context

from nova_lite.conductor.work import Deps
from nova_lite.db.queries import actions, operations, placed, servers
from nova_lite.model import states
from nova_lite.model.power import Power

LOG = logging.getLogger(__name__)

#: A report may be older than a change of the same moment, so what changed this recently is left alone.
SETTLED = datetime.timedelta(seconds=15)
#: Seconds between two looks at everything where the option leaves it to us.
USUAL = 60
#: (vm_state, what the guest does) → what the server is then; other pairs are left alone, but for those of HALTED.
FOLLOWS = {
    (states.ACTIVE, Power.SHUTDOWN): states.STOPPED,
    (states.ACTIVE, Power.CRASHED): states.STOPPED,
    (states.PAUSED, Power.SHUTDOWN): states.STOPPED,
    (states.PAUSED, Power.CRASHED): states.STOPPED,
}
#: (vm_state, what the guest does) that cannot stay: the guest is stopped.
HALTED = frozenset((
    (states.STOPPED, Power.RUNNING), (states.STOPPED, Power.PAUSED), (states.STOPPED, Power.SUSPENDED),
    (states.ACTIVE, Power.SUSPENDED)))


class Calendar:
    """When all guests of a host are to be looked at, and not only those that report something new.

    Each conductor has its own: looking more often than asked for does no harm.
    """

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def is_due(self, conf: cfg.ConfigOpts, host: str) -> bool:
        """Whether it is time; if so, it is noted down."""
        interval = conf.sync_power_state_interval
        if interval < 0:
            return False
        now = time.monotonic()
        if now - self._last.get(host, float('-inf')) < (interval or USUAL):
            return False
        self._last[host] = now
        return True


def sync(deps: Deps, host: str, known: Any, guests: Mapping[str, Any], everything: bool,
         now: datetime.datetime) -> None:
    """Bring the idle servers of a host together with their guests; ``known`` are rows of ``placed.on_host``."""
    if not (everything or deps.conf.workarounds.handle_virt_lifecycle_events):
        return
    for row in known:
        power = Power(guests.get(row.uuid, Power.NOSTATE))
        if row.task_state is not None or row.updated_at > now - SETTLED or not (everything or power != row.power_state):
            continue
        if (row.vm_state, power) in HALTED:
            deps.db.transaction(_halt, host, row, power, now)
        else:
            vm_state = FOLLOWS.get((row.vm_state, power), row.vm_state)
            values = {'power_state': int(power), 'vm_state': vm_state}
            if (vm_state, power) != (row.vm_state, row.power_state) and deps.db.transaction(
                    placed.change_if_idle, row.uuid, host, row, values):
                LOG.info('The guest of server %s on host %s went from power state %d to %d: %s.', row.uuid, host,
                         row.power_state, power, vm_state)


def _halt(conn: Any, host: str, row: Any, power: Power, now: datetime.datetime) -> None:
    values = {'power_state': int(power), 'task_state': states.POWERING_OFF}
    if not placed.change_if_idle(conn, row.uuid, host, row, values):
        return
    LOG.warning('The guest of server %s on host %s has power state %s, but the server is %s; it is stopped.', row.uuid,
                host, power.name, row.vm_state)
    server = servers.get(conn, row.uuid)
    whose = {'request_id': oslo_context.generate_request_id(), 'user_id': server.user_id,
             'project_id': server.project_id}
    action_id = actions.insert(conn, {'server_uuid': row.uuid, 'action': 'stop', **whose})
    operations.insert(conn, [{
        'id': str(uuid.uuid4()), 'kind': 'stop', 'server_uuid': row.uuid, **whose, 'action_id': action_id,
        'state': operations.PENDING, 'step': '', 'attempt': 0, 'owner': None, 'lease_until': now, 'params': {},
        'error': None, 'created_at': now, 'updated_at': now}])
