# SPDX-License-Identifier: Apache-2.0
"""Usage audit log: whether each host has told the usage of its servers for a period.

Source: compute API reference, "Server usage audit log".  Usage is told by the usage reports, at any time and for
any span; no host sends a report of its own after each period, and that is what the log says.
"""

import datetime
from typing import Any

from nova_lite import errors
from nova_lite.api import shared
from nova_lite.auth import policy
from nova_lite.db.queries import services
from nova_lite.model import periods, times
from nova_lite.model import services as model
from nova_lite.wsgi import kinds
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import GET

# ------------------------------------------------------------------- policy

LIST_RULE = 'os_compute_api:os-instance-usage-audit-log:list'
SHOW_RULE = 'os_compute_api:os-instance-usage-audit-log:show'

_ROOT = '/os-instance_usage_audit_log'

RULES = (
    policy.rule(LIST_RULE, policy.ADMIN, 'See the usage audit log of the last period.', ('GET', _ROOT)),
    policy.rule(SHOW_RULE, policy.ADMIN, 'See the usage audit log of an earlier period.',
                ('GET', _ROOT + '/{before_timestamp}')),
)

_FORMATS = ('%Y-%m-%d %H:%M:%S.%f', '%Y-%m-%d %H:%M:%S')

_TIME = {'type': 'string', 'pattern': r'^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$'}
_COUNTS = ('num_hosts', 'num_hosts_done', 'num_hosts_running', 'num_hosts_not_run', 'total_instances', 'total_errors')
_SHOWN = kinds.record({
    'period_beginning': _TIME, 'period_ending': _TIME, **dict.fromkeys(_COUNTS, kinds.INTEGER),
    'hosts_not_run': kinds.listed(kinds.TEXT), 'overall_status': kinds.TEXT, 'log': kinds.mapped(kinds.ANY)})

# ----------------------------------------------------------------- handlers


def _log(call: Call, before: datetime.datetime) -> dict[str, Any]:
    begin, end = periods.last_completed(call.services.conf.instance_usage_audit_period, before)
    with call.services.db.read() as conn:
        hosts = sorted(row.host for row in services.page(conn, binary=model.COMPUTE))
    return {
        'period_beginning': str(begin), 'period_ending': str(end), 'num_hosts': len(hosts), 'num_hosts_done': 0,
        'num_hosts_running': 0, 'num_hosts_not_run': len(hosts), 'hosts_not_run': hosts, 'total_instances': 0,
        'total_errors': 0, 'overall_status': f'0 of {len(hosts)} hosts done. 0 errors.', 'log': {}}


def index(call: Call) -> dict[str, Any]:
    """Show the log of the last period that is over."""
    return {'instance_usage_audit_logs': _log(call, times.utcnow())}


def show(call: Call) -> dict[str, Any]:
    """Show the log of the last period that was over at a time."""
    text = call.params['id']
    for form in _FORMATS:
        try:
            return {'instance_usage_audit_log': _log(call, datetime.datetime.strptime(text, form))}
        except (ValueError, OverflowError):
            continue
    raise errors.Invalid(f'Invalid time {text[:64]!r}: it must be such as 2026-01-31 12:00:00.')


ENDPOINTS = (
    GET(_ROOT, index, rule=LIST_RULE, query=shared.NOTHING_KNOWN,
        reply=kinds.under('instance_usage_audit_logs', _SHOWN)),
    GET(_ROOT + '/{id}', show, rule=SHOW_RULE, query=shared.NOTHING_KNOWN,
        reply=kinds.under('instance_usage_audit_log', _SHOWN), errors=(400,)),
)
