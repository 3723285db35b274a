# SPDX-License-Identifier: Apache-2.0
"""How much a project or a user may have; -1 stands for without limit."""

from oslo_config import cfg

GROUP = 'quota'

OPTS = [
    cfg.StrOpt('driver', default='database', choices=[
        ('database', 'what an administrator sets through this API, over the options of this group'),
        ('unified', 'the unified limits of Keystone; group [oslo_limit] says how to ask for them'),
        ('noop', 'no limits at all'),
        ('nova.quota.DbQuotaDriver', 'another name of database'),
        ('nova.quota.UnifiedLimitsDriver', 'another name of unified'),
        ('nova.quota.NoopQuotaDriver', 'another name of noop'),
    ], help="""
Where limits come from.
"""),
    cfg.StrOpt('unified_limits_resource_strategy', default='require', choices=[
        ('require', 'what unified_limits_resource_list names has limit 0 until Keystone has a registered limit of it'),
        ('ignore', 'everything but that has'),
    ], help="""
Which resources may not be had while Keystone has no registered limit of them. The others are then without limit.
"""),
    cfg.ListOpt('unified_limits_resource_list', default=['servers'], help="""
The resources, by their names in Keystone, that unified_limits_resource_strategy is about.
"""),
    cfg.IntOpt('unified_limits_cache_time', default=5, min=0, help="""
Seconds for which a process remembers the limits that Keystone told it.
"""),
    cfg.IntOpt('instances', default=10, min=-1, help="""
Servers of a project.
"""),
    cfg.IntOpt('cores', default=20, min=-1, help="""
Virtual processors of all servers of a project.
"""),
    cfg.IntOpt('ram', default=50 * 1024, min=-1, help="""
Memory of all servers of a project, in MiB.
"""),
    cfg.IntOpt('metadata_items', default=128, min=-1, help="""
Metadata entries of a server.
"""),
    cfg.IntOpt('injected_files', default=5, min=-1, help="""
Files (`personality`) that a create request may bring.
"""),
    cfg.IntOpt('injected_file_content_bytes', default=10 * 1024, min=-1, help="""
Bytes of one such file.
"""),
    cfg.IntOpt('injected_file_path_length', default=255, min=-1, help="""
Length of the path of one such file.
"""),
    cfg.IntOpt('key_pairs', default=100, min=-1, help="""
Key pairs of a user.
"""),
    cfg.IntOpt('server_groups', default=10, min=-1, help="""
Server groups of a project.
"""),
    cfg.IntOpt('server_group_members', default=10, min=-1, help="""
Servers of a server group.
"""),
]
