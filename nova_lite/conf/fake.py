# SPDX-License-Identifier: Apache-2.0
"""The fake hypervisor's size, slowness and faults."""

from oslo_config import cfg

GROUP = 'fake'

OPTS = [
    cfg.IntOpt('hosts', default=1, min=1, help="""
Number of compute hosts that one nova-compute stands for. One is named as `[DEFAULT] host` says; more are
named like it with `-1`, `-2` and so on at the end.
"""),
    cfg.IntOpt('vcpus', default=64, min=1, help="""
Processors of each fake host.
"""),
    cfg.IntOpt('memory_mb', default=256 * 1024, min=1, help="""
Memory of each fake host, in MiB.
"""),
    cfg.IntOpt('disk_gb', default=4096, min=1, help="""
Disk space of each fake host, in GiB.
"""),
    cfg.ListOpt('traits', default=[], help="""
Traits of each fake host, which flavors and images can require or forbid: `HW_CPU_X86_AVX2,CUSTOM_GOLD`.
"""),
    cfg.IntOpt('numa_cells', default=0, min=0, help="""
NUMA cells into which each fake host is divided; NUMATopologyFilter asks for them. None: it tells of no cells.
"""),
    cfg.FloatOpt('delay', default=0.0, min=0, help="""
Seconds that each operation on a fake server takes.
"""),
    cfg.ListOpt('fail_at', default=[], help="""
Operations that fail, as `OPERATION:N` for the N-th call since a host was started or `OPERATION:*` for every
call: `spawn:3,reboot:*`. Each fake host counts for itself. Operations: spawn, destroy, power_on, power_off,
reboot, snapshot, pause, unpause, suspend, resume, rescue, unrescue, replace_root, set_password, crash_dump,
prepare_move, leave, arrive, come_back, withdraw, forget, live_migrate, attach_interface, detach_interface.
"""),
    cfg.FloatOpt('live_migration_seconds', default=0.5, min=0, help="""
Seconds that a live migration of a fake server takes, unless somebody ends it earlier.
"""),
]
