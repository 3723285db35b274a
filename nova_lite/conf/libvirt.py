# SPDX-License-Identifier: Apache-2.0
"""How nova-compute drives QEMU through libvirt."""

from oslo_config import cfg

GROUP = 'libvirt'

OPTS = [
    cfg.StrOpt('connection_uri', default='', help="""
Where libvirt is. Empty: nova-compute runs libvirt's own QEMU driver inside of itself, which needs no daemon and no
privilege, with all that belongs to it in `$state_path/libvirt`; that is `qemu:///embed?root=$state_path/libvirt`.
A daemon, such as `qemu:///system`, is needed for live migration.
"""),
    cfg.StrOpt('virt_type', default='auto', choices=('auto', 'kvm', 'qemu'), help="""
Who runs the processors of guests. `kvm` is the host's own processor, `qemu` a program and ten times slower. `auto`
is kvm where the processor says that it can (vmx or svm) and `/dev/kvm` can be opened, else qemu.
"""),
    cfg.StrOpt('cpu_mode', choices=('host-model', 'host-passthrough', 'maximum', 'custom', 'none'), help="""
Which processor guests see: about that of the host (`host-model`), exactly that (`host-passthrough`), all that the
hypervisor can do (`maximum`), the one in `cpu_models` (`custom`), or the hypervisor's plainest (`none`). Unless this
is set: host-model with kvm, maximum with qemu.
"""),
    cfg.ListOpt('cpu_models', default=[], help="""
The processor of `cpu_mode` custom, in libvirt's words: `Nehalem`. Of several, the first one is taken.
"""),
    cfg.ListOpt('cpu_model_extra_flags', default=[], help="""
Features that the processor of guests has beside those of its model, or has not if `-` stands before the name:
`+pcid,-avx512f`.
"""),
    cfg.ListOpt('hw_machine_type', default=[], help="""
Machine that guests of an architecture get if their image does not say: `x86_64=q35,aarch64=virt`. `pc` for x86_64 and
i686, `virt` for others.
"""),
    cfg.StrOpt('images_type', default='default', choices=('default', 'qcow2', 'raw'), help="""
How local disks are kept: `qcow2` keeps what differs from the image, `raw` is a copy of it, larger and a little
faster. `default` is qcow2.
"""),
    cfg.StrOpt('snapshot_image_format', choices=('raw', 'qcow2'), help="""
Format of the images that snapshots become. Unless this is set: qcow2.
"""),
    cfg.StrOpt('disk_prefix', help="""
What the names of disks begin with, `vd` or `sd`. Unless this is set, it follows from the bus of the disk.
"""),
    cfg.ListOpt('disk_cachemodes', default=[], help="""
How the host caches disks by what they are kept in: `file=writeback,block=none`. A disk without a word here is cached
as QEMU does it, safe against a crash of the host.
"""),
    cfg.StrOpt('hw_disk_discard', choices=('ignore', 'unmap'), help="""
Whether a guest that discards blocks frees space on the host (unmap). Unless this is set, as QEMU does it: ignore.
"""),
    cfg.IntOpt('num_pcie_ports', default=0, min=0, max=28, help="""
PCIe slots of a guest of the machine q35 or virt for what is attached while it runs. 0 gives it 16.
"""),
    cfg.IntOpt('tb_cache_size', min=0, help="""
MiB in which QEMU keeps translated code of a guest with `virt_type` qemu. Unless this is set 32, which is enough for
small guests and costs little; QEMU's own choice is 1024 or 512. 0 leaves it to QEMU.
"""),
    cfg.IntOpt('mem_stats_period_seconds', default=10, help="""
Seconds between two questions to a guest about its use of memory. 0 or less asks nothing.
"""),
    cfg.StrOpt('rng_dev_path', default='/dev/urandom', help="""
Where random numbers for guests come from.
"""),
    cfg.StrOpt('rescue_image_id', help="""
Image of a rescue whose request names none. Unless this is set, it is the image of the server.
"""),
    cfg.IntOpt('wait_soft_reboot_seconds', default=120, min=0, help="""
Seconds that a guest gets to shut itself down for a soft reboot, before its power is cut.
"""),
    cfg.IntOpt('device_detach_attempts', default=8, min=1, help="""
How often a guest that runs is asked to let go of a device.
"""),
    cfg.IntOpt('device_detach_timeout', default=20, min=1, help="""
Seconds that it gets each time.
"""),
    cfg.StrOpt('remote_filesystem_transport', default='ssh', choices=('ssh', 'rsync'), help="""
What fetches the disks of a server that is resized or migrated here from another host, unless the directories of both
are the same. ssh has to let the user of nova-compute in without a question.
"""),
    cfg.StrOpt('live_migration_uri', help="""
How libvirt here reaches the one of another host to which a server goes while it runs. `%s` stands for the
`live_migration_inbound_addr` of that host, or its name. Unless this is set, it is `qemu+tcp://%s/system`, or what
`live_migration_scheme` says in the place of tcp.
"""),
    cfg.StrOpt('live_migration_scheme', help="""
What goes between `qemu+` and `://` where `live_migration_uri` is not set: `ssh`, `tls`, or `tcp`, which nobody but the
hosts may be able to reach.
"""),
    cfg.HostAddressOpt('live_migration_inbound_addr', help="""
Address of this host at which servers arrive while they run: that of a network between the hosts, if there is one.
Unless this is set, it is the name of the host, and libvirt listens at all of its addresses.
"""),
    cfg.IntOpt('live_migration_bandwidth', default=0, min=0, help="""
MiB in a second that a live migration may take, 0 for all that there is.
"""),
    cfg.IntOpt('live_migration_downtime', default=500, min=100, help="""
Milliseconds that a guest may stand still at the end of its live migration.
"""),
    cfg.IntOpt('live_migration_completion_timeout', default=800, min=0, help="""
Seconds that a live migration may take for each GiB of memory and copied disks, at least for two of them. Then
`live_migration_timeout_action` is taken. 0 is for ever.
"""),
    cfg.StrOpt('live_migration_timeout_action', default='abort', choices=('abort', 'force_complete'), help="""
What becomes of a live migration that takes too long: the server stays where it is, or stands still until it has moved.
"""),
    cfg.BoolOpt('live_migration_permit_post_copy', default=False, help="""
Whether a live migration that is to end now may let the guest run on the destination before all of its memory is there.
It does not stand still then, but it is lost if either host fails before the rest has come.
"""),
    cfg.BoolOpt('live_migration_permit_auto_converge', default=False, help="""
Whether a guest that changes its memory faster than it can be copied is slowed down.
"""),
    cfg.BoolOpt('live_migration_with_native_tls', default=False, help="""
Whether memory and disks are encrypted on their way. QEMU has to have certificates on all hosts
(`default_tls_x509_cert_dir` in qemu.conf).
"""),
    cfg.StrOpt('bridge', help="""
Bridge of this host that servers are plugged into. Unless this is set, each has a network of its own behind QEMU's
translation of addresses, which needs no privilege and reaches outwards only.
"""),
    cfg.StrOpt('metadata_address', help="""
HOST:PORT of the metadata API as this compute host reaches it, for guests on QEMU's own networks. Unless this is set,
it is on this machine, where `metadata_listen` and `metadata_listen_port` say. Guests reach it only with
`[neutron] metadata_proxy_shared_secret`, the same here and there.
"""),
]
