# SPDX-License-Identifier: Apache-2.0
"""What a compute host runs on, keeps for itself and gives away more than once."""

from oslo_config import cfg

GROUP = 'DEFAULT'

OPTS = [
    cfg.StrOpt('compute_driver', default='fake', help="""
Hypervisor that nova-compute drives. `libvirt` (also under the name `libvirt.LibvirtDriver`) runs servers with QEMU and
KVM. `fake` (also under the name `fake.FakeDriver`) only pretends to run them and needs nothing on the host.
"""),
    cfg.StrOpt('instances_path', default='$state_path/instances', help="""
Directory for the disks of servers, of hypervisors that keep them in files.
"""),
    cfg.StrOpt('default_ephemeral_format', default='ext4', choices=('ext2', 'ext3', 'ext4', 'vfat', 'xfs'), help="""
File system that ephemeral disks come with if their request names none.
"""),
    cfg.StrOpt('pointer_model', default='usbtablet', choices=('ps2mouse', 'usbtablet'), help="""
How the pointer of a console moves in a server whose image does not say (hw_pointer_model): the tablet is where the
pointer of the person is, the mouse only moves like it.
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
    cfg.BoolOpt('force_raw_images', default=True, help="""
Whether images are unpacked to raw files on a compute host, so that no guest runs on a file whose tables a stranger
has written. If not, qcow2 images stay as they are; all other formats are converted to qcow2.
"""),
    cfg.BoolOpt('force_config_drive', default=False, help="""
Whether every server gets a config drive, asked for or not.
"""),
    cfg.IntOpt('sync_power_state_interval', default=600, mutable=True, help="""
Seconds between two looks at all guests of a host, in which a server whose guest went off by itself becomes stopped, and
a guest that runs though its server is stopped is stopped. 0 is once a minute, a negative number never. Read by
nova-conductor; what is new in a heartbeat is followed at once, see `[workarounds] handle_virt_lifecycle_events`.
"""),
    cfg.IntOpt('shutdown_timeout', default=60, min=0, help="""
Seconds that a server which is stopped or softly rebooted gets to shut itself down, before its power is cut.
"""),
]
