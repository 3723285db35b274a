# SPDX-License-Identifier: Apache-2.0
"""How many disks a server may have."""

from oslo_config import cfg

GROUP = 'DEFAULT'

OPTS = [
    cfg.IntOpt('max_local_block_devices', default=3, min=-1, help="""
Disks on its host that a request for a server may ask for, the one that it boots from included. -1 does not limit
them; 0 forbids servers that do not boot from a volume.
"""),
]
