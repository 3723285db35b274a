# SPDX-License-Identifier: Apache-2.0
"""What a host's heartbeat changes: its inventory, its leases, and the power states of its servers."""

import datetime
from collections.abc import Callable
from typing import Any

from nova_lite.conductor import power_sync
from nova_lite.conductor.work import Deps
from nova_lite.db.queries import hosts, operations, placed, services
from nova_lite.model import times
from nova_lite.model.services import COMPUTE
from nova_lite.objects.host import HostReport

#: How long a guest may be where no server is before its host is told.
GRACE = datetime.timedelta(seconds=60)
#: Operations that are begun again before a heartbeat is answered.
RESUMED = 20
RESOURCES = ('vcpus', 'memory_mb', 'local_gb')


def report_host(deps: Deps, report: HostReport, resume: Callable[[str], None],
                calendar: power_sync.Calendar) -> dict[str, Any]:
    """Take a heartbeat. The answer's ``unknown_guests`` are of servers that are deleted or elsewhere.

    ``resume`` is called for operations of a host that has just started and so does none of them, and for new servers
    that may have waited for it; if there are many, the sweepers find the rest.
    """
    now = times.utcnow()
    heard = hosts.Report(report.host, report.version, _values(report))
    for operation_id in deps.db.transaction(_record, deps, heard, _busy_with(report), now)[:RESUMED]:
        resume(operation_id)
    with deps.db.read() as conn:
        known = placed.on_host(conn, report.host)
    power_sync.sync(deps, report.host, known, report.guests, calendar.is_due(deps.conf, report.host), now)
    unknown = sorted(set(report.guests) - {row.uuid for row in known})
    if not unknown:
        return {'unknown_guests': []}
    with deps.db.read() as conn:
        gone = placed.gone_from_host(conn, report.host, unknown, now - GRACE)
    return {'unknown_guests': gone}


def _record(conn: Any, deps: Deps, heard: hosts.Report, busy_with: list[str] | None,
            now: datetime.datetime) -> list[str]:
    """Write the heartbeat down; the operations that are to be begun again."""
    if hosts.heard(conn, heard, now):
        deps.notifications.thing(conn, 'service.create', services.get_by_host(conn, heard.host, COMPUTE).id)
    if busy_with is None:
        return [*operations.orphaned(conn, heard.host, now), *operations.waiting(conn, 'build', RESUMED)]
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
    values['rates'] = {}
    for name in RESOURCES:
        reserved = report.reserved.get(name, 0)
        ratio = report.ratios.get(name, 1.0)
        values[f'{name}_limit'] = max(0, int((values[name] - reserved) * ratio))
        values['rates'][name] = [reserved, ratio]
    return values
