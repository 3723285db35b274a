# SPDX-License-Identifier: Apache-2.0
"""Serial consoles of the servers of a compute host."""

from oslo_config import cfg

GROUP = 'serial_console'

OPTS = [
    cfg.BoolOpt('enabled', default=False, help="""
Whether servers have serial consoles that can be written to.
"""),
    cfg.URIOpt('base_url', default='ws://127.0.0.1:6083/', help="""
Public URL of the serial console proxy.
"""),
]
