# SPDX-License-Identifier: Apache-2.0
"""How hosts that could take a server are told apart."""

from oslo_config import cfg

GROUP = 'filter_scheduler'

OPTS = [
    cfg.IntOpt('host_subset_size', default=1, min=1, help="""
Number of best hosts from which one is taken at random. More than one keeps several conductors that decide
at the same time from running after the same host.
"""),
]
