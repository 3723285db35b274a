# SPDX-License-Identifier: Apache-2.0
"""Extra specs that have a meaning: their names, and which values each of them takes.

A namespace is what stands before the colon.  In those listed here every name and value must be right; names of
other namespaces belong to whoever invented them, and pass.  Source: "Extra Specs" in the configuration reference.
"""

import re
from dataclasses import dataclass

from nova_lite import errors

_TRUE_OR_FALSE = frozenset(('1', 't', 'true', 'on', 'y', 'yes', '0', 'f', 'false', 'off', 'n', 'no'))
_SHOWN = 100


@dataclass(frozen=True)
class Rule:
    """Which values are right, and how to say so."""

    words: str
    choices: tuple[str, ...] = ()
    pattern: str = ''
    least: int | None = None
    whole: bool = False

    def allows(self, value: str) -> bool:
        """Whether the value is right."""
        if self.whole:
            try:
                number = int(value)
            except ValueError:
                return False
            return self.least is None or number >= self.least
        if self.choices:
            return value in self.choices
        return not self.pattern or re.fullmatch(self.pattern, value) is not None


@dataclass(frozen=True)
class _Boolean(Rule):
    """Any of the words that stand for yes and no."""

    def allows(self, value: str) -> bool:
        """Whether the value is such a word."""
        return value.strip().lower() in _TRUE_OR_FALSE


def _one_of(*choices: str) -> Rule:
    return Rule('one of ' + ', '.join(choices), choices=choices)


def _like(pattern: str, words: str) -> Rule:
    return Rule(words, pattern=pattern)


def _at_least(least: int) -> Rule:
    return Rule(f'a whole number, {least} or more', least=least, whole=True)


TEXT = Rule('text')
NUMBER = Rule('a whole number', whole=True)
BOOLEAN = _Boolean('a boolean')
CPUS = _like(r'\^?\d+(-\d+|,\^?\d+)*', 'a list of processors, such as 0-3,^2')

NAMES: dict[str, Rule] = {
    # Without a namespace.
    'group_policy': _one_of('isolate', 'none'),
    'hide_hypervisor_id': BOOLEAN,

    'accel:device_profile': TEXT,

    'hw:boot_menu': BOOLEAN,
    'hw:cpu_cores': _at_least(1),
    'hw:cpu_dedicated_mask': CPUS,
    'hw:cpu_policy': _one_of('dedicated', 'shared', 'mixed'),
    'hw:cpu_realtime': BOOLEAN,
    'hw:cpu_realtime_mask': CPUS,
    'hw:cpu_sockets': _at_least(1),
    'hw:cpu_thread_policy': _one_of('prefer', 'isolate', 'require'),
    'hw:cpu_threads': _at_least(1),
    'hw:emulator_threads_policy': _one_of('isolate', 'share'),
    'hw:ephemeral_encryption': BOOLEAN,
    'hw:ephemeral_encryption_format': _one_of('luks'),
    'hw:hide_hypervisor_id': BOOLEAN,
    'hw:locked_memory': BOOLEAN,
    'hw:max_cpu_cores': _at_least(1),
    'hw:max_cpu_sockets': _at_least(1),
    'hw:max_cpu_threads': _at_least(1),
    'hw:maxphysaddr_bits': _at_least(0),
    'hw:maxphysaddr_mode': _one_of('passthrough', 'emulate'),
    'hw:mem_encryption': BOOLEAN,
    'hw:mem_encryption_model': _one_of('amd-sev', 'amd-sev-es'),
    'hw:mem_page_size': _like(r'(large|small|any|\d+([kKMGT]i?)?(b|bit|B)?)',
                              'large, small, any or a size, such as 2048 or 1GB'),
    'hw:numa_nodes': _at_least(1),
    'hw:pci_numa_affinity_policy': _one_of('required', 'preferred', 'legacy', 'socket'),
    'hw:pmem': _like(r'[a-zA-Z0-9_]+(,[a-zA-Z0-9_]+)*,?', 'a list of labels, separated by commas'),
    'hw:pmu': BOOLEAN,
    'hw:redirected_usb_ports': _at_least(0),
    'hw:serial_port_count': _at_least(0),
    'hw:sound_model': TEXT,
    'hw:tpm_model': _one_of('tpm-tis', 'tpm-crb'),
    'hw:tpm_secret_security': _one_of('user', 'host', 'deployment'),
    'hw:tpm_version': _one_of('1.2', '2.0'),
    'hw:usb_model': TEXT,
    'hw:vif_multiqueue_enabled': BOOLEAN,
    'hw:viommu_model': _one_of('intel', 'smmuv3', 'virtio', 'auto'),
    'hw:virtio_packed_ring': BOOLEAN,
    'hw:watchdog_action': _one_of('none', 'pause', 'poweroff', 'reset', 'disabled'),

    'hw_rng:allowed': BOOLEAN,
    'hw_rng:rate_bytes': _at_least(0),
    'hw_rng:rate_period': _at_least(0),

    'hw_video:ram_max_mb': _at_least(0),

    'os:secure_boot': _one_of('disabled', 'required'),

    'pci_passthrough:alias': _like(r'[^:]+:\d+(\s*,\s*[^:,]+:\d+)*', 'a list of ALIAS:COUNT, separated by commas'),

    **{f'quota:{resource}_{what}': rule for resource in ('cpu', 'memory', 'disk_io', 'vif')
       for what, rule in (('limit', NUMBER), ('reservation', NUMBER), ('shares_level', TEXT),
                          ('shares_share', NUMBER))},
    **{f'quota:cpu_{what}': _at_least(0) for what in ('shares', 'period', 'quota')},
    **{f'quota:disk_{way}_{what}_sec': _at_least(0) for way in ('read', 'write', 'total')
       for what in ('bytes', 'iops')},
    **{f'quota:vif_{way}_{what}': _at_least(0) for way in ('inbound', 'outbound')
       for what in ('average', 'peak', 'burst')},

    'vmware:hw_version': TEXT,
    'vmware:storage_policy': TEXT,
}

