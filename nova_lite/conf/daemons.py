# SPDX-License-Identifier: Apache-2.0
"""Which HTTP APIs nova-api serves, where, and with how many processes.

For an API named ``x`` the options are ``x_listen``, ``x_listen_port`` and ``x_workers``; the
name is also that of its composite in the paste file.
"""

from oslo_config import cfg

GROUP = 'DEFAULT'

OPTS = [
    cfg.ListOpt('enabled_apis', default=['osapi_compute'],
                item_type=cfg.types.String(choices=['osapi_compute', 'metadata']), help="""
APIs that nova-api serves, each a composite of the paste file.
"""),
    cfg.ListOpt('enabled_ssl_apis', default=[], help="""
Those of `enabled_apis` that are served over TLS, with the certificate of `[wsgi] ssl_cert_file`.
"""),
    cfg.StrOpt('osapi_compute_listen', default='0.0.0.0', help="""
Address on which the compute API listens. `::` takes IPv6 and IPv4.
"""),
    cfg.PortOpt('osapi_compute_listen_port', default=8774, help="""
Port of the compute API.
"""),
    cfg.IntOpt('osapi_compute_workers', min=1, mutable=True, help="""
Processes that serve the compute API. One for each processor if not set.
"""),
    cfg.StrOpt('metadata_listen', default='0.0.0.0', help="""
Address on which the metadata API listens.
"""),
    cfg.PortOpt('metadata_listen_port', default=8775, help="""
Port of the metadata API.
"""),
    cfg.IntOpt('metadata_workers', min=1, mutable=True, help="""
Processes that serve the metadata API. One for each processor if not set.
"""),
]
