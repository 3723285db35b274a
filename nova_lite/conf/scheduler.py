# SPDX-License-Identifier: Apache-2.0
"""How a host is found for a server."""

from oslo_config import cfg

GROUP = 'scheduler'

OPTS = [
    cfg.IntOpt('max_attempts', default=3, min=1, help="""
Hosts that are tried for a server before it ends in ERROR.
"""),
    cfg.IntOpt('wait_for_hosts', default=0, min=0, help="""
Seconds for which a new server waits while no compute host at all is up, as when everything starts. With 0 it ends in
ERROR at once.
"""),
]
