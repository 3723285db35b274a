# SPDX-License-Identifier: Apache-2.0
"""What OSprofiler's driver ``otlp`` reads besides ``[profiler]``."""

from oslo_config import cfg

GROUP = 'profiler_otlp'

OPTS = [
    cfg.StrOpt('service_name_prefix', help="""
Begin of the service's name in the traces that OSprofiler sends to an OpenTelemetry collector.
"""),
]
