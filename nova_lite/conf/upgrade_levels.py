# SPDX-License-Identifier: Apache-2.0
"""Which version of its messages each service is spoken to in, while old and new ones run side by side."""

from oslo_config import cfg

GROUP = 'upgrade_levels'

_HELP = """
Highest version of the messages that are sent to {service}: a number such as 1.0, or `auto` for what the
oldest running {service} understands.
"""

OPTS = [
    cfg.StrOpt('conductor', default='auto', help=_HELP.format(service='nova-conductor')),
    cfg.StrOpt('compute', default='auto', help=_HELP.format(service='nova-compute')),
]
