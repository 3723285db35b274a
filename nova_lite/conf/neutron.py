# SPDX-License-Identifier: Apache-2.0
"""How to reach Neutron, where the networks are not kept by ourselves, and how its metadata agent proves who it is."""

from oslo_config import cfg

from nova_lite.conf import endpoints

GROUP = 'neutron'

OPTS = [
    *endpoints.options('network', 'Neutron'),
    endpoints.retries('http_retries', 'Neutron'),
    cfg.StrOpt('default_floating_pool', default='nova', help="""
Network that floating addresses come from where a request names none, by its name or id. Where there is no such network
they come from the first one that has any.
"""),
    cfg.BoolOpt('service_metadata_proxy', default=False, help="""
Whether requests to the metadata API come through Neutron's metadata agent, which names the server in headers that
it signs. If not, the address that a request comes from says which server it is.
"""),
    cfg.StrOpt('metadata_proxy_shared_secret', secret=True, help="""
Secret that signs those headers, the same as in the agent's configuration. `service_metadata_proxy` needs it.
"""),
]
