# SPDX-License-Identifier: Apache-2.0
"""MKS consoles of the servers of a compute host."""

from oslo_config import cfg

GROUP = 'mks'

OPTS = [
    cfg.BoolOpt('enabled', default=False, help="""
Whether servers have MKS consoles.
"""),
    cfg.URIOpt('mksproxy_base_url', default='http://127.0.0.1:6090/', help="""
Public URL of the MKS proxy.
"""),
]
