# SPDX-License-Identifier: Apache-2.0
"""How hosts that could take a server are told apart."""

from oslo_config import cfg

GROUP = 'filter_scheduler'

OPTS = [
    cfg.IntOpt('host_subset_size', default=1, min=1, help="""
Number of best hosts from which one is taken at random. More than one keeps several conductors that decide
at the same time from running after the same host.
"""),
    cfg.ListOpt('enabled_filters', default=[
        'ComputeFilter', 'AvailabilityZoneFilter', 'ServerGroupAntiAffinityFilter', 'ServerGroupAffinityFilter'],
                help="""
Filters that a host has to pass, in the order in which they are asked. Whether there is room is checked in any
case.
"""),
    cfg.FloatOpt('ram_weight_multiplier', default=1.0, help="""
How much free memory counts when hosts are compared. Below zero, fuller hosts are preferred.
"""),
    cfg.FloatOpt('cpu_weight_multiplier', default=1.0, help="""
How much free virtual processors count when hosts are compared. Below zero, fuller hosts are preferred.
"""),
    cfg.FloatOpt('disk_weight_multiplier', default=1.0, help="""
How much free disk space counts when hosts are compared. Below zero, fuller hosts are preferred.
"""),
    cfg.FloatOpt('soft_affinity_weight_multiplier', default=1.0, min=0, help="""
How much the other members of a server group with policy soft-affinity count when hosts are compared.
"""),
    cfg.FloatOpt('soft_anti_affinity_weight_multiplier', default=1.0, min=0, help="""
How much the other members of a server group with policy soft-anti-affinity count when hosts are compared.
"""),
]
