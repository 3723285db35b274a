# SPDX-License-Identifier: Apache-2.0
"""What compute hosts allow to be attached."""

from oslo_config import cfg

GROUP = 'compute'

OPTS = [
    cfg.IntOpt('max_disk_devices_to_attach', default=-1, min=-1, help="""
Disks that a server may have, the one that it boots from included. -1 does not limit them.
"""),
]
