# SPDX-License-Identifier: Apache-2.0
"""SPICE consoles of the servers of a compute host."""

from oslo_config import cfg

GROUP = 'spice'

OPTS = [
    cfg.BoolOpt('enabled', default=False, help="""
Whether servers have SPICE consoles.
"""),
    cfg.URIOpt('html5proxy_base_url', default='http://127.0.0.1:6082/spice_auto.html', help="""
Public URL of the SPICE HTML5 proxy.
"""),
    cfg.URIOpt('spice_direct_proxy_base_url', default='http://127.0.0.1:13002/nova', help="""
Public URL of the proxy for native SPICE clients.
"""),
]
