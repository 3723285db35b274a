# SPDX-License-Identifier: Apache-2.0
"""Serial consoles: the servers' on a compute host, and their proxy."""

from oslo_config import cfg

GROUP = 'serial_console'

OPTS = [
    cfg.BoolOpt('enabled', default=False, help="""
Whether servers have serial consoles that can be written to.
"""),
    cfg.URIOpt('base_url', default='ws://127.0.0.1:6083/', help="""
Public URL of the serial console proxy.
"""),
    cfg.StrOpt('proxyclient_address', default='127.0.0.1', help="""
Address at which the serial consoles of this compute host listen, and the proxies reach them.
"""),
    cfg.StrOpt('port_range', default='10000:20000', regex=r'^\d+:\d+$', help="""
Ports for the serial consoles of this compute host, from the first to the last.
"""),
    cfg.StrOpt('serialproxy_host', default='0.0.0.0', help="""
Address at which nova-serialproxy listens.
"""),
    cfg.PortOpt('serialproxy_port', default=6083, help="""
Port of nova-serialproxy.
"""),
]
