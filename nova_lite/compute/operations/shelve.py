# SPDX-License-Identifier: Apache-2.0
"""Shelve: a guest is shut down, and its disk copied into an image."""

from nova_lite.compute.operations import delete, rescue, snapshot
from nova_lite.compute.procedure import Procedure, Step

PROCEDURE = Procedure('compute_shelve_instance', (
    Step(rescue.power_off, undo=rescue.power_on),
    *snapshot.STEPS,
))
# Of a server whose root disk is a volume: there is nothing to copy.
ON_VOLUME = Procedure('compute_shelve_offload_instance', (
    Step(rescue.power_off, undo=rescue.power_on),
    Step(delete.destroy),
))
