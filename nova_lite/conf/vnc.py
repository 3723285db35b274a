# SPDX-License-Identifier: Apache-2.0
"""VNC consoles of the servers of a compute host."""

from oslo_config import cfg

GROUP = 'vnc'

OPTS = [
    cfg.BoolOpt('enabled', default=True, help="""
Whether servers have VNC consoles.
"""),
    cfg.URIOpt('novncproxy_base_url', default='http://127.0.0.1:6080/vnc_auto.html', help="""
Public URL of the noVNC proxy, as the clients of this host's servers reach it.
"""),
]
