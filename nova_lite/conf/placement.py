# SPDX-License-Identifier: Apache-2.0
"""Whether a Placement is told of hosts and servers, and how to reach it."""

from oslo_config import cfg

from nova_lite.conf import endpoints

GROUP = 'placement'

OPTS = [
    cfg.BoolOpt('mirror', default=False, help="""
Whether the conductors tell Placement what there is: a resource provider for each host, an allocation for each server.
Nothing here reads it; it is for tools that do. Without it the other options of this section do nothing.
"""),
    cfg.FloatOpt('mirror_interval', default=5.0, min=0.1, help="""
Seconds between two looks for what Placement has not been told yet.
"""),
    cfg.IntOpt('mirror_check_interval', default=3600, min=1, help="""
Seconds until what Placement has of a host and its servers is compared again, and put right where somebody changed it.
"""),
    endpoints.retries('http_retries', 'Placement'),
    *endpoints.options('placement', 'Placement'),
]
