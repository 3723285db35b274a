# SPDX-License-Identifier: Apache-2.0
"""The token that says that a request comes from this service, beside that of the user."""

from oslo_config import cfg

from nova_lite.conf import endpoints

GROUP = 'service_user'

OPTS = [
    cfg.BoolOpt('send_service_user_token', default=False, help="""
Whether requests to other services carry a token of our own beside that of the user. With it they accept a user's token
that expired while the work was being done, and Cinder lets go of volumes that servers have: it refuses that to all but
a service. The user needs the role `service`.
"""),
    *endpoints.session_options(),
]
