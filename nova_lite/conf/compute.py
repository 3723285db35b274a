# SPDX-License-Identifier: Apache-2.0
"""What a compute host runs on, keeps for itself and gives away more than once."""

from oslo_config import cfg

GROUP = 'DEFAULT'

OPTS = [
    cfg.StrOpt('compute_driver', default='fake', help="""
Hypervisor that nova-compute drives. `fake` (also under the name `fake.FakeDriver`) only pretends to run
servers and needs nothing on the host.
"""),
    cfg.IntOpt('reserved_host_cpus', default=0, min=0, help="""
Processors of the host that servers do not get.
"""),
    cfg.IntOpt('reserved_host_memory_mb', default=512, min=0, help="""
Memory of the host, in MiB, that servers do not get.
"""),
    cfg.IntOpt('reserved_host_disk_mb', default=0, min=0, help="""
Disk space of the host, in MiB, that servers do not get.
"""),
    cfg.FloatOpt('cpu_allocation_ratio', default=4.0, min=0.01, help="""
How many virtual processors are given away for each processor of the host.
"""),
    cfg.FloatOpt('ram_allocation_ratio', default=1.0, min=0.01, help="""
How many MiB of memory are given away for each MiB of the host.
"""),
    cfg.FloatOpt('disk_allocation_ratio', default=1.0, min=0.01, help="""
How many GiB of disk are given away for each GiB of the host.
"""),
    cfg.IntOpt('shutdown_timeout', default=60, min=0, help="""
Seconds that a server which is stopped or softly rebooted gets to shut itself down, before its power is cut.
"""),
]
