# SPDX-License-Identifier: Apache-2.0
"""Traces for OpenTelemetry: whether, how many, and where to."""

from oslo_config import cfg

GROUP = 'opentelemetry'

OPTS = [
    cfg.BoolOpt('enabled', default=False, help="""
Follow each request of the compute API through the API, its messages and its SQL statements, as spans of one
OpenTelemetry trace. A request that brings a W3C `traceparent` header goes on with that trace. Needs
`pip install nova-lite[telemetry]`.

Background work (heartbeats, sweeps) has no trace. `[oslo_messaging_tracing]` would add spans of its own to each
message; leave it off.
"""),
    cfg.StrOpt('exporter', default='otlp-http', choices=[
        ('otlp-http', 'to a collector, such as Jaeger or Tempo, as OTLP over HTTP'),
        ('file', 'appended to `file`, one JSON object a line'),
        ('console', 'to standard output, for trials'),
        ('none', 'nowhere: traces are only handed on to other processes')], help="""
Where finished spans go.
"""),
    cfg.URIOpt('endpoint', schemes=['http', 'https'], help="""
URL to which the exporter `otlp-http` posts, for instance http://collector:4318/v1/traces. If it is not set, the
environment variables of OpenTelemetry (OTEL_EXPORTER_OTLP_…) decide, and without them port 4318 of this machine.
"""),
    cfg.StrOpt('file', default='$state_path/traces.jsonl', help="""
File that the exporter `file` appends to.
"""),
    cfg.StrOpt('service_name', default='nova', help="""
Name of the service in traces; each process adds what it is, so that there are nova-api, nova-conductor,
nova-compute and nova-metadata.
"""),
    cfg.FloatOpt('sample_ratio', default=1.0, min=0.0, max=1.0, help="""
Share of the requests that are traced. A request that goes on with a trace of its sender is traced if the sender
did so.
"""),
]
