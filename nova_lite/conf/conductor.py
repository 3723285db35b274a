# SPDX-License-Identifier: Apache-2.0
"""The conductor: how many processes do its work."""

from oslo_config import cfg

GROUP = 'conductor'

OPTS = [
    cfg.IntOpt('workers', min=1, mutable=True, help="""
Processes of nova-conductor. One for each processor if not set.
"""),
    cfg.IntOpt('operation_lease', default=30, min=1, help="""
Seconds that an operation may take before another conductor looks after it and has it done again. A compute
host that is still at it goes on; nothing is done twice.
"""),
    cfg.IntOpt('operation_attempts', default=10, min=1, help="""
Attempts after which an operation is given up and its server tells why. They come with growing pauses.
"""),
    cfg.FloatOpt('sweep_interval', default=5.0, min=0.1, help="""
Seconds between two looks of each conductor for operations that nobody cares for, such as those whose message
was lost.
"""),
]
