# SPDX-License-Identifier: Apache-2.0
"""What can be switched off where it does harm."""

from oslo_config import cfg

GROUP = 'workarounds'

OPTS = [
    cfg.BoolOpt('handle_virt_lifecycle_events', default=True, mutable=True, help="""
Whether a server follows its guest as soon as a heartbeat of its host says that the guest is in another power state than
before. If not, that is left to the look that is taken every `sync_power_state_interval`. Read by nova-conductor.
"""),
]
