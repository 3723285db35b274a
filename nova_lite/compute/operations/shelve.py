# SPDX-License-Identifier: Apache-2.0
"""Shelve: a guest is shut down, and its disk copied into an image."""

from nova_lite.compute.operations import rescue, snapshot
from nova_lite.compute.procedure import Procedure, Step

PROCEDURE = Procedure('compute_shelve_instance', (
    Step(rescue.power_off, undo=rescue.power_on),
    *snapshot.STEPS,
))