# Facts of a host that a flavor may ask for, as they are called there.
_CAPABILITIES = (
    'aggregates', 'cell_uuid', 'cpu_allocation_ratio', 'current_workload', 'disk_allocation_ratio',
    'disk_available_least', 'disk_mb_used', 'failed_builds', 'free_disk_gb', 'free_disk_mb', 'free_ram_mb', 'host',
    'host_ip', 'hypervisor_hostname', 'hypervisor_type', 'hypervisor_version', 'id', 'local_gb', 'local_gb_used',
    'mapped', 'memory_mb', 'memory_mb_used', 'num_instances', 'num_io_ops', 'ram_allocation_ratio', 'running_vms',
    'service_id', 'total_usable_disk_gb', 'total_usable_ram_mb', 'updated', 'uuid', 'vcpus', 'vcpus_total',
    'vcpus_used')
_NESTED_CAPABILITIES = ('cpu_info', 'metrics', 'numa_topology', 'pci_device_pools', 'stats', 'supported_hv_specs')

_RESOURCES = (
    'VCPU', 'MEMORY_MB', 'DISK_GB', 'PCI_DEVICE', 'SRIOV_NET_VF', 'NUMA_SOCKET', 'NUMA_CORE', 'NUMA_THREAD',
    'NUMA_MEMORY_MB', 'IPV4_ADDRESS', 'VGPU', 'VGPU_DISPLAY_HEAD', 'NET_BW_EGR_KILOBIT_PER_SEC',
    'NET_BW_IGR_KILOBIT_PER_SEC', 'PCPU', 'MEM_ENCRYPTION_CONTEXT', 'FPGA', 'PGPU',
    'NET_PACKET_RATE_KILOPACKET_PER_SEC', 'NET_PACKET_RATE_EGR_KILOPACKET_PER_SEC',
    'NET_PACKET_RATE_IGR_KILOPACKET_PER_SEC', 'CUSTOM_[A-Z0-9_]+')

# Of the standard traits only the families are known here: each release of os-traits adds some.
_TRAITS = ('COMPUTE', 'CUSTOM', 'HW', 'MISC', 'OWNER', 'STORAGE')
_GROUP = '[a-zA-Z0-9_-]{0,64}'


def _any(names: tuple[str, ...]) -> str:
    return '(' + '|'.join(names) + ')'


PATTERNS: tuple[tuple[re.Pattern[str], Rule], ...] = tuple((re.compile(pattern), rule) for pattern, rule in (
    (r'hw:numa_cpus\.\d+', CPUS),
    (r'hw:numa_mem\.\d+', _at_least(1)),
    (r'aggregate_instance_extra_specs:.+', TEXT),
    (rf'capabilities:{_any(_CAPABILITIES)}', TEXT),
    (rf'capabilities:{_any(_NESTED_CAPABILITIES)}(:\w+)*', TEXT),
    (rf'resources{_GROUP}:{_any(_RESOURCES)}', NUMBER),
    (rf'trait{_GROUP}:{_any(_TRAITS)}_[A-Z0-9_]+', _one_of('required', 'forbidden')),
))

NAMESPACES = frozenset(name.partition(':')[0] for name in NAMES if ':' in name) | {
    'aggregate_instance_extra_specs', 'capabilities', 'resources', 'trait'}


def rule_of(name: str) -> Rule | None:
    """The rule of a known extra spec."""
    rule = NAMES.get(name)
    if rule is None:
        rule = next((rule for pattern, rule in PATTERNS if pattern.fullmatch(name)), None)
    return rule


def check(name: str, value: str) -> None:
    """errors.Invalid when an extra spec of a known namespace is unknown itself, or has a wrong value."""
    rule = rule_of(name)
    if rule is not None:
        if not rule.allows(value):
            raise errors.Invalid(f'Invalid extra spec {name}: {value[:_SHOWN]!r} is not {rule.words}.')
        return
    namespace, colon, _ = name.partition(':')
    if colon and namespace in NAMESPACES:
        raise errors.Invalid(f'Invalid extra spec {name[:_SHOWN]!r}: namespace {namespace} has no such name.')
