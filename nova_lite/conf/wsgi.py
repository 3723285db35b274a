# SPDX-License-Identifier: Apache-2.0
"""The HTTP server below the APIs."""

from oslo_config import cfg

GROUP = 'wsgi'

OPTS = [
    cfg.StrOpt('api_paste_config', default='api-paste.ini', help="""
Paste file: which applications and filters a request passes. A relative name is looked for beside the
configuration files, then in /etc/nova, then in what the package installed.
"""),
    cfg.IntOpt('client_socket_timeout', default=900, min=0, help="""
Seconds after which an idle connection is closed. 0: never.
"""),
    cfg.BoolOpt('keep_alive', default=True, help="""
Whether a connection stays open for further requests.
"""),
    cfg.IntOpt('default_pool_size', default=1000, min=1, help="""
Requests that one process works on at the same time.
"""),
    cfg.IntOpt('max_header_line', default=16384, min=1, help="""
Longest line of a request's head. Signed tokens with a big catalogue need long ones.
"""),
    cfg.IntOpt('tcp_keepidle', default=600, min=1, help="""
Seconds of silence after which a connection is probed.
"""),
    cfg.StrOpt('ssl_cert_file', help="""
Certificate of the APIs in `enabled_ssl_apis`, with its chain.
"""),
    cfg.StrOpt('ssl_key_file', help="""
Private key of `ssl_cert_file`.
"""),
    cfg.StrOpt('ssl_ca_file', help="""
Authorities whose client certificates are accepted. If set, a client has to show one.
"""),
]
