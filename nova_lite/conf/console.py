# SPDX-License-Identifier: Apache-2.0
"""What the proxies of all kinds of consoles have in common."""

from oslo_config import cfg

GROUP = 'console'

OPTS = [
    cfg.ListOpt('allowed_origins', default=[], help="""
Names of hosts whose pages may open consoles, beside the proxy's own: a dashboard's, for example. A browser tells which
page a connection is made for; a connection for a page of any other host is refused.
"""),
    cfg.StrOpt('ssl_ciphers', help="""
Ciphers that the proxies offer below TLS 1.3, in OpenSSL's notation; if unset, those of the system.
"""),
    cfg.StrOpt('ssl_minimum_version', default='default', choices=['default', 'tlsv1_1', 'tlsv1_2', 'tlsv1_3'], help="""
Oldest version of TLS that the proxies speak; `default` leaves it to the system.
"""),
]
