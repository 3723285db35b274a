# SPDX-License-Identifier: Apache-2.0
"""How much a project or a user may have; -1 stands for without limit."""

from oslo_config import cfg

GROUP = 'quota'

OPTS = [
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
