# SPDX-License-Identifier: Apache-2.0
"""How Neutron's metadata agent proves which server a request for metadata comes from."""

from oslo_config import cfg

GROUP = 'neutron'

OPTS = [
    cfg.BoolOpt('service_metadata_proxy', default=False, help="""
Whether requests to the metadata API come through Neutron's metadata agent, which names the server in headers that
it signs. If not, the address that a request comes from says which server it is.
"""),
    cfg.StrOpt('metadata_proxy_shared_secret', secret=True, help="""
Secret that signs those headers, the same as in the agent's configuration. `service_metadata_proxy` needs it.
"""),
]
