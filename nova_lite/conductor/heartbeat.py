# SPDX-License-Identifier: Apache-2.0
"""What a host's heartbeat changes: its inventory, its leases, and the power states of its servers."""

import datetime
import logging
from collections.abc import Callable
from typing import Any

from nova_lite.conductor.work import Deps
from nova_lite.db.queries import hosts, operations, placed
from nova_lite.model import states, times
from nova_lite.model.power import Power
from nova_lite.objects.host import HostReport

LOG = logging.getLogger(__name__)

#: A report may be older than a change of the same moment, so what changed this recently is left alone.
SETTLED = datetime.timedelta(seconds=15)
#: How long a guest may be where no server is before its host is told.
GRACE = datetime.timedelta(seconds=60)
#: Operations that are begun again before a heartbeat is answered.
RESUMED = 20
RESOURCES = ('vcpus', 'memory_mb', 'local_gb')
#: (vm_state, what the guest does) → what the server is then; pairs that are not here are left alone.
FOLLOWS = {
    (states.ACTIVE, Power.SHUTDOWN): states.STOPPED,
    (states.ACTIVE, Power.CRASHED): states.STOPPED,
    (states.RESCUED, Power.SHUTDOWN): states.STOPPED,
    (states.PAUSED, Power.SHUTDOWN): states.STOPPED,
    (states.SUSPENDED, Power.SHUTDOWN): states.STOPPED,
}


def report_host(deps: Deps, report: HostReport, resume: Callable[[str], None]) -> dict[str, Any]:
    """Take a heartbeat. The answer's ``unknown_guests`` are of servers that are deleted or elsewhere.

    ``resume`` is called for operations of a host that has just started and so does none of them; if there are many,
    the sweepers find the rest.
    """
    now = times.utcnow()
    heard = hosts.Report(report.host, report.version, _values(report))
    for operation_id in deps.db.transaction(_record, deps, heard, _busy_with(report), now)[:RESUMED]:
        resume(operation_id)
    with deps.db.read() as conn:
        known = placed.on_host(conn, report.host)
    _sync(deps, known, report, now)
    unknown = sorted(set(report.guests) - {row.uuid for row in known})
    if not unknown:
        return {'unknown_guests': []}
    with deps.db.read() as conn:
        gone = placed.gone_from_host(conn, report.host, unknown, now - GRACE)
    return {'unknown_guests': gone}


def _record(conn: Any, deps: Deps, heard: hosts.Report, busy_with: list[str] | None,
            now: datetime.datetime) -> list[str]:
    """Write the heartbeat down; the operations that are to be begun again."""
    hosts.heard(conn, heard, now)
    if busy_with is None:
        return operations.orphaned(conn, heard.host, now)
    if busy_with:
        operations.renew(conn, busy_with, heard.host, deps.lease(now))
    return []


def _busy_with(report: HostReport) -> list[str] | None:
    """The operations that the host is at, None if it has just started; an older one does not say."""
    if not report.obj_attr_is_set('operations'):
        return []
    return None if report.operations is False else list(report.operations or ())


def _values(report: HostReport) -> dict[str, Any]:
    values = {name: getattr(report, name) for name in (
        'hypervisor_hostname', 'hypervisor_type', 'hypervisor_version', 'host_ip', 'cpu_info', 'traits', 'uptime',
        'disk_available_least', *RESOURCES)}
    # An older host does not say.
    values['capabilities'] = report.capabilities if report.obj_attr_is_set('capabilities') else None
    for name in RESOURCES:
        reserved = report.reserved.get(name, 0)
        ratio = report.ratios.get(name, 1.0)
        values[f'{name}_limit'] = max(0, int((values[name] - reserved) * ratio))
    return values


def _sync(deps: Deps, known: Any, report: HostReport, now: datetime.datetime) -> None:
    """Let idle servers follow what their guests do by themselves."""
    for row in known:
        power = Power(report.guests.get(row.uuid, Power.NOSTATE))
        vm_state = FOLLOWS.get((row.vm_state, power), row.vm_state)
        if (vm_state, power) == (row.vm_state, row.power_state):
            continue
        if row.task_state is None and row.updated_at <= now - SETTLED:
            values = {'power_state': int(power), 'vm_state': vm_state}
            if deps.db.transaction(placed.change_if_idle, row.uuid, report.host, row, values):
                LOG.info('The guest of server %s on host %s went from power state %d to %d: %s.',
                         row.uuid, report.host, row.power_state, power, vm_state)
