# SPDX-License-Identifier: Apache-2.0
"""How long one process waits for another; where they meet is oslo.messaging's own ``transport_url``."""

from oslo_config import cfg

GROUP = 'DEFAULT'

OPTS = [
    cfg.IntOpt('long_rpc_timeout', default=1800, min=1, help="""
Seconds to wait for the answer to a call whose work may take long, such as one that asks a hypervisor. Others
wait `rpc_response_timeout` seconds.
"""),
    cfg.IntOpt('rpc_monitor_timeout', default=10, min=2, help="""
Seconds after which such a call fails early, because the other side has not even shown that it is alive.
"""),
]
