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
    cfg.IntOpt('idempotency_key_lifetime', default=86400, min=60, help="""
Seconds that the answer to a request with an Idempotency-Key is kept, so that the same request gets it again. Later
the key is a new one. The conductors remove what is older.
"""),
    cfg.IntOpt('finished_operation_lifetime', default=604800, min=0, help="""
Seconds that the conductors keep operations that are over. `nova-manage operations` lists them for so long; what
owners see of them, the list of actions of their servers, stays. With 0 they are kept for ever.
"""),
]
