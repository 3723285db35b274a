# SPDX-License-Identifier: Apache-2.0
"""The conductor: how many processes do its work."""

from oslo_config import cfg

GROUP = 'conductor'

OPTS = [
    cfg.IntOpt('workers', min=1, help="""
Processes of nova-conductor. One for each processor if not set.
"""),
]
