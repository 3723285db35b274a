# SPDX-License-Identifier: Apache-2.0
"""How a host is found for a server."""

from oslo_config import cfg

GROUP = 'scheduler'

OPTS = [
    cfg.IntOpt('max_attempts', default=3, min=1, help="""
Hosts that are tried for a server before it ends in ERROR.
"""),
]
