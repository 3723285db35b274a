# SPDX-License-Identifier: Apache-2.0
"""How to reach Cinder, where the volumes are not kept by ourselves."""

from oslo_config import cfg

from nova_lite.conf import endpoints

GROUP = 'cinder'

OPTS = [
    cfg.StrOpt('catalog_info', default='volumev3::publicURL', regex=r'[\w-]+:[^:]*:\w+', help="""
What to look for in the service catalogue, as `TYPE:NAME:INTERFACE`; the name may be empty and is not looked at.
"""),
    cfg.StrOpt('endpoint_template', help="""
URL of Cinder, instead of the one that the service catalogue has, for instance
`http://localhost:8776/v3/%(project_id)s`.
"""),
    cfg.StrOpt('os_region_name', help='Region of Cinder in the service catalogue.'),
    endpoints.retries('http_retries', 'Cinder'),
    *endpoints.session_options(),
]
