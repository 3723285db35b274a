# SPDX-License-Identifier: Apache-2.0
"""OSprofiler, under the names that its own options have.

They are declared here and not taken from the library, because its option module imports the library: a process
that profiles nothing must not pay for that.
"""

from oslo_config import cfg

GROUP = 'profiler'

OPTS = [
    cfg.BoolOpt('enabled', default=False, help="""
Profile the requests that ask for it with a signed `X-Trace-Info` header, through messages and SQL statements.
"""),
    cfg.StrOpt('hmac_keys', secret=True, help="""
Keys, separated by commas, one of which has to sign the header. There is no default: whoever knows a key can have
requests profiled. Services that are to appear in one trace need a key in common.
"""),
    cfg.BoolOpt('trace_sqlalchemy', default=False, help="""
Whether SQL statements are part of a trace. Their values never are.
"""),
    cfg.BoolOpt('trace_requests', default=False, help="""
Whether the requests of this service to others are part of a trace. Only the driver `otlp` shows them.
"""),
    cfg.StrOpt('connection_string', default='messaging://', help="""
Where events go. OSprofiler knows messaging:// (notifications over RabbitMQ; the transport local:// carries none),
redis://, mongodb://, elasticsearch://, mysql+pymysql://, postgresql:// and otlp://HOST:4318, each with a client
library of its own. file:///PATH appends each event to a file, one JSON object a line.
"""),
    cfg.StrOpt('es_doc_type', default='notification', help="""
Driver `elasticsearch`: type of the documents.
"""),
    cfg.StrOpt('es_scroll_time', default='2m', help="""
Driver `elasticsearch`: how long a search is kept open.
"""),
    cfg.IntOpt('es_scroll_size', default=10000, help="""
Driver `elasticsearch`: most documents of one answer.
"""),
    cfg.FloatOpt('socket_timeout', default=0.1, help="""
Driver `redissentinel`: seconds to wait for a connection.
"""),
    cfg.StrOpt('sentinel_service_name', default='mymaster', help="""
Driver `redissentinel`: name of the master.
"""),
    cfg.BoolOpt('filter_error_trace', default=False, help="""
Drivers `redis`, `mongodb` and `elasticsearch`: keep traces with an error in a place of their own, too.
"""),
]
