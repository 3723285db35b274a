# SPDX-License-Identifier: Apache-2.0
"""Where a server may go when its size changes, and how long its owner may change his mind."""

from oslo_config import cfg

GROUP = 'DEFAULT'

OPTS = [
    cfg.IntOpt('resize_confirm_window', default=0, min=0, help="""
Seconds after which a resize or a migration that nobody confirmed or reverted is confirmed by itself. 0 waits
for ever.
"""),
    cfg.BoolOpt('allow_resize_to_same_host', default=False, help="""
Whether a resize may leave a server on its host if no other one has room. The host then holds what the server
needs at its largest until the resize is confirmed or reverted.
"""),
]
