# SPDX-License-Identifier: Apache-2.0
"""How the compute API answers."""

from oslo_config import cfg

GROUP = 'api'

OPTS = [
    cfg.StrOpt('auth_strategy', default='keystone', help="""
Pipeline of the paste file that requests take: `keystone` checks tokens with an identity service, `noauth2`
believes every `USER:PROJECT` in `X-Auth-Token` and is for tests on a closed machine. An operator's own paste
file may name more.
"""),
    cfg.IntOpt('max_limit', default=1000, min=0, help="""
Most entries of one page of a list, whatever `limit` a request asks for.
"""),
    cfg.URIOpt('compute_link_prefix', schemes=['http', 'https'], help="""
What links to this API start with in answers, for instance https://cloud.example.org:8774. If not set, the
address that the client used.
"""),
    cfg.FloatOpt('interface_attach_wait', default=10.0, min=0, help="""
Seconds that a request for an interface waits for the interface to be there. If it takes longer, the answer shows
the port as it is then, and the work goes on.
"""),
    cfg.FloatOpt('volume_attach_wait', default=2.0, min=0, help="""
Seconds that a request to attach a volume waits for the server to have it. If it takes longer, the work goes on.
"""),
    cfg.BoolOpt('enable_instance_password', default=True, help="""
Whether the answer to a create request tells the administrator's password of the server.
"""),
]
