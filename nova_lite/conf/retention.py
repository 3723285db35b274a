# SPDX-License-Identifier: Apache-2.0
"""How long things stay that somebody may want back."""

from oslo_config import cfg

GROUP = 'DEFAULT'

OPTS = [
    cfg.IntOpt('reclaim_instance_interval', default=0, min=0, help="""
Seconds that a deleted server can be restored; only then its disks are removed. With 0 a delete is final at once.
The API and the conductors have to agree on it.
"""),
    cfg.IntOpt('shelved_offload_time', default=0, min=-1, help="""
Seconds that a shelved server keeps its place on its host. With 0 it leaves at once, with -1 only when an
administrator asks for it.
"""),
]
