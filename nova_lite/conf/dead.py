# SPDX-License-Identifier: Apache-2.0
"""Options of Nova that deployment tools set and nothing here reads, each with what it means that nothing does."""

_NO_PLACEMENT = 'the scheduler keeps its own books and asks no Placement'
_NO_CELLS = 'there are no cells; a host is there once it has reported'
_NO_ROOT = 'nothing here runs commands as another user'
_NO_WAITING = 'no hypervisor here waits for an event of a port'

#: All options of these groups.
GROUPS = {
    'api_database': 'there is one database, that of [database] connection',
    'barbican': 'there are no encrypted disks',
    'cache': 'nothing is kept in a cache but tokens, by [keystone_authtoken] memcached_servers',
    'cells': _NO_CELLS,
    'cyborg': 'there are no accelerators',
    'devices': 'there are no virtual GPUs',
    'guestfs': 'nothing is written into the disks of guests',
    'ironic': 'there is no driver for bare metal',
    'key_manager': 'there are no encrypted disks',
    'oslo_concurrency': 'nothing here takes locks between processes in files',
    'os_vif_linux_bridge': 'interfaces are not plugged by os-vif',
    'os_vif_ovs': 'interfaces are not plugged by os-vif',
    'pci': 'no PCI devices are handed through',
    'placement_database': _NO_PLACEMENT,
    'privsep_entrypoint': _NO_ROOT,
    'vif_plug_linux_bridge_privileged': 'interfaces are not plugged by os-vif',
    'vif_plug_ovs_privileged': 'interfaces are not plugged by os-vif',
    'vmware': 'there is no driver for vSphere',
    'zvm': 'there is no driver for z/VM',
}

#: Groups of ours of which nothing is read while this option of theirs is off.
IDLE = {'placement': ('mirror', f'{_NO_PLACEMENT}; it is told of them with [placement] mirror = true')}

#: Single options.
OPTIONS = {
    ('DEFAULT', 'block_device_allocate_retries'): 'a build waits for its volumes as long as Cinder works on them',
    ('DEFAULT', 'block_device_allocate_retries_interval'):
        'a build waits for its volumes as long as Cinder works on them',
    ('DEFAULT', 'heal_instance_info_cache_interval'): "a server's addresses follow the events of Neutron",
    ('DEFAULT', 'rootwrap_config'): _NO_ROOT,
    ('DEFAULT', 'use_neutron'): '[neutron] auth_type says whether Neutron is used',
    ('DEFAULT', 'use_rootwrap_daemon'): _NO_ROOT,
    ('DEFAULT', 'vif_plugging_is_fatal'): _NO_WAITING,
    ('DEFAULT', 'vif_plugging_timeout'): _NO_WAITING,
    ('api', 'use_forwarded_for'): '[oslo_middleware] enable_proxy_headers_parsing does it',
    ('cinder', 'cross_az_attach'): 'volumes of all zones can be attached to all servers',
    ('filter_scheduler', 'track_instance_changes'): 'the scheduler reads from the database',
    ('neutron', 'extension_sync_interval'): 'what Neutron can do is seen from its answers',
    ('neutron', 'ovs_bridge'): 'interfaces are not plugged here',
    ('neutron', 'physnets'): 'networks have no affinity to NUMA nodes',
    ('scheduler', 'discover_hosts_in_cells_interval'): _NO_CELLS,
    ('scheduler', 'driver'): 'the scheduler is a part of the conductor',
    ('scheduler', 'workers'): 'the scheduler is a part of the conductor, and [conductor] workers says how many',
}


def reason(group: str, name: str) -> str | None:
    """Why nothing reads an option that means something to Nova."""
    return OPTIONS.get((group, name)) or GROUPS.get(group) or IDLE.get(group, ('', None))[1]
