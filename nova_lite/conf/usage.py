# SPDX-License-Identifier: Apache-2.0
"""How usage is reported."""

from oslo_config import cfg

GROUP = 'DEFAULT'

OPTS = [
    cfg.StrOpt('instance_usage_audit_period', default='month', regex='^(hour|day|month|year)(@[0-9]{1,2})?$', help="""
Period of the usage audit log: hour, day, month or year, with an offset of its begin after an @: minutes of an
hour, hours of a day, days of a month, months of a year.
"""),
]
