# SPDX-License-Identifier: Apache-2.0
"""How long a token opens a console."""

from oslo_config import cfg

GROUP = 'consoleauth'

OPTS = [
    cfg.IntOpt('token_ttl', default=600, min=0, help="""
Seconds that the token in the URL of a console is good for.
"""),
]
