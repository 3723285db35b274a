# SPDX-License-Identifier: Apache-2.0
"""How hosts that could take a server are told apart."""

from oslo_config import cfg

GROUP = 'filter_scheduler'

_FULLER = 'Below zero, fuller hosts are preferred.'
_PER_AGGREGATE = 'An aggregate whose metadata has this name sets it for its hosts; of several the smallest counts.'

OPTS = [
    cfg.IntOpt('host_subset_size', default=1, min=1, help="""
Number of best hosts from which one is taken at random. More than one keeps several conductors that decide
at the same time from running after the same host.
"""),
    cfg.BoolOpt('shuffle_best_same_weighed_hosts', default=True, help="""
Whether hosts of the same weight take turns at random. If not, the one that has been known longest is taken.
"""),
    cfg.MultiStrOpt('available_filters', default=['nova.scheduler.filters.all_filters'], help="""
Filters that `enabled_filters` may name. The default stands for all that there are: those of nova-lite and those
that installed packages provide under the entry point `nova_lite.scheduler.filters`.
"""),
    cfg.ListOpt('enabled_filters', default=[
        'ComputeFilter', 'AvailabilityZoneFilter', 'ComputeCapabilitiesFilter', 'ImagePropertiesFilter',
        'ServerGroupAntiAffinityFilter', 'ServerGroupAffinityFilter'],
                help="""
Filters that a host has to pass, in the order in which they are asked. Whether there is room, and whether the host
has the traits that are required, is checked in any case.
"""),
    cfg.IntOpt('max_io_ops_per_host', default=8, min=1, help="""
Servers that may be built, resized, rebuilt, rescued or copied on a host at the same time. Used by IoOpsFilter, and
by AggregateIoOpsFilter where no aggregate of a host says otherwise.
"""),
    cfg.IntOpt('max_instances_per_host', default=50, min=1, help="""
Servers that a host may have. Used by NumInstancesFilter, and by AggregateNumInstancesFilter where no aggregate of a
host says otherwise.
"""),
    cfg.ListOpt('isolated_images', default=[], help="""
Ids of images whose servers may run on `isolated_hosts` only. Used by IsolatedHostsFilter.
"""),
    cfg.ListOpt('isolated_hosts', default=[], help="""
Hosts on which servers of `isolated_images` may run. Used by IsolatedHostsFilter.
"""),
    cfg.BoolOpt('restrict_isolated_hosts_to_isolated_images', default=True, help="""
Whether `isolated_hosts` refuse servers of all other images. Used by IsolatedHostsFilter.
"""),
    cfg.StrOpt('aggregate_image_properties_isolation_namespace', help="""
What the names of image properties begin with that AggregateImagePropertiesIsolation looks at. If this is not set, it
looks at all.
"""),
    cfg.StrOpt('aggregate_image_properties_isolation_separator', default='.', help="""
What stands between `aggregate_image_properties_isolation_namespace` and the rest of the name.
"""),
    cfg.FloatOpt('ram_weight_multiplier', default=1.0, help=f"""
How much free memory counts when hosts are compared. {_FULLER}

{_PER_AGGREGATE}
"""),
    cfg.FloatOpt('cpu_weight_multiplier', default=1.0, help=f"""
How much free virtual processors count when hosts are compared. {_FULLER}

{_PER_AGGREGATE}
"""),
    cfg.FloatOpt('disk_weight_multiplier', default=1.0, help=f"""
How much free disk space counts when hosts are compared. {_FULLER}

{_PER_AGGREGATE}
"""),
    cfg.FloatOpt('io_ops_weight_multiplier', default=-1.0, help=f"""
How much it counts that servers are built, resized, rebuilt, rescued or copied on a host. Below zero, hosts with less
of that are preferred.

{_PER_AGGREGATE}
"""),
    cfg.FloatOpt('num_instances_weight_multiplier', default=0.0, help=f"""
How much the number of servers of a host counts. Below zero, hosts with fewer are preferred.

{_PER_AGGREGATE}
"""),
    cfg.FloatOpt('build_failure_weight_multiplier', default=1000000.0, min=0, help=f"""
How much it counts against a host that builds failed there since the last one that did not.

{_PER_AGGREGATE}
"""),
    cfg.FloatOpt('soft_affinity_weight_multiplier', default=1.0, min=0, help=f"""
How much the other members of a server group with policy soft-affinity count when hosts are compared.

{_PER_AGGREGATE}
"""),
    cfg.FloatOpt('soft_anti_affinity_weight_multiplier', default=1.0, min=0, help=f"""
How much the other members of a server group with policy soft-anti-affinity count when hosts are compared.

{_PER_AGGREGATE}
"""),
    cfg.DictOpt('weight_multipliers', default={}, help="""
Weighers of other packages, by their name under the entry point `nova_lite.scheduler.weighers`, and how much each
counts: `rack:2.0,power:-1`.
"""),
]
